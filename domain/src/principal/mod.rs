//! A principal: a user, an agent or a service that acts in a tenant, with its roles and teams.
//!
//! Personal fields (a person's handle, display names, e-mail addresses) are sealed in events; see
//! [`crate::personal`]. Agents and services have handles in plain.

mod aggregate;
mod command;
mod error;
mod event;
mod role;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::Principal;
pub use command::{
    DescribePrincipal, FieldChange, PrincipalCommand, RegisterPrincipal, SealedFields,
};
pub use error::PrincipalError;
pub use event::{
    PrincipalDeactivated, PrincipalDescribed, PrincipalErased, PrincipalEvent,
    PrincipalReactivated, PrincipalRegistered, RoleGranted, RoleRevoked, TeamJoined, TeamLeft,
    TokensRevoked,
};
pub use role::{PrincipalKind, Role};
