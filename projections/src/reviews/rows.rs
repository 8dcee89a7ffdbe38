//! The rows of a batch: loaded, folded over, and written with a constant number of statements.

use super::public::publish;
use super::tools::Tools;
use crate::catalog::save::save;
use crate::error::ProjectionError;
use chrono::{DateTime, Utc};
use domain::review::Moderation;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

/// (tenant, id of a review or of a principal).
pub(super) type Key = (String, String);

const COLUMNS: &[&str] = &[
    "publisher",
    "tool_id",
    "tool_version",
    "author_id",
    "rating",
    "text",
    "withdrawn",
    "moderation",
    "moderation_reason",
    "appeal",
    "written_at",
    "updated_at",
];

/// A row of `reviews`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ReviewRow {
    pub(super) tenant: String,
    pub(super) review_id: String,
    /// The tenant that offers the tool; none for a tool of the author's own.
    pub(super) publisher: Option<String>,
    pub(super) tool_id: String,
    pub(super) tool_version: String,
    pub(super) author_id: Option<String>,
    pub(super) rating: u8,
    pub(super) text: Option<String>,
    pub(super) withdrawn: bool,
    pub(super) moderation: Moderation,
    pub(super) moderation_reason: Option<String>,
    pub(super) appeal: Option<String>,
    pub(super) written_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl ReviewRow {
    /// Takes away all that tells who wrote it.
    pub(super) fn forget_author(&mut self) {
        self.author_id = None;
        self.text = None;
        self.appeal = None;
    }

    /// Whether it is published and shown: in the sums of its tenant, or among those that may count in public.
    pub(super) fn counts(&self) -> bool {
        !self.withdrawn && self.moderation == Moderation::Visible
    }
}

/// The rows that a batch touches.
#[derive(Default)]
pub(super) struct Rows {
    /// As the batch has left them so far.
    pub(super) reviews: BTreeMap<Key, ReviewRow>,
    /// As they were before the batch.
    before: Vec<ReviewRow>,
    /// The tools that the batch changes.
    pub(super) tools: Tools,
    /// Whose tools the batch reviews are about, as far as they were known before it.
    pub(super) publishers: BTreeMap<String, String>,
    /// Erased principals, as far as the batch concerns them.
    pub(super) erased: BTreeSet<Key>,
}

impl Rows {
    /// Loads reviews by id and by author, and which of the authors were erased before.
    pub(super) async fn load(
        connection: &mut PgConnection,
        reviews: &BTreeSet<Key>,
        erased_now: &BTreeSet<Key>,
        authors: &BTreeSet<Key>,
    ) -> Result<Self, ProjectionError> {
        let mut rows = Self::default();
        for (column, keys) in [("review_id", reviews), ("author_id", erased_now)] {
            if keys.is_empty() {
                continue;
            }
            let (tenants, ids) = unzip(keys);
            let statement = format!(
                "SELECT to_jsonb(reviews) FROM reviews
                 JOIN unnest($1::text[], $2::text[]) AS wanted (t, i)
                   ON tenant = t AND {column} = i"
            );
            let found: Vec<Json<ReviewRow>> = sqlx::query_scalar(&statement)
                .bind(tenants)
                .bind(ids)
                .fetch_all(&mut *connection)
                .await?;
            for Json(row) in found {
                let key = (row.tenant.clone(), row.review_id.clone());
                if rows.reviews.insert(key, row.clone()).is_none() {
                    rows.before.push(row);
                }
            }
        }
        if !authors.is_empty() {
            let (tenants, ids) = unzip(authors);
            let found: Vec<Key> = sqlx::query_as(
                "SELECT tenant, principal_id FROM erased
                 JOIN unnest($1::text[], $2::text[]) AS wanted (t, i)
                   ON tenant = t AND principal_id = i",
            )
            .bind(tenants)
            .bind(ids)
            .fetch_all(&mut *connection)
            .await?;
            rows.erased.extend(found);
        }
        Ok(rows)
    }

    /// Writes the rows, what they change in the sums of the tenant for its own tools, and what is public of those
    /// about the tools of others.
    pub(super) async fn save(self, connection: &mut PgConnection) -> Result<(), ProjectionError> {
        let tools = self.tools.save(connection).await?;
        let mut sums = BTreeMap::new();
        let before = self.before.iter().map(|row| (row, -1));
        let after = self.reviews.values().map(|row| (row, 1));
        let own = |(row, _): &(&ReviewRow, i64)| row.publisher.is_none() && row.counts();
        for (row, change) in before.chain(after).filter(own) {
            let tool = (row.tool_id.as_str(), row.tool_version.as_str());
            let key = (row.tenant.as_str(), tool.0, tool.1, row.rating);
            *sums.entry(key).or_default() += change;
        }
        sums.retain(|_, change| *change != 0);
        if !sums.is_empty() {
            add_to_sums(connection, &sums).await?;
        }
        let rows: Vec<_> = self.reviews.values().cloned().collect();
        publish(connection, &rows, tools).await?;
        if !self.erased.is_empty() {
            let (tenants, ids) = unzip(&self.erased);
            sqlx::query(
                "INSERT INTO erased (tenant, principal_id)
                 SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING",
            )
            .bind(tenants)
            .bind(ids)
            .execute(&mut *connection)
            .await?;
        }
        save(connection, "reviews", "review_id", COLUMNS, &rows).await
    }
}

/// Adds to the sums of versions and of tenants. A row that arrives at 0 goes: a rebuild, which never saw
/// the reviews that were taken back in between, has none.
async fn add_to_sums(
    connection: &mut PgConnection,
    changes: &BTreeMap<(&str, &str, &str, u8), i64>,
) -> Result<(), ProjectionError> {
    let tenants: Vec<_> = changes.keys().map(|key| key.0).collect();
    let tools: Vec<_> = changes.keys().map(|key| key.1).collect();
    let versions: Vec<_> = changes.keys().map(|key| key.2).collect();
    let ratings: Vec<_> = changes.keys().map(|key| i16::from(key.3)).collect();
    let numbers: Vec<_> = changes.values().copied().collect();
    for statement in [
        "INSERT INTO ratings AS sums (tenant, tool_id, tool_version, rating, reviews)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::bigint[])
         ON CONFLICT (tenant, tool_id, tool_version, rating)
         DO UPDATE SET reviews = sums.reviews + EXCLUDED.reviews",
        "DELETE FROM ratings
         USING unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::bigint[])
               AS changed (t, i, v, r, n)
         WHERE tenant = t AND tool_id = i AND tool_version = v AND rating = r AND reviews = 0",
        "INSERT INTO totals AS sums (tenant, rating, reviews)
         SELECT t, r, sum(n)::bigint
         FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::bigint[])
              AS changed (t, i, v, r, n) GROUP BY t, r
         ON CONFLICT (tenant, rating) DO UPDATE SET reviews = sums.reviews + EXCLUDED.reviews",
        "DELETE FROM totals
         USING unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::bigint[])
               AS changed (t, i, v, r, n)
         WHERE tenant = t AND rating = r AND reviews = 0",
    ] {
        sqlx::query(statement)
            .bind(&tenants)
            .bind(&tools)
            .bind(&versions)
            .bind(&ratings)
            .bind(&numbers)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Keys as a statement takes them.
pub(super) fn unzip(keys: &BTreeSet<Key>) -> (Vec<&str>, Vec<&str>) {
    keys.iter()
        .map(|(tenant, id)| (tenant.as_str(), id.as_str()))
        .unzip()
}
