//! Drives a projector: one active runner per projector and database, through an advisory lock.
//!
//! **Invariants.** Rows and checkpoint commit together. The checkpoint row's lock is taken before anything
//! is written and compared with the expected position, so a deposed runner cannot write. Before the first
//! batch, and whenever the connection to NATS was made again, the log is compared with the checkpoint: a
//! log that ends before it, or holds another commit there, was lost or replaced, and the runner halts
//! instead of skipping events. A leader that is silent for longer than its lease loses its connection, and
//! with it lock and transaction (`lease.rs`). Commits of an object wait behind a parked one of it.

mod lead;

use crate::checkpoint::{self, Checkpoint};
use crate::dead_letter;
use crate::error::ProjectionError;
use crate::lease;
use crate::position::{Positions, ProjectorState};
use crate::projector::{OnPoison, Projector, Recorded};
use crate::store::Database;
use crate::vault::open_personal_fields;
use bus::{Log, LogEntry, Tail};
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// How often a follower asks whether it may lead.
const FOLLOW: Duration = Duration::from_secs(1);
/// First pause after a failure; it doubles up to [`MAX_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// The longest pause while a server is away: commands wait for the projector as soon as it is back.
const OUTAGE_BACKOFF: Duration = Duration::from_millis(500);
/// Silence after which a reader is compared with the head of the log; well below [`lease::LEASE`].
const QUIET: Duration = Duration::from_secs(1);

/// A projector, and where it reads and writes.
pub struct Runner {
    projector: Arc<dyn Projector>,
    schema: String,
    checkpoint: String,
    log: Log,
    /// Where it reads once it stands at the end of the log.
    tail: Option<Tail>,
    database: Database,
}

/// Starts one runner per projector; each ends when `stop` is cancelled.
#[must_use]
pub fn spawn(
    projectors: Vec<Arc<dyn Projector>>,
    log: &Log,
    database: &Database,
    positions: &Positions,
    stop: &CancellationToken,
) -> Vec<tokio::task::JoinHandle<()>> {
    let (tail, reading) = Tail::start(log);
    let stopped = stop.clone();
    let reading = tokio::spawn(async move {
        stopped.cancelled().await;
        reading.abort();
    });
    let start = |projector: Arc<dyn Projector>| {
        let runner = Runner {
            tail: Some(tail.clone()),
            ..Runner::live(projector, log.clone(), database.clone())
        };
        let span = tracing::info_span!("projector", projector = runner.projector.name());
        let (positions, stop) = (positions.clone(), stop.clone());
        tokio::spawn(async move { runner.run(&positions, &stop).await }.instrument(span))
    };
    projectors.into_iter().map(start).chain([reading]).collect()
}

impl Runner {
    /// A runner of the live model.
    #[must_use]
    pub fn live(projector: Arc<dyn Projector>, log: Log, database: Database) -> Self {
        let name = projector.name().to_owned();
        Self {
            projector,
            schema: name.clone(),
            checkpoint: name,
            log,
            tail: None,
            database,
        }
    }

    /// A runner of a copy beside the live model.
    pub(crate) fn beside(
        projector: Arc<dyn Projector>,
        schema: String,
        log: Log,
        database: Database,
    ) -> Self {
        Self {
            projector,
            checkpoint: schema.clone(),
            schema,
            log,
            tail: None,
            database,
        }
    }

    async fn run(&self, positions: &Positions, stop: &CancellationToken) {
        let name = self.projector.name();
        let mut backoff = Duration::ZERO;
        loop {
            let begun = Instant::now();
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.lead(positions) => outcome,
            };
            if begun.elapsed() > MAX_BACKOFF {
                // It has run well in between: this failure is a new one.
                backoff = Duration::ZERO;
            }
            let pause = match outcome {
                Ok(()) => {
                    positions.set_state(name, ProjectorState::Following);
                    FOLLOW
                }
                Err(error) if is_final(&error) => {
                    let reason = chain(&error);
                    if positions.set_state(name, ProjectorState::Halted { reason }) {
                        tracing::error!(error = chain(&error), "the projector has halted");
                    }
                    MAX_BACKOFF
                }
                Err(error) => {
                    let reason = chain(&error);
                    // Once for an outage, however often it is tried meanwhile.
                    if positions.set_state(name, ProjectorState::Retrying { reason }) {
                        tracing::warn!(
                            error = chain(&error),
                            "the projector failed and will try again"
                        );
                    }
                    let longest = if error.passes_by_itself() {
                        OUTAGE_BACKOFF
                    } else {
                        MAX_BACKOFF
                    };
                    backoff = (backoff * 2).clamp(BACKOFF, longest);
                    backoff
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The lock belongs to the connection that also writes: when it is lost, so is the transaction.
    pub(crate) async fn take_lead(
        &self,
        connection: &mut PgConnection,
    ) -> Result<bool, ProjectionError> {
        lease::try_lock(connection, &self.checkpoint).await
    }

    pub(crate) async fn check_log(&self, at: &Checkpoint) -> Result<(), ProjectionError> {
        check_log(&self.log, &self.checkpoint, at).await
    }

    /// Applies a batch. When it fails because of one commit, its commits are applied one by one, so that
    /// only the poisonous one is parked.
    pub(crate) async fn apply(
        &self,
        connection: &mut PgConnection,
        from: &Checkpoint,
        batch: &[LogEntry],
    ) -> Result<Checkpoint, ProjectionError> {
        self.apply_decoded(connection, from, batch, self.decode(batch))
            .await
    }

    async fn apply_decoded(
        &self,
        connection: &mut PgConnection,
        from: &Checkpoint,
        batch: &[LogEntry],
        decoded: Result<Option<Vec<Recorded>>, ProjectionError>,
    ) -> Result<Checkpoint, ProjectionError> {
        let applied = match decoded {
            Ok(decoded) => {
                let span = apply_span(&self.projector, batch);
                let applied = self.transact(connection, from, batch, decoded);
                applied.instrument(span).await
            }
            Err(error) => Err(error),
        };
        match applied {
            Err(error) if error.is_poison() => {
                let mut at = from.clone();
                for entry in batch {
                    at = self.apply_one(connection, &at, entry).await?;
                }
                Ok(at)
            }
            other => other,
        }
    }

    async fn apply_one(
        &self,
        connection: &mut PgConnection,
        from: &Checkpoint,
        entry: &LogEntry,
    ) -> Result<Checkpoint, ProjectionError> {
        let batch = std::slice::from_ref(entry);
        let applied = match self.decode(batch) {
            Ok(decoded) => self.transact(connection, from, batch, decoded).await,
            Err(error) => Err(error),
        };
        match applied {
            Err(error) if error.is_poison() && self.projector.on_poison() == OnPoison::Park => {
                self.park(connection, from, entry, &error).await
            }
            other => other,
        }
    }

    /// The commits as the projector gets them; none when it takes them as the log has them.
    fn decode(&self, batch: &[LogEntry]) -> Result<Option<Vec<Recorded>>, ProjectionError> {
        let decoded = || batch.iter().map(Recorded::decode).collect();
        self.projector.decodes().then(decoded).transpose()
    }

    fn is_concerned(&self, recorded: &[Recorded]) -> bool {
        let mut events = recorded.iter().flat_map(|one| &one.events);
        events.any(|event| self.projector.listens_to(event))
    }

    async fn transact(
        &self,
        connection: &mut PgConnection,
        from: &Checkpoint,
        batch: &[LogEntry],
        mut recorded: Option<Vec<Recorded>>,
    ) -> Result<Checkpoint, ProjectionError> {
        let Some(last) = batch.last() else {
            return Ok(from.clone());
        };
        let to = recorded.as_deref().and_then(position);
        let to = to.unwrap_or_else(|| Checkpoint {
            stream_sequence: last.stream_sequence,
            commit_hash: Some(last.hash()),
        });
        let mut transaction = connection.begin().await?;
        let concerned = recorded.as_deref().is_none_or(|all| self.is_concerned(all));
        // A checkpoint that moves alone need not wait for the disk: it comes again from the log.
        let entered =
            checkpoint::enter(&mut transaction, &self.checkpoint, &self.schema, concerned).await?;
        if entered.at != *from {
            return Err(ProjectionError::Deposed);
        }
        if concerned && entered.has_parked {
            dead_letter::refuse_overtaking(&mut transaction, &self.checkpoint, batch).await?;
        }
        match &mut recorded {
            _ if !concerned => {}
            None => {
                self.projector
                    .apply_entries(&mut transaction, batch)
                    .await?;
            }
            Some(recorded) => {
                if self.projector.sees_personal_fields() {
                    let keys = self.database.key_folder();
                    let seen = |event: &_| self.projector.listens_to(event);
                    open_personal_fields(&mut transaction, keys, recorded, &seen).await?;
                }
                self.projector.apply(&mut transaction, recorded).await?;
            }
        }
        checkpoint::advance(&mut transaction, &self.checkpoint, &to).await?;
        transaction.commit().await?;
        Ok(to)
    }

    async fn park(
        &self,
        connection: &mut PgConnection,
        from: &Checkpoint,
        entry: &LogEntry,
        error: &ProjectionError,
    ) -> Result<Checkpoint, ProjectionError> {
        tracing::error!(
            stream_sequence = entry.stream_sequence,
            error = chain(error),
            "a commit could not be applied and was parked"
        );
        let to = Checkpoint {
            stream_sequence: entry.stream_sequence,
            commit_hash: Some(entry.hash()),
        };
        let mut transaction = connection.begin().await?;
        checkpoint::fence(&mut transaction, &self.checkpoint, from.stream_sequence).await?;
        dead_letter::park(&mut transaction, &self.checkpoint, entry, &chain(error)).await?;
        checkpoint::advance(&mut transaction, &self.checkpoint, &to).await?;
        transaction.commit().await?;
        Ok(to)
    }
}

fn apply_span(projector: &Arc<dyn Projector>, batch: &[LogEntry]) -> Span {
    let span = tracing::info_span!("apply", projector = projector.name(), commits = batch.len());
    if let [entry] = batch {
        // One commit belongs to one trace: request, commit, projection.
        let _ = span.set_parent(entry.trace_context());
    }
    span
}

/// Where a model stands that shows these commits.
fn position(recorded: &[Recorded]) -> Option<Checkpoint> {
    recorded.last().map(|last| Checkpoint {
        stream_sequence: last.stream_sequence,
        commit_hash: Some(last.hash.clone()),
    })
}

/// Compares the log with a checkpoint: it must hold the very commit that was applied there.
pub(crate) async fn check_log(
    log: &Log,
    name: &str,
    at: &Checkpoint,
) -> Result<(), ProjectionError> {
    if at.stream_sequence == 0 {
        return Ok(());
    }
    let position = at.stream_sequence;
    let found = log.entry_at(position).await?;
    let replaced = match (&found, &at.commit_hash) {
        (None, _) => {
            format!("the log ends before position {position}, where projector {name} stands")
        }
        (Some(entry), Some(hash)) if *hash != entry.hash() => {
            format!(
                "position {position} of the log holds another commit than projector {name} applied"
            )
        }
        (Some(_), _) => return Ok(()),
    };
    Err(log_replaced(&replaced))
}

/// How the present log differs from the one that was read, with the ways out.
pub(crate) fn log_replaced(how: &str) -> ProjectionError {
    ProjectionError::LogReplaced(format!(
        "{how}: the log was lost or replaced. Restore the log, or accept the present one with \
         `metamcp rebuild all --force`"
    ))
}

/// Trying again cannot help before somebody acts.
fn is_final(error: &ProjectionError) -> bool {
    error.is_poison() || matches!(error, ProjectionError::LogReplaced(_))
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
