//! One event as the log has it, for readers: from a row of the archive or from a commit that just came.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::{QueryError, corrupt};
use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;
use domain::envelope::{Actor, Commit, StoredEvent};
use domain::id::{CommandId, CommitId, CorrelationId};
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

/// What [`LoggedEvent::read`] needs of a row.
pub(super) const COLUMNS: &str = "stream_sequence, event_index, aggregate_type, aggregate_id, \
                                  sequence, payload, metadata, recorded_at";

/// Where an event stands in the log: the commit's position, and the event's place in its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Position of the commit in the log.
    pub stream_sequence: u64,
    /// Place in the commit, from 0.
    pub event_index: u32,
}

impl Place {
    /// The place behind every event of a commit.
    #[must_use]
    pub fn end_of(stream_sequence: u64) -> Self {
        Self {
            stream_sequence,
            event_index: u32::MAX,
        }
    }

    /// The place as a cursor.
    #[must_use]
    pub fn cursor(self) -> String {
        let text = format!("{}:{}", self.stream_sequence, self.event_index);
        BASE64URL_NOPAD.encode(text.as_bytes())
    }

    /// The place that a cursor names.
    ///
    /// # Errors
    /// [`QueryError::InvalidCursor`].
    pub fn of_cursor(cursor: &str) -> Result<Self, QueryError> {
        let read = || {
            let text = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
            let text = String::from_utf8(text).ok()?;
            let (sequence, index) = text.split_once(':')?;
            Some(Self {
                stream_sequence: sequence.parse().ok()?,
                event_index: index.parse().ok()?,
            })
        };
        read().ok_or(QueryError::InvalidCursor)
    }

    pub(super) fn row(self) -> (i64, i32) {
        let index = i32::try_from(self.event_index).unwrap_or(i32::MAX);
        (to_i64(self.stream_sequence), index)
    }
}

/// One event of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// Where it stands.
    pub place: Place,
    /// When its commit was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who caused it.
    pub actor: Actor,
    /// Type, version and data, in the form in which they were written.
    pub event: StoredEvent,
    /// The aggregate's type.
    pub aggregate: String,
    /// The aggregate's id.
    pub aggregate_id: String,
    /// Position of the commit in its aggregate.
    pub aggregate_sequence: u64,
    /// The commit.
    pub commit_id: CommitId,
    /// The command that decided it.
    pub command_id: CommandId,
    /// The request that it belongs to.
    pub correlation_id: CorrelationId,
}

/// The part of the archive's metadata that readers are shown.
#[derive(Deserialize)]
struct Metadata {
    commit_id: CommitId,
    actor: Actor,
    command_id: CommandId,
    correlation_id: CorrelationId,
}

impl LoggedEvent {
    /// The events of a commit.
    pub fn of_commit(stream_sequence: u64, commit: &Commit) -> impl Iterator<Item = Self> {
        (0u32..)
            .zip(&commit.events)
            .map(move |(event_index, event)| Self {
                place: Place {
                    stream_sequence,
                    event_index,
                },
                recorded_at: commit.recorded_at,
                actor: commit.actor.clone(),
                event: event.clone(),
                aggregate: commit.aggregate.clone(),
                aggregate_id: commit.aggregate_id.clone(),
                aggregate_sequence: commit.sequence,
                commit_id: commit.commit_id,
                command_id: commit.command_id,
                correlation_id: commit.correlation_id,
            })
    }

    pub(super) fn read(row: &PgRow) -> Result<Self, QueryError> {
        let Json(metadata) = row.try_get::<Json<Metadata>, _>("metadata")?;
        let Json(event) = row.try_get::<Json<StoredEvent>, _>("payload")?;
        let event_index: i32 = row.try_get("event_index")?;
        Ok(Self {
            place: Place {
                stream_sequence: to_u64(row.try_get("stream_sequence")?),
                event_index: u32::try_from(event_index).map_err(corrupt)?,
            },
            recorded_at: row.try_get("recorded_at")?,
            actor: metadata.actor,
            event,
            aggregate: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            aggregate_sequence: to_u64(row.try_get("sequence")?),
            commit_id: metadata.commit_id,
            command_id: metadata.command_id,
            correlation_id: metadata.correlation_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_and_nothing_else_passes() {
        let place = Place {
            stream_sequence: 7,
            event_index: 2,
        };
        assert_eq!(Place::of_cursor(&place.cursor()).unwrap(), place);
        for bad in ["", "%%%", "aGVsbG8", "LTE6MA"] {
            let read = Place::of_cursor(bad);
            assert!(matches!(read, Err(QueryError::InvalidCursor)), "{bad}");
        }
    }

    #[test]
    fn places_are_in_the_order_of_the_log() {
        let place = |stream_sequence, event_index| Place {
            stream_sequence,
            event_index,
        };
        assert!(place(1, 1) < Place::end_of(1) && Place::end_of(1) < place(2, 0));
        assert_eq!(Place::end_of(1).row(), (1, i32::MAX));
    }
}
