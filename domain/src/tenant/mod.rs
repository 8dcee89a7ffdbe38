//! A tenant: one organisation's registry, isolated from every other.

mod aggregate;
mod command;
mod error;
mod event;
mod sunset;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::Tenant;
pub use command::TenantCommand;
pub use error::TenantError;
pub use event::{TenantAfterSunsetSet, TenantEvent, TenantRegistered, TenantRenamed};
pub use sunset::AfterSunset;
