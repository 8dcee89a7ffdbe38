//! The events of a tenant, newest or oldest first, page by page.
//!
//! Every condition but the text is answered from an index, and a page goes on from a place in the log, so
//! it costs the same at any depth. A text is looked for in the events themselves: an index over all words
//! of all schemas would cost every commit more than it gives the few who ask. So one page looks through a
//! bounded number of events, and says how far it came.

use super::event::{COLUMNS, LoggedEvent, Place};
use crate::catalog::contains;
use crate::checkpoint::{to_i64, to_u64};
use crate::error::QueryError;
use crate::moment::comparable;
use crate::page::Page;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row};

/// Events that one page looks through for a text.
pub const TEXT_SCAN: i64 = 10_000;

/// Which events; all conditions together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Caused by the actor with this id.
    pub actor_id: Option<String>,
    /// Of aggregates of this type.
    pub aggregate: Option<String>,
    /// Of the aggregate with this id.
    pub aggregate_id: Option<String>,
    /// Of this wire type.
    pub event_type: Option<String>,
    /// Recorded at this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before this moment.
    pub to: Option<DateTime<Utc>>,
    /// The data, as JSON, contain this text in whatever case.
    pub text: Option<String>,
}

/// Which part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditRange {
    /// How many.
    pub first: usize,
    /// Behind which place, in the direction of the list.
    pub after: Option<Place>,
    /// No commit beyond this position.
    pub until: Option<u64>,
    /// Newest first.
    pub descending: bool,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditPage {
    /// The events.
    pub page: Page<LoggedEvent>,
    /// Up to where the page looked, when it stopped before the end of the list without being full.
    pub searched_to: Option<Place>,
}

impl AuditFilter {
    /// Whether an event that just came is one of them. The text is looked at by [`events`] only.
    #[must_use]
    pub fn admits(&self, event: &LoggedEvent) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.actor_id, &event.actor.id)
            && is(&self.aggregate, &event.aggregate)
            && is(&self.aggregate_id, &event.aggregate_id)
            && is(&self.event_type, &event.event.wire_type)
            && self.from.is_none_or(|from| event.recorded_at >= from)
            && self.to.is_none_or(|to| event.recorded_at < to)
    }

    /// `FROM … WHERE …` with everything but the text, in the order of the list.
    fn push(&self, query: &mut QueryBuilder<'_, Postgres>, range: &AuditRange) {
        query.push(" FROM archive.events WHERE true");
        for (column, value) in [
            ("actor_id", &self.actor_id),
            ("aggregate_type", &self.aggregate),
            ("aggregate_id", &self.aggregate_id),
            ("event_type", &self.event_type),
        ] {
            if let Some(value) = value {
                query
                    .push(format!(" AND {column} = "))
                    .push_bind(value.clone());
            }
        }
        if let Some(from) = self.from {
            query
                .push(" AND recorded_at >= ")
                .push_bind(comparable(from));
        }
        if let Some(to) = self.to {
            query.push(" AND recorded_at < ").push_bind(comparable(to));
        }
        if let Some(until) = range.until {
            query
                .push(" AND stream_sequence <= ")
                .push_bind(to_i64(until));
        }
        let (before, order) = match range.descending {
            true => ("<", "DESC"),
            false => (">", "ASC"),
        };
        if let Some(after) = range.after {
            let (sequence, index) = after.row();
            query.push(format!(" AND (stream_sequence, event_index) {before} ("));
            query
                .push_bind(sequence)
                .push(", ")
                .push_bind(index)
                .push(")");
        }
        query.push(format!(
            " ORDER BY stream_sequence {order}, event_index {order}"
        ));
    }
}

/// A page of events.
///
/// # Errors
/// [`QueryError`].
pub async fn events(
    connection: &mut TenantConnection,
    filter: &AuditFilter,
    range: &AuditRange,
) -> Result<AuditPage, QueryError> {
    let limit = i64::try_from(range.first.saturating_add(1)).unwrap_or(i64::MAX);
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS}"));
    match &filter.text {
        None => {
            filter.push(&mut query, range);
        }
        Some(text) => {
            query.push(" FROM (SELECT *");
            filter.push(&mut query, range);
            query.push(" LIMIT ").push_bind(TEXT_SCAN);
            query.push(") AS searched WHERE (payload -> 'data')::text ILIKE ");
            query.push_bind(contains(&as_written(text)));
        }
    }
    query.push(" LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(&mut **connection).await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(LoggedEvent::read).collect();
    let mut page = Page::cut(rows?, range.first, |event| event.place.cursor());
    let mut searched_to = None;
    if filter.text.is_some() && !page.has_next {
        searched_to = end_of_scan(connection, filter, range).await?;
        page.has_next = searched_to.is_some();
    }
    Ok(AuditPage { page, searched_to })
}

/// The last event that a search for a text looked at, when there may be more behind it.
async fn end_of_scan(
    connection: &mut TenantConnection,
    filter: &AuditFilter,
    range: &AuditRange,
) -> Result<Option<Place>, QueryError> {
    let mut query = QueryBuilder::new("SELECT stream_sequence, event_index");
    filter.push(&mut query, range);
    query
        .push(" OFFSET ")
        .push_bind(TEXT_SCAN - 1)
        .push(" LIMIT 1");
    let row = query.build().fetch_optional(&mut **connection).await?;
    row.map(|row| {
        let index: i32 = row.try_get(1)?;
        Ok(Place {
            stream_sequence: to_u64(row.try_get(0)?),
            event_index: u32::try_from(index).unwrap_or(0),
        })
    })
    .transpose()
}

/// A text as it stands inside a string of the archive's JSON: quotes and line breaks are escaped there.
fn as_written(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_for_as_json_has_it() {
        assert_eq!(as_written("say \"hi\"\n"), "say \\\"hi\\\"\\n");
        assert_eq!(as_written("größer"), "größer");
    }
}
