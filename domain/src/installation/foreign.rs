//! How a tool of another tenant is named, and which of its versions a range means.

use super::InstallationError;
use crate::id::{InstallationId, TenantId, ToolId};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A tool of a named tenant, written `@publisher/server/name`. No slug begins with `@`, so this is never
/// mistaken for a tool of one's own, which is written `server/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ForeignTool {
    /// The tenant that offers it.
    pub publisher: TenantId,
    /// The slug of its server there.
    pub server: String,
    /// Its name.
    pub name: String,
}

impl ForeignTool {
    /// Reads `@publisher/server/name`; none when the text is not of that form. A slug holds no slash and a
    /// tool's name may: the first two divide.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (publisher, rest) = text.strip_prefix('@')?.split_once('/')?;
        let (server, name) = rest.split_once('/')?;
        let publisher = TenantId::new(publisher).ok()?;
        (!server.is_empty() && !name.is_empty()).then(|| Self {
            publisher,
            server: server.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The tool's id.
    #[must_use]
    pub fn tool_id(&self) -> ToolId {
        ToolId::derive(&self.publisher, &self.server, &self.name)
    }

    /// The id of its installation in a tenant.
    #[must_use]
    pub fn installation_id(&self, installer: &TenantId) -> InstallationId {
        InstallationId::derive(installer, &self.publisher, &self.server, &self.name)
    }
}

impl fmt::Display for ForeignTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}/{}/{}", self.publisher, self.server, self.name)
    }
}

/// Reads a range of versions in the notation of Cargo: `^1.2` (or `1.2`), `~1.2`, `=1.2.3`, `>=1, <3`, `*`.
///
/// # Errors
/// [`InstallationError::InvalidRange`].
pub fn parse_range(text: &str) -> Result<VersionReq, InstallationError> {
    VersionReq::parse(text.trim()).map_err(|error| InstallationError::InvalidRange {
        reason: error.to_string(),
    })
}

/// The highest version within a range. A pre-release is meant only by a range that names one of the same
/// major, minor and patch version.
pub fn highest<'a>(
    range: &VersionReq,
    versions: impl IntoIterator<Item = &'a Version>,
) -> Option<&'a Version> {
    versions
        .into_iter()
        .filter(|version| range.matches(version))
        .max()
}
