//! Which version of a tool a reference leads to, and what is said of versions.

use super::as_of::AsOf;
use super::marketplace::listing::Listing;
use super::scalars::{Day, Sequence};
use super::session::Session;
use super::tool::{Tool, ToolVersion};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::resolution::{Rules, malformed, resolve, resolve_installed};
use async_graphql::{Context, Object, SimpleObject};
use domain::Rejection;
use domain::id::ToolId;
use domain::installation::ForeignReference;
use domain::tool::ToolError;
use domain::tool::reference::ToolReference;
use projections::catalog::{self, Status};
use projections::marketplace;
use semver::Version;
use std::collections::BTreeMap;

/// The warning that a tool or a version is on its way out.
#[derive(SimpleObject)]
pub(super) struct Deprecation {
    /// Why, and what to do.
    message: String,
    /// What to use instead: `server/name` or `server/name@reference`, of another tenant `@publisher/server/name`.
    successor: Option<String>,
    /// The first day, in UTC, on which it is no longer to be used.
    sunset: Option<Day>,
}

impl From<&domain::tool::Deprecation> for Deprecation {
    fn from(deprecation: &domain::tool::Deprecation) -> Self {
        Self {
            message: deprecation.message.clone(),
            successor: deprecation.successor.clone(),
            sunset: deprecation.sunset.map(Day),
        }
    }
}

/// A name that stands at a version of a tool.
#[derive(SimpleObject)]
#[graphql(name = "ToolAlias")]
pub(super) struct Alias {
    /// The name; `latest` follows the versions by itself.
    name: String,
    /// Where it stands.
    version: String,
}

/// All aliases of a tool, `latest` first, which stands at the current version.
pub(super) fn aliases(
    current: String,
    moved: &BTreeMap<domain::tool::Alias, Version>,
) -> Vec<Alias> {
    let latest = Alias {
        name: domain::tool::Alias::LATEST.to_owned(),
        version: current,
    };
    std::iter::once(latest).chain(self::moved(moved)).collect()
}

/// The aliases that people move.
pub(super) fn moved(aliases: &BTreeMap<domain::tool::Alias, Version>) -> Vec<Alias> {
    let alias = |(alias, version): (&domain::tool::Alias, &Version)| Alias {
        name: alias.to_string(),
        version: version.to_string(),
    };
    aliases.iter().map(alias).collect()
}

/// The version that an argument names.
pub(super) fn parsed(argument: &str, text: &str) -> Result<Version, ApiError> {
    let text = text.trim();
    Version::parse(text).map_err(|error| {
        if counts_too_high(text) {
            let refused = ToolError::VersionNumberTooLarge;
            return ApiError::Rejected {
                code: refused.code(),
                message: format!("`{argument}`: {refused}"),
            };
        }
        ApiError::Rejected {
            code: "INVALID_VERSION",
            message: format!("`{argument}` is not a semantic version such as 1.2.0: {error}"),
        }
    })
}

/// Whether a text is a semantic version, but for numbers that nobody reads any more.
fn counts_too_high(text: &str) -> bool {
    let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let is_number = |number: &str| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        digits && (number == "0" || !number.starts_with('0'))
    };
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && numbers
            .split('.')
            .any(|number| number.parse::<u64>().is_err())
        && Version::parse(&format!("0.0.0{rest}")).is_ok()
}

/// What a reference leads to.
#[derive(SimpleObject)]
struct ToolResolution {
    /// The reference that leads to this version for ever: `server/name@1.2.3`.
    exact: String,
    /// The tool of your tenant; null for an installed one.
    tool: Option<Tool>,
    /// The version of it; null for an installed one.
    version: Option<ToolVersion>,
    /// The tool of another tenant that yours has installed, with the definition of this version; null for one of
    /// your own.
    listing: Option<Listing>,
    /// What those are told who use it.
    deprecation: Option<Deprecation>,
    /// What to know before using it, such as that it is deprecated or yanked.
    warnings: Vec<String>,
}

/// The entry to versions.
#[derive(Default)]
pub(super) struct VersionQueries;

#[Object]
impl VersionQueries {
    /// The version that a reference leads to: `server/name`, `server/name@1.2.3`, `@^1.2`, `@stable` or
    /// `@latest`; and the same behind `@publisher/server/name` for an installed tool, within the range that is
    /// installed (`OUTSIDE_RANGE` beyond it; `asOf` is for your own tools). For those who are about to use it: a retired tool is refused, and, unless configured
    /// otherwise, a version after its sunset. `VERSION_NOT_FOUND` names what there is.
    async fn resolve_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tool and which of its versions.")] reference: String,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<ToolResolution>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        let foreign =
            ForeignReference::parse(reference.trim()).map_err(|error| malformed(&error))?;
        if let Some(foreign) = foreign {
            if as_of.is_some() {
                return Err(ApiError::Rejected {
                    code: "INVALID_ARGUMENT",
                    message: "`asOf` looks back at the tools of your own tenant; leave it out"
                        .into(),
                });
            }
            return installed(session, &foreign, min_sequence).await.map(Some);
        }
        let wanted = reference.trim().parse::<ToolReference>();
        let wanted = wanted.map_err(|error| malformed(&error))?;
        session.caught_up(catalog::NAME, min_sequence).await?;
        let moment = session.moment(catalog::NAME, as_of).await?;
        let rules = if moment.is_now() {
            Rules::of(&session.state)
        } else {
            // Who looks back reads history, which no sunset closes.
            Rules::looking()
        };
        let id = ToolId::derive(&session.caller.tenant, &wanted.server, &wanted.name);
        let mut reads = session.reads().await?.at(moment);
        let seen = &session.sight;
        let found = resolve(&mut reads, seen, &id, &wanted.reference, rules).await?;
        let found = found.ok_or(ApiError::NotFound)?;
        if found.tool.status == Status::Retired {
            return Err(ApiError::Rejected {
                code: "TOOL_RETIRED",
                message: "the tool is retired; restore it with `restoreTool`, or use another one"
                    .into(),
            });
        }
        let (tool, version) = (&found.tool, &found.version.tool_version);
        Ok(Some(ToolResolution {
            exact: format!("{}/{}@{version}", tool.server, tool.name),
            deprecation: found.deprecation.as_ref().map(Deprecation::from),
            warnings: found.warnings,
            tool: Some(Tool(found.tool)),
            version: Some(ToolVersion(found.version)),
            listing: None,
        }))
    }
}

/// The same for a tool that the caller's tenant has installed.
async fn installed(
    session: &Session,
    wanted: &ForeignReference,
    min_sequence: Option<Sequence>,
) -> Result<ToolResolution, ApiError> {
    session.caught_up(marketplace::NAME, min_sequence).await?;
    let mut reads = session.reads().await?;
    let rules = Rules::of(&session.state);
    let found = resolve_installed(&mut reads, &session.caller.tenant, wanted, rules).await?;
    let found = found.ok_or(ApiError::NotFound)?;
    Ok(ToolResolution {
        exact: found.listing.exact(&found.listing.version),
        tool: None,
        version: None,
        deprecation: found.deprecation.as_ref().map(Deprecation::from),
        warnings: found.warnings,
        listing: Some(Listing(found.listing)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_whose_numbers_are_too_large_is_told_from_one_that_is_none() {
        let code = |text: &str| parsed("version", text).map_err(|error| error.code());
        assert_eq!(code(" 1.2.0 "), Ok(Version::new(1, 2, 0)));
        for large in [
            "99999999999999999999.0.0",
            "1.99999999999999999999.0-rc.1",
            "0.0.99999999999999999999+b",
        ] {
            assert_eq!(code(large), Err("VERSION_NUMBER_TOO_LARGE"), "{large}");
        }
        for none in [
            "one",
            "1.2",
            "099999999999999999999.0.0",
            "99999999999999999999.0",
            "99999999999999999999.0.0.0",
            "99999999999999999999.0.0-",
            "x.99999999999999999999.0",
        ] {
            assert_eq!(code(none), Err("INVALID_VERSION"), "{none}");
        }
    }

    #[test]
    fn a_text_that_is_no_version_is_told_with_the_name_of_its_argument() {
        let refused = parsed("from", "x").unwrap_err().to_string();
        assert!(refused.starts_with("`from` is not"), "{refused}");
    }
}
