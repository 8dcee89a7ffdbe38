//! Why the policy refuses a command.

use super::MAX_TEXT;
use crate::aggregate::Rejection;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Nothing to do.
    #[error("this policy is the one on record already")]
    AlreadyInForce,
    /// Shorten the rules: the log keeps their text.
    #[error("a policy has at most {MAX_TEXT} bytes, this one has {found}")]
    TooLarge {
        /// How many it has.
        found: usize,
    },
}

impl Rejection for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyInForce => "POLICY_ALREADY_IN_FORCE",
            Self::TooLarge { .. } => "POLICY_TOO_LARGE",
        }
    }
}
