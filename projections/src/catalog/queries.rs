//! Queries over tools.

use super::rows::{READ_COLUMNS as COLUMNS, Sortable, Status, Tool, read_tool};
use super::successors::{keep_visible, told};
use super::{Order, Sort, contains};
use crate::by_id::one_of;
use crate::checkpoint::to_u64;
use crate::error::{QueryError, corrupt};
use crate::moment::Moment;
use crate::page::{Keyset, Page, PageRequest};
use crate::publishers::verified;
use crate::sight::{Sight, seen};
use crate::store::TenantConnection;
use domain::id::{ServerId, ToolId};
use sqlx::{Postgres, QueryBuilder, Row};
use std::collections::HashMap;

/// The registry name of a tool's server, as it is today.
const OFFERED_AS: &str = "(SELECT registry_name FROM catalog.servers AS offering
                           WHERE offering.server_id = tools.server_id)";

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
    /// Whether a verified publisher stands behind its server's registry name, today.
    pub verified_publisher: Option<bool>,
    /// The team that it belongs to.
    pub team: Option<String>,
    /// What the caller may see.
    pub sight: Sight,
}

impl ToolFilter {
    pub(super) fn push(&self, query: &mut QueryBuilder<'_, Postgres>, moment: Moment) {
        query.push(format!(" FROM {}", rows(moment)));
        self.sight.push(query, "tools");
        query.push(visible_today(moment, &self.sight));
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
        if let Some(team) = &self.team {
            query.push(" AND team = ").push_bind(team.clone());
        }
        if let Some(status) = self.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(wanted) = self.verified_publisher {
            query.push(verified(wanted, OFFERED_AS));
        }
    }
}

/// The tools that there are at a moment.
pub(super) fn rows(moment: Moment) -> String {
    moment.rows("catalog", "tools", COLUMNS)
}

/// What a caller may not see today, it does not see by looking back either: hiding a tool hides its past.
pub(super) fn visible_today(moment: Moment, sight: &Sight) -> String {
    match sight.written_out("today") {
        Some(seen) if !moment.is_now() => format!(
            " AND EXISTS (SELECT FROM catalog.tools AS today WHERE today.tool_id = tools.tool_id AND {seen})"
        ),
        Some(_) | None => String::new(),
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
    let moment = connection.moment();
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS}"));
    filter.push(&mut query, moment);
    sort.push_page(&mut query, "tool_id", page)?;
    let query = query.build().persistent(moment.is_now());
    let rows = query.fetch_all(&mut **connection).await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(|row| read_tool(row, moment)).collect();
    let mut rows = rows?;
    let said = rows.iter_mut().flat_map(told).collect();
    keep_visible(connection, &filter.sight, said).await?;
    Ok(Page::cut(rows, page.first, cursor(sort.by)))
}

/// How many tools.
///
/// # Errors
/// [`QueryError`].
pub async fn count_tools(
    connection: &mut TenantConnection,
    filter: &ToolFilter,
) -> Result<i64, QueryError> {
    let moment = connection.moment();
    let mut query = QueryBuilder::new("SELECT count(*)");
    filter.push(&mut query, moment);
    Ok(query
        .build_query_scalar()
        .persistent(moment.is_now())
        .fetch_one(&mut **connection)
        .await?)
}

/// The last position at which one of the tools changed; none when there are none. As of it, what of now is filtered by nothing but
/// a server is what it is now: nothing of it has changed since.
///
/// # Errors
/// [`QueryError`].
pub async fn last_change(
    connection: &mut TenantConnection,
    filter: &ToolFilter,
) -> Result<Option<u64>, QueryError> {
    let moment = connection.moment();
    let mut query = QueryBuilder::new("SELECT max(valid_from)");
    filter.push(&mut query, moment);
    let last: Option<i64> = query
        .build_query_scalar()
        .persistent(moment.is_now())
        .fetch_one(&mut **connection)
        .await?;
    Ok(last.map(to_u64))
}

/// Several tools in one statement; those that the caller may not see are absent.
///
/// # Errors
/// [`QueryError`].
pub async fn tools_by_id(
    connection: &mut TenantConnection,
    ids: &[ToolId],
    sight: &Sight,
) -> Result<HashMap<ToolId, Tool>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(ToolId::as_str).collect();
    let moment = connection.moment();
    let statement = format!(
        "SELECT {COLUMNS} FROM {} AND {} AND {}{}",
        rows(moment),
        one_of("tool_id", "$1", ids.len()),
        seen("tools", "$2"),
        visible_today(moment, sight)
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(ids)
        .bind(sight.audiences())
        .fetch_all(&mut **connection)
        .await?;
    let tools: Result<HashMap<_, _>, _> = rows
        .iter()
        .map(|row| read_tool(row, moment).map(|tool| (tool.id.clone(), tool)))
        .collect();
    let mut tools = tools?;
    let said = tools.values_mut().flat_map(told).collect();
    keep_visible(connection, sight, said).await?;
    Ok(tools)
}

/// The first tools of several servers by name, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn tools_by_server(
    connection: &mut TenantConnection,
    servers: &[ServerId],
    sight: &Sight,
    first: usize,
) -> Result<HashMap<ServerId, Page<Tool>>, QueryError> {
    let ids: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
    let moment = connection.moment();
    let statement = format!(
        "SELECT tools.* FROM unnest($1::text[]) AS wanted (id) CROSS JOIN LATERAL (
             SELECT {COLUMNS} FROM {}
             AND server_id = wanted.id AND {} AND status = 'active'{}
             ORDER BY name, tool_id LIMIT $3
         ) AS tools",
        rows(moment),
        seen("tools", "$2"),
        visible_today(moment, sight)
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(ids)
        .bind(sight.audiences())
        .bind(PageRequest::first(first).limit())
        .fetch_all(&mut **connection)
        .await?;
    let mut by_server: HashMap<ServerId, Vec<Tool>> = HashMap::new();
    for row in &rows {
        let tool = read_tool(row, moment)?;
        by_server
            .entry(tool.server_id.clone())
            .or_default()
            .push(tool);
    }
    let said = by_server.values_mut().flatten().flat_map(told).collect();
    keep_visible(connection, sight, said).await?;
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
    sight: &Sight,
) -> Result<HashMap<ServerId, i64>, QueryError> {
    let ids: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
    let moment = connection.moment();
    let statement = format!(
        "SELECT server_id, count(*) FROM {}
         AND server_id = ANY ($1) AND {} AND status = 'active'{} GROUP BY 1",
        rows(moment),
        seen("tools", "$2"),
        visible_today(moment, sight)
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(ids)
        .bind(sight.audiences())
        .fetch_all(&mut **connection)
        .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let id = row.try_get::<String, _>(0)?.try_into().map_err(corrupt)?;
        Ok((id, row.try_get(1)?))
    };
    rows.iter().map(read).collect()
}

fn cursor(order: Order) -> impl Fn(&Tool) -> String {
    move |tool| Keyset::encode(&tool.key(order), tool.id.as_str())
}
