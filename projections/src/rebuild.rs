//! The same read model, built from the log beside the live one, compared with it, and swapped in.
//!
//! The live model serves and is kept up to date all the while. At the end its checkpoint is locked, the
//! copy takes the last steps to the very same position, and the rows are compared. Then the two change
//! places in one transaction.

mod checksum;
mod search;

pub use checksum::TableChecksum;
pub use search::rebuild_search;

use crate::checkpoint;
use crate::error::ProjectionError;
use crate::projector::Projector;
use crate::runner::Runner;
use crate::store::Database;
use bus::Log;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
/// [`ProjectionError::Differs`] with [`Finish::SwapIfEqual`] when the two are not equal; otherwise what
/// the log or the database says. The live model is untouched by any error.
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
        return Err(ProjectionError::Deposed);
    }
    // Nobody hears of the copy before the swap, whose own commit brings it to the disk.
    sqlx::query("SET synchronous_commit = off")
        .execute(&mut connection)
        .await?;
    sqlx::query("SELECT metamcp.clone_schema($1, $2)")
        .bind(live)
        .bind(&beside)
        .execute(&mut connection)
        .await?;
    sqlx::query("DELETE FROM metamcp.checkpoints WHERE projector = $1")
        .bind(&beside)
        .execute(&mut connection)
        .await?;
    // Catch up with a moving goal twice; what is left then is little.
    for _ in 0..2 {
        let goal = checkpoint::read(&mut connection, live)
            .await?
            .stream_sequence;
        catch_up(&runner, &mut connection, &beside, log, goal, progress).await?;
    }
    let mut locker = database.connect().await?;
    let mut transaction = locker.begin().await?;
    let goal: i64 = sqlx::query_scalar(
        "SELECT stream_sequence FROM metamcp.checkpoints WHERE projector = $1 FOR UPDATE",
    )
    .bind(live)
    .fetch_one(&mut *transaction)
    .await?;
    let goal = checkpoint::to_u64(goal);
    catch_up(&runner, &mut connection, &beside, log, goal, progress).await?;
    let mut tables = Vec::new();
    for table in projector.tables() {
        let live = checksum::of_table(&mut transaction, live, table).await?;
        let rebuilt = checksum::of_table(&mut transaction, &beside, table).await?;
        tables.push(Compared {
            table: (*table).to_owned(),
            live,
            rebuilt,
        });
    }
    let mut rebuilt = Rebuilt {
        projector: live.to_owned(),
        stream_sequence: goal,
        elapsed: begun.elapsed(),
        tables,
        swapped: false,
    };
    rebuilt.swapped =
        finish == Finish::Swap || (finish == Finish::SwapIfEqual && rebuilt.is_equal());
    swap_or_drop(&mut transaction, live, &beside, rebuilt.swapped).await?;
    transaction.commit().await?;
    rebuilt.elapsed = begun.elapsed();
    if finish == Finish::SwapIfEqual && !rebuilt.is_equal() {
        let tables = rebuilt.differing();
        return Err(ProjectionError::Differs {
            projector: rebuilt.projector,
            tables,
        });
    }
    Ok(rebuilt)
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

async fn swap_or_drop(
    transaction: &mut PgConnection,
    live: &str,
    beside: &str,
    swap: bool,
) -> Result<(), ProjectionError> {
    let statement = if swap {
        format!(
            "ALTER SCHEMA {live} RENAME TO {live}_replaced;
             ALTER SCHEMA {beside} RENAME TO {live};
             DROP SCHEMA {live}_replaced CASCADE;
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
