//! One event of the log, the same type wherever it is met: in a history, in the audit log, live.

use super::actor::Actor;
use super::scalars::{Sequence, UuidScalar};
use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use projections::archive::LoggedEvent;
use serde_json::Value;

/// Something that has happened, as the log recorded it.
#[derive(SimpleObject)]
pub(super) struct Event {
    /// Its place in the log; give it as `after` to go on behind it.
    cursor: String,
    /// The position of its commit in the log.
    sequence: Sequence,
    /// Its place among the events of its commit, from 0.
    index: u32,
    /// When it was recorded.
    at: DateTime<Utc>,
    /// Who caused it.
    actor: Actor,
    /// What happened, such as `tool.retired`.
    #[graphql(name = "type")]
    event_type: String,
    /// The version of the form of `data`.
    version: u32,
    /// To what kind of object: `tool`, `server`, `principal`, `tenant`, `taxonomy`, `review`, `publisher`,
    /// `installation` or `denial`.
    aggregate: String,
    /// To which object, by its id in the log.
    aggregate_id: String,
    /// Counts the commits of the object, from 1.
    aggregate_sequence: Sequence,
    /// Its commit.
    commit_id: UuidScalar,
    /// The command that decided it.
    command_id: UuidScalar,
    /// The request that it belongs to: the `Correlation-Id` of that request's answer.
    correlation_id: UuidScalar,
    /// What exactly, in the form in which it was written. Texts in it may be a stranger's.
    data: Value,
}

impl From<LoggedEvent> for Event {
    fn from(logged: LoggedEvent) -> Self {
        Self {
            cursor: logged.place.cursor(),
            sequence: Sequence(logged.place.stream_sequence),
            index: logged.place.event_index,
            at: logged.recorded_at,
            actor: Actor {
                kind: logged.actor.kind.into(),
                id: logged.actor.id,
            },
            event_type: logged.event.wire_type,
            version: logged.event.version.into(),
            aggregate: logged.aggregate,
            aggregate_id: logged.aggregate_id,
            aggregate_sequence: Sequence(logged.aggregate_sequence),
            commit_id: UuidScalar(logged.commit_id.0),
            command_id: UuidScalar(logged.command_id.0),
            correlation_id: UuidScalar(logged.correlation_id.0),
            data: logged.event.data,
        }
    }
}
