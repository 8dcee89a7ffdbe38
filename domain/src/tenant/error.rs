//! Why a tenant refuses a command.

use crate::aggregate::Rejection;

/// Longest display name, in characters.
pub(super) const MAX_DISPLAY_NAME: usize = 200;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// The slug is taken: choose another.
    #[error("this tenant is already registered")]
    AlreadyRegistered,
    /// Register the tenant first.
    #[error("there is no such tenant")]
    NotRegistered,
    /// Give a name of 1 to 200 visible characters.
    #[error("the display name must have 1 to {MAX_DISPLAY_NAME} visible characters")]
    InvalidDisplayName,
    /// The name, or the rule, is already that.
    #[error("the tenant already says so")]
    Unchanged,
}

impl Rejection for TenantError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered => "TENANT_ALREADY_REGISTERED",
            Self::NotRegistered => "TENANT_NOT_FOUND",
            Self::InvalidDisplayName => "INVALID_DISPLAY_NAME",
            Self::Unchanged => "UNCHANGED",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotRegistered
    }
}
