//! Why a principal refuses a command.

use super::Role;
use crate::aggregate::Rejection;
use crate::id::InvalidId;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    /// The handle is taken: choose another.
    #[error("a principal with this handle is already registered")]
    AlreadyRegistered,
    /// Register the principal first.
    #[error("there is no such principal")]
    NotRegistered,
    /// Use a slug as the handle.
    #[error(transparent)]
    InvalidHandle(#[from] InvalidId),
    /// Nothing to do.
    #[error("the principal already holds the role {0}")]
    RoleAlreadyHeld(Role),
    /// Nothing to do.
    #[error("the principal does not hold the role {0}")]
    RoleNotHeld(Role),
    /// Reactivate it first.
    #[error("the principal is deactivated")]
    Deactivated,
    /// Nothing to do.
    #[error("the principal is active")]
    Active,
    /// Give a later moment.
    #[error("tokens issued before that moment are already revoked")]
    AlreadyRevoked,
}

impl Rejection for PrincipalError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered => "PRINCIPAL_ALREADY_REGISTERED",
            Self::NotRegistered => "PRINCIPAL_NOT_FOUND",
            Self::InvalidHandle(_) => "INVALID_HANDLE",
            Self::RoleAlreadyHeld(_) => "ROLE_ALREADY_HELD",
            Self::RoleNotHeld(_) => "ROLE_NOT_HELD",
            Self::Deactivated => "PRINCIPAL_DEACTIVATED",
            Self::Active => "PRINCIPAL_ACTIVE",
            Self::AlreadyRevoked => "TOKENS_ALREADY_REVOKED",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotRegistered
    }
}
