//! Read model `taxonomy`: the categories of each tenant, in use and retired.

use crate::checkpoint::{to_i64, to_u64};
use crate::error::{ProjectionError, QueryError};
use crate::projector::{OnPoison, Projector, Recorded};
use crate::store::TenantConnection;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::AnyEvent;
use domain::taxonomy::{Category, TaxonomyEvent};
use sqlx::{PgConnection, Row};

/// The projector's name.
pub const NAME: &str = "taxonomy";

const ACTIVE: &str = "active";
const RETIRED: &str = "retired";

/// Keeps `taxonomies` and `categories`.
#[derive(Debug)]
pub struct TaxonomyProjector;

#[async_trait]
impl Projector for TaxonomyProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, event: &AnyEvent) -> bool {
        match event {
            AnyEvent::Taxonomy(_) => true,
            AnyEvent::Tenant(_)
            | AnyEvent::Principal(_)
            | AnyEvent::Server(_)
            | AnyEvent::Tool(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Installation(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Review(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &["taxonomies", "categories"]
    }

    /// What a registration may name is decided from the log, never from here.
    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    /// Two statements per event: categories are few.
    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Taxonomy(event) => {
                        apply_event(connection, recorded, event).await?;
                        advance(connection, recorded).await?;
                    }
                    AnyEvent::Tenant(_)
                    | AnyEvent::Principal(_)
                    | AnyEvent::Server(_)
                    | AnyEvent::Tool(_)
                    | AnyEvent::Denial(_)
                    | AnyEvent::Policy(_)
                    | AnyEvent::Installation(_)
                    | AnyEvent::Publisher(_)
                    | AnyEvent::Review(_) => {}
                }
            }
        }
        Ok(())
    }
}

async fn apply_event(
    connection: &mut PgConnection,
    recorded: &Recorded,
    event: &TaxonomyEvent,
) -> Result<(), ProjectionError> {
    let tenant = recorded.commit.tenant.as_str();
    let done = match event {
        TaxonomyEvent::CategoryAdded(event) => {
            let statement =
                "INSERT INTO categories (tenant, slug, title, description, parent, status,
                                     added_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
                 ON CONFLICT (tenant, slug) DO UPDATE
                 SET title = $3, description = $4, parent = $5, status = $6, successor = NULL,
                     updated_at = $7";
            let query = sqlx::query(statement).bind(tenant);
            let query = bind(query, &event.category).bind(ACTIVE);
            let query = query.bind(recorded.commit.recorded_at);
            query.execute(connection).await?
        }
        TaxonomyEvent::CategoryDescribed(event) => {
            let statement = "UPDATE categories
                 SET title = $3, description = $4, parent = $5, updated_at = $6
                 WHERE tenant = $1 AND slug = $2";
            let query = bind(sqlx::query(statement).bind(tenant), &event.category);
            let query = query.bind(recorded.commit.recorded_at);
            query.execute(connection).await?
        }
        TaxonomyEvent::CategoryRetired(event) => {
            let statement = "UPDATE categories SET status = $3, successor = $4, updated_at = $5
                 WHERE tenant = $1 AND slug = $2";
            let query = sqlx::query(statement).bind(tenant).bind(&event.slug);
            let query = query.bind(RETIRED).bind(&event.successor);
            let query = query.bind(recorded.commit.recorded_at);
            query.execute(connection).await?
        }
    };
    if done.rows_affected() == 1 {
        return Ok(());
    }
    Err(ProjectionError::Inconsistent {
        stream_sequence: recorded.stream_sequence,
        reason: "the category has no row".to_owned(),
    })
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bind<'q>(query: Query<'q>, category: &'q Category) -> Query<'q> {
    query
        .bind(&category.slug)
        .bind(&category.title)
        .bind(&category.description)
        .bind(&category.parent)
}

/// A taxonomy's version is the number of its commits.
async fn advance(
    connection: &mut PgConnection,
    recorded: &Recorded,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "INSERT INTO taxonomies (tenant, version, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant) DO UPDATE SET version = $2, updated_at = $3",
    )
    .bind(recorded.commit.tenant.as_str())
    .bind(to_i64(recorded.commit.sequence))
    .bind(recorded.commit.recorded_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The categories of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taxonomy {
    /// How many changes it has seen; 0 before the first.
    pub version: u64,
    /// Every category, in use or retired, by slug.
    pub categories: Vec<CategoryRow>,
}

/// A category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryRow {
    /// What is said of it.
    pub category: Category,
    /// Whether servers and tools may be given it.
    pub active: bool,
    /// What to use instead of a retired one.
    pub successor: Option<String>,
    /// When it was first added.
    pub added_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The taxonomy of the connection's tenant. Bounded: see [`domain::taxonomy::MAX_CATEGORIES`].
///
/// # Errors
/// [`QueryError`].
pub async fn taxonomy(connection: &mut TenantConnection) -> Result<Taxonomy, QueryError> {
    // One statement, so that the version fits the categories.
    let rows = sqlx::query(
        "SELECT version, slug, title, description, parent, status, successor, added_at,
                categories.updated_at
         FROM taxonomy.taxonomies JOIN taxonomy.categories USING (tenant) ORDER BY slug",
    )
    .fetch_all(&mut **connection)
    .await?;
    let mut taxonomy = Taxonomy::default();
    for row in &rows {
        taxonomy.version = to_u64(row.try_get("version")?);
        taxonomy.categories.push(CategoryRow {
            category: Category {
                slug: row.try_get("slug")?,
                title: row.try_get("title")?,
                description: row.try_get("description")?,
                parent: row.try_get("parent")?,
            },
            active: row.try_get::<String, _>("status")? == ACTIVE,
            successor: row.try_get("successor")?,
            added_at: row.try_get("added_at")?,
            updated_at: row.try_get("updated_at")?,
        });
    }
    Ok(taxonomy)
}
