//! What can go wrong with the log.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, PublishError,
    PublishErrorKind,
};
use async_nats::{ConnectError, ConnectErrorKind};
use std::error::Error as StdError;

/// A boxed cause.
pub type Source = Box<dyn StdError + Send + Sync>;

/// What a cluster answers that has no leader, or not all of its servers, at the moment.
const OF_A_MOMENT: [ErrorCode; 7] = [
    ErrorCode::CLUSTER_INCOMPLETE,
    ErrorCode::CLUSTER_NO_PEERS,
    ErrorCode::CLUSTER_NOT_ACTIVE,
    ErrorCode::CLUSTER_NOT_ASSIGNED,
    ErrorCode::CLUSTER_NOT_AVAILABLE,
    ErrorCode::CLUSTER_NOT_LEADER,
    ErrorCode::STREAM_OFFLINE,
];

/// A failure of the log.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// NATS did not answer in time or is not connected. Retrying later is safe; a command may be sent
    /// again with the same command id.
    #[error("the event log is unavailable ({operation})")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What the client says, when it says something.
        #[source]
        source: Option<Source>,
    },
    /// The connection was refused for good: wrong address, user or password.
    #[error("cannot connect to NATS at {url}: check `nats.url`, the credentials and `nats.tls`")]
    Connect {
        /// The address without credentials.
        url: String,
        /// What the client says.
        #[source]
        source: Source,
    },
    /// The server is older than this system needs.
    #[error("nats-server {found} is too old: install {needed} or newer")]
    ServerTooOld {
        /// What the server says of itself.
        found: String,
        /// The least version.
        needed: &'static str,
    },
    /// The stream exists with another configuration; MetaMCP does not run on it.
    #[error(
        "stream {stream} has {field} = {found}, and MetaMCP needs {needed}: correct it with `nats stream edit`, or name another stream"
    )]
    StreamDiffers {
        /// The stream.
        stream: String,
        /// Which setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// The value that is needed.
        needed: String,
    },
    /// A message of the log is not a commit.
    #[error("message {stream_sequence} of the log is not a commit")]
    Corrupt {
        /// Its position.
        stream_sequence: u64,
        /// What is wrong.
        #[source]
        source: Source,
    },
    /// The commit does not fit into one message.
    #[error("the commit is larger than one NATS message may be")]
    TooLarge,
    /// The commit has no canonical form, or nests deeper than its readers follow.
    #[error(
        "the commit has no canonical JSON form that its readers can read: a number that is not finite, or values nested too deep"
    )]
    NotCanonical(#[source] domain::envelope::NotACommit),
}

impl BusError {
    /// True when trying again later may succeed.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Connect { .. })
    }

    /// True when nobody answers at the moment, as while a cluster that has lost a server chooses leaders: whoever
    /// needs the log may wait for it. False when somebody has to act first, because an address, a credential
    /// or a setting is wrong, or a disk is full.
    #[must_use]
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Unavailable { source, .. } => source.as_deref().is_none_or(is_of_a_moment),
            Self::Connect { source, .. } => source
                .downcast_ref::<ConnectError>()
                .is_some_and(|error| error.kind() == ConnectErrorKind::TimedOut),
            Self::ServerTooOld { .. }
            | Self::StreamDiffers { .. }
            | Self::Corrupt { .. }
            | Self::TooLarge
            | Self::NotCanonical(_) => false,
        }
    }

    pub(crate) fn unavailable(operation: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable {
            operation,
            source: Some(source.into()),
        }
    }
}

fn is_of_a_moment(source: &(dyn StdError + Send + Sync + 'static)) -> bool {
    if let Some(error) = source.downcast_ref::<GetStreamError>() {
        return match error.kind() {
            GetStreamErrorKind::Request => true,
            GetStreamErrorKind::JetStream(error) => OF_A_MOMENT.contains(&error.error_code()),
            GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => false,
        };
    }
    if let Some(error) = source.downcast_ref::<CreateStreamError>() {
        return match error.kind() {
            CreateStreamErrorKind::JetStream(error) => OF_A_MOMENT.contains(&error.error_code()),
            // So it is for a user who may not create it, too: the server does not answer what it denies, and a cluster
            // may need longer for a new stream than is waited.
            CreateStreamErrorKind::TimedOut
            | CreateStreamErrorKind::JetStreamUnavailable
            | CreateStreamErrorKind::Response => true,
            CreateStreamErrorKind::EmptyStreamName
            | CreateStreamErrorKind::InvalidStreamName
            | CreateStreamErrorKind::DomainAndExternalSet
            | CreateStreamErrorKind::NotFound
            | CreateStreamErrorKind::ResponseParse => false,
        };
    }
    if let Some(error) = source.downcast_ref::<PublishError>() {
        // Without anybody who answers, the client says that there is no stream.
        return matches!(
            error.kind(),
            PublishErrorKind::TimedOut
                | PublishErrorKind::BrokenPipe
                | PublishErrorKind::StreamNotFound
        );
    }
    // Reading from a stream that is there.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As JetStream answers.
    fn answered(code: ErrorCode) -> async_nats::jetstream::Error {
        let ErrorCode(number) = code;
        let answer = serde_json::json!({ "code": 503, "err_code": number, "description": "" });
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn what_a_cluster_without_a_leader_answers_passes_by_itself() {
        const OPEN: &str = "open the stream";
        let connect = |kind: ConnectErrorKind| BusError::Connect {
            url: String::new(),
            source: ConnectError::from(kind).into(),
        };
        let get = |kind| BusError::unavailable(OPEN, GetStreamError::new(kind));
        let create = |kind| BusError::unavailable(OPEN, CreateStreamError::new(kind));
        let publish = |kind| BusError::unavailable(OPEN, PublishError::new(kind));
        let silent = BusError::Unavailable {
            operation: OPEN,
            source: None,
        };
        let leaderless = || answered(ErrorCode::CLUSTER_NOT_AVAILABLE);
        for error in [
            silent,
            connect(ConnectErrorKind::TimedOut),
            get(GetStreamErrorKind::Request),
            get(GetStreamErrorKind::JetStream(leaderless())),
            create(CreateStreamErrorKind::TimedOut),
            create(CreateStreamErrorKind::JetStream(leaderless())),
            publish(PublishErrorKind::TimedOut),
        ] {
            assert!(error.passes_by_itself(), "{error:?}");
        }
        let off = || answered(ErrorCode::JETSTREAM_NOT_ENABLED);
        for error in [
            connect(ConnectErrorKind::AuthorizationViolation),
            connect(ConnectErrorKind::Io),
            get(GetStreamErrorKind::JetStream(off())),
            create(CreateStreamErrorKind::JetStream(off())),
            publish(PublishErrorKind::Other),
            BusError::TooLarge,
        ] {
            assert!(!error.passes_by_itself(), "{error:?}");
        }
    }
}
