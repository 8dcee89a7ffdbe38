//! The commit: what one command decided, written as one message of the log.
//!
//! The body is canonical JSON (RFC 8785), so that its SHA-256 is reproducible in any language. Each
//! commit carries the hash of its aggregate's previous one: a chain per aggregate.

use crate::canonical;
use crate::event::WireEvent;
use crate::id::{CommandId, CommitId, CorrelationId, TenantId};
use crate::named::named;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Who caused a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// The principal's id, or the name of the part of the system that acted.
    pub id: String,
}

named! {
    /// The kinds of actors.
    pub enum ActorKind {
        /// A person.
        User = "user",
        /// An AI agent.
        Agent = "agent",
        /// Another program.
        Service = "service",
        /// Somebody with access to the machine: the command line.
        Operator = "operator",
        /// MetaMCP itself.
        System = "system",
    }
}

impl Actor {
    /// An operator at the command line.
    #[must_use]
    pub fn operator(name: &str) -> Self {
        Self {
            kind: ActorKind::Operator,
            id: name.to_owned(),
        }
    }

    /// A part of MetaMCP itself.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self {
            kind: ActorKind::System,
            id: name.to_owned(),
        }
    }
}

/// An event as it is stored, before or after decoding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The wire name.
    #[serde(rename = "type")]
    pub wire_type: String,
    /// The version of the wire form.
    pub version: u16,
    /// The payload.
    pub data: Value,
}

impl StoredEvent {
    /// The wire form of an event.
    #[must_use]
    pub fn from_event<E: WireEvent>(event: &E) -> Self {
        Self {
            wire_type: event.wire_type().to_owned(),
            version: event.wire_version(),
            data: event.to_data(),
        }
    }
}

/// One commit, which is one message of the log: of events as they are stored, or of an aggregate's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit<E = StoredEvent> {
    /// Unique, ordered by time.
    pub commit_id: CommitId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The aggregate's type, such as `tool`.
    pub aggregate: String,
    /// The aggregate's id.
    pub aggregate_id: String,
    /// The `aggregate_sequence` of this commit, from 1 without gaps.
    pub sequence: u64,
    /// Who caused it.
    pub actor: Actor,
    /// The command that decided it.
    pub command_id: CommandId,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// When, in UTC with microseconds.
    #[serde(with = "rfc3339_micros")]
    pub recorded_at: DateTime<Utc>,
    /// Hex SHA-256 of the body of this aggregate's previous commit; null for the first.
    pub previous_hash: Option<String>,
    /// What happened, in order; nearly always one.
    pub events: Vec<E>,
}

/// A body that is not canonical JSON of a commit.
#[derive(Debug, thiserror::Error)]
#[error("not a commit")]
pub struct NotACommit(#[source] serde_json::Error);

/// What a commit's events can be.
pub trait CommitEvent: Serialize + Sized {
    /// The canonical form of a commit of such events. For each kind a function of this crate and not a generic one,
    /// of which every caller would compile its own: it is what each command pays for its commit, and this crate is
    /// optimised in every profile.
    ///
    /// # Errors
    /// As [`canonical::to_vec`].
    fn canonical(commit: &Commit<Self>) -> Result<Vec<u8>, serde_json::Error>;
}

impl CommitEvent for StoredEvent {
    fn canonical(commit: &Commit) -> Result<Vec<u8>, serde_json::Error> {
        canonical::to_vec(commit)
    }
}

impl<E: CommitEvent> Commit<E> {
    /// The canonical bytes (RFC 8785) that are published and hashed.
    ///
    /// # Errors
    /// When a number in the data cannot be represented (RFC 8785 section 3.2.2.3).
    pub fn to_canonical(&self) -> Result<Vec<u8>, NotACommit> {
        E::canonical(self).map_err(NotACommit)
    }
}

impl Commit {
    /// Reads a body.
    ///
    /// # Errors
    /// [`NotACommit`] when the bytes are not a commit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotACommit> {
        serde_json::from_slice(bytes).map_err(NotACommit)
    }
}

/// Hex SHA-256 of a commit's body as it was published.
#[must_use]
pub fn body_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// A time cut to the microseconds that a commit keeps.
#[must_use]
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

mod rfc3339_micros {
    use super::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|time| time.with_timezone(&Utc))
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn commit() -> Commit {
        Commit {
            commit_id: CommitId(Uuid::from_u128(1)),
            tenant: TenantId::new("acme").unwrap(),
            aggregate: "tool".into(),
            aggregate_id: "abc".into(),
            sequence: 3,
            actor: Actor::system("test"),
            command_id: CommandId(Uuid::from_u128(2)),
            correlation_id: CorrelationId(Uuid::from_u128(3)),
            recorded_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            previous_hash: None,
            events: vec![],
        }
    }

    #[test]
    fn a_body_is_canonical_and_its_hash_is_pinned() {
        let body = commit().to_canonical().unwrap();
        assert_eq!(
            String::from_utf8(body.clone()).unwrap(),
            "{\"actor\":{\"id\":\"test\",\"kind\":\"system\"},\"aggregate\":\"tool\",\"aggregate_id\":\"abc\",\
             \"command_id\":\"00000000-0000-0000-0000-000000000002\",\
             \"commit_id\":\"00000000-0000-0000-0000-000000000001\",\
             \"correlation_id\":\"00000000-0000-0000-0000-000000000003\",\"events\":[],\"previous_hash\":null,\
             \"recorded_at\":\"2023-11-14T22:13:20.123456Z\",\"sequence\":3,\"tenant\":\"acme\"}"
        );
        assert_eq!(Commit::from_bytes(&body).unwrap(), commit());
        assert_eq!(body_hash(&body).len(), 64);
    }
}
