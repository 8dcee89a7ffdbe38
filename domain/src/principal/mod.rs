//! A principal: a user, an agent or a service that acts in a tenant, with its roles.
//!
//! No personal field stands here: a handle is a name that the tenant's administrators choose.

mod aggregate;
mod command;
mod error;
mod event;
mod role;
#[cfg(test)]
mod tests;
pub(crate) mod upcast;

pub use aggregate::Principal;
pub use command::{PrincipalCommand, RegisterPrincipal};
pub use error::PrincipalError;
pub use event::{
    PrincipalDeactivated, PrincipalEvent, PrincipalReactivated, PrincipalRegistered, RoleGranted,
    RoleRevoked, TokensRevoked,
};
pub use role::{PrincipalKind, Role};
