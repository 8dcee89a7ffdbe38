//! Why a principal refuses a command.

use super::Role;
use super::aggregate::MAX_TEAMS;
use crate::aggregate::Rejection;
use crate::id::InvalidId;
use crate::personal::PersonalField;
use crate::team::Team;

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
    /// Nothing to do.
    #[error("the principal is in the team `{0}` already")]
    AlreadyInTeam(Team),
    /// Nothing to do, or another team is meant.
    #[error("the principal is not in the team `{0}`; its `teams` lists those that it is in")]
    NotInTeam(Team),
    /// Take it out of a team first.
    #[error("a principal is in {MAX_TEAMS} teams at most; take it out of one first")]
    TooManyTeams,
    /// Reactivate it first.
    #[error("the principal is deactivated")]
    Deactivated,
    /// Nothing to do.
    #[error("the principal is active")]
    Active,
    /// Give a later moment.
    #[error("tokens issued before that moment are already revoked")]
    AlreadyRevoked,
    /// Give 1 to 200 characters, none of them hidden.
    #[error("a display name has 1 to 200 visible characters")]
    InvalidDisplayName,
    /// Give an address such as `ada@example.org`.
    #[error("this is not an e-mail address of at most 254 characters")]
    InvalidEmail,
    /// A fault of whoever made the command: seal the field first.
    #[error("the personal field {0} was not sealed")]
    NotSealed(PersonalField),
    /// Nothing to do.
    #[error("nothing of the principal would change")]
    Unchanged,
    /// There is no way back; register another handle.
    #[error("the principal was erased")]
    Erased,
}

impl PrincipalError {
    /// The code of [`PrincipalError::Erased`].
    pub const ERASED: &'static str = "PRINCIPAL_ERASED";
}

impl Rejection for PrincipalError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered => "PRINCIPAL_ALREADY_REGISTERED",
            Self::NotRegistered => "PRINCIPAL_NOT_FOUND",
            Self::InvalidHandle(_) => "INVALID_HANDLE",
            Self::RoleAlreadyHeld(_) => "ROLE_ALREADY_HELD",
            Self::RoleNotHeld(_) => "ROLE_NOT_HELD",
            Self::AlreadyInTeam(_) => "ALREADY_IN_TEAM",
            Self::NotInTeam(_) => "NOT_IN_TEAM",
            Self::TooManyTeams => "TOO_MANY_TEAMS",
            Self::Deactivated => "PRINCIPAL_DEACTIVATED",
            Self::Active => "PRINCIPAL_ACTIVE",
            Self::AlreadyRevoked => "TOKENS_ALREADY_REVOKED",
            Self::InvalidDisplayName => "INVALID_DISPLAY_NAME",
            Self::InvalidEmail => "INVALID_EMAIL",
            Self::NotSealed(_) => "PERSONAL_FIELD_NOT_SEALED",
            Self::Unchanged => "UNCHANGED",
            Self::Erased => Self::ERASED,
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotRegistered
    }
}
