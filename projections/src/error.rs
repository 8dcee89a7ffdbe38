//! What can go wrong in a projection or a query.

use crate::search::SearchError;
use crate::vault::VaultError;
use bus::BusError;
use domain::DecodeError;

/// Why a projector could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// Postgres failed.
    #[error("the read models' database failed")]
    Database(#[from] sqlx::Error),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] BusError),
    /// The search index failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A personal field could not be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// An event that this build cannot read.
    #[error("commit {stream_sequence} holds an event that cannot be read")]
    Decode {
        /// Its position.
        stream_sequence: u64,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// An event that contradicts the read model, such as a change of a tool that is not there.
    #[error("commit {stream_sequence} does not fit the read model: {reason}")]
    Inconsistent {
        /// Its position.
        stream_sequence: u64,
        /// What is wrong.
        reason: String,
    },
    /// An earlier commit of the same object is parked: applied now, this one would come before it.
    #[error("waits for commit {first} of the same object, which is parked")]
    BehindParked {
        /// Its position.
        stream_sequence: u64,
        /// The position of the parked one.
        first: u64,
    },
    /// Another instance has moved the checkpoint: this one no longer leads.
    #[error("another instance leads this projector now")]
    Deposed,
    /// The log is not the one that the checkpoint was made from.
    #[error("{0}")]
    LogReplaced(String),
    /// Another projector that this one reads from is not far enough.
    #[error("waited too long for projector {0}")]
    WaitedFor(&'static str),
    /// The live index is too far behind to be compared with a rebuilt one.
    #[error(
        "the search index is {behind} commits behind the models that it is made of, too many to compare it: wait until `/readyz` shows it near them, or swap without comparing (`--force`); nothing was swapped"
    )]
    IndexBehind {
        /// How many.
        behind: u64,
    },
    /// A rebuilt model differs from the live one.
    #[error(
        "the rebuilt {projector} differs from the live one in {tables}; the live one was left as it is"
    )]
    Differs {
        /// Which projector.
        projector: String,
        /// Which tables.
        tables: String,
    },
    /// Two rebuilds of one model would overwrite each other.
    #[error("a rebuild of {0} is under way: wait for its end")]
    RebuildRuns(&'static str),
    /// Readers hold the live models, so that rebuilt ones cannot take their place.
    #[error(
        "the read models were being read for a minute without a pause, by a backup or by hand: let that end, and run the rebuild again; nothing was swapped"
    )]
    InUse,
    /// There is no such projector.
    #[error("there is no projector `{name}`; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl ProjectionError {
    /// True when the event itself is at fault: trying again gives the same.
    #[must_use]
    pub fn is_poison(&self) -> bool {
        match self {
            Self::Decode { .. }
            | Self::Inconsistent { .. }
            | Self::Vault(VaultError::Altered { .. } | VaultError::KeyAltered { .. })
            | Self::BehindParked { .. }
            | Self::Log(BusError::Corrupt { .. }) => true,
            // Class 22 (data exception), 23 (integrity violation) and 54 (program limit exceeded, such as a key too
            // long for an index): the row, not the server.
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                ["22", "23", "54"]
                    .iter()
                    .any(|class| code.starts_with(class))
            }),
            Self::Database(_)
            | Self::Log(_)
            | Self::Search(_)
            | Self::Vault(_)
            | Self::Deposed
            | Self::LogReplaced(_)
            | Self::WaitedFor(_)
            | Self::IndexBehind { .. }
            | Self::Differs { .. }
            | Self::RebuildRuns(_)
            | Self::InUse
            | Self::Unknown { .. } => false,
        }
    }

    /// True when a server is away, or ends or starts: trying again soon costs little, and nobody has to act first.
    #[must_use]
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Log(error) => error.passes_by_itself(),
            Self::Database(sqlx::Error::Io(_)) => true,
            // Of class 57 (operator intervention): it shuts down, has crashed, or does not take connections yet.
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code();
                code.is_some_and(|code| ["57P01", "57P02", "57P03"].contains(&&*code))
            }
            _ => false,
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Postgres is away or too slow: try again later.
    #[error("the read models are unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The read model has not reached the position that the caller needs: try again later.
    #[error("{projector} is at {position}, not yet at {wanted}")]
    Behind {
        /// Which projector.
        projector: &'static str,
        /// Where it stands.
        position: u64,
        /// What was asked for.
        wanted: u64,
    },
    /// The cursor was not made by this query.
    #[error("the cursor is not one of this list")]
    InvalidCursor,
    /// A row that this build cannot read.
    #[error("a row of the read model cannot be read")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for QueryError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Corrupt(Box::new(error))
            }
            other => Self::Unavailable(other),
        }
    }
}

/// A row holds what this build cannot read.
pub(crate) fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> QueryError {
    QueryError::Corrupt(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn an_outage_passes_by_itself_and_what_the_log_says_does_not() {
        let refused = sqlx::Error::Io(Error::from(ErrorKind::ConnectionRefused));
        assert!(ProjectionError::Database(refused).passes_by_itself());
        let replaced = ProjectionError::LogReplaced("it ends earlier".to_owned());
        assert!(!replaced.passes_by_itself());
        assert!(!ProjectionError::Database(sqlx::Error::RowNotFound).passes_by_itself());
    }
}
