//! What can be asked of a tool.

use super::{Alias, Deprecation, ToolDefinition, ToolProfile};
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
    /// Publish a definition under a number of its own.
    PublishVersion(Box<PublishToolVersion>),
    /// Take the tool out of use.
    Retire {
        /// Why, for those who used it; may be empty.
        reason: String,
    },
    /// Take the retired tool into use again, as it was.
    Restore,
    /// Let an alias stand at a version, whether it is new or stood elsewhere.
    MoveAlias {
        /// The alias.
        alias: Alias,
        /// Where it shall stand.
        to: Version,
    },
    /// Let an alias stand where it stood before its last move.
    RollbackAlias {
        /// The alias.
        alias: Alias,
    },
    /// Take an alias away.
    RemoveAlias {
        /// The alias.
        alias: Alias,
    },
    /// Warn those who use it.
    Deprecate {
        /// Which version; the whole tool when there is none.
        tool_version: Option<Version>,
        /// What they are told.
        deprecation: Deprecation,
    },
    /// Take the warning back.
    Undeprecate {
        /// Of which version; of the whole tool when there is none.
        tool_version: Option<Version>,
    },
    /// Hide a version from resolution.
    YankVersion {
        /// Which version.
        tool_version: Version,
        /// Why, for those who used it; may be empty.
        reason: String,
    },
    /// Show a yanked version to resolution again.
    UnyankVersion {
        /// Which version.
        tool_version: Version,
    },
}

impl ToolCommand {
    /// The category that the command names, if any.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        match self {
            Self::Register(register) => register.profile.category.as_deref(),
            Self::Describe(profile) => profile.category.as_deref(),
            Self::PublishVersion(_)
            | Self::Retire { .. }
            | Self::Restore
            | Self::MoveAlias { .. }
            | Self::RollbackAlias { .. }
            | Self::RemoveAlias { .. }
            | Self::Deprecate { .. }
            | Self::Undeprecate { .. }
            | Self::YankVersion { .. }
            | Self::UnyankVersion { .. } => None,
        }
    }
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

/// Publish a definition.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishToolVersion {
    /// Its version. Published already with the same definition, nothing happens.
    pub tool_version: Version,
    /// What a model reads.
    pub definition: Arc<ToolDefinition>,
}
