//! What has happened to a server.

use super::ServerProfile;
use serde::{Deserialize, Serialize};

wire_events! {
    /// An event of a server.
    pub enum ServerEvent {
        /// The server began.
        Registered(ServerRegistered) = "server.registered" v 2,
        /// Something else is said of it.
        Described(ServerDescribed) = "server.described" v 2,
        /// It and its tools are out of use.
        Retired(ServerRetired) = "server.retired" v 1,
        /// It is in use again, and so are the tools that went out of use with it.
        Restored(ServerRestored) = "server.restored" v 1,
    }
}

/// The server began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRegistered {
    /// Its name in its tenant.
    pub slug: String,
    /// What is said of it.
    #[serde(flatten)]
    pub profile: ServerProfile,
}

/// Something else is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDescribed {
    /// What is said of it now.
    #[serde(flatten)]
    pub profile: ServerProfile,
}

/// It and its tools are out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRetired {
    /// Why.
    pub reason: String,
}

/// It is in use again, and so are the tools that went out of use with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRestored {}
