//! One read model built beside the live one: its empty tables, its own connection, where it stands.

use super::pipeline::Batch;
use super::{Goal, indexes};
use crate::checkpoint::{self, Checkpoint};
use crate::error::ProjectionError;
use crate::projector::{Projector, Recorded, beside};
use crate::runner::Runner;
use crate::store::Database;
use crate::vault::open_personal_fields;
use bus::{Log, LogEntry};
use domain::AnyEvent;
use sqlx::{Connection, Executor, PgConnection};
use std::sync::Arc;

/// A copy that is being built. Its schema and its checkpoint have the same name.
pub(super) struct Beside {
    pub(super) projector: Arc<dyn Projector>,
    pub(super) name: String,
    pub(super) connection: PgConnection,
    pub(super) at: Checkpoint,
    pub(super) towards: Goal,
    /// How far the next step goes.
    pub(super) goal: u64,
    /// How far it has to come: where it meets a commit behind this that stops the live projector as well, it stops.
    pub(super) least: u64,
    runner: Runner,
    database: Database,
    /// Some of its commits were parked: those behind have to be looked at one by one.
    parked: bool,
    waiting_indexes: Vec<String>,
}

impl Beside {
    /// Makes the empty copy, and forgets what an interrupted rebuild has left.
    ///
    /// # Errors
    /// [`ProjectionError::RebuildRuns`] while another rebuild of the model is under way.
    pub(super) async fn begin(
        projector: Arc<dyn Projector>,
        towards: Goal,
        log: &Log,
        database: &Database,
    ) -> Result<Self, ProjectionError> {
        let live = projector.name();
        let name = beside(live);
        let runner = Runner::beside(
            Arc::clone(&projector),
            name.clone(),
            log.clone(),
            database.clone(),
        );
        let mut connection = database.connect().await?;
        if !runner.take_lead(&mut connection).await? {
            return Err(ProjectionError::RebuildRuns(live));
        }
        sqlx::query("SELECT metamcp.clone_schema($1, $2)")
            .bind(live)
            .bind(&name)
            .execute(&mut connection)
            .await?;
        for table in ["checkpoints", "dead_letters"] {
            sqlx::query(&format!("DELETE FROM metamcp.{table} WHERE projector = $1"))
                .bind(&name)
                .execute(&mut connection)
                .await?;
        }
        // Nobody hears of the copy before the swap, whose own commit brings it to the disk.
        let session = format!("SET synchronous_commit = off; SET search_path = {name}, public");
        connection.execute(session.as_str()).await?;
        Ok(Self {
            at: checkpoint::read(&mut connection, &name).await?,
            waiting_indexes: indexes::put_off(&mut connection, projector.as_ref(), &name).await?,
            towards,
            goal: 0,
            least: 0,
            parked: false,
            database: database.clone(),
            projector,
            name,
            connection,
            runner,
        })
    }

    /// Makes the indexes that were left out while the bulk of the rows came.
    pub(super) async fn make_indexes(&mut self) -> Result<(), ProjectionError> {
        let waiting = std::mem::take(&mut self.waiting_indexes);
        Ok(indexes::make(&mut self.connection, waiting).await?)
    }

    /// Applies what it has not applied yet of a batch, up to its goal. True while there is more to come.
    pub(super) async fn apply(&mut self, batch: &Batch) -> Result<bool, ProjectionError> {
        let (entries, recorded) = batch.between(self.at.stream_sequence, self.goal);
        let applied = match recorded {
            _ if entries.is_empty() => return Ok(self.at.stream_sequence < self.goal),
            _ if self.parked => None,
            // Somebody has to see what it is that cannot be decoded.
            None if self.projector.decodes() => None,
            recorded => self.apply_at_once(entries, recorded.unwrap_or(&[])).await?,
        };
        match applied {
            Some(at) => self.at = at,
            None => {
                if let Err(error) = self.apply_as_live(entries).await {
                    self.at = checkpoint::read(&mut self.connection, &self.name).await?;
                    let far_enough = error.is_poison() && self.at.stream_sequence >= self.least;
                    return if far_enough { Ok(false) } else { Err(error) };
                }
            }
        }
        Ok(self.at.stream_sequence < self.goal)
    }

    /// In one transaction. None when one of the commits is at fault, and nothing was applied.
    async fn apply_at_once(
        &mut self,
        entries: &[LogEntry],
        recorded: &[Recorded],
    ) -> Result<Option<Checkpoint>, ProjectionError> {
        match self.transact(entries, recorded).await {
            Ok(at) => Ok(Some(at)),
            Err(error) if error.is_poison() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn transact(
        &mut self,
        entries: &[LogEntry],
        recorded: &[Recorded],
    ) -> Result<Checkpoint, ProjectionError> {
        let Some(last) = entries.last() else {
            return Ok(self.at.clone());
        };
        let to = Checkpoint {
            stream_sequence: last.stream_sequence,
            commit_hash: Some(match recorded.last() {
                Some(recorded) => recorded.hash.clone(),
                None => last.hash(),
            }),
        };
        let projector = &self.projector;
        let listens = |event: &AnyEvent| projector.listens_to(event);
        let mut transaction = self.connection.begin().await?;
        checkpoint::fence(&mut transaction, &self.name, self.at.stream_sequence).await?;
        if !projector.decodes() {
            projector.apply_entries(&mut transaction, entries).await?;
        } else if recorded.iter().flat_map(|one| &one.events).any(&listens) {
            if projector.sees_personal_fields() {
                let mut own = recorded.to_vec();
                let keys = self.database.key_folder();
                open_personal_fields(&mut transaction, keys, &mut own, &listens).await?;
                projector.apply_bulk(&mut transaction, &own).await?;
            } else {
                projector.apply_bulk(&mut transaction, recorded).await?;
            }
        }
        checkpoint::advance(&mut transaction, &self.name, &to).await?;
        transaction.commit().await?;
        Ok(to)
    }

    /// As the projector itself does: what cannot be applied is parked, or stops it.
    async fn apply_as_live(&mut self, entries: &[LogEntry]) -> Result<(), ProjectionError> {
        for part in entries.chunks(self.projector.batch_size()) {
            self.at = self
                .runner
                .apply(&mut self.connection, &self.at, part)
                .await?;
        }
        self.parked = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM metamcp.dead_letters WHERE projector = $1)",
        )
        .bind(&self.name)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(())
    }
}
