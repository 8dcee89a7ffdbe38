//! The same read model, built from the log beside the live one, compared with it, and swapped in.
//!
//! The live model serves and is kept up to date all the while. At the end its checkpoint is locked, the
//! copy takes the last steps to the very same position, and the rows are compared. Then the two change
//! places in one transaction. The replaced model stays as `<name>_old` until [`drop_old`].
//!
//! A live model that was made from another log cannot be compared at one position. [`Finish::Swap`] then
//! builds up to the head of the present log, and the projector goes on from there.

mod checksum;
mod search;

pub use checksum::TableChecksum;
pub use search::{drop_old_index, rebuild_search};

use crate::checkpoint::{self, Checkpoint};
use crate::error::ProjectionError;
use crate::projector::Projector;
use crate::runner::{Runner, check_log};
use crate::store::Database;
use bus::Log;
use sqlx::{Connection, Executor, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// What to do when the copy is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Compare only; the live model stays.
    Check,
    /// Swap when both are equal.
    SwapIfEqual,
    /// Swap also when they differ: the way to mend a damaged model, or to bring in a corrected projector.
    Swap,
}

/// What a rebuild found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Which projector.
    pub projector: String,
    /// The position at which both were compared.
    pub stream_sequence: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The tables, live and rebuilt.
    pub tables: Vec<Compared>,
    /// Whether the rebuilt model is the live one now.
    pub swapped: bool,
}

/// One table in both models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Its name.
    pub table: String,
    /// In the live model.
    pub live: TableChecksum,
    /// In the rebuilt one.
    pub rebuilt: TableChecksum,
}

impl Rebuilt {
    /// Whether every table is equal in both.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(|table| table.live == table.rebuilt)
    }

    /// Decides whether to swap.
    fn new(projector: &str, stream_sequence: u64, tables: Vec<Compared>, finish: Finish) -> Self {
        let mut rebuilt = Self {
            projector: projector.to_owned(),
            stream_sequence,
            elapsed: Duration::ZERO,
            tables,
            swapped: false,
        };
        rebuilt.swapped = match finish {
            Finish::Check => false,
            Finish::SwapIfEqual => rebuilt.is_equal(),
            Finish::Swap => true,
        };
        rebuilt
    }

    /// What the caller hears when all is done.
    fn conclude(mut self, begun: Instant, finish: Finish) -> Result<Self, ProjectionError> {
        self.elapsed = begun.elapsed();
        if finish == Finish::SwapIfEqual && !self.is_equal() {
            let tables = self.differing();
            return Err(ProjectionError::Differs {
                projector: self.projector,
                tables,
            });
        }
        Ok(self)
    }

    fn differing(&self) -> String {
        let differ = self
            .tables
            .iter()
            .filter(|table| table.live != table.rebuilt);
        differ
            .map(|table| table.table.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Rebuilds a projector of Postgres rows. `progress` is told the position and the goal.
///
/// # Errors
/// [`ProjectionError::Differs`] with [`Finish::SwapIfEqual`] when the two are not equal;
/// [`ProjectionError::LogReplaced`] without [`Finish::Swap`] when the live one was made from another log;
/// otherwise what the log or the database says. The live model is untouched by any error.
pub async fn rebuild(
    projector: Arc<dyn Projector>,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Rebuilt, ProjectionError> {
    let begun = Instant::now();
    let live = projector.name();
    let beside = format!("{live}_rebuild");
    let runner = Runner::beside(
        Arc::clone(&projector),
        beside.clone(),
        log.clone(),
        database.clone(),
    );
    let mut connection = database.connect().await?;
    if !runner.take_lead(&mut connection).await? {
        return Err(ProjectionError::RebuildRuns(live));
    }
    // Nobody hears of the copy before the swap, whose own commit brings it to the disk.
    sqlx::query("SET synchronous_commit = off")
        .execute(&mut connection)
        .await?;
    let at = checkpoint::read(&mut connection, live).await?;
    let goal = match check_log(log, live, &at).await {
        Ok(()) => Goal::LiveModel,
        Err(ProjectionError::LogReplaced(_)) if finish == Finish::Swap => Goal::PresentLog,
        Err(error) => return Err(error),
    };
    begin_beside(&mut connection, live, &beside).await?;
    // Catch up with a moving goal twice; what is left then is little.
    for _ in 0..2 {
        let at = checkpoint::read(&mut connection, live).await?;
        let goal = goal.position(&at, log).await?;
        catch_up(&runner, &mut connection, &beside, log, goal, progress).await?;
    }
    let mut locker = database.connect().await?;
    let mut transaction = locker.begin().await?;
    checkpoint::enter(&mut transaction, live, live, true).await?;
    let at = checkpoint::read(&mut transaction, live).await?;
    let goal = goal.position(&at, log).await?;
    catch_up(&runner, &mut connection, &beside, log, goal, progress).await?;
    let tables = compare(&mut transaction, projector.as_ref(), &beside).await?;
    let rebuilt = Rebuilt::new(live, goal, tables, finish);
    swap_or_drop(&mut transaction, live, &beside, rebuilt.swapped).await?;
    transaction.commit().await?;
    rebuilt.conclude(begun, finish)
}

/// Told of a rebuild's progress: which projector, its position and the goal.
pub type Progress = Arc<dyn Fn(&'static str, u64, u64) + Send + Sync>;

/// Rebuilds several projectors of Postgres rows at the same time: each of them waits for its own rows, and
/// together they keep the machine busy. One that fails leaves the others to their end. Answers in their order.
pub async fn rebuild_together(
    projectors: Vec<Arc<dyn Projector>>,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &Progress,
) -> Vec<Result<Rebuilt, ProjectionError>> {
    let rebuilding = projectors.into_iter().map(|projector| {
        let (log, database, progress) = (log.clone(), database.clone(), Arc::clone(progress));
        // A thread each, because the future borrows in ways that the compiler cannot prove to be `Send`.
        tokio::task::spawn_blocking(move || {
            let name = projector.name();
            let progress = |at, goal| progress(name, at, goal);
            let rebuilding = rebuild(projector, &log, &database, finish, &progress);
            Handle::current().block_on(rebuilding)
        })
    });
    let rebuilding: Vec<_> = rebuilding.collect();
    let mut rebuilt = Vec::new();
    for one in rebuilding {
        rebuilt.push(match one.await {
            Ok(outcome) => outcome,
            // A defect of ours goes on its way.
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        });
    }
    rebuilt
}

async fn compare(
    connection: &mut PgConnection,
    projector: &dyn Projector,
    beside: &str,
) -> Result<Vec<Compared>, ProjectionError> {
    let mut tables = Vec::new();
    for table in projector.tables() {
        tables.push(Compared {
            table: (*table).to_owned(),
            live: checksum::of_table(connection, projector.name(), table).await?,
            rebuilt: checksum::of_table(connection, beside, table).await?,
        });
    }
    Ok(tables)
}

/// How far the copy is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// To where the live model stands.
    LiveModel,
    /// To the head of the log: the live model is of another one.
    PresentLog,
}

impl Goal {
    async fn position(self, live: &Checkpoint, log: &Log) -> Result<u64, ProjectionError> {
        match self {
            Self::LiveModel => Ok(live.stream_sequence),
            Self::PresentLog => Ok(log.head().await?),
        }
    }
}

async fn catch_up(
    runner: &Runner,
    connection: &mut PgConnection,
    beside: &str,
    log: &Log,
    goal: u64,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), ProjectionError> {
    let mut at = checkpoint::read(connection, beside).await?;
    if at.stream_sequence >= goal {
        return Ok(());
    }
    let mut reader = log.read_from(at.stream_sequence + 1).await?;
    while at.stream_sequence < goal {
        let mut batch = reader.next_batch(1_000).await?;
        batch.retain(|entry| entry.stream_sequence <= goal);
        at = runner.apply(connection, &at, &batch).await?;
        progress(at.stream_sequence, goal);
    }
    Ok(())
}

/// Makes the empty copy, and forgets what an interrupted rebuild has left.
async fn begin_beside(
    connection: &mut PgConnection,
    live: &str,
    beside: &str,
) -> Result<(), ProjectionError> {
    sqlx::query("SELECT metamcp.clone_schema($1, $2)")
        .bind(live)
        .bind(beside)
        .execute(&mut *connection)
        .await?;
    for table in ["checkpoints", "dead_letters"] {
        sqlx::query(&format!("DELETE FROM metamcp.{table} WHERE projector = $1"))
            .bind(beside)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The checkpoint comes with the rows: after a rebuild on another log it is not the one that was there.
async fn swap_or_drop(
    transaction: &mut PgConnection,
    live: &str,
    beside: &str,
    swap: bool,
) -> Result<(), ProjectionError> {
    let statement = if swap {
        format!(
            "DROP SCHEMA IF EXISTS {live}_old CASCADE;
             ALTER SCHEMA {live} RENAME TO {live}_old;
             ALTER SCHEMA {beside} RENAME TO {live};
             UPDATE metamcp.checkpoints AS live
                SET stream_sequence = new.stream_sequence, commit_hash = new.commit_hash
                FROM metamcp.checkpoints AS new
                WHERE live.projector = '{live}' AND new.projector = '{beside}';
             DELETE FROM metamcp.dead_letters WHERE projector = '{live}';
             UPDATE metamcp.dead_letters SET projector = '{live}' WHERE projector = '{beside}';"
        )
    } else {
        format!(
            "DROP SCHEMA {beside} CASCADE;
             DELETE FROM metamcp.dead_letters WHERE projector = '{beside}';"
        )
    };
    sqlx::raw_sql(&statement).execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM metamcp.checkpoints WHERE projector = $1")
        .bind(beside)
        .execute(transaction)
        .await?;
    Ok(())
}

/// The tables beside a live one that hold its rows, too: what a rebuild has replaced, or is building, or
/// left when it was interrupted. Whoever wipes rows wipes them there as well.
pub(crate) async fn copies_of(
    connection: &mut PgConnection,
    live: &str,
    table: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT to_regclass(name)::text FROM unnest($1::text[]) AS name
         WHERE to_regclass(name) IS NOT NULL",
    )
    .bind(["rebuild", "old"].map(|copy| format!("{live}_{copy}.{table}")))
    .fetch_all(connection)
    .await
}

/// Removes the model that the last rebuild has replaced; none is no error.
///
/// # Errors
/// When the database is away.
pub async fn drop_old(
    projector: &dyn Projector,
    database: &Database,
) -> Result<(), ProjectionError> {
    let mut connection = database.connect().await?;
    let statement = format!("DROP SCHEMA IF EXISTS {}_old CASCADE", projector.name());
    connection.execute(statement.as_str()).await?;
    Ok(())
}
