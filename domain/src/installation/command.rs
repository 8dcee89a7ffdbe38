//! What can be asked of an installation.

use super::ForeignTool;
use semver::{Version, VersionReq};

/// A command to an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallationCommand {
    /// Begin to use the tool.
    Install(Box<Install>),
    /// Use versions of another range.
    Repin(Repin),
    /// Use the tool no longer. It can be installed again.
    Uninstall,
}

/// Begin to use a tool. That it is listed, and with which versions, is looked up where the command is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Which tool.
    pub tool: ForeignTool,
    /// Which of its versions.
    pub range: VersionReq,
    /// The versions that it has.
    pub published: Vec<Version>,
}

/// Use versions of another range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repin {
    /// Which versions.
    pub range: VersionReq,
    /// The versions that the tool has, looked up where the command is made.
    pub published: Vec<Version>,
}
