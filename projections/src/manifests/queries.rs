//! Queries over the versions of servers.

use crate::catalog::contains;
use crate::error::{QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::id::ServerId;
use domain::server::{ManifestStatus, Mirrored};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row};
use std::collections::HashMap;
use std::str::FromStr;

const COLUMNS: &str = "server_id, server_version, slug, name, manifest, status, status_message, \
                       status_changed_at, published_at, updated_at, is_latest, retired_from, \
                       mirrored->>'registry' AS mirrored_from";
/// Most versions of one server in one answer, the newest.
const MOST_VERSIONS: i64 = 1_000;

/// A version of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerVersion {
    /// The server.
    pub server_id: String,
    /// The server's name in its tenant.
    pub slug: String,
    /// The server's name in registries.
    pub name: String,
    /// The version.
    pub server_version: String,
    /// The `server.json` document.
    pub manifest: Value,
    /// Whether it is to be used.
    pub status: ManifestStatus,
    /// Why.
    pub status_message: Option<String>,
    /// Since when.
    pub status_changed_at: DateTime<Utc>,
    /// When it was published here.
    pub published_at: DateTime<Utc>,
    /// When something about it changed here.
    pub updated_at: DateTime<Utc>,
    /// Whether it is the server's newest.
    pub is_latest: bool,
    /// The address of the registry that a mirror took it from; none for what was published here.
    pub mirrored_from: Option<String>,
    /// Of a server that is retired: status and message before, which come back with it.
    pub retired_from: Option<(ManifestStatus, Option<String>)>,
}

impl ServerVersion {
    /// What several servers have published, the last published first, deleted versions included, in one statement.
    /// A server that has published nothing has no entry: what its profile makes of it was not published.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn published_by(
        connection: &mut TenantConnection,
        servers: &[ServerId],
        page: &PageRequest,
    ) -> Result<HashMap<ServerId, Page<Self>>, QueryError> {
        let ids: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
        let (at, version) = behind(page)?.unzip();
        let statement = format!(
            "SELECT published.* FROM (SELECT DISTINCT unnest($1::text[])) AS wanted (id)
             CROSS JOIN LATERAL (
                 SELECT {COLUMNS}, published_sequence FROM manifests.versions
                 WHERE server_id = wanted.id AND NOT from_profile
                   AND ($2::bigint IS NULL OR (published_sequence, server_version) < ($2, $3))
                 ORDER BY published_sequence DESC, server_version DESC LIMIT $4
             ) AS published
             ORDER BY published.published_sequence DESC, published.server_version DESC"
        );
        let rows = sqlx::query(&statement)
            .bind(ids)
            .bind(at)
            .bind(version)
            .bind(page.limit())
            .fetch_all(&mut **connection)
            .await?;
        let mut by_server: HashMap<ServerId, Vec<(i64, Self)>> = HashMap::new();
        for row in &rows {
            let version = read(row)?;
            let server = ServerId::parse(version.server_id.as_str()).map_err(corrupt)?;
            let of_server = by_server.entry(server).or_default();
            of_server.push((row.try_get("published_sequence")?, version));
        }
        let cursor =
            |(at, version): &(i64, Self)| Keyset::encode(&at.to_string(), &version.server_version);
        let cut = |(server, rows): (ServerId, Vec<(i64, Self)>)| {
            let page = Page::cut(rows, page.first, cursor);
            (server, page.map(|(_, version)| version))
        };
        Ok(by_server.into_iter().map(cut).collect())
    }
}

/// Which version of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionName {
    /// The newest.
    Latest,
    /// This one.
    Exact(String),
}

/// Which versions; an empty filter is all that are not deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionFilter {
    /// Part of the name, in any case.
    pub search: Option<String>,
    /// Changed at this time or later.
    pub updated_since: Option<DateTime<Utc>>,
    /// Which of each server.
    pub version: Option<VersionName>,
    /// With those that are deleted.
    pub include_deleted: bool,
}

/// A page of versions, by name and version: a row keeps its place whatever is written meanwhile.
///
/// # Errors
/// [`QueryError`].
pub async fn versions(
    connection: &mut TenantConnection,
    filter: &VersionFilter,
    page: &PageRequest,
) -> Result<Page<ServerVersion>, QueryError> {
    let mut query = select(filter.include_deleted);
    if let Some(text) = &filter.search {
        query.push(" AND name ILIKE ").push_bind(contains(text));
    }
    if let Some(since) = filter.updated_since {
        query.push(" AND updated_at >= ").push_bind(since);
    }
    push_version(&mut query, filter.version.as_ref());
    if let Some(after) = page.keyset()? {
        let (name, version) = after.key.split_once(' ').ok_or(QueryError::InvalidCursor)?;
        query.push(" AND (name, server_version, server_id) > (");
        query.push_bind(name.to_owned()).push(", ");
        query.push_bind(version.to_owned()).push(", ");
        query.push_bind(after.id).push(")");
    }
    query.push(" ORDER BY name, server_version, server_id LIMIT ");
    query.push_bind(page.limit());
    let rows = fetch(connection, query).await?;
    // A name holds no space, so the first one separates it from the version.
    let cursor = |row: &ServerVersion| {
        Keyset::encode(
            &format!("{} {}", row.name, row.server_version),
            &row.server_id,
        )
    };
    Ok(Page::cut(rows, page.first, cursor))
}

/// The versions of the server with this name, the last published first.
///
/// # Errors
/// [`QueryError`].
pub async fn versions_of(
    connection: &mut TenantConnection,
    name: &str,
    include_deleted: bool,
) -> Result<Vec<ServerVersion>, QueryError> {
    let mut query = select(include_deleted);
    query.push(" AND name = ").push_bind(name.to_owned());
    query.push(" ORDER BY published_sequence DESC, server_version LIMIT ");
    query.push_bind(MOST_VERSIONS);
    fetch(connection, query).await
}

/// One version of the server with this name. When several servers claim the name, the one that published
/// the version first has it.
///
/// # Errors
/// [`QueryError`].
pub async fn version_of(
    connection: &mut TenantConnection,
    name: &str,
    version: &VersionName,
    include_deleted: bool,
) -> Result<Option<ServerVersion>, QueryError> {
    let mut query = select(include_deleted);
    query.push(" AND name = ").push_bind(name.to_owned());
    push_version(&mut query, Some(version));
    query.push(" ORDER BY published_sequence LIMIT 1");
    Ok(fetch(connection, query).await?.pop())
}

/// Where the mirror of a registry stood when it last wrote something; none before.
///
/// # Errors
/// [`QueryError`].
pub async fn last_mirrored(
    connection: &mut TenantConnection,
    registry: &str,
) -> Result<Option<Mirrored>, QueryError> {
    let last: Option<Json<Mirrored>> = sqlx::query_scalar(
        "SELECT mirrored FROM manifests.versions
         WHERE mirrored_sequence IS NOT NULL AND mirrored->>'registry' = $1
         ORDER BY mirrored_sequence DESC LIMIT 1",
    )
    .bind(registry)
    .fetch_optional(&mut **connection)
    .await?;
    Ok(last.map(|Json(mirrored)| mirrored))
}

/// Where a page of what a server has published goes on.
fn behind(page: &PageRequest) -> Result<Option<(i64, String)>, QueryError> {
    let Some(after) = page.keyset()? else {
        return Ok(None);
    };
    let at = after.key.parse().map_err(|_| QueryError::InvalidCursor)?;
    Ok(Some((at, after.id)))
}

fn select(include_deleted: bool) -> QueryBuilder<'static, Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM manifests.versions"));
    query.push(" WHERE (status <> ");
    query.push_bind(ManifestStatus::Deleted.as_str());
    query.push(" OR ").push_bind(include_deleted).push(")");
    query
}

fn push_version(query: &mut QueryBuilder<'_, Postgres>, version: Option<&VersionName>) {
    match version {
        None => {}
        Some(VersionName::Latest) => drop(query.push(" AND is_latest")),
        Some(VersionName::Exact(version)) => {
            query
                .push(" AND server_version = ")
                .push_bind(version.clone());
        }
    }
}

async fn fetch(
    connection: &mut TenantConnection,
    mut query: QueryBuilder<'_, Postgres>,
) -> Result<Vec<ServerVersion>, QueryError> {
    let rows = query.build().fetch_all(&mut **connection).await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<ServerVersion, QueryError> {
    let status: String = row.try_get("status")?;
    let retired_from: Option<Json<_>> = row.try_get("retired_from")?;
    Ok(ServerVersion {
        server_id: row.try_get("server_id")?,
        server_version: row.try_get("server_version")?,
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        manifest: row.try_get("manifest")?,
        status: ManifestStatus::from_str(&status).map_err(corrupt)?,
        status_message: row.try_get("status_message")?,
        status_changed_at: row.try_get("status_changed_at")?,
        published_at: row.try_get("published_at")?,
        updated_at: row.try_get("updated_at")?,
        is_latest: row.try_get("is_latest")?,
        mirrored_from: row.try_get("mirrored_from")?,
        retired_from: retired_from.and_then(|Json(before)| before),
    })
}
