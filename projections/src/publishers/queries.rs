//! Queries over namespaces.

use crate::error::{QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::store::{Database, TenantConnection};
use chrono::{DateTime, Utc};
use domain::id::{PublisherId, TenantId, ToolId};
use domain::publisher::{KeyAlgorithm, Namespace, ProofMethod, PublicKey, challenge};
use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};
use std::collections::HashMap;
use std::str::FromStr;

const COLUMNS: &str = "publisher_id, namespace, nonce, status, holds, method, algorithm, public_key, \
                       reason, claimed_at, verified_at, updated_at";

/// How far a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublisherStatus {
    /// Claimed, and not proved yet.
    Claimed,
    /// Proved, and the tenant's.
    Verified,
    /// Proved, but another tenant had proved it before and still does.
    Contested,
    /// Was proved; a re-check did not find the key any more.
    Lapsed,
    /// Given up.
    Revoked,
}

/// A namespace of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Its id.
    pub id: PublisherId,
    /// The namespace.
    pub namespace: Namespace,
    /// How far it is.
    pub status: PublisherStatus,
    /// What is to be signed, with the moment behind it.
    pub challenge: String,
    /// How it was proved last.
    pub method: Option<ProofMethod>,
    /// The key that proved it last.
    pub public_key: Option<PublicKey>,
    /// Why it is lapsed or revoked.
    pub reason: Option<String>,
    /// When it was claimed.
    pub claimed_at: DateTime<Utc>,
    /// When it was proved last.
    pub verified_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Who stands behind a registry name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPublisher {
    /// The namespace that was proved: the name's own, or by DNS one above it.
    pub namespace: String,
    /// How it was proved.
    pub method: ProofMethod,
    /// When.
    pub verified_at: DateTime<Utc>,
}

/// A verified namespace of any tenant, as a re-check needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub tenant: TenantId,
    /// Its id.
    pub id: PublisherId,
    /// The namespace.
    pub namespace: Namespace,
    /// Where its key stands.
    pub method: ProofMethod,
    /// The key.
    pub public_key: PublicKey,
}

/// A condition on rows of `publishers.namespaces` or `publishers.marks`, called `publisher`: that the namespace
/// stands behind the registry name in an SQL expression. The one place that knows the rule: DNS speaks for the
/// domains below, HTTP does not.
fn stands_behind(registry_name: &str) -> String {
    format!(
        "(lower(split_part({registry_name}, '/', 1)) = publisher.namespace
         OR publisher.method = 'dns' AND starts_with(lower({registry_name}), publisher.namespace || '.'))"
    )
}

/// ` AND <the tenant's verified publisher does, or does not, stand behind the registry name in an SQL expression>`.
pub(crate) fn verified(wanted: bool, registry_name: &str) -> String {
    let not = if wanted { "" } else { "NOT " };
    format!(
        " AND {not}EXISTS (SELECT FROM publishers.namespaces AS publisher WHERE publisher.holds AND {})",
        stands_behind(registry_name)
    )
}

/// The same for the server of any tenant, which is an SQL expression, too.
pub(crate) fn marked(wanted: bool, registry_name: &str, tenant: &str) -> String {
    let not = if wanted { "" } else { "NOT " };
    format!(
        " AND {not}EXISTS (SELECT FROM publishers.marks AS publisher WHERE publisher.tenant = {tenant} AND {})",
        stands_behind(registry_name)
    )
}

/// The tenant's namespaces in the order of their names.
///
/// # Errors
/// [`QueryError`].
pub async fn publishers(
    connection: &mut TenantConnection,
    page: &PageRequest,
) -> Result<Page<Publisher>, QueryError> {
    let after = page.keyset()?.map(|keyset| keyset.key);
    let rows = sqlx::query(&format!(
        "SELECT {COLUMNS} FROM publishers.namespaces
         WHERE $1::text IS NULL OR namespace > $1 ORDER BY namespace LIMIT $2"
    ))
    .bind(after)
    .bind(page.limit())
    .fetch_all(&mut **connection)
    .await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let cursor = |row: &Publisher| Keyset::encode(row.namespace.as_str(), row.id.as_str());
    Ok(Page::cut(rows?, page.first, cursor))
}

/// Several namespaces in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn publishers_by_id(
    connection: &mut TenantConnection,
    ids: &[PublisherId],
) -> Result<HashMap<PublisherId, Publisher>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(PublisherId::as_str).collect();
    let rows = sqlx::query(&format!(
        "SELECT {COLUMNS} FROM publishers.namespaces WHERE publisher_id = ANY ($1)"
    ))
    .bind(ids)
    .fetch_all(&mut **connection)
    .await?;
    rows.iter()
        .map(|row| read(row).map(|publisher| (publisher.id.clone(), publisher)))
        .collect()
}

/// The verified publishers behind several registry names, in one statement; the nearest one where a
/// namespace and one above it are both verified.
///
/// # Errors
/// [`QueryError`].
pub async fn of_registry_names(
    connection: &mut TenantConnection,
    names: &[String],
) -> Result<HashMap<String, VerifiedPublisher>, QueryError> {
    let rows = sqlx::query(&format!(
        "SELECT DISTINCT ON (wanted.name) wanted.name, namespace, method, verified_at
         FROM unnest($1::text[]) AS wanted (name)
         JOIN publishers.namespaces AS publisher ON publisher.holds AND {}
         ORDER BY wanted.name, length(namespace) DESC",
        stands_behind("wanted.name")
    ))
    .bind(names)
    .fetch_all(&mut **connection)
    .await?;
    let read = |row: &PgRow| Ok((row.try_get("name")?, read_verified(row)?));
    rows.iter().map(read).collect()
}

/// The verified publishers of several tools, in one statement: of the connection's tenant, and of all others as
/// far as they are listed. A tool without one is absent. That the caller may see the tools is checked elsewhere.
///
/// # Errors
/// [`QueryError`].
pub async fn of_tools(
    connection: &mut TenantConnection,
    tools: &[ToolId],
) -> Result<HashMap<ToolId, VerifiedPublisher>, QueryError> {
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let rows = sqlx::query(&format!(
        "SELECT DISTINCT ON (tool.id) tool.id, namespace, method, verified_at
         FROM (SELECT tool_id AS id, tools.tenant, registry_name
               FROM catalog.tools JOIN catalog.servers USING (server_id) WHERE tool_id = ANY ($1)
               UNION
               SELECT tool_id, tenant, registry_name
               FROM marketplace.listings WHERE tool_id = ANY ($1)) AS tool
         JOIN publishers.marks AS publisher ON publisher.tenant = tool.tenant AND {}
         ORDER BY tool.id, length(namespace) DESC",
        stands_behind("tool.registry_name")
    ))
    .bind(ids)
    .fetch_all(&mut **connection)
    .await?;
    let read = |row: &PgRow| {
        let id: String = row.try_get("id")?;
        let id = ToolId::parse(id).map_err(corrupt)?;
        Ok((id, read_verified(row)?))
    };
    rows.iter().map(read).collect()
}

/// The namespace of the verified publisher behind the registry name of a tenant's server, the nearest one, or null.
/// All three are SQL expressions. `schema` is the model that is asked.
pub(crate) fn publisher_of(schema: &str, tenant: &str, registry_name: &str) -> String {
    format!(
        "(SELECT publisher.namespace FROM {schema}.namespaces AS publisher
          WHERE publisher.tenant = {tenant} AND publisher.holds AND {}
          ORDER BY length(publisher.namespace) DESC LIMIT 1)",
        stands_behind(registry_name)
    )
}

/// The verified namespaces of all tenants, contested ones included. For operators only.
///
/// # Errors
/// [`QueryError`].
pub async fn verified_everywhere(database: &Database) -> Result<Vec<Standing>, QueryError> {
    let mut connection = database.connect().await?;
    let rows = sqlx::query(
        "SELECT tenant, publisher_id, namespace, method, algorithm, public_key
         FROM publishers.namespaces WHERE status = 'verified' ORDER BY namespace, verified_from",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    let read = |row: &PgRow| {
        let method: String = row.try_get("method")?;
        Ok(Standing {
            tenant: TenantId::new(row.try_get::<String, _>("tenant")?).map_err(corrupt)?,
            id: PublisherId::parse(row.try_get::<String, _>("publisher_id")?).map_err(corrupt)?,
            namespace: Namespace::try_from(row.try_get::<String, _>("namespace")?)
                .map_err(corrupt)?,
            method: ProofMethod::from_str(&method).map_err(corrupt)?,
            public_key: read_key(row)?.ok_or_else(|| corrupt("verified without a key"))?,
        })
    };
    rows.iter().map(read).collect()
}

fn read_verified(row: &PgRow) -> Result<VerifiedPublisher, QueryError> {
    Ok(VerifiedPublisher {
        namespace: row.try_get("namespace")?,
        method: ProofMethod::from_str(row.try_get("method")?).map_err(corrupt)?,
        verified_at: row.try_get("verified_at")?,
    })
}

fn read(row: &PgRow) -> Result<Publisher, QueryError> {
    let namespace: String = row.try_get("namespace")?;
    let nonce: String = row.try_get("nonce")?;
    let method: Option<String> = row.try_get("method")?;
    let method = method.map(|method| ProofMethod::from_str(&method).map_err(corrupt));
    Ok(Publisher {
        id: PublisherId::parse(row.try_get::<String, _>("publisher_id")?).map_err(corrupt)?,
        challenge: challenge(&namespace, &nonce),
        namespace: Namespace::try_from(namespace).map_err(corrupt)?,
        status: read_status(row.try_get("status")?, row.try_get("holds")?)?,
        method: method.transpose()?,
        public_key: read_key(row)?,
        reason: row.try_get("reason")?,
        claimed_at: row.try_get("claimed_at")?,
        verified_at: row.try_get("verified_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn read_status(status: &str, holds: bool) -> Result<PublisherStatus, QueryError> {
    match (status, holds) {
        ("claimed", _) => Ok(PublisherStatus::Claimed),
        ("verified", true) => Ok(PublisherStatus::Verified),
        ("verified", false) => Ok(PublisherStatus::Contested),
        ("lapsed", _) => Ok(PublisherStatus::Lapsed),
        ("revoked", _) => Ok(PublisherStatus::Revoked),
        (other, _) => Err(corrupt(format!("unknown status {other}"))),
    }
}

fn read_key(row: &PgRow) -> Result<Option<PublicKey>, QueryError> {
    let algorithm: Option<String> = row.try_get("algorithm")?;
    let key: Option<String> = row.try_get("public_key")?;
    let (Some(algorithm), Some(key)) = (algorithm, key) else {
        return Ok(None);
    };
    let algorithm = KeyAlgorithm::from_str(&algorithm).map_err(corrupt)?;
    Ok(Some(PublicKey { algorithm, key }))
}
