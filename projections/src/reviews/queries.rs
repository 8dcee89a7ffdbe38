//! Queries over reviews and ratings. That the caller may see the tools is checked where they were read.

use super::rating::{Histogram, PRIOR_MEAN, ToolRating};
use crate::error::{QueryError, corrupt};
use crate::page::{Keyset, Page, PageRequest};
use crate::store::TenantConnection;
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use domain::id::{PrincipalId, ReviewId, TenantId, ToolId};
use domain::review::Moderation;
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::HashMap;

const COLUMNS: &str = "review_id, tool_id, tool_version, author_id, rating, text, withdrawn, moderation, \
                       moderation_reason, appeal, written_at, updated_at";

/// A review as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// The tool that it is about.
    pub tool_id: ToolId,
    /// The version that it is about.
    pub tool_version: String,
    /// Who wrote it; none once the author is erased.
    pub author: Option<PrincipalId>,
    /// 1 to 5.
    pub rating: i16,
    /// Why; none when nothing was said, or the author is erased.
    pub text: Option<String>,
    /// Whether its author took it back.
    pub withdrawn: bool,
    /// What moderators think of it.
    pub moderation: Moderation,
    /// Why they do.
    pub moderation_reason: Option<String>,
    /// Why the author objects.
    pub appeal: Option<String>,
    /// When it was first written.
    pub written_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Whose eyes look. Everybody sees what is published and visible, and all that is one's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct View {
    /// Who looks.
    pub reader: PrincipalId,
    /// Whether what moderators have hidden is shown, too.
    pub hidden: bool,
}

impl View {
    /// The condition over `reviews`; `$1` is the reader, `$2` says whether hidden ones are shown.
    const CONDITION: &str =
        "(author_id = $1 OR (NOT withdrawn AND ($2 OR moderation = 'visible')))";
}

/// Which part of the reviews of a tool, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReviewRange {
    /// How many.
    pub first: usize,
    /// After which cursor.
    pub after: Option<String>,
    /// Whose eyes look.
    pub view: View,
}

/// The reviews of several tools, newest first, in one statement; a tool without reviews has no entry.
///
/// # Errors
/// [`QueryError`].
pub async fn reviews_by_tool(
    connection: &mut TenantConnection,
    tools: &[ToolId],
    range: &ReviewRange,
) -> Result<HashMap<ToolId, Page<Review>>, QueryError> {
    let request = PageRequest {
        first: range.first,
        after: range.after.clone(),
    };
    let (at, id) = behind(&request)?.unzip();
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let statement = format!(
        "SELECT reviews.* FROM unnest($3::text[]) AS wanted (id) CROSS JOIN LATERAL (
             SELECT {COLUMNS} FROM reviews.reviews
             WHERE tool_id = wanted.id AND {}
               AND ($4::timestamptz IS NULL OR (written_at, review_id) < ($4, $5))
             ORDER BY written_at DESC, review_id DESC LIMIT $6
         ) AS reviews",
        View::CONDITION
    );
    let rows = sqlx::query(&statement)
        .bind(range.view.reader.as_str())
        .bind(range.view.hidden)
        .bind(ids)
        .bind(at)
        .bind(id)
        .bind(request.limit())
        .fetch_all(&mut **connection)
        .await?;
    let mut by_tool: HashMap<ToolId, Vec<Review>> = HashMap::new();
    for row in &rows {
        let review = read_review(row)?;
        let of_tool = by_tool.entry(review.tool_id.clone()).or_default();
        of_tool.push(review);
    }
    let cursor = |review: &Review| cursor(review.written_at, &review.id);
    let cut = |(tool, reviews)| (tool, Page::cut(reviews, range.first, cursor));
    Ok(by_tool.into_iter().map(cut).collect())
}

/// Where a page of reviews goes on.
fn behind(request: &PageRequest) -> Result<Option<(DateTime<FixedOffset>, String)>, QueryError> {
    let Some(after) = request.keyset()? else {
        return Ok(None);
    };
    let at = DateTime::parse_from_rfc3339(&after.key);
    Ok(Some((at.map_err(|_| QueryError::InvalidCursor)?, after.id)))
}

fn cursor(written_at: DateTime<Utc>, id: &ReviewId) -> String {
    let at = written_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    Keyset::encode(&at, id.as_str())
}

/// What everybody sees of a review by a member of a tenant that has installed the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicReview {
    /// Its id.
    pub id: ReviewId,
    /// The tool that it is about.
    pub tool_id: ToolId,
    /// The version that it is about.
    pub tool_version: String,
    /// Whose member wrote it.
    pub tenant: TenantId,
    /// 1 to 5.
    pub rating: i16,
    /// Why; none when nothing was said, or the author is erased.
    pub text: Option<String>,
    /// Whether it is in the rating.
    pub counts: bool,
    /// When it was first written.
    pub written_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which part of the public reviews of a tool, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicRange {
    /// How many.
    pub first: usize,
    /// After which cursor.
    pub after: Option<String>,
}

/// The public reviews of several tools, newest first, in one statement; a tool without them, and one that is not
/// offered, has no entry.
///
/// # Errors
/// [`QueryError`].
pub async fn public_reviews_by_tool(
    connection: &mut TenantConnection,
    tools: &[ToolId],
    range: &PublicRange,
) -> Result<HashMap<ToolId, Page<PublicReview>>, QueryError> {
    let request = PageRequest {
        first: range.first,
        after: range.after.clone(),
    };
    let (at, id) = behind(&request)?.unzip();
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let rows = sqlx::query(
        "SELECT reviews.* FROM unnest($1::text[]) AS wanted (id) CROSS JOIN LATERAL (
             SELECT review_id, tool_id, tool_version, tenant, rating, text, counts, written_at, updated_at
             FROM reviews.public_reviews
             WHERE tool_id = wanted.id
               AND ($2::timestamptz IS NULL OR (written_at, review_id) < ($2, $3))
             ORDER BY written_at DESC, review_id DESC LIMIT $4
         ) AS reviews",
    )
    .bind(ids)
    .bind(at)
    .bind(id)
    .bind(request.limit())
    .fetch_all(&mut **connection)
    .await?;
    let mut by_tool: HashMap<ToolId, Vec<PublicReview>> = HashMap::new();
    for row in &rows {
        let review = read_public(row)?;
        let of_tool = by_tool.entry(review.tool_id.clone()).or_default();
        of_tool.push(review);
    }
    let cursor = |review: &PublicReview| cursor(review.written_at, &review.id);
    let cut = |(tool, reviews)| (tool, Page::cut(reviews, range.first, cursor));
    Ok(by_tool.into_iter().map(cut).collect())
}

/// Several reviews in one statement; those that are not for the reader's eyes are absent.
///
/// # Errors
/// [`QueryError`].
pub async fn reviews_by_id(
    connection: &mut TenantConnection,
    ids: &[ReviewId],
    view: &View,
) -> Result<HashMap<ReviewId, Review>, QueryError> {
    let ids: Vec<&str> = ids.iter().map(ReviewId::as_str).collect();
    let statement = format!(
        "SELECT {COLUMNS} FROM reviews.reviews WHERE review_id = ANY ($3) AND {}",
        View::CONDITION
    );
    let rows = sqlx::query(&statement)
        .bind(view.reader.as_str())
        .bind(view.hidden)
        .bind(ids)
        .fetch_all(&mut **connection)
        .await?;
    let read = |row| read_review(row).map(|review| (review.id.clone(), review));
    rows.iter().map(read).collect()
}

/// The sums that count for the connection's tenant: those of its members over its own tools, and the public ones.
/// No review is in both.
pub(crate) const SUMS: &str = "(SELECT tool_id, tool_version, rating, reviews FROM reviews.ratings
                     UNION ALL
                     SELECT tool_id, tool_version, rating, reviews FROM reviews.public_ratings) AS sums";

/// What is thought of several tools, of the connection's tenant or of others, in two statements; each of them has
/// an entry. The public reviews of a tool that is not offered are not among them.
///
/// # Errors
/// [`QueryError`].
pub async fn ratings_by_tool(
    connection: &mut TenantConnection,
    tools: &[ToolId],
) -> Result<HashMap<ToolId, ToolRating>, QueryError> {
    let mut all = Histogram::default();
    let totals = sqlx::query(
        "SELECT rating, reviews FROM reviews.totals
         UNION ALL SELECT rating, reviews FROM reviews.public_totals",
    );
    for row in &totals.fetch_all(&mut **connection).await? {
        *star(&mut all, row)? += row.try_get::<i64, _>("reviews")?;
    }
    let ids: Vec<&str> = tools.iter().map(ToolId::as_str).collect();
    let statement = format!("SELECT * FROM {SUMS} WHERE tool_id = ANY ($1)");
    let rows = sqlx::query(&statement)
        .bind(ids)
        .fetch_all(&mut **connection)
        .await?;
    let mut found: HashMap<String, HashMap<String, Histogram>> = HashMap::new();
    for row in &rows {
        let versions = found.entry(row.try_get("tool_id")?).or_default();
        let sums = versions.entry(row.try_get("tool_version")?).or_default();
        *star(sums, row)? += row.try_get::<i64, _>("reviews")?;
    }
    let prior_mean = all.average().unwrap_or(PRIOR_MEAN);
    let rating = |tool: &ToolId| {
        let versions = found.remove(tool.as_str()).unwrap_or_default();
        let sum = |sum: Histogram, one: &Histogram| sum.plus(one);
        let overall = versions.values().fold(Histogram::default(), sum);
        let rating = ToolRating {
            overall,
            by_version: versions,
            prior_mean,
        };
        (tool.clone(), rating)
    };
    Ok(tools.iter().map(rating).collect())
}

/// The place in a histogram that a row is about.
fn star<'h>(sums: &'h mut Histogram, row: &PgRow) -> Result<&'h mut i64, QueryError> {
    let rating: i16 = row.try_get("rating")?;
    let index = usize::try_from(rating)
        .ok()
        .and_then(|star| star.checked_sub(1));
    let place = index.and_then(|index| sums.0.get_mut(index));
    place.ok_or_else(|| corrupt(format!("{rating} is no rating")))
}

fn read_public(row: &PgRow) -> Result<PublicReview, QueryError> {
    let (id, tool_id): (String, String) = (row.try_get("review_id")?, row.try_get("tool_id")?);
    let tenant: String = row.try_get("tenant")?;
    Ok(PublicReview {
        id: ReviewId::parse(id).map_err(corrupt)?,
        tool_id: ToolId::parse(tool_id).map_err(corrupt)?,
        tool_version: row.try_get("tool_version")?,
        tenant: TenantId::new(tenant).map_err(corrupt)?,
        rating: row.try_get("rating")?,
        text: row.try_get("text")?,
        counts: row.try_get("counts")?,
        written_at: row.try_get("written_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn read_review(row: &PgRow) -> Result<Review, QueryError> {
    let author: Option<String> = row.try_get("author_id")?;
    let author = author
        .map(PrincipalId::parse)
        .transpose()
        .map_err(corrupt)?;
    let (id, tool_id): (String, String) = (row.try_get("review_id")?, row.try_get("tool_id")?);
    let moderation: String = row.try_get("moderation")?;
    Ok(Review {
        id: ReviewId::parse(id).map_err(corrupt)?,
        tool_id: ToolId::parse(tool_id).map_err(corrupt)?,
        tool_version: row.try_get("tool_version")?,
        author,
        rating: row.try_get("rating")?,
        text: row.try_get("text")?,
        withdrawn: row.try_get("withdrawn")?,
        moderation: moderation.parse().map_err(corrupt)?,
        moderation_reason: row.try_get("moderation_reason")?,
        appeal: row.try_get("appeal")?,
        written_at: row.try_get("written_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
