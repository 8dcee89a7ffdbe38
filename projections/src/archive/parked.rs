//! The commits that are missing from histories and from the past, because the archive could not apply them.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::QueryError;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use sqlx::Row;
use std::collections::HashMap;

/// A commit that is in the log, and not in the archive yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedCommit {
    /// Its position in the log.
    pub stream_sequence: u64,
    /// When it was set aside.
    pub parked_at: DateTime<Utc>,
}

/// What is parked of objects of one type, oldest first; an object without has no entry.
///
/// # Errors
/// [`QueryError`].
pub async fn parked(
    connection: &mut TenantConnection,
    aggregate: &str,
    ids: &[String],
) -> Result<HashMap<String, Vec<ParkedCommit>>, QueryError> {
    let rows = sqlx::query(
        "SELECT aggregate_id, stream_sequence, parked_at FROM metamcp.parked_in_archive($1, $2)
         ORDER BY stream_sequence",
    )
    .bind(aggregate)
    .bind(ids)
    .fetch_all(&mut **connection)
    .await?;
    let mut found: HashMap<String, Vec<ParkedCommit>> = HashMap::new();
    for row in &rows {
        let of_object = found.entry(row.try_get("aggregate_id")?).or_default();
        of_object.push(ParkedCommit {
            stream_sequence: to_u64(row.try_get("stream_sequence")?),
            parked_at: row.try_get("parked_at")?,
        });
    }
    Ok(found)
}

/// The first commit of the connection's tenant behind a position, and up to another, that is parked.
///
/// # Errors
/// [`QueryError`].
pub async fn first_parked(
    connection: &mut TenantConnection,
    behind: u64,
    until: u64,
) -> Result<Option<u64>, QueryError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT metamcp.first_parked_in_archive($1, $2)")
        .bind(to_i64(behind))
        .bind(to_i64(until))
        .fetch_one(&mut **connection)
        .await?;
    Ok(found.map(to_u64))
}
