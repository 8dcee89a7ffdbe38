//! The versions of a tool in a line each: what an agent chooses from, of an own tool and of an installed one.

use chrono::{DateTime, Utc};
use domain::installation::VersionReq;
use projections::catalog::{Tool, ToolVersion};
use projections::marketplace::{ListedVersion, Listing};
use semver::Version;

/// A published version, in short.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Published {
    /// Its number.
    pub(crate) version: String,
    /// When it was published.
    pub(crate) published_at: DateTime<Utc>,
    /// The names that stand at it, `latest` included.
    pub(crate) aliases: Vec<String>,
    /// Whether it is hidden from resolution.
    pub(crate) yanked: bool,
    /// Whether those who use it are told that it is deprecated.
    pub(crate) deprecated: bool,
    /// Whether it is outside of the range that is installed, so that no reference leads to it.
    pub(crate) outside_range: bool,
}

impl Published {
    /// Those of an own tool, as the catalogue lists them: newest first.
    pub(crate) fn of(tool: &Tool, versions: &[ToolVersion]) -> Vec<Self> {
        let published = |version: &ToolVersion| Self {
            version: version.tool_version.to_string(),
            published_at: version.published_at,
            aliases: version.aliases.clone(),
            yanked: version.mark.yanked.is_some(),
            deprecated: tool.deprecation.is_some() || version.mark.deprecation.is_some(),
            outside_range: false,
        };
        versions.iter().map(published).collect()
    }

    /// Those of an installed tool, as the marketplace lists them: newest first.
    pub(crate) fn installed(
        listing: &Listing,
        versions: &[ListedVersion],
        range: &VersionReq,
    ) -> Vec<Self> {
        let published = |version: &ListedVersion| Self {
            version: version.tool_version.to_string(),
            published_at: version.published_at,
            aliases: standing(listing, &version.tool_version),
            yanked: version.yanked.is_some(),
            deprecated: listing.deprecation_of(version).is_some(),
            outside_range: !range.matches(&version.tool_version),
        };
        versions.iter().map(published).collect()
    }
}

/// The names that stand at a version of a listing that is shown in its current one, `latest` included.
pub(crate) fn standing(listing: &Listing, number: &Version) -> Vec<String> {
    let latest = (listing.version.tool_version == *number).then(|| "latest".to_owned());
    let moved = listing.aliases.iter().filter(|(_, at)| *at == number);
    let moved = moved.map(|(alias, _)| alias.to_string());
    latest.into_iter().chain(moved).collect()
}
