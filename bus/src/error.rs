//! What can go wrong with the log.

use std::error::Error as StdError;

/// A boxed cause.
pub type Source = Box<dyn StdError + Send + Sync>;

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

    pub(crate) fn unavailable(operation: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable {
            operation,
            source: Some(source.into()),
        }
    }
}
