//! What can be asked of a tenant.

use super::AfterSunset;

/// A command to a tenant; the aggregate's id is the tenant's slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantCommand {
    /// Begin the tenant.
    Register {
        /// The name that people read, 1 to 200 characters.
        display_name: String,
    },
    /// Change the name that people read.
    Rename {
        /// The new name.
        display_name: String,
    },
    /// Say what happens to those of the tenant who resolve a version after its sunset; nothing, to do as the
    /// installation does.
    SetAfterSunset(Option<AfterSunset>),
}
