//! Queries over servers.

use super::rows::{Server, Sortable, Status, read_server};
use super::{Sort, contains};
use crate::by_id::one_of;
use crate::error::QueryError;
use crate::moment::Moment;
use crate::page::{Keyset, Page, PageRequest};
use crate::publishers::verified;
use crate::store::TenantConnection;
use domain::id::ServerId;
use domain::server::Transport;
use sqlx::{Postgres, QueryBuilder};
use std::collections::HashMap;

const COLUMNS: &str = "server_id, slug, name, registry_name, description, homepage, license, transport, category, tags, \
                       status, retired_reason, registered_at, updated_at";

/// Which servers; an empty filter is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFilter {
    /// Part of slug, name or description, in any case.
    pub text: Option<String>,
    /// The category.
    pub category: Option<String>,
    /// One of the tags.
    pub tag: Option<String>,
    /// The transport.
    pub transport: Option<Transport>,
    /// Whether in use.
    pub status: Option<Status>,
    /// Whether a verified publisher stands behind its registry name, today.
    pub verified_publisher: Option<bool>,
}

impl ServerFilter {
    fn push(&self, query: &mut QueryBuilder<'_, Postgres>, moment: Moment) {
        query.push(format!(" FROM {}", rows(moment)));
        if let Some(text) = &self.text {
            let pattern = contains(text);
            query.push(" AND (slug ILIKE ").push_bind(pattern.clone());
            query.push(" OR name ILIKE ").push_bind(pattern.clone());
            query
                .push(" OR description ILIKE ")
                .push_bind(pattern)
                .push(")");
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
        if let Some(transport) = self.transport {
            query
                .push(" AND transport = ")
                .push_bind(transport.as_str());
        }
        if let Some(status) = self.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(wanted) = self.verified_publisher {
            query.push(verified(wanted, "servers.registry_name"));
        }
    }
}

/// The servers that there are at a moment.
fn rows(moment: Moment) -> String {
    moment.rows("catalog", "servers", COLUMNS)
}

/// A page of servers.
///
/// # Errors
/// [`QueryError`].
pub async fn servers(
    connection: &mut TenantConnection,
    filter: &ServerFilter,
    sort: Sort,
    page: &PageRequest,
) -> Result<Page<Server>, QueryError> {
    let moment = connection.moment();
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS}"));
    filter.push(&mut query, moment);
    sort.push_page(&mut query, "server_id", page)?;
    let query = query.build().persistent(moment.is_now());
    let rows = query.fetch_all(&mut **connection).await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(|row| read_server(row, moment)).collect();
    let cursor = |server: &Server| Keyset::encode(&server.key(sort.by), server.id.as_str());
    Ok(Page::cut(rows?, page.first, cursor))
}

/// How many servers.
///
/// # Errors
/// [`QueryError`].
pub async fn count_servers(
    connection: &mut TenantConnection,
    filter: &ServerFilter,
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

/// One server.
///
/// # Errors
/// [`QueryError`].
pub async fn server_by_slug(
    connection: &mut TenantConnection,
    slug: &str,
) -> Result<Option<Server>, QueryError> {
    let moment = connection.moment();
    let statement = format!("SELECT {COLUMNS} FROM {} AND slug = $1", rows(moment));
    let row = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(slug)
        .fetch_optional(&mut **connection)
        .await?;
    row.as_ref().map(|row| read_server(row, moment)).transpose()
}

/// Several servers in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn servers_by_id(
    connection: &mut TenantConnection,
    ids: &[ServerId],
) -> Result<HashMap<ServerId, Server>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(ServerId::as_str).collect();
    let moment = connection.moment();
    let statement = format!(
        "SELECT {COLUMNS} FROM {} AND {}",
        rows(moment),
        one_of("server_id", "$1", ids.len())
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(ids)
        .fetch_all(&mut **connection)
        .await?;
    rows.iter()
        .map(|row| read_server(row, moment).map(|server| (server.id.clone(), server)))
        .collect()
}
