//! A tenant: one organisation's registry, isolated from every other.

mod aggregate;
mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::Tenant;
pub use command::TenantCommand;
pub use error::TenantError;
pub use event::{TenantEvent, TenantRegistered, TenantRenamed};
