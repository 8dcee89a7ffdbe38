//! Which version of a tool a reference leads to, and what is said of versions.

use super::as_of::AsOf;
use super::scalars::Sequence;
use super::session::Session;
use super::tool::{Tool, ToolVersion};
use crate::authz::{Action, Resource, ResourceKind};
use crate::config::AfterSunset;
use crate::error::ApiError;
use crate::resolution::{Rules, resolve};
use async_graphql::{Context, Object, SimpleObject};
use chrono::{NaiveDate, Utc};
use domain::Rejection;
use domain::id::ToolId;
use domain::tool::reference::ToolReference;
use projections::catalog::{self, Status};

/// The warning that a tool or a version is on its way out.
#[derive(SimpleObject)]
pub(super) struct Deprecation {
    /// Why, and what to do.
    message: String,
    /// What to use instead: `server/name` or `server/name@reference`.
    successor: Option<String>,
    /// The first day, in UTC, on which it is no longer to be used.
    sunset: Option<NaiveDate>,
}

impl From<&domain::tool::Deprecation> for Deprecation {
    fn from(deprecation: &domain::tool::Deprecation) -> Self {
        Self {
            message: deprecation.message.clone(),
            successor: deprecation.successor.clone(),
            sunset: deprecation.sunset,
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

/// All aliases of a tool, `latest` first.
pub(super) fn aliases(tool: &catalog::Tool) -> Vec<Alias> {
    let latest = Alias {
        name: domain::tool::Alias::LATEST.to_owned(),
        version: tool.tool_version.clone(),
    };
    let moved = tool.aliases.iter().map(|(alias, version)| Alias {
        name: alias.to_string(),
        version: version.to_string(),
    });
    std::iter::once(latest).chain(moved).collect()
}

/// What a reference leads to.
#[derive(SimpleObject)]
struct ToolResolution {
    /// The reference that leads to this version for ever: `server/name@1.2.3`.
    exact: String,
    /// The tool.
    tool: Tool,
    /// The version.
    version: ToolVersion,
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
    /// `@latest`. For those who are about to use it: a retired tool is refused, and, unless configured
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
        let wanted: Result<ToolReference, domain::tool::ToolError> = reference.trim().parse();
        let wanted = wanted.map_err(|error| ApiError::Rejected {
            code: error.code(),
            message: error.to_string(),
        })?;
        session.caught_up(catalog::NAME, min_sequence).await?;
        let moment = session.moment(catalog::NAME, as_of).await?;
        let after_sunset = if moment.is_now() {
            session.state.config.registry.after_sunset
        } else {
            // Who looks back reads history, which no sunset closes.
            AfterSunset::Warn
        };
        let rules = Rules {
            after_sunset,
            today: Utc::now().date_naive(),
        };
        let id = ToolId::derive(&session.caller.tenant, &wanted.server, &wanted.name);
        let mut reads = session.reads().await?.at(moment);
        let seen = &session.visibilities;
        let found = resolve(&mut reads, seen, &id, &wanted.reference, rules).await?;
        let found = found.ok_or(ApiError::NotFound)?;
        if found.tool.status == Status::Retired {
            return Err(ApiError::Rejected {
                code: "TOOL_RETIRED",
                message: "the tool is retired".into(),
            });
        }
        let (tool, version) = (&found.tool, &found.version.tool_version);
        Ok(Some(ToolResolution {
            exact: format!("{}/{}@{version}", tool.server, tool.name),
            deprecation: found.deprecation.as_ref().map(Deprecation::from),
            warnings: found.warnings,
            tool: Tool(found.tool),
            version: ToolVersion(found.version),
        }))
    }
}
