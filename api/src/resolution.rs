//! From a reference to the version that a caller gets, with what it should know: what GraphQL and MCP share, for
//! a tenant's own tools and for those that it has installed.
//!
//! Resolution is for those who are about to use a tool. What was published stays readable as history,
//! whatever happened to it since.

use crate::error::ApiError;
use crate::published::{Published, standing};
use crate::state::AppState;
use chrono::{NaiveDate, Utc};
use domain::Rejection;
use domain::id::{TenantId, ToolId};
use domain::installation::{ForeignReference, VersionReq, Within, within};
use domain::tenant::AfterSunset;
use domain::tool::reference::{Offer, Reference};
use domain::tool::{Alias, Deprecation, ToolDefinition, ToolError};
use projections::catalog::{self, Tool, ToolVersion};
use projections::marketplace::{self, ListedVersion, Listing};
use projections::{QueryError, Sight, TenantConnection, access};
use semver::Version;
use serde_json::json;
use std::collections::BTreeMap;

/// Versions that a refusal names.
const MAX_NAMED: usize = 8;

/// A version that was asked for.
pub(crate) struct Resolved {
    /// The tool.
    pub(crate) tool: Tool,
    /// The version; its definition is read by whom asks.
    pub(crate) version: ToolVersion,
    /// Every version, newest first.
    pub(crate) versions: Vec<Published>,
    /// What those are told who use it.
    pub(crate) deprecation: Option<Deprecation>,
    /// What to know about the answer, each a sentence.
    pub(crate) warnings: Vec<String>,
}

/// A version of an installed tool that was asked for.
pub(crate) struct ResolvedListing {
    /// The tool, with the definition of this version.
    pub(crate) listing: Listing,
    /// Every version that is listed, newest first.
    pub(crate) versions: Vec<Published>,
    /// The names that stand at it, `latest` included.
    pub(crate) aliases: Vec<String>,
    /// What those are told who use it.
    pub(crate) deprecation: Option<Deprecation>,
    /// What to know about the answer, each a sentence.
    pub(crate) warnings: Vec<String>,
}

impl Resolved {
    /// The definition of the version.
    ///
    /// # Errors
    /// What the read model says.
    pub(crate) async fn definition(
        &self,
        connection: &mut TenantConnection,
    ) -> Result<ToolDefinition, ApiError> {
        let key = (self.tool.id.clone(), self.version.tool_version.clone());
        let mut found = catalog::definitions(connection, std::slice::from_ref(&key)).await?;
        found.remove(&key).ok_or(ApiError::NotFound)
    }
}

/// What decides beside the reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// What happens after a sunset where the tenant says nothing; none to those who look, and use nothing.
    usual: Option<AfterSunset>,
    /// The day in UTC.
    pub(crate) today: NaiveDate,
}

impl Rules {
    /// For those who are about to use a tool, today.
    pub(crate) fn of(state: &AppState) -> Self {
        Self {
            usual: Some(state.config.registry.after_sunset),
            today: Utc::now().date_naive(),
        }
    }

    /// For those who look, and use nothing.
    pub(crate) fn looking() -> Self {
        Self {
            usual: None,
            today: Utc::now().date_naive(),
        }
    }

    /// Whether a tool or version is refused to those of a tenant that says this.
    pub(crate) fn refuse(self, said: Option<AfterSunset>, deprecation: &Deprecation) -> bool {
        let rule = self.usual.map(|usual| said.unwrap_or(usual));
        rule == Some(AfterSunset::Refuse) && deprecation.is_over(self.today)
    }

    /// Whether it is refused to those of the connection's tenant. What that says is asked only where it decides.
    async fn refused(
        self,
        connection: &mut TenantConnection,
        deprecation: &Deprecation,
    ) -> Result<bool, QueryError> {
        if self.usual.is_none() || !deprecation.is_over(self.today) {
            return Ok(false);
        }
        let said = access::after_sunset(connection).await?;
        Ok(self.refuse(said, deprecation))
    }

    /// What is said to those who use a version.
    ///
    /// # Errors
    /// `TOOL_SUNSET`.
    async fn warn(
        self,
        connection: &mut TenantConnection,
        named: &str,
        yanked: Option<&str>,
        deprecation: Option<&Deprecation>,
    ) -> Result<Vec<String>, ApiError> {
        if let Some(over) = deprecation
            && self.refused(connection, over).await?
        {
            return Err(ApiError::RejectedWith {
                code: "TOOL_SUNSET",
                message: format!("{named} is {}", over.told(self.today)),
                details: json!({ "successor": over.successor, "sunset": over.sunset }).into(),
            });
        }
        Ok(warnings(named, yanked, deprecation, self.today))
    }
}

/// What to know about a version before using it: that it is yanked, or deprecated.
fn warnings(
    named: &str,
    yanked: Option<&str>,
    deprecation: Option<&Deprecation>,
    today: NaiveDate,
) -> Vec<String> {
    let yanked = yanked.map(|reason| match reason {
        "" => format!("{named} is yanked"),
        reason => format!("{named} is yanked: {reason}"),
    });
    let deprecated = deprecation.map(|told| format!("{named} is {}", told.told(today)));
    yanked.into_iter().chain(deprecated).collect()
}

/// What to know about a listing in the version that it is shown in.
pub(crate) fn listing_warnings(listing: &Listing) -> Vec<String> {
    let version = &listing.version;
    warnings(
        &listing.exact(version),
        version.yanked.as_deref(),
        listing.deprecation_of(version),
        Utc::now().date_naive(),
    )
}

/// The version that a reference leads to at the connection's moment; none when the caller sees no such tool.
///
/// # Errors
/// `VERSION_NOT_FOUND`, `TOOL_SUNSET`, and what the read model says.
pub(crate) async fn resolve(
    connection: &mut TenantConnection,
    sight: &Sight,
    id: &ToolId,
    reference: &Reference,
    rules: Rules,
) -> Result<Option<Resolved>, ApiError> {
    let ids = std::slice::from_ref(id);
    let mut tools = catalog::tools_by_id(connection, ids, sight).await?;
    let Some(tool) = tools.remove(id) else {
        return Ok(None);
    };
    let mut versions = catalog::versions_by_tool(connection, ids, sight).await?;
    let versions = versions.remove(id).unwrap_or_default();
    let published = Published::of(&tool, &versions);
    let version = choose(&tool, versions, reference)?;
    let number = &version.tool_version;
    let deprecation = tool.deprecation_of(number).cloned();
    let named = format!("{}/{}@{number}", tool.server, tool.name);
    let yanked = version.mark.yanked.as_deref();
    let warnings = rules.warn(connection, &named, yanked, deprecation.as_ref());
    let warnings = warnings.await?;
    Ok(Some(Resolved {
        tool,
        version,
        versions: published,
        deprecation,
        warnings,
    }))
}

/// The version that a reference to an installed tool leads to, within the range that is installed; none when the
/// tool is not installed or not offered.
///
/// # Errors
/// `OUTSIDE_RANGE`, `VERSION_NOT_FOUND`, `TOOL_SUNSET`, and what the read model says.
pub(crate) async fn resolve_installed(
    connection: &mut TenantConnection,
    installer: &TenantId,
    wanted: &ForeignReference,
    rules: Rules,
) -> Result<Option<ResolvedListing>, ApiError> {
    let installation = wanted.tool.installation_id(installer);
    let ids = std::slice::from_ref(&installation);
    let mut installed = marketplace::installations_by_id(connection, ids).await?;
    let Some(installed) = installed.remove(&installation) else {
        return Ok(None);
    };
    let Some((listing, versions)) = listed(connection, &wanted.tool.tool_id()).await? else {
        return Ok(None);
    };
    let (range, reference) = (&installed.range, &wanted.reference);
    let offers: Vec<Offer> = versions.iter().map(ListedVersion::offer).collect();
    let found = within(range, reference, &offers, &listing.aliases);
    let number = match found {
        Within::To(number) => number.clone(),
        Within::Outside(number) => return Err(outside(&listing, number, range)),
        Within::Nowhere => {
            let held = offers.iter().filter(|offer| range.matches(offer.version));
            let held: Vec<_> = held.copied().collect();
            let named = listing.reference.to_string();
            return Err(not_found(&named, &held, &listing.aliases, reference));
        }
    };
    let shown = show(connection, (listing, versions), &number, range, rules);
    shown.await.map(Some)
}

/// The version of a listing that a reference leads to, whether it is installed or not: for those who look. None
/// when there is no such listing.
///
/// # Errors
/// `VERSION_NOT_FOUND`, and what the read model says.
pub(crate) async fn resolve_listing(
    connection: &mut TenantConnection,
    wanted: &ForeignReference,
) -> Result<Option<ResolvedListing>, ApiError> {
    let Some((listing, versions)) = listed(connection, &wanted.tool.tool_id()).await? else {
        return Ok(None);
    };
    let offers: Vec<Offer> = versions.iter().map(ListedVersion::offer).collect();
    let found = wanted.reference.resolve(&offers, &listing.aliases).cloned();
    match found {
        Some(number) => {
            let (rules, all) = (Rules::looking(), &VersionReq::STAR);
            let shown = show(connection, (listing, versions), &number, all, rules);
            shown.await.map(Some)
        }
        None => {
            let named = listing.reference.to_string();
            let aliases = &listing.aliases;
            Err(not_found(&named, &offers, aliases, &wanted.reference))
        }
    }
}

/// A listing with all its versions.
async fn listed(
    connection: &mut TenantConnection,
    id: &ToolId,
) -> Result<Option<(Listing, Vec<ListedVersion>)>, QueryError> {
    let ids = std::slice::from_ref(id);
    let mut listings = marketplace::listings_by_id(connection, ids).await?;
    let Some(listing) = listings.remove(id) else {
        return Ok(None);
    };
    let mut versions = marketplace::versions_by_listing(connection, ids).await?;
    Ok(Some((listing, versions.remove(id).unwrap_or_default())))
}

/// The listing with the definition of one of its versions.
async fn show(
    connection: &mut TenantConnection,
    (mut listing, versions): (Listing, Vec<ListedVersion>),
    number: &Version,
    range: &VersionReq,
    rules: Rules,
) -> Result<ResolvedListing, ApiError> {
    let published = Published::installed(&listing, &versions, range);
    let aliases = standing(&listing, number);
    if listing.version.tool_version != *number {
        let found = versions.into_iter().find(|one| one.tool_version == *number);
        listing.version = found.ok_or(ApiError::NotFound)?;
        let key = (listing.id.clone(), number.clone());
        let mut found = marketplace::definitions(connection, std::slice::from_ref(&key)).await?;
        listing.definition = found.remove(&key).ok_or(ApiError::NotFound)?;
    }
    let version = &listing.version;
    let deprecation = listing.deprecation_of(version).cloned();
    let (named, yanked) = (listing.exact(version), version.yanked.as_deref());
    let warnings = rules.warn(connection, &named, yanked, deprecation.as_ref());
    let warnings = warnings.await?;
    Ok(ResolvedListing {
        listing,
        versions: published,
        aliases,
        deprecation,
        warnings,
    })
}

/// What is no reference.
pub(crate) fn malformed(error: &ToolError) -> ApiError {
    ApiError::Rejected {
        code: error.code(),
        message: error.to_string(),
    }
}

fn outside(listing: &Listing, number: &Version, range: &VersionReq) -> ApiError {
    let named = &listing.reference;
    ApiError::RejectedWith {
        code: "OUTSIDE_RANGE",
        message: format!(
            "{named}@{number} is outside of `{range}`, the range that is installed; repinTool with a range that \
             holds it, such as `^{number}`, lets it be used"
        ),
        details: json!({ "range": range.to_string(), "version": number.to_string() }).into(),
    }
}

fn choose(
    tool: &Tool,
    mut versions: Vec<ToolVersion>,
    reference: &Reference,
) -> Result<ToolVersion, ApiError> {
    let offers: Vec<Offer> = versions.iter().map(ToolVersion::offer).collect();
    let chosen = reference.resolve(&offers, &tool.aliases);
    let place = chosen.and_then(|chosen| offers.iter().position(|it| it.version == chosen));
    match place {
        Some(place) => Ok(versions.swap_remove(place)),
        None => {
            let named = format!("{}/{}", tool.server, tool.name);
            Err(not_found(&named, &offers, &tool.aliases, reference))
        }
    }
}

/// What there is instead: versions in use and, to who named an alias, the aliases that stand at one of them.
fn not_found(
    named: &str,
    offers: &[Offer],
    aliases: &BTreeMap<Alias, Version>,
    reference: &Reference,
) -> ApiError {
    let mut usable: Vec<&Version> = offers
        .iter()
        .filter(|offer| !offer.yanked)
        .map(|offer| offer.version)
        .collect();
    usable.sort_unstable_by(|a, b| b.cmp(a));
    let standing = match reference {
        Reference::Alias(_) => {
            let moved = aliases.iter().filter(|(_, at)| usable.contains(at));
            let moved = moved.map(|(alias, _)| alias.to_string());
            let latest = std::iter::once(Alias::LATEST.to_owned());
            let names: Vec<_> = latest.chain(moved).take(MAX_NAMED).collect();
            format!("; aliases: {}", names.join(", "))
        }
        Reference::Latest | Reference::Exact(_) | Reference::Range(_) => String::new(),
    };
    usable.truncate(MAX_NAMED);
    let usable: Vec<String> = usable.into_iter().map(ToString::to_string).collect();
    let usable = usable.join(", ");
    ApiError::Rejected {
        code: "VERSION_NOT_FOUND",
        message: format!("no version of {named} is `{reference}`; in use: {usable}{standing}"),
    }
}
