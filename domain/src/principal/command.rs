//! What can be asked of a principal.

use super::{PrincipalKind, Role};
use chrono::{DateTime, Utc};

/// A command to a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalCommand {
    /// Begin the principal.
    Register(RegisterPrincipal),
    /// Give it a role.
    GrantRole(Role),
    /// Take a role away. The last owner of a tenant is protected where the command is made, because
    /// one aggregate does not see the others.
    RevokeRole(Role),
    /// Refuse every request of this principal from now on.
    Deactivate,
    /// Accept its requests again.
    Reactivate,
    /// Refuse every token that was issued before a moment.
    RevokeTokens {
        /// Tokens issued (`iat`) before this are refused.
        issued_before: DateTime<Utc>,
    },
}

/// Begin a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterPrincipal {
    /// What it is.
    pub kind: PrincipalKind,
    /// The name that it is known by in its tenant: a slug.
    pub handle: String,
    /// Its first roles; may be empty.
    pub roles: Vec<Role>,
}
