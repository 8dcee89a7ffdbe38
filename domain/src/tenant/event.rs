//! What has happened to a tenant.

use super::AfterSunset;
use serde::{Deserialize, Serialize};

wire_events! {
    /// An event of a tenant.
    pub enum TenantEvent {
        /// The tenant began.
        Registered(TenantRegistered) = "tenant.registered" v 1,
        /// The tenant's name changed.
        Renamed(TenantRenamed) = "tenant.renamed" v 1,
        /// Another rule holds for versions whose sunset has come.
        AfterSunsetSet(TenantAfterSunsetSet) = "tenant.after_sunset_set" v 1,
    }
}

/// The tenant began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRegistered {
    /// The name that people read.
    pub display_name: String,
}

/// The tenant's name changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRenamed {
    /// The new name.
    pub display_name: String,
}

/// Another rule holds for versions whose sunset has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantAfterSunsetSet {
    /// The rule; none to do as the installation does.
    pub after_sunset: Option<AfterSunset>,
}
