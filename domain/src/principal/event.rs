//! What has happened to a principal.

use super::{PrincipalKind, Role};
use crate::personal::Personal;
use crate::team::Team;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

wire_events! {
    /// An event of a principal.
    pub enum PrincipalEvent {
        /// The principal began.
        Registered(PrincipalRegistered) = "principal.registered" v 2,
        /// Another display name or e-mail address is its own.
        Described(PrincipalDescribed) = "principal.described" v 1,
        /// It was given a role.
        RoleGranted(RoleGranted) = "principal.role_granted" v 1,
        /// A role was taken away.
        RoleRevoked(RoleRevoked) = "principal.role_revoked" v 1,
        /// It is in a team.
        TeamJoined(TeamJoined) = "principal.team_joined" v 1,
        /// It is in a team no more.
        TeamLeft(TeamLeft) = "principal.team_left" v 1,
        /// Its requests are refused.
        Deactivated(PrincipalDeactivated) = "principal.deactivated" v 1,
        /// Its requests are accepted again.
        Reactivated(PrincipalReactivated) = "principal.reactivated" v 1,
        /// Its older tokens are refused.
        TokensRevoked(TokensRevoked) = "principal.tokens_revoked" v 1,
        /// It was forgotten.
        Erased(PrincipalErased) = "principal.erased" v 1,
    }
}

/// The principal began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalRegistered {
    /// What it is.
    pub kind: PrincipalKind,
    /// Its handle: sealed for a person, plain for others and in events of version 1.
    pub handle: Personal,
    /// The name that people read, sealed.
    pub display_name: Option<Personal>,
    /// An address of electronic mail, sealed.
    pub email: Option<Personal>,
    /// Its first roles.
    pub roles: BTreeSet<Role>,
}

/// Another display name or e-mail address is its own: both as they are from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalDescribed {
    /// The name that people read, sealed.
    pub display_name: Option<Personal>,
    /// An address of electronic mail, sealed.
    pub email: Option<Personal>,
}

/// It was given a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleGranted {
    /// The role.
    pub role: Role,
}

/// A role was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRevoked {
    /// The role.
    pub role: Role,
}

/// It is in a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamJoined {
    /// The team.
    pub team: Team,
}

/// It is in a team no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamLeft {
    /// The team.
    pub team: Team,
}

/// Its requests are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalDeactivated {}

/// Its requests are accepted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalReactivated {}

/// Its older tokens are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensRevoked {
    /// Tokens issued before this are refused.
    pub issued_before: DateTime<Utc>,
}

/// It was forgotten. Nothing stands here: a reason could name the person again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalErased {}
