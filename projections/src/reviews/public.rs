//! What every tenant sees: the reviews by members of installing tenants that count, and their sums, as long as
//! the tool is offered.

use super::rows::{Key, ReviewRow};
use crate::catalog::save::save;
use crate::error::ProjectionError;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: &[&str] = &[
    "publisher",
    "tool_id",
    "tool_version",
    "rating",
    "text",
    "written_at",
    "updated_at",
    "listed",
];

/// A row of `public_reviews`: nothing in it says who wrote it, but for the tenant.
#[derive(Debug, Serialize)]
struct PublicRow<'a> {
    tenant: &'a str,
    review_id: &'a str,
    publisher: &'a str,
    tool_id: &'a str,
    tool_version: &'a str,
    rating: u8,
    text: Option<&'a str>,
    written_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Set from the tool, once the row is written.
    listed: bool,
}

/// Writes what is public of the reviews of a batch, and takes away what is not any more. `changes` are those of
/// the sums, by publisher, tool, version and stars; `tools` may have been offered or taken away.
pub(super) async fn publish(
    connection: &mut PgConnection,
    reviews: &[ReviewRow],
    changes: &BTreeMap<(&str, &str, &str, u8), i64>,
    mut tools: BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    let (mut shown, mut gone) = (Vec::new(), (Vec::new(), Vec::new()));
    for row in reviews {
        let Some(publisher) = row.publisher.as_deref() else {
            continue;
        };
        tools.insert((publisher.to_owned(), row.tool_id.clone()));
        if row.counts() {
            shown.push(PublicRow {
                tenant: &row.tenant,
                review_id: &row.review_id,
                publisher,
                tool_id: &row.tool_id,
                tool_version: &row.tool_version,
                rating: row.rating,
                text: row.text.as_deref(),
                written_at: row.written_at,
                updated_at: row.updated_at,
                listed: false,
            });
        } else {
            gone.0.push(row.tenant.as_str());
            gone.1.push(row.review_id.as_str());
        }
    }
    save(connection, "public_reviews", "review_id", COLUMNS, &shown).await?;
    if !gone.0.is_empty() {
        sqlx::query(
            "DELETE FROM public_reviews USING unnest($1::text[], $2::text[]) AS gone (t, i)
             WHERE tenant = t AND review_id = i",
        )
        .bind(gone.0)
        .bind(gone.1)
        .execute(&mut *connection)
        .await?;
    }
    add_to_sums(connection, changes).await?;
    let touched = list(connection, &tools).await?;
    if touched > 0 || !changes.is_empty() {
        add_up(connection).await?;
    }
    Ok(())
}

/// A row that arrives at 0 goes, as in the sums of a tenant.
async fn add_to_sums(
    connection: &mut PgConnection,
    changes: &BTreeMap<(&str, &str, &str, u8), i64>,
) -> Result<(), ProjectionError> {
    if changes.is_empty() {
        return Ok(());
    }
    let publishers: Vec<_> = changes.keys().map(|key| key.0).collect();
    let tools: Vec<_> = changes.keys().map(|key| key.1).collect();
    let versions: Vec<_> = changes.keys().map(|key| key.2).collect();
    let ratings: Vec<_> = changes.keys().map(|key| i16::from(key.3)).collect();
    let numbers: Vec<_> = changes.values().copied().collect();
    for statement in [
        "INSERT INTO public_ratings AS sums (tenant, tool_id, tool_version, rating, reviews)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::bigint[])
         ON CONFLICT (tenant, tool_id, tool_version, rating)
         DO UPDATE SET reviews = sums.reviews + EXCLUDED.reviews",
        "DELETE FROM public_ratings
         USING unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::bigint[])
               AS changed (t, i, v, r, n)
         WHERE tenant = t AND tool_id = i AND tool_version = v AND rating = r AND reviews = 0",
    ] {
        sqlx::query(statement)
            .bind(&publishers)
            .bind(&tools)
            .bind(&versions)
            .bind(&ratings)
            .bind(&numbers)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Reviews and sums are shown exactly when their tool is. Answers how many rows that changes.
async fn list(
    connection: &mut PgConnection,
    tools: &BTreeSet<Key>,
) -> Result<u64, ProjectionError> {
    if tools.is_empty() {
        return Ok(0);
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) =
        tools.iter().map(|(t, i)| (t.as_str(), i.as_str())).unzip();
    let mut touched = 0;
    for (table, publisher) in [
        ("public_reviews", "publisher"),
        ("public_ratings", "tenant"),
    ] {
        let done = sqlx::query(&format!(
            "UPDATE {table} SET listed = tools.listed
             FROM tools JOIN unnest($1::text[], $2::text[]) AS touched (t, i)
                  ON tools.tenant = t AND tools.tool_id = i
             WHERE {table}.{publisher} = tools.tenant AND {table}.tool_id = tools.tool_id
               AND {table}.listed <> tools.listed"
        ))
        .bind(&tenants)
        .bind(&ids)
        .execute(&mut *connection)
        .await?;
        touched += done.rows_affected();
    }
    Ok(touched)
}

/// The totals over all tools that are offered now.
async fn add_up(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    for statement in [
        "DELETE FROM public_totals",
        "INSERT INTO public_totals (rating, reviews)
         SELECT rating, sum(reviews)::bigint FROM public_ratings WHERE listed GROUP BY rating",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}
