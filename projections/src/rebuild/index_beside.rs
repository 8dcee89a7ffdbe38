//! The search index that is being rebuilt: a LanceDB table beside the live one.
//!
//! While others write, the index never stands where its sources stand: it follows them. So all are held where they
//! are, the commits that the index has not seen yet are read from the log, and the tools that those change are left
//! out of the comparison. `search` goes on from where it stood, and writes them to the table that is live then.
//!
//! Which table is live is a row in PostgreSQL, so that the swap is a part of a transaction: of one of its own where the
//! index is rebuilt alone, and of that of the models ([`super::swap`]) where it is rebuilt with them, from their
//! copies.

use super::beside::Beside;
use super::{Compared, Finish, Goal, Progress, Rebuilt, TableChecksum, goal_of, pipeline};
use crate::checkpoint::{self, Checkpoint, to_u64};
use crate::error::ProjectionError;
use crate::lease;
use crate::projector::Recorded;
use crate::runner::check_log;
use crate::search::{
    CurrentIndex, Models, NAME, REBUILD, SOURCES, SearchIndex, ToolDocument, all_documents,
    changed_by, live_table, other_table,
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

/// The table beside the live one. While it is there, no other rebuild of the index begins.
pub(super) struct IndexBeside<'a> {
    index: &'a CurrentIndex,
    log: &'a Log,
    finish: Finish,
    goal: Goal,
    /// What it is made of.
    models: Models,
    name: &'static str,
    table: SearchIndex,
    /// The live one.
    live: SearchIndex,
    /// What it holds.
    written: HashMap<(String, String), ToolDocument>,
    /// Up to where: as far as the source that is the least far.
    at: Checkpoint,
    lock: PgConnection,
}

impl<'a> IndexBeside<'a> {
    /// An empty table, which takes vectors of the live one.
    ///
    /// # Errors
    /// [`ProjectionError::RebuildRuns`] while another rebuild of the index is under way, and has been for a minute;
    /// [`ProjectionError::LogReplaced`] without [`Finish::Swap`] when it was made from another log.
    pub(super) async fn begin(
        index: &'a CurrentIndex,
        models: Models,
        log: &'a Log,
        database: &Database,
        finish: Finish,
    ) -> Result<Self, ProjectionError> {
        let mut connection = database.connect().await?;
        let begun = Instant::now();
        // The projector has it for moments, when a person is erased.
        while let Err(error) = lock(&mut connection).await {
            if begun.elapsed() > SETTLE {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let goal = goal(&mut connection, models, log, finish).await?;
        let live = index.named_by(&mut connection).await?;
        let name = other_table(&live_table(&mut connection).await?);
        index.drop_table(name).await?;
        Ok(Self {
            index,
            log,
            finish,
            goal,
            models,
            name,
            table: index.open_beside(name).await?,
            live,
            written: HashMap::new(),
            at: Checkpoint::default(),
            lock: connection,
        })
    }

    /// From the models that are live, in a transaction of its own.
    pub(super) async fn compare_and_swap(
        &mut self,
        database: &Database,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Rebuilt, ProjectionError> {
        let mut connection = database.connect().await?;
        self.fill(&mut connection, progress).await?;
        let mut transaction = connection.begin().await?;
        let held = self.hold(&mut transaction).await?;
        self.fill(&mut transaction, progress).await?;
        let compared = self.compare(&mut transaction, &held).await?;
        if compared.swapped {
            self.take_the_place(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(compared)
    }

    /// Brings it to where its sources are, and removes the versions that it had before.
    async fn fill(
        &mut self,
        connection: &mut PgConnection,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), ProjectionError> {
        self.at = self.least_far(connection).await?;
        let position = self.at.stream_sequence;
        let all = all_documents(connection, self.models).await?;
        let (known, changed): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|document| self.written.get(&key(document)) == Some(document));
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        for (done, chunk) in changed.chunks(WRITE).enumerate() {
            self.table.upsert_at(position, chunk, &|_| {}).await?;
            progress(count(done * WRITE + chunk.len()), count(changed.len()));
        }
        if !changed.is_empty() {
            self.table.optimize(Duration::ZERO).await?;
        }
        let all = known.into_iter().chain(changed);
        self.written = all.map(|document| (key(&document), document)).collect();
        Ok(())
    }

    async fn least_far(&self, connection: &mut PgConnection) -> Result<Checkpoint, sqlx::Error> {
        let (stream_sequence, commit_hash): (i64, Option<String>) = sqlx::query_as(
            "SELECT stream_sequence, commit_hash FROM metamcp.checkpoints
             WHERE projector = ANY ($1) ORDER BY stream_sequence LIMIT 1",
        )
        .bind(SOURCES.map(|live| self.models.of(live)))
        .fetch_one(connection)
        .await?;
        Ok(Checkpoint {
            stream_sequence: to_u64(stream_sequence),
            commit_hash,
        })
    }

    /// Writes nearly all that it will hold, while nothing is held.
    pub(super) async fn fill_first(
        &mut self,
        connection: &mut PgConnection,
        progress: &Progress,
    ) -> Result<(), ProjectionError> {
        let progress = |at, goal| progress(NAME, at, goal);
        self.fill(connection, &progress).await
    }

    /// Brings it to where the copies of its sources are, and compares it with the live one, which is held as they are.
    pub(super) async fn follow(
        &mut self,
        connection: &mut PgConnection,
        copies: &[Beside],
        live_at: u64,
        progress: &Progress,
    ) -> Result<Rebuilt, ProjectionError> {
        let progress = |at, goal| progress(NAME, at, goal);
        self.fill(connection, &progress).await?;
        let is_source = |copy: &&Beside| SOURCES.contains(&copy.projector.name());
        let sources = copies.iter().filter(is_source);
        let furthest = sources.map(|copy| copy.at.stream_sequence).max();
        let held = Held {
            index: live_at,
            sources: furthest.unwrap_or(0),
        };
        self.compare(connection, &held).await
    }

    /// Compares it with the live one, and says whether to swap.
    async fn compare(
        &self,
        connection: &mut PgConnection,
        held: &Held,
    ) -> Result<Rebuilt, ProjectionError> {
        let unseen = match self.goal {
            Goal::LiveModel if held.is_near() => read(self.log, held.index, held.sources).await?,
            // It differs, whatever is left out.
            Goal::LiveModel | Goal::PresentLog => Vec::new(),
        };
        let unseen = changed_by(connection, self.models, &unseen).await?;
        let compared = Compared {
            table: "tools".to_owned(),
            live: checksum(&self.live, &unseen).await?,
            rebuilt: checksum(&self.table, &unseen).await?,
        };
        let stands_at = match self.goal {
            Goal::LiveModel => held.index,
            Goal::PresentLog => self.at.stream_sequence,
        };
        Ok(Rebuilt::new(NAME, stands_at, vec![compared], self.finish))
    }

    /// Makes it the live one as soon as the transaction is committed. It holds what its sources hold: nothing is
    /// parked any more, and what was parked beyond the projector's position comes again: it goes on from where it
    /// stands. That of an index of another log, or of one that has not begun, becomes the one up to which this one is filled.
    ///
    /// # Errors
    /// Also when the lock was lost, and somebody else may have removed it.
    pub(super) async fn take_the_place(
        &mut self,
        transaction: &mut PgConnection,
    ) -> Result<(), ProjectionError> {
        lease::renew(&mut self.lock).await?;
        sqlx::query("UPDATE search.index_table SET table_name = $1")
            .bind(self.name)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM metamcp.dead_letters WHERE projector = $1")
            .bind(NAME)
            .execute(&mut *transaction)
            .await?;
        if self.goal == Goal::PresentLog {
            checkpoint::advance(transaction, NAME, &self.at).await?;
        }
        Ok(())
    }

    /// Locks the checkpoints of the live index and of its live sources, so that neither rows nor index move: its own
    /// first, because its projector waits for the sources while it holds it. Where the two are to be compared, it waits
    /// until they are near to each other.
    pub(super) async fn hold(
        &self,
        transaction: &mut PgConnection,
    ) -> Result<Held, ProjectionError> {
        let begun = Instant::now();
        loop {
            let mut attempt = transaction.begin().await?;
            let held = positions(&mut attempt, "FOR UPDATE").await?;
            if self.finish == Finish::Swap || held.is_near() {
                attempt.commit().await?;
                return Ok(held);
            }
            attempt.rollback().await?;
            held.or_wait(begun).await?;
        }
    }

    /// The end of the rebuild. A table that did not take the place is removed.
    pub(super) async fn end(mut self, took_the_place: bool) {
        if !took_the_place && let Err(error) = self.discard().await {
            tracing::warn!(%error, table = self.name, "a search table that is not wanted is left");
        }
        // So that who begins another one next is not refused.
        let _ = lease::unlock(&mut self.lock).await;
        let _ = self.lock.close().await;
    }

    /// Not when the lock was lost, and the table may be that of another rebuild; and not when it is live after all, of
    /// which only the answer was lost.
    async fn discard(&mut self) -> Result<(), ProjectionError> {
        lease::renew(&mut self.lock).await?;
        if live_table(&mut self.lock).await? != self.name {
            self.index.drop_table(self.name).await?;
        }
        Ok(())
    }
}

/// Whether the live index can be compared: not when it was made from another log, or has not begun.
pub(super) async fn goal(
    connection: &mut PgConnection,
    models: Models,
    log: &Log,
    finish: Finish,
) -> Result<Goal, ProjectionError> {
    if models == Models::Live {
        // They have to be of the present log already, as copies are.
        for name in SOURCES {
            let at = checkpoint::read(connection, name).await?;
            check_log(log, name, &at).await?;
        }
    }
    goal_of(connection, NAME, log, finish).await
}

/// One at a time works on the table beside the live one.
pub(super) async fn lock(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    match lease::try_lock(connection, REBUILD).await? {
        true => Ok(()),
        false => Err(ProjectionError::RebuildRuns(NAME)),
    }
}

/// Where the live index is, and where the sources are of the one beside it.
pub(super) struct Held {
    pub(super) index: u64,
    /// The furthest of them.
    sources: u64,
}

impl Held {
    fn behind(&self) -> u64 {
        self.sources.saturating_sub(self.index)
    }

    /// Whether so few commits separate them that these can be looked at one by one.
    pub(super) fn is_near(&self) -> bool {
        self.behind() <= BEHIND
    }

    /// Waits a moment, unless it has lasted too long.
    pub(super) async fn or_wait(&self, begun: Instant) -> Result<(), ProjectionError> {
        if begun.elapsed() > SETTLE {
            return Err(ProjectionError::IndexBehind {
                behind: self.behind(),
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    }
}

/// Where the live index and its live sources are.
pub(super) async fn positions(
    connection: &mut PgConnection,
    lock: &str,
) -> Result<Held, sqlx::Error> {
    let statement = format!(
        "SELECT projector, stream_sequence FROM metamcp.checkpoints
         WHERE projector = $1 OR projector = ANY ($2) ORDER BY projector <> $1, projector {lock}"
    );
    let positions: Vec<(String, i64)> = sqlx::query_as(&statement)
        .bind(NAME)
        .bind(SOURCES)
        .fetch_all(connection)
        .await?;
    let positions: HashMap<_, _> = positions.into_iter().collect();
    let at = |name: &str| positions.get(name).copied().map_or(0, to_u64);
    Ok(Held {
        index: at(NAME),
        sources: SOURCES.map(at).into_iter().max().unwrap_or(0),
    })
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
