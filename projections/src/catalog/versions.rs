//! Queries over the versions of tools. A definition is large and a tool has many versions, so what is said of
//! versions is read without their definitions, and these only for whom asks.
//!
//! That the caller may see the tools is checked where they were read.

use super::successors::keep_visible;
use super::tool_row::VersionMark;
use crate::error::{QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::sight::Sight;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::envelope::{Actor, ActorKind};
use domain::id::ToolId;
use domain::tool::ToolDefinition;
use domain::tool::reference::Offer;
use semver::Version;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use std::collections::HashMap;
use std::str::FromStr;

/// A published version of a tool, without its definition.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolVersion {
    /// The tool.
    pub tool_id: ToolId,
    /// Its version.
    pub tool_version: Version,
    /// The definition's identity.
    pub definition_hash: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Who published it.
    pub published_by: Actor,
    /// The aliases that stand at it, `latest` included.
    pub aliases: Vec<String>,
    /// What was said of it since.
    pub mark: VersionMark,
}

impl ToolVersion {
    /// As a reference may lead to it.
    #[must_use]
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            version: &self.tool_version,
            yanked: self.mark.yanked.is_some(),
        }
    }
}

/// All versions of several tools, newest first, in one statement; successors that the caller may not see are not
/// told.
///
/// # Errors
/// [`QueryError`].
pub async fn versions_by_tool(
    connection: &mut TenantConnection,
    tools: &[ToolId],
    sight: &Sight,
) -> Result<HashMap<ToolId, Vec<ToolVersion>>, QueryError> {
    let all = PageRequest::first(usize::MAX);
    let found = select(connection, tools, sight, &all).await?;
    let versions = |rows: Vec<(i64, ToolVersion)>| rows.into_iter().map(|(_, row)| row).collect();
    Ok(found
        .into_iter()
        .map(|(tool, rows)| (tool, versions(rows)))
        .collect())
}

/// The same part of the versions of several tools, newest first, in one statement; successors that the caller may
/// not see are not told.
///
/// # Errors
/// [`QueryError`].
pub async fn version_pages(
    connection: &mut TenantConnection,
    tools: &[ToolId],
    sight: &Sight,
    page: &PageRequest,
) -> Result<HashMap<ToolId, Page<ToolVersion>>, QueryError> {
    let found = select(connection, tools, sight, page).await?;
    let cut = |rows: Vec<(i64, ToolVersion)>| {
        let cursor = |(at, row): &(i64, ToolVersion)| {
            Keyset::encode(&at.to_string(), &row.tool_version.to_string())
        };
        Page::cut(rows, page.first, cursor).map(|(_, row)| row)
    };
    Ok(found
        .into_iter()
        .map(|(tool, rows)| (tool, cut(rows)))
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
        "SELECT v.tool_id, v.tool_version, v.description, v.input_schema, v.output_schema, v.annotations
         FROM catalog.tool_versions AS v JOIN unnest($1::text[], $2::text[]) AS wanted (id, version)
           ON v.tool_id = wanted.id AND v.tool_version = wanted.version",
    )
    .bind(ids)
    .bind(versions)
    .fetch_all(&mut **connection)
    .await?;
    let read = |row: &PgRow| {
        let key = (tool_id(row)?, tool_version(row)?);
        Ok((key, read_definition(row)?))
    };
    rows.iter().map(read).collect()
}

/// A published version stays as it is: what holds at a moment is what was published until then. What was said of it
/// since stands in the tool's row, which knows its past.
async fn select(
    connection: &mut TenantConnection,
    tools: &[ToolId],
    sight: &Sight,
    page: &PageRequest,
) -> Result<HashMap<ToolId, Vec<(i64, ToolVersion)>>, QueryError> {
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let (at, version) = behind(page)?.unzip();
    let moment = connection.moment();
    let statement = format!(
        "SELECT v.*, t.version_marks -> v.tool_version AS mark,
                ARRAY(SELECT 'latest' WHERE v.tool_version = t.tool_version
                      UNION ALL
                      (SELECT key FROM jsonb_each_text(t.aliases) WHERE value = v.tool_version ORDER BY key)
                ) AS standing
         FROM (SELECT DISTINCT unnest($1::text[])) AS wanted (id)
         JOIN (SELECT tool_id, tool_version, aliases, version_marks FROM {} AND tool_id = ANY ($1)) AS t
           ON t.tool_id = wanted.id
         CROSS JOIN LATERAL (
             SELECT tool_id, tool_version, definition_hash, published_at, actor_kind, actor_id, stream_sequence
             FROM catalog.tool_versions WHERE tool_id = wanted.id{}
               AND ($2::bigint IS NULL OR (stream_sequence, tool_version) < ($2, $3))
             ORDER BY stream_sequence DESC, tool_version DESC LIMIT $4
         ) AS v
         ORDER BY v.stream_sequence DESC, v.tool_version DESC",
        moment.rows("catalog", "tools", "tool_id, tool_version, aliases, version_marks"),
        moment.since("stream_sequence")
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(ids)
        .bind(at)
        .bind(version)
        .bind(page.limit())
        .fetch_all(&mut **connection)
        .await?;
    let mut by_tool: HashMap<ToolId, Vec<(i64, ToolVersion)>> = HashMap::new();
    for row in &rows {
        let version = read_version(row)?;
        let versions = by_tool.entry(version.tool_id.clone()).or_default();
        versions.push((row.try_get("stream_sequence")?, version));
    }
    let versions = by_tool.values_mut().flatten();
    let told = versions.filter_map(|(_, version)| version.mark.deprecation.as_mut());
    keep_visible(connection, sight, told.collect()).await?;
    Ok(by_tool)
}

/// Where a page of versions goes on.
fn behind(page: &PageRequest) -> Result<Option<(i64, String)>, QueryError> {
    let Some(after) = page.keyset()? else {
        return Ok(None);
    };
    let at = after.key.parse().map_err(|_| QueryError::InvalidCursor)?;
    Ok(Some((at, after.id)))
}

fn tool_id(row: &PgRow) -> Result<ToolId, QueryError> {
    row.try_get::<String, _>("tool_id")?
        .try_into()
        .map_err(corrupt)
}

fn tool_version(row: &PgRow) -> Result<Version, QueryError> {
    let text: &str = row.try_get("tool_version")?;
    text.parse().map_err(corrupt)
}

fn read_version(row: &PgRow) -> Result<ToolVersion, QueryError> {
    let kind: String = row.try_get("actor_kind")?;
    Ok(ToolVersion {
        tool_id: tool_id(row)?,
        tool_version: tool_version(row)?,
        definition_hash: row.try_get("definition_hash")?,
        published_at: row.try_get("published_at")?,
        published_by: Actor {
            kind: ActorKind::from_str(&kind).map_err(corrupt)?,
            id: row.try_get("actor_id")?,
        },
        aliases: row.try_get("standing")?,
        mark: row
            .try_get::<Option<Json<VersionMark>>, _>("mark")?
            .map(|Json(mark)| mark)
            .unwrap_or_default(),
    })
}

/// The definition in a row that has its columns.
pub(crate) fn read_definition(row: &PgRow) -> Result<ToolDefinition, QueryError> {
    Ok(ToolDefinition {
        description: row.try_get("description")?,
        input_schema: row.try_get("input_schema")?,
        output_schema: row.try_get("output_schema")?,
        annotations: row.try_get("annotations")?,
    })
}
