//! Rebuilding the search index: another LanceDB table, filled from the models that it is made of.

use super::{Compared, Finish, Goal, Rebuilt, TableChecksum};
use crate::checkpoint::{self, to_u64};
use crate::error::ProjectionError;
use crate::lease;
use crate::runner::check_log;
use crate::search::{
    CurrentIndex, NAME, REBUILD, SOURCES, SearchIndex, ToolDocument, all_documents, live_table,
    other_table,
};
use crate::store::Database;
use bus::Log;
use sqlx::{Connection, PgConnection};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Documents written at once.
const WRITE: usize = 512;
/// How long `search` may take to stand where its sources stand.
const SETTLE: Duration = Duration::from_secs(60);

/// Writes a second table from its sources while the first one serves, compares both when they and `search` stand at
/// the same position, and swaps. `progress` is told documents done and their number.
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
    lock(&mut connection).await?;
    let goal = goal(&mut connection, log, finish).await?;
    let old = live_table(&mut connection).await?;
    let new = other_table(&old);
    index.drop_table(new).await?;
    let beside = index.open_beside(new).await?;

    let first = all_documents(&mut connection).await?;
    write(&beside, &first, progress).await?;
    let first: HashMap<_, _> = first.into_iter().map(|d| (key(&d), d)).collect();

    let mut transaction = connection.begin().await?;
    let stream_sequence = lock_settled(&mut transaction, goal).await?;
    let second = all_documents(&mut transaction).await?;
    let changed: Vec<_> = second
        .into_iter()
        .filter(|document| first.get(&key(document)) != Some(document))
        .collect();
    write(&beside, &changed, progress).await?;
    beside.optimize(Duration::ZERO).await?;

    let live = checksum(&index.get()).await?;
    let rebuilt = checksum(&beside).await?;
    let compared = Compared {
        table: "tools".to_owned(),
        live,
        rebuilt,
    };
    let result = Rebuilt::new(NAME, stream_sequence, vec![compared], finish);
    if result.swapped {
        swap(&mut transaction, new).await?;
    }
    transaction.commit().await?;
    if !result.swapped {
        index.drop_table(new).await?;
    }
    result.conclude(begun, finish)
}

/// Whether the live index can be compared: not when it was made from another log.
async fn goal(
    connection: &mut PgConnection,
    log: &Log,
    finish: Finish,
) -> Result<Goal, ProjectionError> {
    let mut goal = Goal::LiveModel;
    for name in SOURCES.into_iter().chain([NAME]) {
        let at = checkpoint::read(connection, name).await?;
        match check_log(log, name, &at).await {
            Ok(()) => {}
            // The sources have to be of the present log already.
            Err(ProjectionError::LogReplaced(_)) if name == NAME && finish == Finish::Swap => {
                goal = Goal::PresentLog;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(goal)
}

/// Names the new table, and gives the index the catalogue's position: the two differ only when the index
/// was of another log.
async fn swap(transaction: &mut PgConnection, new: &str) -> Result<(), ProjectionError> {
    sqlx::query("UPDATE search.index_table SET table_name = $1")
        .bind(new)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "UPDATE metamcp.checkpoints AS index
         SET stream_sequence = catalog.stream_sequence, commit_hash = catalog.commit_hash
         FROM metamcp.checkpoints AS catalog
         WHERE index.projector = 'search' AND catalog.projector = 'catalog'",
    )
    .execute(transaction)
    .await?;
    Ok(())
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

/// One at a time works on the table beside the live one.
async fn lock(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    match lease::try_lock(connection, REBUILD).await? {
        true => Ok(()),
        false => Err(ProjectionError::RebuildRuns(NAME)),
    }
}

/// Locks all checkpoints at one position, so that neither the rows nor the index move: that of the index first,
/// because its projector waits for the sources while it holds it. An index of another log stands still anyhow, and
/// its position says nothing.
async fn lock_settled(transaction: &mut PgConnection, goal: Goal) -> Result<u64, ProjectionError> {
    let begun = Instant::now();
    while begun.elapsed() < SETTLE {
        let mut attempt = transaction.begin().await?;
        let positions: Vec<(String, i64)> = sqlx::query_as(
            "SELECT projector, stream_sequence FROM metamcp.checkpoints
             WHERE projector = $1 OR projector = ANY ($2) ORDER BY projector <> $1, projector FOR UPDATE",
        )
        .bind(NAME)
        .bind(SOURCES)
        .fetch_all(&mut *attempt)
        .await?;
        let compared = |name: &str| name != NAME || goal == Goal::LiveModel;
        let mut at: Vec<i64> = positions
            .iter()
            .filter(|(name, _)| compared(name))
            .map(|(_, at)| *at)
            .collect();
        at.dedup();
        if let [at] = at[..]
            && positions.len() == SOURCES.len() + 1
        {
            attempt.commit().await?;
            return Ok(to_u64(at));
        }
        attempt.rollback().await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(ProjectionError::WaitedFor(NAME))
}

async fn write(
    index: &SearchIndex,
    documents: &[ToolDocument],
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), ProjectionError> {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    for (done, chunk) in documents.chunks(WRITE).enumerate() {
        index.upsert(chunk, &|_| {}).await?;
        progress(count(done * WRITE + chunk.len()), count(documents.len()));
    }
    Ok(())
}

async fn checksum(index: &SearchIndex) -> Result<TableChecksum, ProjectionError> {
    let rows = u64::try_from(index.count().await?).unwrap_or(u64::MAX);
    Ok(TableChecksum {
        rows,
        digest: index.checksum().await?,
    })
}

fn key(document: &ToolDocument) -> (String, String) {
    (document.tenant.to_string(), document.tool_id.clone())
}
