//! Why an installation refuses a command.

use crate::aggregate::Rejection;
use semver::{Version, VersionReq};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallationError {
    /// The tool is installed: change its range instead.
    #[error("the tool is installed already; pin it to another range instead")]
    AlreadyInstalled,
    /// Install the tool first.
    #[error("the tool is not installed; install it first")]
    NotInstalled,
    /// It is pinned to this range.
    #[error("the tool is pinned to this range already")]
    Unchanged,
    /// Choose a range that holds a published version.
    #[error("no published version is within `{range}`{}", hint(highest.as_ref()))]
    NoVersionInRange {
        /// What was asked for.
        range: VersionReq,
        /// The highest version that there is.
        highest: Option<Version>,
    },
    /// Write the range in the notation of Cargo.
    #[error("not a range of versions such as `^1.2`, `~1.2.3`, `=1.2.3` or `>=1, <3`: {reason}")]
    InvalidRange {
        /// What is wrong with it.
        reason: String,
    },
}

fn hint(highest: Option<&Version>) -> String {
    highest.map_or_else(String::new, |highest| format!("; the highest is {highest}"))
}

impl Rejection for InstallationError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyInstalled => "ALREADY_INSTALLED",
            Self::NotInstalled => "NOT_INSTALLED",
            Self::Unchanged => "UNCHANGED",
            Self::NoVersionInRange { .. } => "NO_VERSION_IN_RANGE",
            Self::InvalidRange { .. } => "INVALID_RANGE",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotInstalled
    }
}
