//! Queries over installations, for the tenant that has them, and over dependents, for the publisher.

use crate::error::{QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::envelope::{Actor, ActorKind};
use domain::id::{InstallationId, TenantId, ToolId};
use domain::installation::{ForeignTool, Version, VersionReq, meant, parse_range};
use domain::tool::reference::Offer;
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use std::collections::HashMap;
use std::str::FromStr;

/// A tool of another tenant that this one has installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
    /// Which tool.
    pub tool: ForeignTool,
    /// Which of its versions.
    pub range: VersionReq,
    /// The version that the range means; none while the tool is not listed, or none is left.
    pub tool_version: Option<Version>,
    /// When it was installed.
    pub installed_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Who installed it.
    pub installed_by: Actor,
}

/// A tenant that has installed a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// The tenant.
    pub installer: TenantId,
    /// Which versions it uses.
    pub range: VersionReq,
    /// The version that the range means; none while the tool is not listed, or none is left.
    pub tool_version: Option<Version>,
    /// When it was installed.
    pub installed_at: DateTime<Utc>,
}

/// Beside each row the versions of its tool that are listed: what the range can mean.
const SELECT: &str =
    "SELECT installation_id, publisher, server, name, version_range, installed_at, updated_at,
        actor_kind, actor_id,
        ARRAY(SELECT jsonb_build_object('version', tool_version, 'yanked', yanked) FROM marketplace.versions
              WHERE versions.tenant = installations.publisher
                AND versions.tool_id = installations.tool_id) AS versions
     FROM marketplace.installations";

/// A page of the installations of the connection's tenant, by the names of the tools.
///
/// # Errors
/// [`QueryError`].
pub async fn installations(
    connection: &mut TenantConnection,
    page: &PageRequest,
) -> Result<Page<Installation>, QueryError> {
    let after = page.keyset()?;
    let (key, id) = after.map_or((None, None), |after| (Some(after.key), Some(after.id)));
    let statement = format!(
        "{SELECT} WHERE $1::text IS NULL OR (name, installation_id) > ($1, $2)
         ORDER BY name, installation_id LIMIT $3"
    );
    let query = sqlx::query(&statement)
        .bind(key)
        .bind(id)
        .bind(page.limit());
    let rows = query.fetch_all(&mut **connection).await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(read).collect();
    Ok(Page::cut(rows?, page.first, |row| {
        Keyset::encode(&row.tool.name, row.id.as_str())
    }))
}

/// Several installations of the connection's tenant in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn installations_by_id(
    connection: &mut TenantConnection,
    ids: &[InstallationId],
) -> Result<HashMap<InstallationId, Installation>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(InstallationId::as_str).collect();
    let statement = format!("{SELECT} WHERE installation_id = ANY ($1)");
    let query = sqlx::query(&statement).bind(ids);
    let rows = query.fetch_all(&mut **connection).await?;
    let read = |row| read(row).map(|installation| (installation.id.clone(), installation));
    rows.iter().map(read).collect()
}

/// All installations of the connection's tenant.
pub(super) async fn all_installations(
    connection: &mut TenantConnection,
) -> Result<Vec<Installation>, QueryError> {
    let rows = sqlx::query(SELECT).fetch_all(&mut **connection).await?;
    rows.iter().map(read).collect()
}

/// A part of the tenants that depend on several tools of the connection's tenant, by name, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn dependents_by_tool(
    connection: &mut TenantConnection,
    tools: &[ToolId],
    page: &PageRequest,
) -> Result<HashMap<ToolId, Page<Dependent>>, QueryError> {
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let after = page.keyset()?.map(|after| after.id);
    let rows = sqlx::query(
        "SELECT wanted.id, found.* FROM unnest($1::text[]) AS wanted (id) CROSS JOIN LATERAL (
             SELECT installer, version_range, installed_at,
                    ARRAY(SELECT jsonb_build_object('version', tool_version, 'yanked', yanked)
                          FROM marketplace.versions WHERE versions.tenant = dependents.tenant
                            AND versions.tool_id = dependents.tool_id) AS versions
             FROM marketplace.dependents
             WHERE tool_id = wanted.id AND ($2::text IS NULL OR installer > $2)
             ORDER BY installer LIMIT $3
         ) AS found",
    )
    .bind(ids)
    .bind(after)
    .bind(page.limit())
    .fetch_all(&mut **connection)
    .await?;
    let mut by_tool: HashMap<ToolId, Vec<Dependent>> = HashMap::new();
    for row in &rows {
        let tool = ToolId::parse(row.try_get::<String, _>("id")?).map_err(corrupt)?;
        by_tool.entry(tool).or_default().push(read_dependent(row)?);
    }
    let cursor = |row: &Dependent| Keyset::encode("", row.installer.as_str());
    let page = |rows| Page::cut(rows, page.first, cursor);
    Ok(by_tool
        .into_iter()
        .map(|(tool, rows)| (tool, page(rows)))
        .collect())
}

fn read(row: &PgRow) -> Result<Installation, QueryError> {
    let publisher: String = row.try_get("publisher")?;
    let id: String = row.try_get("installation_id")?;
    let kind: String = row.try_get("actor_kind")?;
    let (range, tool_version) = meant_by(row)?;
    Ok(Installation {
        id: id.try_into().map_err(corrupt)?,
        tool: ForeignTool {
            publisher: publisher.try_into().map_err(corrupt)?,
            server: row.try_get("server")?,
            name: row.try_get("name")?,
        },
        range,
        tool_version,
        installed_at: row.try_get("installed_at")?,
        updated_at: row.try_get("updated_at")?,
        installed_by: Actor {
            kind: ActorKind::from_str(&kind).map_err(corrupt)?,
            id: row.try_get("actor_id")?,
        },
    })
}

fn read_dependent(row: &PgRow) -> Result<Dependent, QueryError> {
    let installer: String = row.try_get("installer")?;
    let (range, tool_version) = meant_by(row)?;
    Ok(Dependent {
        installer: installer.try_into().map_err(corrupt)?,
        range,
        tool_version,
        installed_at: row.try_get("installed_at")?,
    })
}

/// A listed version that a range may mean.
#[derive(Deserialize)]
struct Candidate {
    version: Version,
    yanked: bool,
}

/// The range of a row, and which of the listed versions it means.
fn meant_by(row: &PgRow) -> Result<(VersionReq, Option<Version>), QueryError> {
    let range = parse_range(row.try_get("version_range")?).map_err(corrupt)?;
    let versions: Vec<Json<Candidate>> = row.try_get("versions")?;
    let offers: Vec<_> = versions
        .iter()
        .map(|Json(one)| Offer {
            version: &one.version,
            yanked: one.yanked,
        })
        .collect();
    let meant = meant(&range, &offers).cloned();
    Ok((range, meant))
}
