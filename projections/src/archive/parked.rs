//! The commits that are missing from histories and from the past, because the archive could not apply them.

use super::audit::{AuditFilter, AuditPage, AuditRange};
use crate::checkpoint::{to_i64, to_u64};
use crate::error::QueryError;
use crate::moment::comparable;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::HashMap;

/// Parked commits that one answer names.
const MOST: i32 = 100;

/// A commit that is in the log, and not in the archive yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedCommit {
    /// Its position in the log.
    pub stream_sequence: u64,
    /// When it was set aside.
    pub parked_at: DateTime<Utc>,
}

impl ParkedCommit {
    fn read(row: &PgRow) -> Result<Self, QueryError> {
        Ok(Self {
            stream_sequence: to_u64(row.try_get("stream_sequence")?),
            parked_at: row.try_get("parked_at")?,
        })
    }
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
        of_object.push(ParkedCommit::read(row)?);
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

/// The part of a tenant's log that a page of the audit log has looked through, in which parked commits are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Both are commits that the archive has, or the ends of the log.
    behind: u64,
    before: u64,
    aggregate: Option<String>,
    aggregate_id: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

impl Stretch {
    /// That of a page. Who caused a parked commit, and what, is not known: conditions on that do not narrow it.
    #[must_use]
    pub fn of(filter: &AuditFilter, range: &AuditRange, found: &AuditPage) -> Self {
        let last = || found.page.items.last().map(|item| item.node.place);
        let end = match found.page.has_next {
            true => found.searched_to.or_else(last),
            false => None,
        };
        let (low, high) = match range.descending {
            true => (end, range.after),
            false => (range.after, end),
        };
        let until = range
            .until
            .map_or(u64::MAX, |until| until.saturating_add(1));
        Self {
            behind: low.map_or(0, |place| place.stream_sequence),
            before: high.map_or(until, |place| place.stream_sequence.min(until)),
            aggregate: filter.aggregate.clone(),
            aggregate_id: filter.aggregate_id.clone(),
            from: filter.from,
            to: filter.to,
        }
    }
}

/// What is parked of the connection's tenant in a stretch of its log, oldest first, and 100 at most.
///
/// # Errors
/// [`QueryError`].
pub async fn parked_within(
    connection: &mut TenantConnection,
    stretch: &Stretch,
) -> Result<Vec<ParkedCommit>, QueryError> {
    let (behind, before) = within_times(connection, stretch).await?;
    let rows = sqlx::query(
        "SELECT stream_sequence, parked_at FROM metamcp.parked_in_archive_between($1, $2, $3, $4, $5)
         ORDER BY stream_sequence",
    )
    .bind(behind)
    .bind(before)
    .bind(stretch.aggregate.as_deref())
    .bind(stretch.aggregate_id.as_deref())
    .bind(MOST)
    .fetch_all(&mut **connection)
    .await?;
    rows.iter().map(ParkedCommit::read).collect()
}

/// The bounds of a stretch, between its times as well. When a parked commit was recorded nobody has read, so it may
/// be of the time between the commits before and behind it that the archive has.
async fn within_times(
    connection: &mut TenantConnection,
    stretch: &Stretch,
) -> Result<(i64, i64), QueryError> {
    let (mut behind, mut before) = (to_i64(stretch.behind), to_i64(stretch.before));
    if let Some(from) = stretch.from {
        let since: Option<i64> = sqlx::query_scalar(
            "SELECT max(stream_sequence) FROM archive.events
             WHERE stream_sequence < coalesce((SELECT min(stream_sequence) FROM archive.events
                                               WHERE recorded_at >= $1), $2)",
        )
        .bind(comparable(from))
        .bind(i64::MAX)
        .fetch_one(&mut **connection)
        .await?;
        behind = behind.max(since.unwrap_or(0));
    }
    if let Some(to) = stretch.to {
        let until: Option<i64> = sqlx::query_scalar(
            "SELECT min(stream_sequence) FROM archive.events
             WHERE stream_sequence > coalesce((SELECT max(stream_sequence) FROM archive.events
                                               WHERE recorded_at < $1), 0)",
        )
        .bind(comparable(to))
        .fetch_one(&mut **connection)
        .await?;
        before = before.min(until.unwrap_or(i64::MAX));
    }
    Ok((behind, before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Place;
    use crate::page::Page;

    fn bounds(after: Option<u64>, searched_to: Option<u64>, descending: bool) -> (u64, u64) {
        let range = AuditRange {
            first: 1,
            after: after.map(Place::end_of),
            until: None,
            descending,
        };
        let found = AuditPage {
            page: Page {
                items: Vec::new(),
                has_next: searched_to.is_some(),
            },
            searched_to: searched_to.map(Place::end_of),
        };
        let stretch = Stretch::of(&AuditFilter::default(), &range, &found);
        (stretch.behind, stretch.before)
    }

    #[test]
    fn pages_meet_without_a_gap_in_both_directions() {
        assert_eq!(bounds(None, Some(7), true), (7, u64::MAX));
        assert_eq!(bounds(Some(7), None, true), (0, 7));
        assert_eq!(bounds(None, Some(7), false), (0, 7));
        assert_eq!(bounds(Some(7), None, false), (7, u64::MAX));
    }
}
