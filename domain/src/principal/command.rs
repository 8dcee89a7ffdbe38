//! What can be asked of a principal.

use super::{PrincipalDescribed, PrincipalKind, Role};
use crate::personal::Sealed;
use crate::team::Team;
use chrono::{DateTime, Utc};
use std::fmt;

/// A command to a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalCommand {
    /// Begin the principal.
    Register(RegisterPrincipal),
    /// Correct its display name or e-mail address.
    Describe(DescribePrincipal),
    /// Go back to a description that an earlier event carries, sealed as it is: an undo has no plain text.
    RestoreDescription(PrincipalDescribed),
    /// Give it a role.
    GrantRole(Role),
    /// Take a role away. The last owner of a tenant is protected where the command is made, because
    /// one aggregate does not see the others.
    RevokeRole(Role),
    /// Put it into a team.
    JoinTeam(Team),
    /// Take it out of a team.
    LeaveTeam(Team),
    /// Refuse every request of this principal from now on.
    Deactivate,
    /// Accept its requests again.
    Reactivate,
    /// Refuse every token that was issued before a moment.
    RevokeTokens {
        /// Tokens issued (`iat`) before this are refused.
        issued_before: DateTime<Utc>,
    },
    /// Forget the person: personal fields become unreadable, roles and tokens end. There is no way back.
    Erase,
}

/// Begin a principal. Its `Debug` form leaves personal fields out, wherever it may be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterPrincipal {
    /// What it is.
    pub kind: PrincipalKind,
    /// The name that it is known by in its tenant: a slug.
    pub handle: String,
    /// Its first roles; may be empty.
    pub roles: Vec<Role>,
    /// The name that people read.
    pub display_name: Option<String>,
    /// An address of electronic mail.
    pub email: Option<String>,
    /// The personal fields again, sealed: what the event will carry of them.
    pub sealed: SealedFields,
}

/// Correct personal fields that can change; the handle cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribePrincipal {
    /// The name that people read.
    pub display_name: FieldChange,
    /// An address of electronic mail.
    pub email: FieldChange,
}

/// What becomes of one personal field. Its `Debug` form leaves the text out.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum FieldChange {
    /// It stays.
    #[default]
    Keep,
    /// There is none from now on.
    Clear,
    /// It is another one.
    Set {
        /// In plain, for the rules.
        text: String,
        /// Sealed, for the event; a rule demands it.
        sealed: Option<Sealed>,
    },
}

impl FieldChange {
    /// Another text, not sealed yet.
    #[must_use]
    pub fn to(text: String) -> Self {
        Self::Set { text, sealed: None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set { text, .. } => Some(text),
        }
    }
}

impl fmt::Debug for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Clear => "Clear",
            Self::Set { .. } => "Set",
        })
    }
}

/// The sealed forms of the personal fields above. A rule demands each that an event needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedFields {
    /// Of the handle; a person's only.
    pub handle: Option<Sealed>,
    /// Of the display name.
    pub display_name: Option<Sealed>,
    /// Of the e-mail address.
    pub email: Option<Sealed>,
}

impl fmt::Debug for RegisterPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterPrincipal")
            .field("kind", &self.kind)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}
