//! What can be asked of a tool.

use super::{ToolDefinition, ToolProfile};
use crate::id::ServerId;
use semver::Version;
use std::sync::Arc;

/// A command to a tool.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolCommand {
    /// Begin the tool with its first version.
    Register(Box<RegisterTool>),
    /// Say something else around it; the whole profile is replaced.
    Describe(ToolProfile),
    /// Publish a new definition.
    PublishVersion(Box<PublishToolVersion>),
    /// Take the tool out of use. There is no way back.
    Retire {
        /// Why, for those who used it; may be empty.
        reason: String,
    },
}

/// Begin a tool. That its server is registered and in use is looked up where the command is made.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterTool {
    /// Its server.
    pub server_id: ServerId,
    /// The server's slug.
    pub server: String,
    /// The name by which it is called, which never changes.
    pub name: String,
    /// What is said around it.
    pub profile: ToolProfile,
    /// The version of this first definition.
    pub tool_version: Version,
    /// What a model reads.
    pub definition: Arc<ToolDefinition>,
}

/// Publish a new definition.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishToolVersion {
    /// Its version, above every published one.
    pub tool_version: Version,
    /// What a model reads.
    pub definition: Arc<ToolDefinition>,
}
