//! How a tool of another tenant is named, and which of its versions a range, or a reference within it, means.

use super::InstallationError;
use crate::id::{InstallationId, TenantId, ToolId};
use crate::tool::reference::{Offer, Reference, split};
use crate::tool::{Alias, ToolError};
use semver::{Op, Version, VersionReq};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

/// The version that an installation uses: the highest within its range that is not yanked. A range of one
/// version, `=1.2.3`, means it even when it was yanked since, as a lockfile does: who has pinned it goes on.
#[must_use]
pub fn meant<'a>(range: &VersionReq, offers: &[Offer<'a>]) -> Option<&'a Version> {
    let usable = offers.iter().filter(|offer| !offer.yanked || pins(range));
    highest(range, usable.map(|offer| offer.version))
}

/// Whether the range is one whole version: `=1.2.3`.
fn pins(range: &VersionReq) -> bool {
    match range.comparators.as_slice() {
        [one] => one.op == Op::Exact && one.minor.is_some() && one.patch.is_some(),
        _ => false,
    }
}

/// A tool of a named tenant and which of its versions: `@publisher/server/name@reference`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignReference {
    /// The tool.
    pub tool: ForeignTool,
    /// Which version. Without one it is what the installation's range means, and so is `latest`.
    pub reference: Reference,
}

impl ForeignReference {
    /// Reads `@publisher/server/name`, with `@` and a version behind it if wanted; none when the text is not
    /// of that form.
    ///
    /// # Errors
    /// [`ToolError::InvalidReference`] for what stands behind the second `@`.
    pub fn parse(text: &str) -> Result<Option<Self>, ToolError> {
        let Some(mut tool) = ForeignTool::parse(text) else {
            return Ok(None);
        };
        let (name, reference) = split(&tool.name)?;
        tool.name = name.to_owned();
        let named = !tool.name.is_empty();
        Ok(named.then_some(Self { tool, reference }))
    }
}

/// Where a reference leads within an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within<'a> {
    /// To this version.
    To(&'a Version),
    /// To this version, which the installation's range does not hold.
    Outside(&'a Version),
    /// To no version.
    Nowhere,
}

/// The version that a reference leads to for those who have installed a range of them.
#[must_use]
pub fn within<'a>(
    range: &VersionReq,
    reference: &Reference,
    offers: &[Offer<'a>],
    aliases: &BTreeMap<Alias, Version>,
) -> Within<'a> {
    let inside = match reference {
        Reference::Latest => meant(range, offers),
        Reference::Alias(_) | Reference::Exact(_) | Reference::Range(_) => {
            let held = offers.iter().filter(|offer| range.matches(offer.version));
            let held: Vec<_> = held.copied().collect();
            reference.resolve(&held, aliases)
        }
    };
    match (inside, reference.resolve(offers, aliases)) {
        (Some(version), _) => Within::To(version),
        (None, Some(version)) => Within::Outside(version),
        (None, None) => Within::Nowhere,
    }
}
