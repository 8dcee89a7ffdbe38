//! From a reference to the version that a caller gets, with what it should know: what GraphQL and MCP share.
//!
//! Resolution is for those who are about to use a tool. What was published stays readable as history,
//! whatever happened to it since.

use crate::config::AfterSunset;
use crate::error::ApiError;
use chrono::NaiveDate;
use domain::id::ToolId;
use domain::tool::reference::{Offer, Reference};
use domain::tool::{Deprecation, Visibility};
use projections::catalog::{self, Tool, ToolVersion};
use projections::{QueryError, TenantConnection};
use semver::Version;
use serde_json::json;

/// Versions that a refusal names.
const MAX_NAMED: usize = 8;

/// A version that was asked for.
pub(crate) struct Resolved {
    /// The tool.
    pub(crate) tool: Tool,
    /// The version.
    pub(crate) version: ToolVersion,
    /// What those are told who use it.
    pub(crate) deprecation: Option<Deprecation>,
    /// What to know about the answer, each a sentence.
    pub(crate) warnings: Vec<String>,
}

/// What decides beside the reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// What happens after a sunset.
    pub(crate) after_sunset: AfterSunset,
    /// The day in UTC.
    pub(crate) today: NaiveDate,
}

/// The version that a reference leads to at the connection's moment; none when the caller sees no such tool.
///
/// # Errors
/// `VERSION_NOT_FOUND`, `TOOL_SUNSET`, and what the read model says.
pub(crate) async fn resolve(
    connection: &mut TenantConnection,
    visibilities: &[Visibility],
    id: &ToolId,
    reference: &Reference,
    rules: Rules,
) -> Result<Option<Resolved>, ApiError> {
    let ids = std::slice::from_ref(id);
    let mut tools = catalog::tools_by_id(connection, ids, visibilities).await?;
    let Some(tool) = tools.remove(id) else {
        return Ok(None);
    };
    let mut versions = catalog::versions_by_tool(connection, ids).await?;
    let versions = versions.remove(id).unwrap_or_default();
    let (number, version) = choose(&tool, versions, reference)?;
    let deprecation = tool.deprecation_of(&number).cloned();
    let named = format!("{}/{}@{number}", tool.server, tool.name);
    let mut warnings = Vec::new();
    if let Some(reason) = &version.mark.yanked {
        warnings.push(match reason.as_str() {
            "" => format!("{named} is yanked"),
            reason => format!("{named} is yanked: {reason}"),
        });
    }
    if let Some(deprecation) = &deprecation {
        let told = format!("{named} is {}", deprecation.told(rules.today));
        if deprecation.is_over(rules.today) && rules.after_sunset == AfterSunset::Refuse {
            return Err(ApiError::RejectedWith {
                code: "TOOL_SUNSET",
                message: told,
                details: json!({
                    "successor": deprecation.successor,
                    "sunset": deprecation.sunset,
                })
                .into(),
            });
        }
        warnings.push(told);
    }
    Ok(Some(Resolved {
        tool,
        version,
        deprecation,
        warnings,
    }))
}

fn choose(
    tool: &Tool,
    versions: Vec<ToolVersion>,
    reference: &Reference,
) -> Result<(Version, ToolVersion), ApiError> {
    let mut known = Vec::with_capacity(versions.len());
    for version in versions {
        let number = Version::parse(&version.tool_version);
        let number = number.map_err(|error| QueryError::Corrupt(error.into()))?;
        known.push((number, version));
    }
    let offers: Vec<Offer> = known
        .iter()
        .map(|(number, version)| Offer {
            version: number,
            yanked: version.mark.yanked.is_some(),
        })
        .collect();
    let chosen = reference.resolve(&offers, &tool.aliases).cloned();
    let place = chosen.and_then(|chosen| known.iter().position(|(number, _)| *number == chosen));
    match place {
        Some(place) => Ok(known.swap_remove(place)),
        None => Err(not_found(tool, &offers, reference)),
    }
}

fn not_found(tool: &Tool, offers: &[Offer], reference: &Reference) -> ApiError {
    let mut usable: Vec<&Version> = offers
        .iter()
        .filter(|offer| !offer.yanked)
        .map(|offer| offer.version)
        .collect();
    usable.sort_unstable_by(|a, b| b.cmp(a));
    usable.truncate(MAX_NAMED);
    let usable: Vec<String> = usable.into_iter().map(ToString::to_string).collect();
    let (server, name, usable) = (&tool.server, &tool.name, usable.join(", "));
    ApiError::Rejected {
        code: "VERSION_NOT_FOUND",
        message: format!("no version of {server}/{name} is `{reference}`; in use: {usable}"),
    }
}
