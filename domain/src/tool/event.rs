//! What has happened to a tool.

use super::{ToolDefinition, ToolProfile};
use crate::id::ServerId;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

wire_events! {
    /// An event of a tool.
    pub enum ToolEvent {
        /// The tool began, with its first version.
        Registered(Box<ToolRegistered>) = "tool.registered" v 2,
        /// Something else is said around it.
        Described(ToolDescribed) = "tool.described" v 2,
        /// A new definition is published.
        VersionPublished(Box<ToolVersionPublished>) = "tool.version_published" v 2,
        /// It is out of use.
        Retired(ToolRetired) = "tool.retired" v 1,
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
