//! Rebuilding the search index: another LanceDB table, filled from the models that it is made of
//! ([`super::index_beside`]).

use super::index_beside::{IndexBeside, goal, lock, positions};
use super::{Finish, Rebuilt};
use crate::error::ProjectionError;
use crate::lease;
use crate::search::{CurrentIndex, Models, live_table, other_table};
use crate::store::Database;
use bus::Log;
use sqlx::{Connection, PgConnection};
use std::time::Instant;

/// Writes a second table from its sources while the first one serves, compares both while neither moves, and swaps.
/// `progress` is told documents done and their number.
///
/// # Errors
/// As [`rebuild`](super::rebuild).
pub async fn rebuild_search(
    index: &CurrentIndex,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Rebuilt, ProjectionError> {
    let begun = Instant::now();
    let mut connection = database.connect().await?;
    refuse_a_second(&mut connection).await?;
    connection.close().await?;
    let mut beside = IndexBeside::begin(index, Models::Live, log, database, finish).await?;
    let rebuilt = beside.compare_and_swap(database, progress).await;
    beside
        .end(rebuilt.as_ref().is_ok_and(|one| one.swapped))
        .await;
    rebuilt?.conclude(begun, finish)
}

/// What would be refused at the end, before much is built.
///
/// # Errors
/// As [`IndexBeside::begin`], and [`ProjectionError::IndexBehind`] where it is to be compared.
pub(super) async fn look_ahead(
    log: &Log,
    database: &Database,
    finish: Finish,
) -> Result<(), ProjectionError> {
    let mut connection = database.connect().await?;
    refuse_a_second(&mut connection).await?;
    goal(&mut connection, Models::Beside, log, finish).await?;
    let begun = Instant::now();
    loop {
        let held = positions(&mut connection, "").await?;
        if finish == Finish::Swap || held.is_near() {
            break;
        }
        held.or_wait(begun).await?;
    }
    Ok(connection.close().await?)
}

/// Removes the table that the last rebuild has replaced; none is no error.
///
/// # Errors
/// [`ProjectionError::RebuildRuns`] while a rebuild may be writing that table.
pub async fn drop_old_index(
    index: &CurrentIndex,
    database: &Database,
) -> Result<(), ProjectionError> {
    let mut connection = database.connect().await?;
    lock(&mut connection).await?;
    let live = live_table(&mut connection).await?;
    index.drop_table(other_table(&live)).await?;
    Ok(())
}

/// A rebuild of the index that is under way is told at once, and not after a wait for its end.
async fn refuse_a_second(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    lock(connection).await?;
    lease::unlock(connection).await
}
