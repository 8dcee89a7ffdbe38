//! What has happened to an installation.

use super::ForeignTool;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

wire_events! {
    /// An event of an installation.
    pub enum InstallationEvent {
        /// The tenant uses the tool.
        Installed(Box<InstallationInstalled>) = "installation.installed" v 1,
        /// It uses versions of another range.
        Repinned(InstallationRepinned) = "installation.repinned" v 1,
        /// It uses the tool no longer.
        Uninstalled(InstallationUninstalled) = "installation.uninstalled" v 1,
    }
}

/// The tenant uses the tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationInstalled {
    /// Which tool.
    #[serde(flatten)]
    pub tool: ForeignTool,
    /// Which of its versions.
    pub range: VersionReq,
    /// What the range meant at that moment. Later versions within it are used as they are published.
    pub tool_version: Version,
}

/// It uses versions of another range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationRepinned {
    /// Which versions.
    pub range: VersionReq,
    /// What the range meant at that moment.
    pub tool_version: Version,
}

/// It uses the tool no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationUninstalled {}
