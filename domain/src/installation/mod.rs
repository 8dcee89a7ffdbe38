//! An installation: another tenant's public tool in use by this one, pinned to a range of its versions.
//! One for each tenant and tool; it can end and begin again.

mod aggregate;
mod command;
mod error;
mod event;
mod foreign;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::Installation;
pub use command::{Install, InstallationCommand, Repin};
pub use error::InstallationError;
pub use event::{
    InstallationEvent, InstallationInstalled, InstallationRepinned, InstallationUninstalled,
};
pub use foreign::{ForeignReference, ForeignTool, Within, highest, meant, parse_range, within};
/// Versions and ranges of them, as events carry them.
pub use semver::{Version, VersionReq};
