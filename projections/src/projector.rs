//! What a projector is.

use crate::error::ProjectionError;
use async_trait::async_trait;
use bus::LogEntry;
use bytes::Bytes;
use domain::AnyEvent;
use domain::envelope::Commit;
use domain::registry::decode;
use sqlx::PgConnection;
use std::time::Duration;

/// What to do with a commit that cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPoison {
    /// Stop and say so. For what decides permissions: rather no answer than a wrong one.
    Stop,
    /// Put it aside in `metamcp.dead_letters`, go on, and report oneself degraded.
    Park,
}

/// A commit as a projector gets it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Position in the log.
    pub stream_sequence: u64,
    /// Hex SHA-256 of the body.
    pub hash: String,
    /// The commit.
    pub commit: Commit,
    /// Its events, decoded and upcast.
    pub events: Vec<AnyEvent>,
    /// The body as it was published.
    pub body: Bytes,
}

impl Recorded {
    /// Decodes an entry of the log.
    ///
    /// # Errors
    /// [`ProjectionError::Log`] for a body that is no commit, [`ProjectionError::Decode`] for an event.
    pub fn decode(entry: &LogEntry) -> Result<Self, ProjectionError> {
        let commit = entry.commit()?;
        let events: Result<Vec<_>, _> = commit.events.iter().map(decode).collect();
        let stream_sequence = entry.stream_sequence;
        let events = events.map_err(|source| ProjectionError::Decode {
            stream_sequence,
            source,
        })?;
        Ok(Self {
            stream_sequence,
            hash: entry.hash(),
            commit,
            events,
            body: entry.body.clone(),
        })
    }
}

/// What is built beside a live model is called so: its schema, and its checkpoint.
pub(crate) fn beside(live: &str) -> String {
    format!("{live}_rebuild")
}

/// Keeps one read model. Its tables live in a schema of the same name; the runner puts that schema (or,
/// in a rebuild, its copy) first in the search path, so statements name tables without a schema.
///
/// Events are matched without a wildcard arm: an ignored one is named, so the compiler lists what a new
/// event touches.
#[async_trait]
pub trait Projector: Send + Sync {
    /// Its name: checkpoint, schema and metric label.
    fn name(&self) -> &'static str;

    /// Whether an event can change the model. Past a batch of others only the checkpoint moves.
    fn listens_to(&self, event: &AnyEvent) -> bool;

    /// The tables whose rows make up the model, for checksums.
    fn tables(&self) -> &'static [&'static str];

    /// What to do with a commit that cannot be applied.
    fn on_poison(&self) -> OnPoison;

    /// Whether it is given personal fields in plain, as far as their keys are there. It must then wipe
    /// them when their subject is erased.
    fn sees_personal_fields(&self) -> bool {
        false
    }

    /// Most commits in one transaction.
    fn batch_size(&self) -> usize {
        500
    }

    /// How long commits may gather after a batch, so that steady writing costs few transactions. The first
    /// commit after a silence never waits.
    fn gathers(&self) -> Duration {
        Duration::ZERO
    }

    /// Applies commits in order, with set-based statements, inside the transaction that also moves the
    /// checkpoint.
    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError>;

    /// The statement that writes what a few commits change, over parameters that are JSON arrays of rows. With it
    /// they are written in one call; without it, always by [`apply`](Self::apply), which must do the same.
    fn statement(&self) -> Option<String> {
        None
    }

    /// What the [statement](Self::statement) writes for a batch: a document for each parameter, none where there
    /// is no row. It may read the model, outside of any transaction.
    async fn documents(
        &self,
        _connection: &mut PgConnection,
        _batch: &[Recorded],
    ) -> Result<Vec<Option<String>>, ProjectionError> {
        Ok(Vec::new())
    }

    /// By which indexes the projector looks up rows of its own, beside those that refuse something: table and
    /// columns. All others wait for the rows while a rebuild fills the tables. None where none may wait.
    fn looks_up_by(&self) -> Option<&'static [(&'static str, &'static str)]> {
        None
    }

    /// Does what [`apply`](Self::apply) does, for a rebuild: large batches, into tables that nobody reads. It
    /// may fail with poison where `apply` would take the batch; the batch is then applied by `apply`.
    async fn apply_bulk(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        self.apply(connection, batch).await
    }

    /// Whether its commits are decoded first. A model of the log's bytes takes also what nobody can read.
    fn decodes(&self) -> bool {
        true
    }

    /// Applies entries as the log has them: what the runner calls instead of [`apply`](Self::apply) when
    /// nothing is to be decoded.
    async fn apply_entries(
        &self,
        connection: &mut PgConnection,
        entries: &[LogEntry],
    ) -> Result<(), ProjectionError> {
        let batch: Result<Vec<_>, _> = entries.iter().map(Recorded::decode).collect();
        self.apply(connection, &batch?).await
    }
}

/// Checks that the statement for a commit found the row of its object, and no other.
///
/// # Errors
/// [`ProjectionError::Inconsistent`].
pub(crate) fn exactly_one(recorded: &Recorded, rows: u64) -> Result<(), ProjectionError> {
    if rows == 1 {
        return Ok(());
    }
    Err(ProjectionError::Inconsistent {
        stream_sequence: recorded.stream_sequence,
        reason: format!(
            "{} {} has no row",
            recorded.commit.aggregate, recorded.commit.aggregate_id
        ),
    })
}
