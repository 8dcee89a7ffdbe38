//! Rebuilding the search index: another LanceDB table, filled from the models that it is made of.
//!
//! While others write, the index never stands where its sources stand: it follows them. So all are held where they
//! are, the commits that the index has not seen yet are read from the log, and the tools that those change are left
//! out of the comparison. `search` goes on from where it stood, and writes them to the table that is live then.

use super::{Compared, Finish, Goal, Rebuilt, TableChecksum, pipeline};
use crate::checkpoint::{self, to_u64};
use crate::error::ProjectionError;
use crate::lease;
use crate::projector::Recorded;
use crate::runner::check_log;
use crate::search::{
    CurrentIndex, NAME, REBUILD, SOURCES, SearchIndex, ToolDocument, all_documents, changed_by,
    live_table, other_table, position,
};
use crate::store::Database;
use bus::Log;
use sqlx::{Connection, PgConnection};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// Documents written at once.
const WRITE: usize = 512;
/// So many commits `search` may be behind its sources.
const BEHIND: u64 = 1_000;
/// How long it may take to come so near.
const SETTLE: Duration = Duration::from_secs(60);

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
    lock(&mut connection).await?;
    let goal = goal(&mut connection, log, finish).await?;
    let old = live_table(&mut connection).await?;
    let new = other_table(&old);
    index.drop_table(new).await?;
    let beside = index.open_beside(new).await?;

    let position = position(&mut connection, 0).await?;
    let first = all_documents(&mut connection).await?;
    write(&beside, position, &first, progress).await?;
    let first: HashMap<_, _> = first.into_iter().map(|d| (key(&d), d)).collect();

    let mut transaction = connection.begin().await?;
    let held = hold(&mut transaction, goal).await?;
    let unseen = match goal {
        Goal::LiveModel => read(log, held.index, held.sources).await?,
        Goal::PresentLog => Vec::new(),
    };
    let unseen = changed_by(&mut transaction, &unseen).await?;
    let second = all_documents(&mut transaction).await?;
    let changed: Vec<_> = second
        .into_iter()
        .filter(|document| first.get(&key(document)) != Some(document))
        .collect();
    write(&beside, position, &changed, progress).await?;
    beside.optimize(Duration::ZERO).await?;

    let compared = Compared {
        table: "tools".to_owned(),
        live: checksum(&index.get(), &unseen).await?,
        rebuilt: checksum(&beside, &unseen).await?,
    };
    let result = Rebuilt::new(NAME, held.index, vec![compared], finish);
    if result.swapped {
        swap(&mut transaction, new, goal).await?;
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

/// Names the new table, which holds what its sources hold: nothing is parked any more, and what was parked beyond the
/// projector's position comes again. An index of another log gets the position of the source that is the least far:
/// what the others have beyond is written once more.
async fn swap(
    transaction: &mut PgConnection,
    new: &str,
    goal: Goal,
) -> Result<(), ProjectionError> {
    sqlx::query("UPDATE search.index_table SET table_name = $1")
        .bind(new)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM metamcp.dead_letters WHERE projector = $1")
        .bind(NAME)
        .execute(&mut *transaction)
        .await?;
    if goal == Goal::PresentLog {
        sqlx::query(
            "UPDATE metamcp.checkpoints AS index
             SET stream_sequence = source.stream_sequence, commit_hash = source.commit_hash
             FROM (SELECT * FROM metamcp.checkpoints WHERE projector = ANY ($2)
                   ORDER BY stream_sequence LIMIT 1) AS source
             WHERE index.projector = $1",
        )
        .bind(NAME)
        .bind(SOURCES)
        .execute(transaction)
        .await?;
    }
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

/// Where index and sources are held.
struct Held {
    index: u64,
    /// The furthest of them.
    sources: u64,
}

/// Locks all checkpoints, so that neither the rows nor the index move, once the index is near its sources: that of
/// the index first, because its projector waits for the sources while it holds it. An index of another log stands
/// still anyhow, and its position says nothing.
async fn hold(transaction: &mut PgConnection, goal: Goal) -> Result<Held, ProjectionError> {
    let begun = Instant::now();
    while begun.elapsed() < SETTLE {
        let mut attempt = transaction.begin().await?;
        let positions: HashMap<String, i64> = sqlx::query_as(
            "SELECT projector, stream_sequence FROM metamcp.checkpoints
             WHERE projector = $1 OR projector = ANY ($2) ORDER BY projector <> $1, projector FOR UPDATE",
        )
        .bind(NAME)
        .bind(SOURCES)
        .fetch_all(&mut *attempt)
        .await?
        .into_iter()
        .collect();
        let at = |name: &str| positions.get(name).copied().map_or(0, to_u64);
        let held = Held {
            index: at(NAME),
            sources: SOURCES.map(at).into_iter().max().unwrap_or(0),
        };
        if goal == Goal::PresentLog || held.sources.saturating_sub(held.index) <= BEHIND {
            attempt.commit().await?;
            return Ok(held);
        }
        attempt.rollback().await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(ProjectionError::WaitedFor(NAME))
}

/// The commits behind one position, up to another one. One that cannot be read has changed nothing.
async fn read(log: &Log, after: u64, to: u64) -> Result<Vec<Recorded>, ProjectionError> {
    let mut recorded = Vec::new();
    let mut next = after + 1;
    if next > to {
        return Ok(recorded);
    }
    let mut reader = log.read_from(next).await?;
    while next <= to {
        for entry in pipeline::next_batch(&mut reader).await? {
            next = entry.stream_sequence + 1;
            recorded.extend(Recorded::decode(&entry));
        }
    }
    Ok(recorded)
}

async fn write(
    index: &SearchIndex,
    position: u64,
    documents: &[ToolDocument],
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), ProjectionError> {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    for (done, chunk) in documents.chunks(WRITE).enumerate() {
        index.upsert_at(position, chunk, &|_| {}).await?;
        progress(count(done * WRITE + chunk.len()), count(documents.len()));
    }
    Ok(())
}

async fn checksum(
    index: &SearchIndex,
    except: &BTreeSet<String>,
) -> Result<TableChecksum, ProjectionError> {
    let (rows, digest) = index.checksum(except).await?;
    Ok(TableChecksum { rows, digest })
}

fn key(document: &ToolDocument) -> (String, String) {
    (document.tenant.to_string(), document.tool_id.clone())
}
