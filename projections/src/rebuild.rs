//! Read models built from the log beside the live ones, compared with them, and swapped in together.
//!
//! The live models serve and are kept up to date all the while. The log is read once for all copies
//! ([`pipeline`]), rows come in bulk ([`beside`]) and most indexes after them ([`indexes`]). A live model is
//! compared as a snapshot has it, at the very position that its copy is brought to, so nothing waits for the
//! comparison. At the end the checkpoints of all live models are locked, all copies take the last steps to one
//! common position, and all change places in one transaction ([`swap`]): whoever reads finds all of them
//! replaced, or none. So it is with the search index, which is made of the copies ([`search`]), where all
//! models are rebuilt. The replaced models stay as `<name>_old` until [`drop_old`].
//!
//! A live model that was made from another log cannot be compared at one position. [`Finish::Swap`] then
//! builds up to the head of the present log, and the projector goes on from there.

mod beside;
mod checksum;
mod index_beside;
mod indexes;
mod pipeline;
mod search;
mod swap;

pub use checksum::TableChecksum;
pub use search::{drop_old_index, rebuild_search};

use crate::checkpoint::{self, to_u64};
use crate::error::ProjectionError;
use crate::projector::{Projector, beside};
use crate::registry;
use crate::runner::check_log;
use crate::search::{CurrentIndex, Models};
use crate::store::Database;
use beside::Beside;
use bus::Log;
use futures::future::{try_join, try_join_all};
use index_beside::IndexBeside;
use pipeline::catch_up;
use sqlx::{Executor, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use swap::Swap;

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
    /// The position of the swap; without one, the position at which both were compared.
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
/// [`ProjectionError::Differs`] with [`Finish::SwapIfEqual`] when the two are not equal; otherwise as
/// [`rebuild_together`].
pub async fn rebuild(
    projector: Arc<dyn Projector>,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &'static (dyn Fn(u64, u64) + Send + Sync),
) -> Result<Rebuilt, ProjectionError> {
    let begun = Instant::now();
    let name = projector.name();
    let progress: Progress = Arc::new(move |_, at, goal| progress(at, goal));
    let rebuilt = rebuild_together(vec![projector], log, database, finish, &progress).await?;
    let rebuilt = rebuilt.into_iter().next();
    let rebuilt = rebuilt.ok_or(ProjectionError::WaitedFor(name))?;
    rebuilt.conclude(begun, finish)
}

/// Told of a rebuild's progress: which projector, its position and the goal.
pub type Progress = Arc<dyn Fn(&'static str, u64, u64) + Send + Sync>;

/// Rebuilds several projectors of Postgres rows from one reading of the log, and swaps all of them or none:
/// with [`Finish::SwapIfEqual`] none when one of them differs. Answers in their order.
///
/// # Errors
/// [`ProjectionError::LogReplaced`] without [`Finish::Swap`] when a live model was made from another log;
/// [`ProjectionError::InUse`] when readers do not let go of the live models; otherwise what the log or the
/// database says. The live models are untouched by any error.
pub async fn rebuild_together(
    projectors: Vec<Arc<dyn Projector>>,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &Progress,
) -> Result<Vec<Rebuilt>, ProjectionError> {
    together(projectors, None, log, database, finish, progress).await
}

/// Rebuilds every read model, the search index with them, and swaps all or none: the index is made of the copies. Its
/// answer is the last; there is none when it was not looked at, because one of the models differs.
///
/// # Errors
/// As [`rebuild_together`] and [`rebuild_search`].
pub async fn rebuild_all(
    index: &CurrentIndex,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &Progress,
) -> Result<Vec<Rebuilt>, ProjectionError> {
    let all = registry::relational();
    together(all, Some(index), log, database, finish, progress).await
}

async fn together(
    projectors: Vec<Arc<dyn Projector>>,
    index: Option<&CurrentIndex>,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &Progress,
) -> Result<Vec<Rebuilt>, ProjectionError> {
    let begun = Instant::now();
    let mut connection = database.connect().await?;
    if index.is_some() {
        search::look_ahead(log, database, finish).await?;
    }
    let mut copies = begin(projectors, log, database, finish, &mut connection).await?;
    aim(&mut copies, log, &mut connection).await?;
    copies = catch_up(copies, log, progress).await?;
    try_join_all(copies.iter_mut().map(Beside::make_indexes)).await?;
    aim(&mut copies, log, &mut connection).await?;
    copies = catch_up(copies, log, progress).await?;

    let (mut copies, mut rebuilt) = compare(copies, log, database, finish, progress).await?;
    let are_wanted = match finish {
        // The index is looked at, too.
        Finish::Check => index.is_some(),
        Finish::SwapIfEqual => rebuilt.iter().all(Rebuilt::is_equal),
        Finish::Swap => true,
    };
    let mut swapped = false;
    if are_wanted {
        let swap = fill_and_swap(copies, index, log, database, finish, progress).await?;
        (copies, swapped) = (swap.copies, swap.done);
        if swapped {
            for (one, copy) in rebuilt.iter_mut().zip(&copies) {
                one.stream_sequence = copy.at.stream_sequence;
            }
        }
        rebuilt.extend(swap.index);
    }
    if !swapped {
        swap::drop_copies(&mut connection, &copies).await?;
    }
    for one in &mut rebuilt {
        one.swapped = swapped;
        one.elapsed = begun.elapsed();
    }
    Ok(rebuilt)
}

/// Makes the empty copies of all, or of none.
async fn begin(
    projectors: Vec<Arc<dyn Projector>>,
    log: &Log,
    database: &Database,
    finish: Finish,
    connection: &mut PgConnection,
) -> Result<Vec<Beside>, ProjectionError> {
    let mut copies = Vec::new();
    for projector in projectors {
        let copy = match goal_of(connection, projector.name(), log, finish).await {
            Ok(goal) => Beside::begin(projector, goal, log, database).await,
            Err(error) => Err(error),
        };
        match copy {
            Ok(copy) => copies.push(copy),
            Err(error) => {
                // They would stay until they are rebuilt again.
                if let Err(left) = swap::drop_copies(connection, &copies).await {
                    tracing::warn!(error = %left, "copies of a rebuild that was refused are left");
                }
                return Err(error);
            }
        }
    }
    Ok(copies)
}

/// Fills the index, if there is one, and swaps all.
async fn fill_and_swap(
    mut copies: Vec<Beside>,
    index: Option<&CurrentIndex>,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &Progress,
) -> Result<Swap, ProjectionError> {
    let mut connection = database.connect().await?;
    let Some(index) = index else {
        aim(&mut copies, log, &mut connection).await?;
        copies = catch_up(copies, log, progress).await?;
        return swap::swap(copies, None, log, database, progress).await;
    };
    let mut beside = IndexBeside::begin(index, Models::Beside, log, database, finish).await?;
    let swapping = async {
        beside.fill_first(&mut connection, progress).await?;
        aim(&mut copies, log, &mut connection).await?;
        copies = catch_up(copies, log, progress).await?;
        swap::swap(copies, Some(&mut beside), log, database, progress).await
    };
    let swap = swapping.await;
    beside.end(swap.as_ref().is_ok_and(|swap| swap.done)).await;
    swap
}

/// How far a copy is to be built.
async fn goal_of(
    connection: &mut PgConnection,
    live: &'static str,
    log: &Log,
    finish: Finish,
) -> Result<Goal, ProjectionError> {
    let at = checkpoint::read(connection, live).await?;
    match check_log(log, live, &at).await {
        // An empty model is not what anybody wants back.
        Ok(()) if finish == Finish::Swap && at.stream_sequence == 0 => Ok(Goal::PresentLog),
        Ok(()) => Ok(Goal::LiveModel),
        Err(ProjectionError::LogReplaced(_)) if finish == Finish::Swap => Ok(Goal::PresentLog),
        Err(error) => Err(error),
    }
}

/// Points the copies at where the live models stand now.
async fn aim(
    copies: &mut [Beside],
    log: &Log,
    connection: &mut PgConnection,
) -> Result<(), ProjectionError> {
    for copy in copies {
        copy.goal = match copy.towards {
            Goal::LiveModel => position(connection, copy.projector.name()).await?,
            Goal::PresentLog => log.head().await?,
        };
        copy.least = copy.goal;
    }
    Ok(())
}

async fn position(connection: &mut PgConnection, live: &str) -> Result<u64, sqlx::Error> {
    let at: i64 =
        sqlx::query_scalar("SELECT stream_sequence FROM metamcp.checkpoints WHERE projector = $1")
            .bind(live)
            .fetch_one(connection)
            .await?;
    Ok(to_u64(at))
}

/// Compares each copy with a snapshot of its live model, at the position of the snapshot. What differs is
/// looked at once more: an erasure wipes rows of the copies at once, and of the snapshot never.
async fn compare(
    mut copies: Vec<Beside>,
    log: &Log,
    database: &Database,
    finish: Finish,
    progress: &Progress,
) -> Result<(Vec<Beside>, Vec<Rebuilt>), ProjectionError> {
    let mut last = finish == Finish::Swap;
    loop {
        let mut snapshots = Vec::new();
        for copy in &mut copies {
            let mut snapshot = database.connect().await?;
            snapshot
                .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await?;
            aim(std::slice::from_mut(copy), log, &mut snapshot).await?;
            snapshots.push(snapshot);
        }
        copies = catch_up(copies, log, progress).await?;
        let comparing = copies.iter_mut().zip(&mut snapshots);
        let compared = try_join_all(comparing.map(|(copy, live)| compare_one(copy, live))).await?;
        if last || compared.iter().all(Rebuilt::is_equal) {
            return Ok((copies, compared));
        }
        last = true;
    }
}

async fn compare_one(
    copy: &mut Beside,
    snapshot: &mut PgConnection,
) -> Result<Rebuilt, ProjectionError> {
    let live = copy.projector.name();
    let mut tables = Vec::new();
    for table in copy.projector.tables() {
        let (live, rebuilt) = try_join(
            checksum::of_table(snapshot, live, table),
            checksum::of_table(&mut copy.connection, &copy.name, table),
        )
        .await?;
        tables.push(Compared {
            table: (*table).to_owned(),
            live,
            rebuilt,
        });
    }
    Ok(Rebuilt {
        projector: live.to_owned(),
        stream_sequence: copy.at.stream_sequence,
        elapsed: Duration::ZERO,
        tables,
        swapped: false,
    })
}

/// How far the copy is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// To where the live model stands.
    LiveModel,
    /// To the head of the log: the live model is of another one, or has not begun.
    PresentLog,
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
    .bind([beside(live), format!("{live}_old")].map(|copy| format!("{copy}.{table}")))
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
