//! Queries over listings. They see what is listed and nothing else, of every tenant: row-level security
//! says so, and no statement here has to.

use super::version;
use crate::access::corrupt;
use crate::error::QueryError;
use crate::page::{Keyset, Page, PageRequest};
use crate::publishers::marked;
use crate::reviews::average_of;
use crate::store::TenantConnection;
use chrono::{DateTime, Utc};
use domain::id::{TenantId, ToolId};
use domain::installation::{ForeignReference, ForeignTool, Version};
use domain::tool::reference::Offer;
use domain::tool::{Alias, Deprecation};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row};
use std::collections::{BTreeMap, HashMap};

/// A tool that a tenant offers to all others, with one of its definitions: the current version's, or the
/// one that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The tool's id.
    pub id: ToolId,
    /// How it is named by other tenants.
    pub reference: ForeignTool,
    /// The server's name for people.
    pub server_name: String,
    /// The server's name across registries, if it has one.
    pub registry_name: Option<String>,
    /// A title for people.
    pub title: Option<String>,
    /// One word to group by.
    pub category: Option<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// The names that stand at versions; `latest`, which follows by itself, is not among them.
    pub aliases: BTreeMap<Alias, Version>,
    /// What those are told who use any version of it.
    pub deprecation: Option<Deprecation>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The definition.
    pub version: ListedVersion,
}

impl Listing {
    /// What those are told who use a version: what is said of the version comes before what is said of the
    /// whole tool.
    #[must_use]
    pub fn deprecation_of<'l>(&'l self, version: &'l ListedVersion) -> Option<&'l Deprecation> {
        let own = version.deprecation.as_ref();
        own.or(self.deprecation.as_ref())
    }

    /// How a version is named for ever: `@publisher/server/name@1.2.3`.
    #[must_use]
    pub fn exact(&self, version: &ListedVersion) -> String {
        format!("{}@{}", self.reference, version.tool_version)
    }
}

/// A published definition of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVersion {
    /// Its version.
    pub tool_version: Version,
    /// What the tool does.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result.
    pub output_schema: Option<Value>,
    /// Hints about its behaviour.
    pub annotations: Option<Value>,
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

/// Which listings; all conditions together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListingFilter {
    /// Of this tenant.
    pub publisher: Option<TenantId>,
    /// Of this category.
    pub category: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Whether the publisher's namespace is proved, behind the registry name of the tool's server.
    pub verified_publisher: Option<bool>,
    /// Rated with this many stars on average, or more. What nobody has rated is not among them.
    pub min_rating: Option<f64>,
}

impl ListingFilter {
    fn push(&self, query: &mut QueryBuilder<'_, Postgres>) {
        query.push(" WHERE listings.listed");
        if let Some(publisher) = &self.publisher {
            let publisher = publisher.as_str().to_owned();
            query.push(" AND listings.tenant = ").push_bind(publisher);
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
        if let Some(wanted) = self.verified_publisher {
            let (name, tenant) = ("listings.registry_name", "listings.tenant");
            query.push(marked(wanted, name, tenant));
        }
        if let Some(least) = self.min_rating {
            query.push(" AND ").push(average_of("listings.tool_id"));
            query.push(" >= ").push_bind(least);
        }
    }
}

const COLUMNS: &str = "tool_id, listings.tenant, server, server_name, registry_name, name, title, category, tags, \
                       aliases, listings.deprecation AS tool_deprecation, updated_at, versions.tool_version, \
                       description, input_schema, output_schema, annotations, definition_hash, published_at, \
                       yanked, yanked_reason, versions.deprecation";
const CURRENT: &str =
    "marketplace.listings JOIN marketplace.versions USING (tenant, tool_id, tool_version)";

/// A page of listings by name.
///
/// # Errors
/// [`QueryError`].
pub async fn listings(
    connection: &mut TenantConnection,
    filter: &ListingFilter,
    page: &PageRequest,
) -> Result<Page<Listing>, QueryError> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM {CURRENT}"));
    filter.push(&mut query);
    if let Some(after) = page.keyset()? {
        query.push(" AND (name, tool_id) > (").push_bind(after.key);
        query.push(", ").push_bind(after.id).push(")");
    }
    query.push(" ORDER BY name, tool_id LIMIT ");
    query.push_bind(page.limit());
    let rows = query.build().fetch_all(&mut **connection).await?;
    let rows: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let mut rows = rows?;
    keep_offered(connection, rows.iter_mut().flat_map(told).collect()).await?;
    Ok(Page::cut(rows, page.first, |listing| {
        Keyset::encode(&listing.reference.name, listing.id.as_str())
    }))
}

/// How many listings.
///
/// # Errors
/// [`QueryError`].
pub async fn count_listings(
    connection: &mut TenantConnection,
    filter: &ListingFilter,
) -> Result<i64, QueryError> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM marketplace.listings");
    filter.push(&mut query);
    let count = query.build_query_scalar().fetch_one(&mut **connection);
    Ok(count.await?)
}

/// Several listings in one statement; those that are not listed are absent.
///
/// # Errors
/// [`QueryError`].
pub async fn listings_by_id(
    connection: &mut TenantConnection,
    ids: &[ToolId],
) -> Result<HashMap<ToolId, Listing>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(ToolId::as_str).collect();
    let statement =
        format!("SELECT {COLUMNS} FROM {CURRENT} WHERE listings.listed AND tool_id = ANY ($1)");
    let query = sqlx::query(&statement).bind(ids);
    let rows = query.fetch_all(&mut **connection).await?;
    by_id(connection, &rows).await
}

/// Several listings, each with the definition of one version, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn listings_at(
    connection: &mut TenantConnection,
    wanted: &[(&ToolId, &Version)],
) -> Result<HashMap<ToolId, Listing>, QueryError> {
    let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
    let versions: Vec<String> = wanted.iter().map(|(_, v)| v.to_string()).collect();
    let statement = format!(
        "SELECT {COLUMNS} FROM marketplace.listings JOIN marketplace.versions USING (tenant, tool_id)
         JOIN unnest($1::text[], $2::text[]) AS wanted (id, version)
           ON tool_id = wanted.id AND versions.tool_version = wanted.version
         WHERE listings.listed"
    );
    let query = sqlx::query(&statement).bind(ids).bind(versions);
    let rows = query.fetch_all(&mut **connection).await?;
    by_id(connection, &rows).await
}

/// The versions of several listings, highest first, yanked ones included, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn versions_by_listing(
    connection: &mut TenantConnection,
    listings: &[ToolId],
) -> Result<HashMap<ToolId, Vec<ListedVersion>>, QueryError> {
    let ids: Vec<&str> = listings.iter().map(ToolId::as_str).collect();
    let rows = sqlx::query(
        "SELECT versions.* FROM marketplace.listings JOIN marketplace.versions USING (tenant, tool_id)
         WHERE listings.listed AND tool_id = ANY ($1)",
    )
    .bind(ids)
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
    for versions in by_listing.values_mut() {
        versions.sort_by(|a, b| b.tool_version.cmp(&a.tool_version));
    }
    Ok(by_listing)
}

async fn by_id(
    connection: &mut TenantConnection,
    rows: &[PgRow],
) -> Result<HashMap<ToolId, Listing>, QueryError> {
    let rows: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let mut rows = rows?;
    keep_offered(connection, rows.iter_mut().flat_map(told).collect()).await?;
    let keyed = |listing: Listing| (listing.id.clone(), listing);
    Ok(rows.into_iter().map(keyed).collect())
}

/// What is said of a listing, and of the version that it is shown in.
fn told(listing: &mut Listing) -> impl Iterator<Item = &mut Deprecation> {
    let of_version = &mut listing.version.deprecation;
    listing.deprecation.iter_mut().chain(of_version)
}

/// A successor that is not offered itself is not told: nobody could install it, and its name is its tenant's.
async fn keep_offered(
    connection: &mut TenantConnection,
    told: Vec<&mut Deprecation>,
) -> Result<(), QueryError> {
    let successor = |told: &Deprecation| {
        let named = ForeignReference::parse(told.successor.as_deref()?);
        Some(named.ok()??.tool.tool_id())
    };
    let ids: Vec<ToolId> = told.iter().filter_map(|told| successor(told)).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = ids.iter().map(ToolId::as_str).collect();
    let statement = "SELECT tool_id FROM marketplace.listings WHERE listed AND tool_id = ANY ($1)";
    let offered: Vec<String> = sqlx::query_scalar(statement)
        .bind(ids)
        .fetch_all(&mut **connection)
        .await?;
    for told in told {
        let is_offered = |id: ToolId| offered.iter().any(|one| one == id.as_str());
        if !successor(told).is_some_and(is_offered) {
            told.successor = None;
        }
    }
    Ok(())
}

fn tool_id(row: &PgRow) -> Result<ToolId, QueryError> {
    ToolId::parse(row.try_get::<String, _>("tool_id")?).map_err(corrupt)
}

fn read(row: &PgRow) -> Result<Listing, QueryError> {
    let publisher: String = row.try_get("tenant")?;
    let publisher = TenantId::new(publisher).map_err(corrupt)?;
    let Json(aliases) = row.try_get("aliases")?;
    let told: Option<Json<Deprecation>> = row.try_get("tool_deprecation")?;
    Ok(Listing {
        id: tool_id(row)?,
        server_name: row.try_get("server_name")?,
        registry_name: row.try_get("registry_name")?,
        title: row.try_get("title")?,
        category: row.try_get("category")?,
        tags: row.try_get("tags")?,
        aliases,
        deprecation: told.map(|Json(told)| told.abroad(&publisher)),
        updated_at: row.try_get("updated_at")?,
        version: read_version(row)?,
        reference: ForeignTool {
            publisher,
            server: row.try_get("server")?,
            name: row.try_get("name")?,
        },
    })
}

fn read_version(row: &PgRow) -> Result<ListedVersion, QueryError> {
    let publisher: String = row.try_get("tenant")?;
    let publisher = TenantId::new(publisher).map_err(corrupt)?;
    let yanked: bool = row.try_get("yanked")?;
    let reason: Option<String> = row.try_get("yanked_reason")?;
    let told: Option<Json<Deprecation>> = row.try_get("deprecation")?;
    Ok(ListedVersion {
        tool_version: version(row.try_get("tool_version")?)?,
        description: row.try_get("description")?,
        input_schema: row.try_get("input_schema")?,
        output_schema: row.try_get("output_schema")?,
        annotations: row.try_get("annotations")?,
        definition_hash: row.try_get("definition_hash")?,
        published_at: row.try_get("published_at")?,
        yanked: yanked.then(|| reason.unwrap_or_default()),
        deprecation: told.map(|Json(told)| told.abroad(&publisher)),
    })
}
