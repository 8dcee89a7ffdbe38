//! What has happened to a tool.

use super::{Alias, Deprecation, ToolDefinition, ToolProfile};
use crate::id::ServerId;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

wire_events! {
    /// An event of a tool.
    pub enum ToolEvent {
        /// The tool began, with its first version.
        Registered(Box<ToolRegistered>) = "tool.registered" v 3,
        /// Something else is said around it.
        Described(ToolDescribed) = "tool.described" v 3,
        /// A new definition is published.
        VersionPublished(Box<ToolVersionPublished>) = "tool.version_published" v 2,
        /// It is out of use.
        Retired(ToolRetired) = "tool.retired" v 1,
        /// It is in use again.
        Restored(ToolRestored) = "tool.restored" v 1,
        /// An alias stands at another version, or begins to.
        AliasMoved(AliasMoved) = "tool.alias_moved" v 1,
        /// An alias is gone.
        AliasRemoved(AliasRemoved) = "tool.alias_removed" v 1,
        /// Those who use it are warned.
        Deprecated(ToolDeprecated) = "tool.deprecated" v 1,
        /// They are not any more.
        Undeprecated(ToolUndeprecated) = "tool.undeprecated" v 1,
        /// A version is hidden from resolution.
        VersionYanked(ToolVersionYanked) = "tool.version_yanked" v 1,
        /// A version is shown to resolution again.
        VersionUnyanked(ToolVersionUnyanked) = "tool.version_unyanked" v 1,
    }
}

/// The tool began, with its first version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolRegistered {
    /// Its server.
    pub server_id: ServerId,
    /// The server's slug.
    pub server: String,
    /// The name by which it is called.
    pub name: String,
    /// What is said around it.
    pub profile: ToolProfile,
    /// The version of this definition.
    pub tool_version: Version,
    /// What a model reads.
    pub definition: Arc<ToolDefinition>,
    /// The definition's identity, see [`ToolDefinition::checked_hash`].
    pub definition_hash: String,
}

/// Something else is said around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolDescribed {
    /// What is said now.
    pub profile: ToolProfile,
}

/// A new definition is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolVersionPublished {
    /// The version of this definition.
    pub tool_version: Version,
    /// What a model reads.
    pub definition: Arc<ToolDefinition>,
    /// The definition's identity, see [`ToolDefinition::checked_hash`].
    pub definition_hash: String,
}

/// It is out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRetired {
    /// Why.
    pub reason: String,
}

/// It is in use again, as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRestored {}

/// An alias stands at another version, or begins to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasMoved {
    /// The alias.
    pub alias: Alias,
    /// Where it stood; nowhere when it is new.
    pub from: Option<Version>,
    /// Where it stands.
    pub to: Version,
}

/// An alias is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRemoved {
    /// The alias.
    pub alias: Alias,
    /// Where it stood.
    pub from: Version,
}

/// Those who use it are warned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolDeprecated {
    /// Which version; the whole tool when there is none.
    pub tool_version: Option<Version>,
    /// What they are told.
    #[serde(flatten)]
    pub deprecation: Deprecation,
}

/// They are not warned any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUndeprecated {
    /// Of which version; of the whole tool when there is none.
    pub tool_version: Option<Version>,
}

/// A version is hidden from resolution. It stays in history, and its exact number still leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolVersionYanked {
    /// Which version.
    pub tool_version: Version,
    /// Why.
    pub reason: String,
}

/// A version is shown to resolution again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolVersionUnyanked {
    /// Which version.
    pub tool_version: Version,
}
