//! All copies take the places of all live models, in one transaction and at one position of the log, and the index
//! made of them that of the live one.
//!
//! The transaction first locks the live tables as a whole. So a reader that has one of them open keeps all of
//! them until it ends, and one that comes later waits and finds all of the new ones; names alone, which are
//! looked up one by one, would let a reader find one model before the swap and another one behind it. A reader
//! that has one of them and wants another one waits for us as we wait for it: all of the locks together are
//! waited for shorter than the time after which PostgreSQL would end the reader, so that what gives way is the
//! swap, which begins again.

use super::beside::Beside;
use super::index_beside::IndexBeside;
use super::pipeline::catch_up;
use super::{Goal, Progress, Rebuilt};
use crate::checkpoint::to_u64;
use crate::error::ProjectionError;
use crate::search::SOURCES;
use crate::store::Database;
use bus::Log;
use sqlx::error::DatabaseError;
use sqlx::{Connection, Executor, PgConnection};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Shorter than `deadlock_timeout` (1 s).
const WAIT_FOR_READERS: &str = "SET LOCAL statement_timeout = '800ms'";
/// How long readers may keep a swap from happening.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often, and with which pause, before what is held is let go.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);
/// Pause before the next attempt: what waits behind the swap gets its turn.
const PAUSE: Duration = Duration::from_secs(1);

/// What a swap has come to.
pub(super) struct Swap {
    pub(super) copies: Vec<Beside>,
    /// How the index compared, where it was to be swapped as well.
    pub(super) index: Option<Rebuilt>,
    /// Whether all are live now, or none.
    pub(super) done: bool,
}

/// Swaps the copies. With an index, that one is compared before, and is swapped with them; where it is not to be
/// swapped, nothing is.
///
/// # Errors
/// [`ProjectionError::InUse`]; [`ProjectionError::IndexBehind`]; otherwise what the log or the database says. Nothing is
/// swapped then.
pub(super) async fn swap(
    mut copies: Vec<Beside>,
    mut index: Option<&mut IndexBeside<'_>>,
    log: &Log,
    database: &Database,
    progress: &Progress,
) -> Result<Swap, ProjectionError> {
    let mut connection = database.connect().await?;
    let mut begun = None;
    loop {
        let mut transaction = connection.begin().await?;
        let mut compared = None;
        if let Some(index) = &mut index {
            // It takes the longest: only what it is made of stands still for it.
            let held = index.hold(&mut transaction).await?;
            let is_source = |name: &str| SOURCES.contains(&name);
            lock_positions(&mut transaction, log, &mut copies, is_source).await?;
            copies = catch_up(copies, log, progress).await?;
            let followed = index.follow(&mut transaction, &copies, held.index, progress);
            let followed = followed.await?;
            if !followed.swapped {
                transaction.rollback().await?;
                return Ok(Swap {
                    copies,
                    index: Some(followed),
                    done: false,
                });
            }
            compared = Some(followed);
        }
        let begun = begun.get_or_insert_with(Instant::now);
        // What was compared is worth a few tries.
        let tries = if compared.is_some() { TRIES } else { 1 };
        for left in (0..tries).rev() {
            lock_positions(&mut transaction, log, &mut copies, |_| true).await?;
            copies = catch_up(copies, log, progress).await?;
            if lock_tables(&mut transaction, &copies).await? {
                for copy in &copies {
                    change_places(&mut transaction, copy).await?;
                }
                if let Some(index) = &mut index {
                    index.take_the_place(&mut transaction).await?;
                }
                transaction.commit().await?;
                return Ok(Swap {
                    copies,
                    index: compared,
                    done: true,
                });
            }
            if left > 0 {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
        }
        transaction.rollback().await?;
        if begun.elapsed() > PATIENCE {
            return Err(ProjectionError::InUse);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Holds live models where they are, and points their copies at the furthest of them. One that is stopped by
/// a commit behind its live model stays where that one is.
async fn lock_positions(
    transaction: &mut PgConnection,
    log: &Log,
    copies: &mut [Beside],
    which: impl Fn(&str) -> bool,
) -> Result<(), ProjectionError> {
    let these = copies.iter_mut();
    let mut these: Vec<_> = these.filter(|copy| which(copy.projector.name())).collect();
    let names: Vec<_> = these.iter().map(|copy| copy.projector.name()).collect();
    let held: Vec<(String, i64)> = sqlx::query_as(
        "SELECT projector, stream_sequence FROM metamcp.checkpoints
         WHERE projector = ANY($1) ORDER BY projector FOR UPDATE",
    )
    .bind(names)
    .fetch_all(transaction)
    .await?;
    let held: HashMap<String, i64> = held.into_iter().collect();
    for copy in &mut these {
        copy.least = match (copy.towards, held.get(copy.projector.name())) {
            (Goal::LiveModel, Some(at)) => to_u64(*at),
            (Goal::LiveModel, None) => return Err(ProjectionError::Deposed),
            (Goal::PresentLog, _) => log.head().await?,
        };
    }
    let furthest = these.iter().map(|copy| copy.least).max().unwrap_or(0);
    for copy in these {
        copy.goal = furthest;
    }
    Ok(())
}

/// False when readers do not let go of the tables in time; then none is locked.
async fn lock_tables(
    transaction: &mut PgConnection,
    copies: &[Beside],
) -> Result<bool, ProjectionError> {
    let live: Vec<_> = copies.iter().map(|copy| copy.projector.name()).collect();
    let tables: Option<String> = sqlx::query_scalar(
        "SELECT string_agg(format('%I.%I', nspname, relname), ', ' ORDER BY nspname, relname)
         FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE nspname = ANY($1) AND relkind IN ('r', 'p')",
    )
    .bind(live)
    .fetch_one(&mut *transaction)
    .await?;
    let Some(tables) = tables else {
        return Ok(true);
    };
    let mut attempt = transaction.begin().await?;
    attempt.execute(WAIT_FOR_READERS).await?;
    let statement = format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
    match attempt.execute(statement.as_str()).await {
        Ok(_) => {
            attempt
                .execute("SET LOCAL statement_timeout TO DEFAULT")
                .await?;
            attempt.commit().await?;
            Ok(true)
        }
        Err(error) if gives_way(&error) => {
            attempt.rollback().await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// The locks were not to be had in time (57014), or only against somebody who waits for us (40P01).
fn gives_way(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("57014" | "40P01"))
}

/// The checkpoint comes with the rows: after a rebuild on another log it is not the one that was there.
async fn change_places(
    transaction: &mut PgConnection,
    copy: &Beside,
) -> Result<(), ProjectionError> {
    let (live, beside) = (copy.projector.name(), &copy.name);
    let statement = format!(
        "DROP SCHEMA IF EXISTS {live}_old CASCADE;
         ALTER SCHEMA {live} RENAME TO {live}_old;
         ALTER SCHEMA {beside} RENAME TO {live};
         UPDATE metamcp.checkpoints AS live
            SET stream_sequence = new.stream_sequence, commit_hash = new.commit_hash
            FROM metamcp.checkpoints AS new
            WHERE live.projector = '{live}' AND new.projector = '{beside}';
         DELETE FROM metamcp.dead_letters WHERE projector = '{live}';
         UPDATE metamcp.dead_letters SET projector = '{live}' WHERE projector = '{beside}';
         DELETE FROM metamcp.checkpoints WHERE projector = '{beside}';"
    );
    sqlx::raw_sql(&statement).execute(transaction).await?;
    Ok(())
}

/// Removes copies that are not wanted.
pub(super) async fn drop_copies(
    connection: &mut PgConnection,
    copies: &[Beside],
) -> Result<(), ProjectionError> {
    for copy in copies {
        let beside = &copy.name;
        let statement = format!(
            "DROP SCHEMA {beside} CASCADE;
             DELETE FROM metamcp.dead_letters WHERE projector = '{beside}';
             DELETE FROM metamcp.checkpoints WHERE projector = '{beside}';"
        );
        sqlx::raw_sql(&statement).execute(&mut *connection).await?;
    }
    Ok(())
}
