//! Queries over listings. They see what is listed and nothing else, of every tenant: row-level security
//! says so, and no statement here has to.

use super::rated::reaches;
use super::versions::{ListedVersion, read_version};
use crate::catalog::read_definition;
use crate::error::{QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::publishers::marked;
use crate::store::TenantConnection;
use crate::successors::Successors;
use chrono::{DateTime, Utc};
use domain::id::{TenantId, ToolId};
use domain::installation::{ForeignReference, ForeignTool, Version};
use domain::tool::{Alias, Deprecation, ToolDefinition};
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
    /// The version.
    pub version: ListedVersion,
    /// Its definition.
    pub definition: ToolDefinition,
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

/// Which listings; all conditions together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListingFilter {
    /// Of this tenant.
    pub publisher: Option<TenantId>,
    /// Of one of these categories; of any when there is none.
    pub categories: Vec<String>,
    /// With at least one of these tags; with any when there is none.
    pub tags: Vec<String>,
    /// Whether the publisher's namespace is proved, behind the registry name of the tool's server.
    pub verified_publisher: Option<bool>,
    /// With this many stars or more by the Bayesian average, as the connection's tenant sees it. What nobody has
    /// rated has the mean of all.
    pub min_rating: Option<f64>,
}

impl ListingFilter {
    fn push(&self, query: &mut QueryBuilder<'_, Postgres>) {
        query.push(" WHERE listings.listed");
        if let Some(publisher) = &self.publisher {
            let publisher = publisher.as_str().to_owned();
            query.push(" AND listings.tenant = ").push_bind(publisher);
        }
        if !self.categories.is_empty() {
            let categories = self.categories.clone();
            query.push(" AND category = ANY (");
            query.push_bind(categories).push(")");
        }
        if !self.tags.is_empty() {
            query.push(" AND tags && ").push_bind(self.tags.clone());
        }
        if let Some(wanted) = self.verified_publisher {
            let (name, tenant) = ("listings.registry_name", "listings.tenant");
            query.push(marked(wanted, name, tenant));
        }
        if let Some(least) = self.min_rating {
            query.push(" AND ").push(reaches("listings.tool_id"));
            query.push_bind(least);
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
pub(super) async fn keep_offered(
    connection: &mut TenantConnection,
    told: Vec<&mut Deprecation>,
) -> Result<(), QueryError> {
    let named = |successor: &str| {
        let named = ForeignReference::parse(successor);
        Some(named.ok()??.tool.tool_id())
    };
    let successors = Successors::of(told, named);
    let ids = successors.ids();
    if ids.is_empty() {
        return Ok(());
    }
    let statement = "SELECT tool_id FROM marketplace.listings WHERE listed AND tool_id = ANY ($1)";
    let offered: Vec<String> = sqlx::query_scalar(statement)
        .bind(ids)
        .fetch_all(&mut **connection)
        .await?;
    successors.keep(&offered);
    Ok(())
}

pub(super) fn tool_id(row: &PgRow) -> Result<ToolId, QueryError> {
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
        definition: read_definition(row)?,
        reference: ForeignTool {
            publisher,
            server: row.try_get("server")?,
            name: row.try_get("name")?,
        },
    })
}
