//! What a runner does while it leads.
//!
//! Commits that do not concern the model are passed over: it shows them as soon as they are read, and where it
//! stands is written a little later or with the next rows. A few commits of a projector with a
//! [statement](crate::Projector::statement) are written in one call (`metamcp.write_batch`), which fences,
//! writes and moves the checkpoint in one round trip; all others in a transaction of several.

use super::{QUIET, Runner, apply_span, position};
use crate::checkpoint::{self, Checkpoint, to_i64};
use crate::error::ProjectionError;
use crate::position::{Positions, ProjectorState};
use crate::projector::Recorded;
use crate::{access, catalog, lease};
use bus::{BusError, LogEntry, LogReader};
use sqlx::postgres::types::Oid;
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::Instrument;

/// So many commits at once are a replay, and not what several writers did in the same moment.
const LIVE: usize = 32;
/// How long a position may be shown before it is written.
const UNWRITTEN: Duration = Duration::from_millis(100);
/// How long a projector lets `catalog`, which most requests wait for, go first: before it as much as reads them.
const YIELD: Duration = Duration::from_millis(20);
/// The projector's statement, as its connection knows it.
const PREPARED: &str = "metamcp_write";
/// What `metamcp.write_batch` says when the checkpoint is not where the runner left it.
const MOVED: &str = "MM001";
/// What it says when the model is not the one that was read.
const REPLACED: &str = "MM002";

/// Where a leader stands.
struct Lead {
    connection: PgConnection,
    /// As the database has it.
    at: Checkpoint,
    /// How far the model shows the log. Beyond `at` lies nothing that concerns it.
    shown: Checkpoint,
    /// Since when the two differ.
    unwritten: Option<Instant>,
    /// The model that can be written in one call; none while commits are parked, behind which others wait.
    model: Option<Oid>,
}

impl Runner {
    /// Leads until something fails; returns at once when another instance leads.
    pub(super) async fn lead(&self, positions: &Positions) -> Result<(), ProjectionError> {
        let Some(mut lead) = self.begin().await? else {
            return Ok(());
        };
        let name = self.projector.name();
        let mut log_seen = self.log.connections();
        self.check_log(&lead.at).await?;
        positions.begins_at(name, lead.at.stream_sequence);
        let mut reader = Some(self.log.read_from(lead.at.stream_sequence + 1).await?);
        positions.set_state(name, ProjectorState::Running);
        tracing::info!(
            stream_sequence = lead.at.stream_sequence,
            "the projector runs"
        );
        loop {
            let Some(batch) = self.next(&mut lead, &mut reader).await? else {
                continue;
            };
            if self.log.connections() != log_seen {
                log_seen = self.log.connections();
                self.check_log(&lead.shown).await?;
            }
            let wrote = self.take(&mut lead, &batch, positions).await?;
            positions.shows(name, lead.shown.stream_sequence);
            positions.set_state(name, ProjectorState::Running);
            if wrote && batch.len() < self.projector.batch_size() {
                tokio::time::sleep(self.projector.gathers()).await;
            }
        }
    }

    async fn begin(&self) -> Result<Option<Lead>, ProjectionError> {
        let mut connection = self.database.connect().await?;
        if !self.take_lead(&mut connection).await? {
            return Ok(None);
        }
        lease::begin(&mut connection).await?;
        if let Some(statement) = self.projector.statement() {
            let schema = &self.schema;
            let prepare =
                format!("SET search_path TO {schema}, public; PREPARE {PREPARED} AS {statement}");
            connection.execute(prepare.as_str()).await?;
        }
        let at = checkpoint::read(&mut connection, &self.checkpoint).await?;
        let model = self.model(&mut connection).await?;
        Ok(Some(Lead {
            connection,
            shown: at.clone(),
            at,
            unwritten: None,
            model,
        }))
    }

    /// The next commits; none when for a while there were none. A runner reads by itself until it stands at the
    /// end of the log, and from then on what the process reads once for all.
    async fn next(
        &self,
        lead: &mut Lead,
        reader: &mut Option<LogReader>,
    ) -> Result<Option<Vec<LogEntry>>, ProjectionError> {
        let next = lead.shown.stream_sequence + 1;
        if self.tail.as_ref().is_some_and(|tail| tail.reaches(next)) {
            *reader = None;
        }
        let arrived = {
            let arrived = self.arrive(reader.as_mut(), next);
            tokio::pin!(arrived);
            let mut soon = None;
            if let Some(since) = lead.unwritten {
                let left = UNWRITTEN.saturating_sub(since.elapsed());
                soon = timeout(left, &mut arrived).await.ok();
                if soon.is_none() {
                    self.write_position(lead).await?;
                }
            }
            match soon {
                Some(arrived) => Ok(arrived),
                None => timeout(QUIET, arrived).await,
            }
        };
        match arrived {
            Ok(Ok(None)) => *reader = Some(self.log.read_from(next).await?),
            Ok(arrived) => return Ok(arrived?),
            Err(_elapsed) => {
                lease::renew(&mut lead.connection).await?;
                // Nothing came. When there is something, the reader has died quietly, or its batch was cut
                // off by this very time-out: begin again from the checkpoint either way.
                if self.log.head().await? != lead.shown.stream_sequence {
                    self.check_log(&lead.shown).await?;
                    *reader = Some(self.log.read_from(next).await?);
                }
            }
        }
        Ok(None)
    }

    /// The next commits; none when the tail does not have them.
    async fn arrive(
        &self,
        reader: Option<&mut LogReader>,
        next: u64,
    ) -> Result<Option<Vec<LogEntry>>, BusError> {
        let most = self.projector.batch_size();
        match (reader, &self.tail) {
            (Some(reader), _) => Ok(Some(reader.next_batch(most).await?)),
            (None, Some(tail)) => Ok(tail.entries(next, most).await),
            (None, None) => Ok(None),
        }
    }

    /// Writes what commits make of the model, or passes over them. True when rows were written.
    async fn take(
        &self,
        lead: &mut Lead,
        batch: &[LogEntry],
        positions: &Positions,
    ) -> Result<bool, ProjectionError> {
        if batch.len() <= LIVE
            && let Some(last) = batch.last()
            && ![access::NAME, catalog::NAME].contains(&self.projector.name())
        {
            // All write to one disk and share the processors. Where it takes too long, nobody waits.
            let first = positions.wait_for(catalog::NAME, last.stream_sequence, YIELD);
            let _ = first.await;
        }
        let decoded = self.decode(batch);
        if let Ok(Some(recorded)) = &decoded
            && !self.is_concerned(recorded)
        {
            if let Some(to) = position(recorded) {
                lead.shown = to;
            }
            let since = *lead.unwritten.get_or_insert_with(Instant::now);
            if since.elapsed() >= UNWRITTEN {
                self.write_position(lead).await?;
            }
            return Ok(false);
        }
        lead.at = self.write(lead, batch, decoded).await?;
        lead.shown = lead.at.clone();
        lead.unwritten = None;
        Ok(true)
    }

    async fn write(
        &self,
        lead: &mut Lead,
        batch: &[LogEntry],
        decoded: Result<Option<Vec<Recorded>>, ProjectionError>,
    ) -> Result<Checkpoint, ProjectionError> {
        if batch.len() <= LIVE
            && let (Some(model), Ok(Some(recorded))) = (lead.model, &decoded)
        {
            let written = self.write_in_one_call(lead, model, recorded);
            match written.instrument(apply_span(&self.projector, batch)).await {
                Ok(Some(at)) => return Ok(at),
                // The long way reads the model that is there now.
                Ok(None) => {}
                // It finds out which commit it is.
                Err(error) if error.is_poison() => {}
                Err(error) => return Err(error),
            }
        }
        let connection = &mut lead.connection;
        let at = self
            .apply_decoded(connection, &lead.at, batch, decoded)
            .await?;
        lead.model = self.model(connection).await?;
        Ok(at)
    }

    /// None when the model was replaced while this was made of it.
    async fn write_in_one_call(
        &self,
        lead: &mut Lead,
        model: Oid,
        recorded: &[Recorded],
    ) -> Result<Option<Checkpoint>, ProjectionError> {
        let Some(to) = position(recorded) else {
            return Ok(Some(lead.at.clone()));
        };
        let connection = &mut lead.connection;
        let documents = self.projector.documents(connection, recorded).await?;
        let call = "SELECT metamcp.write_batch($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let written = sqlx::query(call)
            .bind(&self.checkpoint)
            .bind(to_i64(lead.at.stream_sequence))
            .bind(&lead.at.commit_hash)
            .bind(to_i64(to.stream_sequence))
            .bind(&to.commit_hash)
            .bind(&self.schema)
            .bind(model)
            .bind(PREPARED)
            .bind(documents)
            .execute(connection)
            .await;
        match written {
            Ok(_) => Ok(Some(to)),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(MOVED) => {
                Err(ProjectionError::Deposed)
            }
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(REPLACED) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The model that can be written in one call, see [`Lead`].
    async fn model(&self, connection: &mut PgConnection) -> Result<Option<Oid>, ProjectionError> {
        if self.projector.statement().is_none() {
            return Ok(None);
        }
        Ok(sqlx::query_scalar(
            "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1
             AND NOT EXISTS (SELECT FROM metamcp.dead_letters WHERE projector = $2)",
        )
        .bind(&self.schema)
        .bind(&self.checkpoint)
        .fetch_optional(connection)
        .await?)
    }

    /// Writes how far the model shows the log. It need not wait for the disk: it comes again from the log.
    async fn write_position(&self, lead: &mut Lead) -> Result<(), ProjectionError> {
        let mut transaction = lead.connection.begin().await?;
        let entered =
            checkpoint::enter(&mut transaction, &self.checkpoint, &self.schema, false).await?;
        if entered.at != lead.at {
            return Err(ProjectionError::Deposed);
        }
        checkpoint::advance(&mut transaction, &self.checkpoint, &lead.shown).await?;
        transaction.commit().await?;
        lead.at = lead.shown.clone();
        lead.unwritten = None;
        Ok(())
    }
}
