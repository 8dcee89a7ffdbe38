//! Read model `archive`: the log in SQL. The table is the one that postgres-es reads, so an aggregate's
//! history is `PostgresEventRepository`'s to load; with the metadata, a commit's canonical body can be
//! written again byte for byte.
//!
//! Its queries: [`audit`] lists a tenant's events, [`history`] tells what each event of an object changed;
//! both give [`LoggedEvent`]s. [`parked`](fn@parked) tells which commits of an object are missing from both,
//! [`parked_within`] which ones of a tenant.

pub mod audit;
mod bulk;
pub mod event;
pub mod history;
mod installed;
mod parked;

pub use event::{LoggedEvent, Place};
pub use installed::{Pinned, pinned};
pub use parked::{ParkedCommit, Stretch, first_parked, parked, parked_within};

use crate::checkpoint::{to_i64, to_u64};
use crate::error::{ProjectionError, QueryError};
use crate::projector::{OnPoison, Projector, Recorded};
use crate::store::TenantConnection;
use async_trait::async_trait;
use domain::AnyEvent;
use domain::envelope::{Actor, StoredEvent};
use domain::id::{CommandId, CommitId, CorrelationId};
use postgres_es::PostgresEventRepository;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use std::time::Duration;

/// The projector's name.
pub const NAME: &str = "archive";

/// Keeps `events`.
#[derive(Debug)]
pub struct ArchiveProjector;

/// One column a vector: the shape that `unnest` takes.
#[derive(Default)]
struct Columns {
    tenant: Vec<String>,
    aggregate_type: Vec<String>,
    aggregate_id: Vec<String>,
    sequence: Vec<i64>,
    event_index: Vec<i32>,
    event_type: Vec<String>,
    event_version: Vec<String>,
    payload: Vec<String>,
    metadata: Vec<String>,
    stream_sequence: Vec<i64>,
    recorded_at: Vec<chrono::DateTime<chrono::Utc>>,
}

#[async_trait]
impl Projector for ArchiveProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, _: &AnyEvent) -> bool {
        true
    }

    fn tables(&self) -> &'static [&'static str] {
        &["events"]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    fn batch_size(&self) -> usize {
        1_000
    }

    /// Who reads the log's history waits no longer than this for its last commit.
    fn gathers(&self) -> Duration {
        Duration::from_millis(25)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let mut columns = Columns::default();
        for recorded in batch {
            columns.push(recorded)?;
        }
        sqlx::query(
            "INSERT INTO events (tenant, aggregate_type, aggregate_id, sequence, event_index, event_type,
                                 event_version, payload, metadata, stream_sequence, recorded_at)
             SELECT t, a, i, s, n, e, v, p::json, m::json, l, r
             FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::text[],
                         $7::text[], $8::text[], $9::text[], $10::bigint[], $11::timestamptz[])
                  AS rows (t, a, i, s, n, e, v, p, m, l, r)",
        )
        .bind(columns.tenant)
        .bind(columns.aggregate_type)
        .bind(columns.aggregate_id)
        .bind(columns.sequence)
        .bind(columns.event_index)
        .bind(columns.event_type)
        .bind(columns.event_version)
        .bind(columns.payload)
        .bind(columns.metadata)
        .bind(columns.stream_sequence)
        .bind(columns.recorded_at)
        .execute(connection)
        .await?;
        Ok(())
    }

    fn looks_up_by(&self) -> Option<&'static [(&'static str, &'static str)]> {
        Some(&[])
    }

    async fn apply_bulk(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        bulk::copy(connection, batch).await
    }
}

/// An event as its row keeps it. The column keeps its text, and rows of an older release must equal those of a
/// rebuild: the order of the members stays.
#[derive(Serialize)]
struct Payload<'a> {
    r#type: &'a str,
    version: u16,
    data: &'a Value,
}

fn payload(event: &StoredEvent) -> Payload<'_> {
    Payload {
        r#type: &event.wire_type,
        version: event.version,
        data: &event.data,
    }
}

/// What is kept of a commit beside its events; its order stays, as that of [`Payload`] does.
#[derive(Serialize)]
struct Metadata<'a> {
    commit_id: CommitId,
    actor: &'a Actor,
    command_id: CommandId,
    correlation_id: CorrelationId,
    previous_hash: Option<&'a str>,
    hash: &'a str,
    stream_sequence: u64,
}

fn metadata(recorded: &Recorded) -> Metadata<'_> {
    let commit = &recorded.commit;
    Metadata {
        commit_id: commit.commit_id,
        actor: &commit.actor,
        command_id: commit.command_id,
        correlation_id: commit.correlation_id,
        previous_hash: commit.previous_hash.as_deref(),
        hash: &recorded.hash,
        stream_sequence: recorded.stream_sequence,
    }
}

fn text(document: &impl Serialize) -> Result<String, ProjectionError> {
    let text = serde_json::to_string(document);
    text.map_err(|error| sqlx::Error::Encode(error.into()).into())
}

impl Columns {
    fn push(&mut self, recorded: &Recorded) -> Result<(), ProjectionError> {
        let commit = &recorded.commit;
        let metadata = text(&metadata(recorded))?;
        for (index, event) in commit.events.iter().enumerate() {
            self.tenant.push(commit.tenant.to_string());
            self.aggregate_type.push(commit.aggregate.clone());
            self.aggregate_id.push(commit.aggregate_id.clone());
            self.sequence.push(to_i64(commit.sequence));
            self.event_index
                .push(i32::try_from(index).unwrap_or(i32::MAX));
            self.event_type.push(event.wire_type.clone());
            self.event_version.push(event.version.to_string());
            self.payload.push(text(&payload(event))?);
            self.metadata.push(metadata.clone());
            self.stream_sequence.push(to_i64(recorded.stream_sequence));
            self.recorded_at.push(commit.recorded_at);
        }
        Ok(())
    }
}

/// The position in the log of a commit of the connection's tenant.
///
/// # Errors
/// [`QueryError`].
pub async fn position_of(
    connection: &mut TenantConnection,
    commit: CommitId,
) -> Result<Option<u64>, QueryError> {
    let position: Option<i64> = sqlx::query_scalar(
        "SELECT stream_sequence FROM archive.events WHERE commit_id = $1 LIMIT 1",
    )
    .bind(commit.to_string())
    .fetch_optional(&mut **connection)
    .await?;
    Ok(position.map(to_u64))
}

/// The events of an aggregate, as postgres-es reads them. The pool must be one of owner's connections: an
/// aggregate's id already names its tenant.
#[must_use]
pub fn repository(pool: PgPool) -> PostgresEventRepository {
    PostgresEventRepository::new(pool).with_tables("archive.events", "archive.snapshots")
}

/// A position of the log, if the commit there is one of the connection's tenant.
///
/// # Errors
/// [`QueryError`].
pub async fn confirm(
    connection: &mut TenantConnection,
    stream_sequence: u64,
) -> Result<Option<u64>, QueryError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT stream_sequence FROM archive.events WHERE stream_sequence = $1 LIMIT 1",
    )
    .bind(to_i64(stream_sequence))
    .fetch_optional(&mut **connection)
    .await?;
    Ok(found.map(to_u64))
}
