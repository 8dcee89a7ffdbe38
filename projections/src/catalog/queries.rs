//! Queries over tools and their versions.

use super::rows::{Sortable, Status, Tool, ToolVersion, read_tool, read_version};
use super::{Order, Sort, contains};
use crate::access::corrupt;
use crate::error::QueryError;
use crate::page::{Keyset, Page, PageRequest};
use crate::store::TenantConnection;
use domain::id::{ServerId, ToolId};
use domain::tool::Visibility;
use sqlx::{Postgres, QueryBuilder, Row};
use std::collections::HashMap;

const COLUMNS: &str = "tool_id, server_id, server, name, title, description, input_schema, \
                       output_schema, definition_hash, tool_version, category, tags, visibility, \
                       status, retired_reason, registered_at, updated_at";

/// Which tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolFilter {
    /// Part of name, title or description, in any case.
    pub text: Option<String>,
    /// The slug of the server.
    pub server: Option<String>,
    /// The category.
    pub category: Option<String>,
    /// One of the tags.
    pub tag: Option<String>,
    /// Whether in use.
    pub status: Option<Status>,
    /// What the caller may see; nothing is seen when this is empty.
    pub visibilities: Vec<Visibility>,
}

impl ToolFilter {
    fn push(&self, query: &mut QueryBuilder<'_, Postgres>) {
        query.push(" FROM catalog.tools WHERE visibility = ANY (");
        query.push_bind(names(&self.visibilities)).push(")");
        if let Some(text) = &self.text {
            let pattern = contains(text);
            query.push(" AND (name ILIKE ").push_bind(pattern.clone());
            query.push(" OR title ILIKE ").push_bind(pattern.clone());
            query
                .push(" OR description ILIKE ")
                .push_bind(pattern)
                .push(")");
        }
        if let Some(server) = &self.server {
            query.push(" AND server = ").push_bind(server.clone());
        }
        if let Some(category) = &self.category {
            query.push(" AND category = ").push_bind(category.clone());
        }
        if let Some(tag) = &self.tag {
            query
                .push(" AND tags @> ARRAY[")
                .push_bind(tag.clone())
                .push("]");
        }
        if let Some(status) = self.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
    }
}

/// A page of tools.
///
/// # Errors
/// [`QueryError`].
pub async fn tools(
    connection: &mut TenantConnection,
    filter: &ToolFilter,
    sort: Sort,
    page: &PageRequest,
) -> Result<Page<Tool>, QueryError> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS}"));
    filter.push(&mut query);
    sort.push_page(&mut query, "tool_id", page)?;
    let rows = query.build().fetch_all(&mut **connection).await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(read_tool).collect();
    Ok(Page::cut(rows?, page.first, cursor(sort.by)))
}

/// How many tools.
///
/// # Errors
/// [`QueryError`].
pub async fn count_tools(
    connection: &mut TenantConnection,
    filter: &ToolFilter,
) -> Result<i64, QueryError> {
    let mut query = QueryBuilder::new("SELECT count(*)");
    filter.push(&mut query);
    Ok(query
        .build_query_scalar()
        .fetch_one(&mut **connection)
        .await?)
}

/// Several tools in one statement; those that the caller may not see are absent.
///
/// # Errors
/// [`QueryError`].
pub async fn tools_by_id(
    connection: &mut TenantConnection,
    ids: &[ToolId],
    visibilities: &[Visibility],
) -> Result<HashMap<ToolId, Tool>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(ToolId::as_str).collect();
    let statement = format!(
        "SELECT {COLUMNS} FROM catalog.tools WHERE tool_id = ANY ($1) AND visibility = ANY ($2)"
    );
    let rows = sqlx::query(&statement)
        .bind(ids)
        .bind(names(visibilities))
        .fetch_all(&mut **connection)
        .await?;
    rows.iter()
        .map(|row| read_tool(row).map(|tool| (tool.id.clone(), tool)))
        .collect()
}

/// The first tools of several servers by name, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn tools_by_server(
    connection: &mut TenantConnection,
    servers: &[ServerId],
    visibilities: &[Visibility],
    first: usize,
) -> Result<HashMap<ServerId, Page<Tool>>, QueryError> {
    let ids: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
    let statement = format!(
        "SELECT tools.* FROM unnest($1::text[]) AS wanted (id) CROSS JOIN LATERAL (
             SELECT {COLUMNS} FROM catalog.tools
             WHERE server_id = wanted.id AND visibility = ANY ($2) AND status = 'active'
             ORDER BY name, tool_id LIMIT $3
         ) AS tools"
    );
    let rows = sqlx::query(&statement)
        .bind(ids)
        .bind(names(visibilities))
        .bind(PageRequest::first(first).limit())
        .fetch_all(&mut **connection)
        .await?;
    let mut by_server: HashMap<ServerId, Vec<Tool>> = HashMap::new();
    for row in &rows {
        let tool = read_tool(row)?;
        by_server
            .entry(tool.server_id.clone())
            .or_default()
            .push(tool);
    }
    let page = |tools| Page::cut(tools, first, cursor(Order::Name));
    Ok(by_server
        .into_iter()
        .map(|(server, tools)| (server, page(tools)))
        .collect())
}

/// How many active tools several servers have, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn tool_counts(
    connection: &mut TenantConnection,
    servers: &[ServerId],
    visibilities: &[Visibility],
) -> Result<HashMap<ServerId, i64>, QueryError> {
    let ids: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
    let rows = sqlx::query(
        "SELECT server_id, count(*) FROM catalog.tools
         WHERE server_id = ANY ($1) AND visibility = ANY ($2) AND status = 'active' GROUP BY 1",
    )
    .bind(ids)
    .bind(names(visibilities))
    .fetch_all(&mut **connection)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let id = row.try_get::<String, _>(0)?.try_into().map_err(corrupt)?;
        Ok((id, row.try_get(1)?))
    };
    rows.iter().map(read).collect()
}

/// The versions of several tools, newest first, in one statement. That the caller may see the tools is
/// checked where they were read.
///
/// # Errors
/// [`QueryError`].
pub async fn versions_by_tool(
    connection: &mut TenantConnection,
    tools: &[ToolId],
) -> Result<HashMap<ToolId, Vec<ToolVersion>>, QueryError> {
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let rows = sqlx::query(
        "SELECT tool_id, tool_version, description, input_schema, output_schema, definition_hash,
                published_at, actor_kind, actor_id
         FROM catalog.tool_versions WHERE tool_id = ANY ($1) ORDER BY stream_sequence DESC",
    )
    .bind(ids)
    .fetch_all(&mut **connection)
    .await?;
    let mut by_tool: HashMap<ToolId, Vec<ToolVersion>> = HashMap::new();
    for row in &rows {
        let version = read_version(row)?;
        by_tool
            .entry(version.tool_id.clone())
            .or_default()
            .push(version);
    }
    Ok(by_tool)
}

fn names(visibilities: &[Visibility]) -> Vec<&'static str> {
    visibilities
        .iter()
        .map(|visibility| visibility.as_str())
        .collect()
}

fn cursor(order: Order) -> impl Fn(&Tool) -> String {
    move |tool| Keyset::encode(&tool.key(order), tool.id.as_str())
}
