//! What can be asked of a server.

use super::{ManifestStatus, Mirrored, ServerProfile};
use serde_json::Value;

/// A command to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerCommand {
    /// Begin the server.
    Register(RegisterServer),
    /// Say something else of it; the whole profile is replaced.
    Describe(ServerProfile),
    /// Take it and its tools out of use.
    Retire {
        /// Why, for those who used it; may be empty.
        reason: String,
    },
    /// Publish the `server.json` document of a version.
    PublishManifest(Box<PublishManifest>),
    /// Say whether a version is to be used.
    SetManifestStatus(SetManifestStatus),
    /// Take it into use again, and with it the tools that went out of use with it.
    Restore,
}

/// Begin a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterServer {
    /// Its name in its tenant, which never changes.
    pub slug: String,
    /// What is said of it.
    pub profile: ServerProfile,
}

/// Publish a document. Once more with the same document, it changes at most the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishManifest {
    /// The `server.json` document, which names server and version.
    pub manifest: Value,
    /// Whether the version is to be used; left as it is, and active in the beginning, when none is given.
    pub status: Option<ManifestStatus>,
    /// Why, for those who use it.
    pub status_message: Option<String>,
    /// Where it was read, when another registry has it, too.
    pub mirrored: Option<Mirrored>,
}

/// Say whether a version is to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetManifestStatus {
    /// Which version.
    pub server_version: String,
    /// Whether it is to be used.
    pub status: ManifestStatus,
    /// Why, for those who use it.
    pub status_message: Option<String>,
    /// Where it was read, when another registry says so.
    pub mirrored: Option<Mirrored>,
}
