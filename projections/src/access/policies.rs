//! Which policy was on record since when. The rows are the installation's: a connection of
//! [`TenantId::installation`](domain::id::TenantId::installation) reads them, and no tenant's.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::{ProjectionError, QueryError};
use crate::moment::Moment;
use crate::page::{Keyset, Page, PageRequest};
use crate::projector::Recorded;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::envelope::body_hash;
use domain::policy::PolicyEvent;
use sqlx::postgres::PgRow;
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
    /// The release of the program that recorded it; none when that did not say.
    pub program_version: Option<String>,
}

/// That a policy was put on record, without its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The policy's name.
    pub version: String,
    /// Hex SHA-256 of its rules, of which the name is the beginning.
    pub sha256: String,
    /// The position of the commit that recorded it.
    pub stream_sequence: u64,
    /// When that was.
    pub adopted_at: DateTime<Utc>,
    /// The release of the program that recorded it; none when that did not say.
    pub program_version: Option<String>,
}

impl From<&AdoptedPolicy> for Adoption {
    fn from(policy: &AdoptedPolicy) -> Self {
        Self {
            version: policy.version.clone(),
            sha256: body_hash(policy.text.as_bytes()),
            stream_sequence: policy.stream_sequence,
            adopted_at: policy.adopted_at,
            program_version: policy.program_version.clone(),
        }
    }
}

/// Adds an adoption.
pub(super) async fn apply(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &PolicyEvent,
) -> Result<(), ProjectionError> {
    let PolicyEvent::Adopted(adopted) = event;
    sqlx::query(
        "INSERT INTO policies (tenant, stream_sequence, policy_version, rules, adopted_at, program_version)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(to_i64(recorded.stream_sequence))
    .bind(&adopted.policy_version)
    .bind(&adopted.text)
    .bind(recorded.commit.recorded_at)
    .bind(&adopted.program_version)
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
        "SELECT policy_version, rules, stream_sequence, adopted_at, program_version FROM access.policies
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
            program_version: row.try_get("program_version")?,
        })
    })
    .transpose()
}

/// The adoptions, or those of one policy by its name, newest first. A policy that came back has several.
///
/// # Errors
/// [`QueryError`].
pub async fn adoptions(
    connection: &mut TenantConnection,
    version: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Adoption>, QueryError> {
    let before = page.keyset()?.map(|after| after.id.parse::<i64>());
    let before = before.transpose().map_err(|_| QueryError::InvalidCursor)?;
    let rows = sqlx::query(
        "SELECT policy_version, encode(sha256(convert_to(rules, 'UTF8')), 'hex') AS sha256,
                stream_sequence, adopted_at, program_version
         FROM access.policies
         WHERE ($1::text IS NULL OR policy_version = $1) AND ($2::bigint IS NULL OR stream_sequence < $2)
         ORDER BY stream_sequence DESC LIMIT $3",
    )
    .bind(version)
    .bind(before)
    .bind(page.limit())
    .fetch_all(&mut **connection)
    .await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(read).collect();
    Ok(Page::cut(rows?, page.first, |adoption| {
        Keyset::encode("", &adoption.stream_sequence.to_string())
    }))
}

/// Where these rules were last put on record.
///
/// # Errors
/// [`QueryError`].
pub async fn last_adoption_of(
    connection: &mut TenantConnection,
    rules: &str,
) -> Result<Option<u64>, QueryError> {
    // By the whole text: a name is short enough to be forged.
    let statement = "SELECT max(stream_sequence) FROM access.policies WHERE rules = $1";
    let last = sqlx::query_scalar::<_, Option<i64>>(statement).bind(rules);
    Ok(last.fetch_one(&mut **connection).await?.map(to_u64))
}

fn read(row: &PgRow) -> Result<Adoption, QueryError> {
    Ok(Adoption {
        version: row.try_get("policy_version")?,
        sha256: row.try_get("sha256")?,
        stream_sequence: to_u64(row.try_get("stream_sequence")?),
        adopted_at: row.try_get("adopted_at")?,
        program_version: row.try_get("program_version")?,
    })
}
