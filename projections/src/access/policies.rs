//! Which policy was on record since when. The rows are the installation's: a connection of
//! [`TenantId::installation`](domain::id::TenantId::installation) reads them, and no tenant's.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::{ProjectionError, QueryError};
use crate::moment::Moment;
use crate::projector::Recorded;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::policy::PolicyEvent;
use sqlx::{PgConnection, Row};

/// A policy on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedPolicy {
    /// Its name: the beginning of its text's SHA-256.
    pub version: String,
    /// Its rules.
    pub text: String,
    /// The position of the commit that recorded it.
    pub stream_sequence: u64,
    /// When that was.
    pub adopted_at: DateTime<Utc>,
}

/// Adds an adoption.
pub(super) async fn apply(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PolicyEvent,
) -> Result<(), ProjectionError> {
    let PolicyEvent::Adopted(adopted) = event;
    sqlx::query(
        "INSERT INTO policies (tenant, stream_sequence, policy_version, rules, adopted_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(to_i64(recorded.stream_sequence))
    .bind(&adopted.policy_version)
    .bind(&adopted.text)
    .bind(recorded.commit.recorded_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The policy on record at the connection's moment; none before the first was recorded.
///
/// # Errors
/// [`QueryError`].
pub async fn policy(
    connection: &mut TenantConnection,
) -> Result<Option<AdoptedPolicy>, QueryError> {
    let until = match connection.moment() {
        Moment::Now => i64::MAX,
        Moment::At(position) => to_i64(position),
    };
    let row = sqlx::query(
        "SELECT policy_version, rules, stream_sequence, adopted_at FROM access.policies
         WHERE stream_sequence <= $1 ORDER BY stream_sequence DESC LIMIT 1",
    )
    .bind(until)
    .fetch_optional(&mut **connection)
    .await?;
    row.map(|row| {
        Ok(AdoptedPolicy {
            version: row.try_get("policy_version")?,
            text: row.try_get("rules")?,
            stream_sequence: to_u64(row.try_get("stream_sequence")?),
            adopted_at: row.try_get("adopted_at")?,
        })
    })
    .transpose()
}
