//! What every tenant sees: the reviews by members of installing tenants that are neither withdrawn nor hidden, and the
//! sums of those that count, as long as the tool is offered. However many reviews the members of one tenant write
//! about a tool, [`MOST_OF_A_TENANT`] of them count.

use super::rows::{Key, ReviewRow, unzip};
use crate::catalog::save::save;
use crate::error::ProjectionError;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Reviews of one tenant that count for one tool, over all its versions. `docs/reviews.md` says why.
const MOST_OF_A_TENANT: i64 = 5;

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

/// Writes what is public of the reviews of a batch, and takes away what is not any more; `tools` may have been
/// offered or taken away.
pub(super) async fn publish(
    connection: &mut PgConnection,
    reviews: &[ReviewRow],
    mut tools: BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    let (mut shown, mut gone) = (Vec::new(), BTreeSet::new());
    let (mut voters, mut reviewed) = (BTreeSet::new(), BTreeSet::new());
    for row in reviews {
        let Some(publisher) = row.publisher.as_deref() else {
            continue;
        };
        reviewed.insert((publisher.to_owned(), row.tool_id.clone()));
        voters.insert((row.tenant.clone(), row.tool_id.clone()));
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
            gone.insert((row.tenant.clone(), row.review_id.clone()));
        }
    }
    save(connection, "public_reviews", "review_id", COLUMNS, &shown).await?;
    let delete = "DELETE FROM public_reviews USING unnest($1::text[], $2::text[]) AS gone (t, i)
         WHERE tenant = t AND review_id = i";
    over(connection, delete, &gone).await?;
    choose(connection, &voters).await?;
    sum_up(connection, &reviewed).await?;
    let is_reviewed = !reviewed.is_empty();
    tools.append(&mut reviewed);
    if list(connection, &tools).await? > 0 || is_reviewed {
        add_up(connection).await?;
    }
    Ok(())
}

/// Which reviews count: of those that the members of one tenant wrote about one tool, the last ones. It follows from
/// the rows that there are, whatever came and went before.
async fn choose(
    connection: &mut PgConnection,
    voters: &BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    let statement = format!(
        "UPDATE public_reviews AS one SET counts = NOT one.counts
         FROM (
             SELECT tenant, review_id, row_number() OVER (
                 PARTITION BY tenant, tool_id ORDER BY written_at DESC, review_id DESC
             ) <= {MOST_OF_A_TENANT} AS counts
             FROM public_reviews JOIN unnest($1::text[], $2::text[]) AS voters (t, i)
               ON tenant = t AND tool_id = i
         ) AS placed
         WHERE one.tenant = placed.tenant AND one.review_id = placed.review_id AND one.counts <> placed.counts"
    );
    over(connection, &statement, voters).await?;
    Ok(())
}

/// The sums of the tools that are reviewed, from what counts. A number of 0 has no row.
async fn sum_up(
    connection: &mut PgConnection,
    tools: &BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    for statement in [
        "DELETE FROM public_ratings USING unnest($1::text[], $2::text[]) AS reviewed (t, i)
         WHERE tenant = t AND tool_id = i",
        "INSERT INTO public_ratings (tenant, tool_id, tool_version, rating, reviews)
         SELECT publisher, tool_id, tool_version, rating, count(*)
         FROM public_reviews JOIN unnest($1::text[], $2::text[]) AS reviewed (t, i)
           ON publisher = t AND tool_id = i
         WHERE counts GROUP BY publisher, tool_id, tool_version, rating",
    ] {
        over(connection, statement, tools).await?;
    }
    Ok(())
}

/// Reviews and sums are shown exactly when their tool is. Answers how many rows that changes.
async fn list(
    connection: &mut PgConnection,
    tools: &BTreeSet<Key>,
) -> Result<u64, ProjectionError> {
    let mut touched = 0;
    for (table, publisher) in [
        ("public_reviews", "publisher"),
        ("public_ratings", "tenant"),
    ] {
        let statement = format!(
            "UPDATE {table} SET listed = tools.listed
             FROM tools JOIN unnest($1::text[], $2::text[]) AS touched (t, i)
                  ON tools.tenant = t AND tools.tool_id = i
             WHERE {table}.{publisher} = tools.tenant AND {table}.tool_id = tools.tool_id
               AND {table}.listed <> tools.listed"
        );
        touched += over(connection, &statement, tools).await?;
    }
    Ok(touched)
}

/// Runs a statement over keys (tenant, id), which are `$1` and `$2`; not without a key. Answers how many rows it
/// changes.
async fn over(
    connection: &mut PgConnection,
    statement: &str,
    keys: &BTreeSet<Key>,
) -> Result<u64, ProjectionError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let (tenants, ids) = unzip(keys);
    let done = sqlx::query(statement).bind(tenants).bind(ids);
    Ok(done.execute(connection).await?.rows_affected())
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
