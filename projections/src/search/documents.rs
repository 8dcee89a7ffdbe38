//! The documents of the index, read from the models that they are made of: `catalog`, `publishers` and `reviews`, and
//! `search.uses`.

use super::document::ToolDocument;
use crate::error::{ProjectionError, corrupt};
use crate::projector::beside;
use crate::publishers::publisher_of;
use crate::reviews::Histogram;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// (tenant, aggregate id).
pub(super) type Key = (String, String);

/// The models that documents are made of and that follow the log. None of them waits for the index.
pub const SOURCES: [&str; 3] = [
    crate::catalog::NAME,
    crate::publishers::NAME,
    crate::reviews::NAME,
];

/// Which of the models are read: the live ones, or those that a rebuild has made beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Models {
    Live,
    Beside,
}

impl Models {
    /// The schemas of the [`SOURCES`], in their order.
    fn schemas(self) -> [String; 3] {
        SOURCES.map(|live| self.of(live))
    }

    /// The schema of a model, and the name of its checkpoint.
    pub(crate) fn of(self, live: &str) -> String {
        match self {
            Self::Live => live.to_owned(),
            Self::Beside => beside(live),
        }
    }
}

/// Where documents are looked for: `$1` are tenants, `$2` the ids of aggregates. Ids of tools and of servers are
/// derived from their tenants, so that one id is one tool of one tenant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Tools,
    Servers,
    /// The tools, of whatever tenant, that these reviews are about.
    Reviews,
    /// The tools of servers, of whatever tenant, that these namespaces can stand behind.
    Publishers,
}

impl Of {
    fn condition(self, models: Models) -> String {
        let [_, publishers, reviews] = models.schemas();
        match self {
            Self::Tools => {
                "JOIN unnest($1::text[], $2::text[]) AS wanted (x, y) ON t.tenant = x AND t.tool_id = y".to_owned()
            }
            Self::Servers => {
                "JOIN unnest($1::text[], $2::text[]) AS wanted (x, y) ON t.tenant = x AND t.server_id = y".to_owned()
            }
            Self::Reviews => format!(
                "WHERE t.tool_id IN (SELECT review.tool_id FROM {reviews}.reviews AS review
                     JOIN unnest($1::text[], $2::text[]) AS wanted (x, y)
                       ON review.tenant = x AND review.review_id = y)"
            ),
            Self::Publishers => format!(
                "WHERE EXISTS (SELECT FROM {publishers}.namespaces AS publisher
                     JOIN unnest($1::text[], $2::text[]) AS wanted (x, y)
                       ON publisher.tenant = x AND publisher.publisher_id = y
                     WHERE lower(split_part(s.registry_name, '/', 1)) = publisher.namespace
                        OR starts_with(lower(s.registry_name), publisher.namespace || '.'))"
            ),
        }
    }
}

/// Reads what the index should hold, of all tools.
fn statement(models: Models) -> String {
    let [catalog, publishers, reviews] = models.schemas();
    let publisher = publisher_of(&publishers, "t.tenant", "s.registry_name");
    let stars = (1..=5)
        .map(|stars| format!("coalesce(sum(reviews) FILTER (WHERE rating = {stars}), 0)::bigint"));
    let stars = stars.collect::<Vec<_>>().join(", ");
    format!(
        "SELECT t.tenant, t.tool_id, t.server_id, t.server, s.name AS server_name, t.name, t.title, t.description,
            t.input_schema, t.annotations, t.category, t.tags, t.tool_version, t.visibility, t.team, t.status, t.updated_at,
            {publisher} AS publisher,
            (SELECT array[{stars}] FROM {reviews}.ratings
             WHERE ratings.tenant = t.tenant AND ratings.tool_id = t.tool_id) AS rated,
            (SELECT array[{stars}] FROM {reviews}.public_ratings AS ratings
             WHERE ratings.tool_id = t.tool_id AND t.visibility = 'public' AND t.status = 'active') AS rated_publicly,
            (SELECT jsonb_object_agg(uses.tenant, uses.bucket) FROM search.uses
             WHERE uses.tool_id = t.tool_id) AS used
         FROM {catalog}.tools t JOIN {catalog}.servers s USING (tenant, server_id)"
    )
}

/// The documents that are concerned.
pub(super) async fn concerned(
    connection: &mut PgConnection,
    models: Models,
    of: Of,
    ids: &BTreeSet<Key>,
) -> Result<Vec<ToolDocument>, ProjectionError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) = ids
        .iter()
        .map(|(tenant, id)| (tenant.as_str(), id.as_str()))
        .unzip();
    let rows = sqlx::query(&format!("{} {}", statement(models), of.condition(models)))
        .bind(tenants)
        .bind(ids)
        .fetch_all(connection)
        .await?;
    read(&rows)
}

/// Some tools, of whatever tenants.
pub(super) async fn of_tools(
    connection: &mut PgConnection,
    ids: &[String],
) -> Result<Vec<ToolDocument>, ProjectionError> {
    let statement = statement(Models::Live);
    let rows = sqlx::query(&format!("{statement} WHERE t.tool_id = ANY ($1)"))
        .bind(ids)
        .fetch_all(connection)
        .await?;
    read(&rows)
}

/// Every document, as the index should hold them.
pub(crate) async fn all_documents(
    connection: &mut PgConnection,
    models: Models,
) -> Result<Vec<ToolDocument>, ProjectionError> {
    read(
        &sqlx::query(&statement(models))
            .fetch_all(connection)
            .await?,
    )
}

fn read(rows: &[PgRow]) -> Result<Vec<ToolDocument>, ProjectionError> {
    rows.iter()
        .map(|row| read_document(row).map_err(ProjectionError::Database))
        .collect()
}

fn read_document(row: &PgRow) -> Result<ToolDocument, sqlx::Error> {
    let tenant: String = row.try_get("tenant")?;
    let schema: Option<Value> = row.try_get("input_schema")?;
    let stars = |column: &str| -> Result<Histogram, sqlx::Error> {
        let stars: Vec<i64> = row.try_get(column)?;
        let damaged = |_| sqlx::Error::Decode(corrupt("not five numbers of reviews").into());
        stars.try_into().map(Histogram).map_err(damaged)
    };
    let used: Option<Json<BTreeMap<String, i16>>> = row.try_get("used")?;
    Ok(ToolDocument {
        tenant: tenant
            .try_into()
            .map_err(|e| sqlx::Error::Decode(corrupt(e).into()))?,
        tool_id: row.try_get("tool_id")?,
        server_id: row.try_get("server_id")?,
        server: row.try_get("server")?,
        server_name: row.try_get("server_name")?,
        name: row.try_get("name")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        input_schema: schema.unwrap_or(Value::Null),
        annotations: row.try_get("annotations")?,
        category: row.try_get("category")?,
        tags: row.try_get("tags")?,
        tool_version: row.try_get("tool_version")?,
        visibility: row.try_get("visibility")?,
        team: row.try_get("team")?,
        status: row.try_get("status")?,
        publisher: row.try_get("publisher")?,
        rated: stars("rated")?,
        rated_publicly: stars("rated_publicly")?,
        used: used.map(|Json(used)| used).unwrap_or_default(),
        updated_at: row.try_get("updated_at")?,
    })
}
