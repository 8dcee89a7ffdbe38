//! Why a denial refuses a command.

use crate::aggregate::Rejection;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DenialError {
    /// Record at least one refusal.
    #[error("there is no refusal to record")]
    NothingRefused,
    /// Give a name of 1 to 64 visible characters.
    #[error("`{field}` must have 1 to 64 visible characters")]
    InvalidName {
        /// Which one.
        field: &'static str,
    },
}

impl Rejection for DenialError {
    fn code(&self) -> &'static str {
        match self {
            Self::NothingRefused => "NOTHING_REFUSED",
            Self::InvalidName { .. } => "INVALID_NAME",
        }
    }
}
