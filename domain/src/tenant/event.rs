//! What has happened to a tenant.

use serde::{Deserialize, Serialize};

wire_events! {
    /// An event of a tenant.
    pub enum TenantEvent {
        /// The tenant began.
        Registered(TenantRegistered) = "tenant.registered" v 1,
        /// The tenant's name changed.
        Renamed(TenantRenamed) = "tenant.renamed" v 1,
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
