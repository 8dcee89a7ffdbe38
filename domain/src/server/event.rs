//! What has happened to a server.

use super::ServerProfile;
use crate::named::named;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

wire_events! {
    /// An event of a server.
    pub enum ServerEvent {
        /// The server began.
        Registered(ServerRegistered) = "server.registered" v 2,
        /// Something else is said of it.
        Described(ServerDescribed) = "server.described" v 2,
        /// It and its tools are out of use.
        Retired(ServerRetired) = "server.retired" v 1,
        /// A version has its document.
        ManifestPublished(Box<ManifestPublished>) = "server.manifest_published" v 1,
        /// A version is to be used, or not any more.
        ManifestStatusChanged(ManifestStatusChanged) = "server.manifest_status_changed" v 1,
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

named! {
    /// Whether a published version is to be used (MCP registry API, `status`).
    pub enum ManifestStatus {
        /// It is.
        Active = "active",
        /// Not by those who begin.
        Deprecated = "deprecated",
        /// It is not, and lists leave it out.
        Deleted = "deleted",
    }
}

/// Where a mirror read a version, and how far it was: from the last of these it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirrored {
    /// The registry's address, without credentials.
    pub registry: String,
    /// When the version changed there.
    pub updated_at: DateTime<Utc>,
    /// When the pass over the registry began, by the registry's clock.
    pub began_at: DateTime<Utc>,
    /// Changes since when the pass asked for; none for a pass over everything.
    pub since: Option<DateTime<Utc>>,
    /// The page that it stood on; none for the first.
    pub cursor: Option<String>,
}

/// A version has its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPublished {
    /// The version, as the document names it.
    pub server_version: String,
    /// The `server.json` document.
    pub manifest: Value,
    /// Hex SHA-256 of its canonical form (RFC 8785).
    pub manifest_hash: String,
    /// Whether the version is to be used.
    pub status: ManifestStatus,
    /// Why, for those who use it.
    pub status_message: Option<String>,
    /// Where it was read, when it was mirrored.
    pub mirrored: Option<Mirrored>,
}

/// A version is to be used, or not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestStatusChanged {
    /// The version.
    pub server_version: String,
    /// Whether it is to be used.
    pub status: ManifestStatus,
    /// Why, for those who use it.
    pub status_message: Option<String>,
    /// Where it was read, when it was mirrored.
    pub mirrored: Option<Mirrored>,
}
/// It is in use again, and so are the tools that went out of use with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRestored {}
