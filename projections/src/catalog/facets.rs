//! Facets: which values the tools of a filter have, and how many of them have each.

use super::queries::{ToolFilter, rows, visible_today};
use crate::error::QueryError;
use crate::sight::{Sight, seen};
use crate::store::TenantConnection;
use sqlx::{QueryBuilder, Row};
use std::collections::HashMap;

/// A value, and how many of the tools have it.
pub type Count = (String, i64);

/// What the tools of a filter are made up of. The most frequent values first, ties by value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolFacets {
    /// By category; tools without one are in none.
    pub categories: Vec<Count>,
    /// By tag; a tool counts for each of its tags.
    pub tags: Vec<Count>,
    /// By the slug of the server.
    pub servers: Vec<Count>,
    /// By status.
    pub statuses: Vec<Count>,
}

/// The facets of the tools that a filter leaves, at most `most` values each, in one statement. The filter's
/// sight bounds what is counted.
///
/// # Errors
/// [`QueryError`].
pub async fn tool_facets(
    connection: &mut TenantConnection,
    filter: &ToolFilter,
    most: usize,
) -> Result<ToolFacets, QueryError> {
    let moment = connection.moment();
    let mut query = QueryBuilder::new("WITH matching AS (SELECT category, tags, server, status");
    filter.push(&mut query, moment);
    query.push(
        "), counted AS (
             SELECT 'category' AS facet, category AS value, count(*) AS n FROM matching
             WHERE category IS NOT NULL GROUP BY category
             UNION ALL SELECT 'tag', tag, count(*) FROM matching, unnest(tags) AS tag GROUP BY tag
             UNION ALL SELECT 'server', server, count(*) FROM matching GROUP BY server
             UNION ALL SELECT 'status', status, count(*) FROM matching GROUP BY status
         ), ranked AS (
             SELECT facet, value, n,
                    row_number() OVER (PARTITION BY facet ORDER BY n DESC, value) AS place
             FROM counted
         ) SELECT facet, value, n FROM ranked WHERE place <= ",
    );
    query.push_bind(i64::try_from(most).unwrap_or(i64::MAX));
    query.push(" ORDER BY facet, place");
    let query = query.build().persistent(moment.is_now());
    let mut facets = ToolFacets::default();
    for row in &query.fetch_all(&mut **connection).await? {
        let facet = match row.try_get::<&str, _>("facet")? {
            "category" => &mut facets.categories,
            "tag" => &mut facets.tags,
            "server" => &mut facets.servers,
            _ => &mut facets.statuses,
        };
        facet.push((row.try_get("value")?, row.try_get("n")?));
    }
    Ok(facets)
}

/// How many tools in use several categories have, of those that the caller may see, in one statement.
///
/// # Errors
/// [`QueryError`].
pub async fn category_counts(
    connection: &mut TenantConnection,
    categories: &[String],
    sight: &Sight,
) -> Result<HashMap<String, i64>, QueryError> {
    let moment = connection.moment();
    let statement = format!(
        "SELECT category, count(*) FROM {}
         AND category = ANY ($1) AND {} AND status = 'active'{} GROUP BY 1",
        rows(moment),
        seen("tools", "$2"),
        visible_today(moment, sight)
    );
    let counts: Vec<Count> = sqlx::query_as(&statement)
        .persistent(moment.is_now())
        .bind(categories)
        .bind(sight.audiences())
        .fetch_all(&mut **connection)
        .await?;
    Ok(counts.into_iter().collect())
}
