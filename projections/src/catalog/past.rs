//! What was: images of rows that a commit superseded, and which position a time means.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::{ProjectionError, QueryError};
use crate::moment::comparable;
use crate::projector::Recorded;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::id::ToolId;
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::HashMap;

/// A row that knows since which position it holds.
pub(super) trait Dated: Clone {
    fn valid_from(&mut self) -> &mut i64;
}

/// The image of a row that held in `[valid_from, valid_to)`.
#[derive(Debug, Serialize)]
pub(super) struct Past<T> {
    #[serde(flatten)]
    pub(super) row: T,
    pub(super) valid_to: i64,
}

/// Keeps the image of a row that the commit at `at` is about to change. Every commit of a batch passes
/// here, so the past does not depend on how the log was cut into batches. Between two events of one commit
/// there is no moment, and no image.
pub(super) fn supersede<T: Dated>(row: &mut T, past: &mut Vec<Past<T>>, at: i64) {
    if *row.valid_from() < at {
        past.push(Past {
            row: row.clone(),
            valid_to: at,
        });
        *row.valid_from() = at;
    }
}

/// A commit that is later than those of its tenant before it.
#[derive(Debug, Serialize)]
pub(super) struct MomentRow<'a> {
    tenant: &'a str,
    recorded_at: DateTime<Utc>,
    stream_sequence: i64,
}

/// The commits of a batch that are later than those before them in it.
pub(super) fn moments(batch: &[Recorded]) -> Vec<MomentRow<'_>> {
    let mut latest: HashMap<&str, DateTime<Utc>> = HashMap::new();
    let mut moments = Vec::new();
    for recorded in batch {
        let (tenant, recorded_at) = (recorded.commit.tenant.as_str(), recorded.commit.recorded_at);
        if latest
            .get(tenant)
            .is_none_or(|latest| recorded_at > *latest)
        {
            latest.insert(tenant, recorded_at);
            moments.push(MomentRow {
                tenant,
                recorded_at,
                stream_sequence: to_i64(recorded.stream_sequence),
            });
        }
    }
    moments
}

/// Adds to `moments` those of `$6` that are later than everything before them, as [`save_moments`] does where
/// all that is there lies before them in the log.
pub(super) const MOMENTS: &str = "INSERT INTO moments (tenant, recorded_at, stream_sequence)
     SELECT tenant, recorded_at, stream_sequence
     FROM json_populate_recordset(NULL::moments, $6::json) AS incoming
     WHERE recorded_at > coalesce((SELECT known.recorded_at FROM moments AS known
                                   WHERE known.tenant = incoming.tenant
                                   ORDER BY known.recorded_at DESC LIMIT 1), '-infinity')";

/// Adds to `moments` the commits that are later than everything before them. One that was parked and is
/// applied late takes its place among those that came after it, which are no moments if they are not later.
pub(super) async fn save_moments(
    connection: &mut PgConnection,
    batch: &[Recorded],
) -> Result<(), ProjectionError> {
    let (mut tenants, mut times, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for moment in moments(batch) {
        tenants.push(moment.tenant);
        times.push(moment.recorded_at);
        positions.push(moment.stream_sequence);
    }
    sqlx::query(
        "WITH rows AS (
             SELECT t, r, s, coalesce((SELECT recorded_at FROM moments
                                       WHERE tenant = t AND stream_sequence < s
                                       ORDER BY recorded_at DESC LIMIT 1), '-infinity') AS before
             FROM unnest($1::text[], $2::timestamptz[], $3::bigint[]) AS rows (t, r, s)
         ), overtaken AS (
             DELETE FROM moments USING rows
             WHERE tenant = t AND recorded_at > before AND recorded_at < r AND stream_sequence > s
         )
         INSERT INTO moments (tenant, recorded_at, stream_sequence)
         SELECT t, r, s FROM rows WHERE r > before
         ON CONFLICT (tenant, recorded_at) DO UPDATE SET stream_sequence = excluded.stream_sequence",
    )
    .bind(tenants)
    .bind(times)
    .bind(positions)
    .execute(connection)
    .await?;
    Ok(())
}

/// The position that a time means for the connection's tenant: the last one before its first commit that
/// was recorded later. None when no commit was, so that it is the last position that the model has.
///
/// The log's order counts, not the clocks: where processes' clocks differ, a commit that says an earlier
/// time than one before it belongs to that one's moment.
///
/// # Errors
/// [`QueryError`].
pub async fn position_at(
    connection: &mut TenantConnection,
    time: DateTime<Utc>,
) -> Result<Option<u64>, QueryError> {
    let later: Option<i64> = sqlx::query_scalar(
        "SELECT stream_sequence FROM catalog.moments WHERE recorded_at > $1
         ORDER BY recorded_at LIMIT 1",
    )
    .bind(comparable(time))
    .fetch_optional(&mut **connection)
    .await?;
    Ok(later.map(|later| to_u64(later - 1)))
}

/// The position of the first commit about a tool that was recorded after a time; none when there is none. Between
/// the commits of one tenant lie those of others: this is for who looks at another tenant's tool.
///
/// # Errors
/// [`QueryError`].
pub async fn changed_after(
    connection: &mut TenantConnection,
    tool: &ToolId,
    time: DateTime<Utc>,
) -> Result<Option<u64>, QueryError> {
    let first: Option<i64> = sqlx::query_scalar(
        "SELECT min(valid_from) FROM (
             SELECT tool_id, valid_from, updated_at FROM catalog.tools
             UNION ALL SELECT tool_id, valid_from, updated_at FROM catalog.tools_past
         ) AS changes WHERE tool_id = $1 AND updated_at > $2",
    )
    .bind(tool.as_str())
    .bind(comparable(time))
    .fetch_one(&mut **connection)
    .await?;
    Ok(first.map(to_u64))
}
