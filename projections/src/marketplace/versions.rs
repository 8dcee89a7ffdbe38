//! Queries over the versions of listings, without their definitions but for whom asks: a definition is large, and a
//! tool has many versions. As all queries here, they see what is listed and nothing else.

use super::listings::{keep_offered, tool_id};
use super::version;
use crate::catalog::read_definition;
use crate::error::{QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::store::TenantConnection;
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use domain::id::{TenantId, ToolId};
use domain::installation::Version;
use domain::tool::reference::Offer;
use domain::tool::{Deprecation, ToolDefinition};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use std::collections::HashMap;

/// A published version of a listing, without its definition.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVersion {
    /// Its version.
    pub tool_version: Version,
    /// The definition's identity.
    pub definition_hash: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Why it was yanked, if it was; may be empty.
    pub yanked: Option<String>,
    /// What those are told who use this version.
    pub deprecation: Option<Deprecation>,
}

impl ListedVersion {
    /// As a reference may lead to it.
    #[must_use]
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            version: &self.tool_version,
            yanked: self.yanked.is_some(),
        }
    }
}

/// All versions of several listings, newest first, yanked ones included, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn versions_by_listing(
    connection: &mut TenantConnection,
    listings: &[ToolId],
) -> Result<HashMap<ToolId, Vec<ListedVersion>>, QueryError> {
    select(connection, listings, &PageRequest::first(usize::MAX)).await
}

/// The same part of the versions of several listings, newest first, yanked ones included, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn version_pages(
    connection: &mut TenantConnection,
    listings: &[ToolId],
    page: &PageRequest,
) -> Result<HashMap<ToolId, Page<ListedVersion>>, QueryError> {
    let found = select(connection, listings, page).await?;
    let cursor = |row: &ListedVersion| {
        let at = row
            .published_at
            .to_rfc3339_opts(SecondsFormat::Micros, true);
        Keyset::encode(&at, &row.tool_version.to_string())
    };
    Ok(found
        .into_iter()
        .map(|(id, rows)| (id, Page::cut(rows, page.first, cursor)))
        .collect())
}

/// The definitions of several versions, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn definitions(
    connection: &mut TenantConnection,
    wanted: &[(ToolId, Version)],
) -> Result<HashMap<(ToolId, Version), ToolDefinition>, QueryError> {
    let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
    let versions: Vec<String> = wanted
        .iter()
        .map(|(_, version)| version.to_string())
        .collect();
    let rows = sqlx::query(
        "SELECT tool_id, versions.tool_version, description, input_schema, output_schema, annotations
         FROM marketplace.listings JOIN marketplace.versions USING (tenant, tool_id)
         JOIN unnest($1::text[], $2::text[]) AS wanted (id, version)
           ON tool_id = wanted.id AND versions.tool_version = wanted.version
         WHERE listings.listed",
    )
    .bind(ids)
    .bind(versions)
    .fetch_all(&mut **connection)
    .await?;
    let read = |row: &PgRow| {
        let key = (tool_id(row)?, version(row.try_get("tool_version")?)?);
        Ok((key, read_definition(row)?))
    };
    rows.iter().map(read).collect()
}

async fn select(
    connection: &mut TenantConnection,
    listings: &[ToolId],
    page: &PageRequest,
) -> Result<HashMap<ToolId, Vec<ListedVersion>>, QueryError> {
    let ids: Vec<&str> = listings.iter().map(ToolId::as_str).collect();
    let (at, number) = behind(page)?.unzip();
    let rows = sqlx::query(
        "SELECT found.* FROM (SELECT DISTINCT unnest($1::text[])) AS wanted (id)
         JOIN marketplace.listings ON listings.listed AND listings.tool_id = wanted.id
         CROSS JOIN LATERAL (
             SELECT tenant, tool_id, tool_version, definition_hash, published_at, yanked, yanked_reason, deprecation
             FROM marketplace.versions WHERE versions.tenant = listings.tenant AND versions.tool_id = listings.tool_id
               AND ($2::timestamptz IS NULL OR (published_at, tool_version) < ($2, $3))
             ORDER BY published_at DESC, tool_version DESC LIMIT $4
         ) AS found
         ORDER BY found.published_at DESC, found.tool_version DESC",
    )
    .bind(ids)
    .bind(at)
    .bind(number)
    .bind(page.limit())
    .fetch_all(&mut **connection)
    .await?;
    let mut by_listing: HashMap<ToolId, Vec<ListedVersion>> = HashMap::new();
    for row in &rows {
        let versions = by_listing.entry(tool_id(row)?).or_default();
        versions.push(read_version(row)?);
    }
    let versions = by_listing.values_mut().flatten();
    let told = versions.filter_map(|version| version.deprecation.as_mut());
    keep_offered(connection, told.collect()).await?;
    Ok(by_listing)
}

/// Where a page of versions goes on.
fn behind(page: &PageRequest) -> Result<Option<(DateTime<FixedOffset>, String)>, QueryError> {
    let Some(after) = page.keyset()? else {
        return Ok(None);
    };
    let at = DateTime::parse_from_rfc3339(&after.key);
    Ok(Some((at.map_err(|_| QueryError::InvalidCursor)?, after.id)))
}

pub(super) fn read_version(row: &PgRow) -> Result<ListedVersion, QueryError> {
    let publisher: String = row.try_get("tenant")?;
    let publisher = TenantId::new(publisher).map_err(corrupt)?;
    let yanked: bool = row.try_get("yanked")?;
    let reason: Option<String> = row.try_get("yanked_reason")?;
    let told: Option<Json<Deprecation>> = row.try_get("deprecation")?;
    Ok(ListedVersion {
        tool_version: version(row.try_get("tool_version")?)?,
        definition_hash: row.try_get("definition_hash")?,
        published_at: row.try_get("published_at")?,
        yanked: yanked.then(|| reason.unwrap_or_default()),
        deprecation: told.map(|Json(told)| told.abroad(&publisher)),
    })
}
