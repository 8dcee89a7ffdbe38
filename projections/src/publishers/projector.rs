//! Keeps the namespaces. One statement for each event, and two that settle who holds the namespace: such
//! events are few.

use super::NAME;
use crate::checkpoint::to_i64;
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded, exactly_one};
use async_trait::async_trait;
use domain::AnyEvent;
use domain::publisher::{PublisherClaimed, PublisherEvent, PublisherVerified};
use sqlx::PgConnection;

/// Keeps `namespaces`, and `marks` for all to see.
#[derive(Debug)]
pub struct PublishersProjector;

#[async_trait]
impl Projector for PublishersProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, event: &AnyEvent) -> bool {
        match event {
            AnyEvent::Publisher(_) => true,
            AnyEvent::Tenant(_)
            | AnyEvent::Principal(_)
            | AnyEvent::Server(_)
            | AnyEvent::Tool(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Installation(_)
            | AnyEvent::Taxonomy(_)
            | AnyEvent::Review(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &["namespaces", "marks"]
    }

    /// A mark tells who publishes; it permits nothing.
    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Publisher(event) => {
                        apply(connection, recorded, event).await?;
                        settle(connection, recorded).await?;
                    }
                    AnyEvent::Tenant(_)
                    | AnyEvent::Principal(_)
                    | AnyEvent::Server(_)
                    | AnyEvent::Tool(_)
                    | AnyEvent::Denial(_)
                    | AnyEvent::Policy(_)
                    | AnyEvent::Installation(_)
                    | AnyEvent::Taxonomy(_)
                    | AnyEvent::Review(_) => {}
                }
            }
        }
        Ok(())
    }
}

async fn apply(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PublisherEvent,
) -> Result<(), ProjectionError> {
    match event {
        PublisherEvent::Claimed(event) => claim(connection, recorded, event).await,
        PublisherEvent::Verified(event) => verify(connection, recorded, event).await,
        PublisherEvent::Lapsed(event) => {
            end(connection, recorded, "lapsed", event.reason.as_str()).await
        }
        PublisherEvent::Revoked(event) => end(connection, recorded, "revoked", &event.reason).await,
    }
}

/// A namespace that was revoked is claimed again in the same row.
async fn claim(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PublisherClaimed,
) -> Result<(), ProjectionError> {
    let done = sqlx::query(
        "INSERT INTO namespaces (tenant, publisher_id, namespace, nonce, status, claimed_at, updated_at)
         VALUES ($1, $2, $3, $4, 'claimed', $5, $5)
         ON CONFLICT (tenant, publisher_id) DO UPDATE SET nonce = EXCLUDED.nonce, status = 'claimed',
             method = NULL, algorithm = NULL, public_key = NULL, reason = NULL, verified_at = NULL,
             claimed_at = EXCLUDED.claimed_at, updated_at = EXCLUDED.updated_at",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(&recorded.commit.aggregate_id)
    .bind(event.namespace.as_str())
    .bind(&event.nonce)
    .bind(recorded.commit.recorded_at)
    .execute(connection)
    .await?;
    exactly_one(recorded, done.rows_affected())
}

/// Who proves another key keeps its place before others.
async fn verify(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PublisherVerified,
) -> Result<(), ProjectionError> {
    let done = sqlx::query(
        "UPDATE namespaces SET status = 'verified', verified_from = coalesce(verified_from, $3),
             method = $4, algorithm = $5, public_key = $6, reason = NULL, verified_at = $7, updated_at = $7
         WHERE tenant = $1 AND publisher_id = $2",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(&recorded.commit.aggregate_id)
    .bind(to_i64(recorded.stream_sequence))
    .bind(event.method.as_str())
    .bind(event.public_key.algorithm.as_str())
    .bind(&event.public_key.key)
    .bind(recorded.commit.recorded_at)
    .execute(connection)
    .await?;
    exactly_one(recorded, done.rows_affected())
}

async fn end(
    connection: &mut PgConnection,
    recorded: &Recorded,
    status: &str,
    reason: &str,
) -> Result<(), ProjectionError> {
    let done = sqlx::query(
        "UPDATE namespaces SET status = $3, reason = $4, verified_from = NULL, holds = false, updated_at = $5
         WHERE tenant = $1 AND publisher_id = $2",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(&recorded.commit.aggregate_id)
    .bind(status)
    .bind(reason)
    .bind(recorded.commit.recorded_at)
    .execute(connection)
    .await?;
    exactly_one(recorded, done.rows_affected())
}

/// Gives the namespace to the first of those that have it verified, and with it the mark. First taken, then
/// given: an index allows one holder at a time.
async fn settle(connection: &mut PgConnection, recorded: &Recorded) -> Result<(), ProjectionError> {
    const FIRST: &str = "WITH concerned AS (
             SELECT namespace FROM namespaces WHERE tenant = $1 AND publisher_id = $2
         ), first AS (
             SELECT min(verified_from) AS at FROM namespaces JOIN concerned USING (namespace)
         )";
    for statement in [
        "UPDATE namespaces SET holds = false FROM concerned, first
         WHERE namespaces.namespace = concerned.namespace AND holds
             AND verified_from IS DISTINCT FROM first.at",
        "UPDATE namespaces SET holds = true FROM concerned, first
         WHERE namespaces.namespace = concerned.namespace AND NOT holds AND verified_from = first.at",
        "DELETE FROM marks USING concerned WHERE marks.namespace = concerned.namespace",
        "INSERT INTO marks (namespace, tenant, method, verified_at)
         SELECT namespace, tenant, method, verified_at FROM namespaces JOIN concerned USING (namespace) WHERE holds",
    ] {
        sqlx::query(&format!("{FIRST} {statement}"))
            .bind(recorded.commit.tenant.as_str())
            .bind(&recorded.commit.aggregate_id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
