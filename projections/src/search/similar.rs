//! Tools like one tool: those nearest to its own vector; where there are no vectors, those that share the
//! rarest words with it.
//!
//! Invariant: as for a search, tenant, visibility and status are filtered before anything is ranked.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use domain::id::TenantId;
use domain::tool::Visibility;
use futures::TryStreamExt;
use lancedb::expr::{DfExpr, col, lit};
use lancedb::index::scalar::{FtsQuery, FullTextSearchQuery, MatchQuery};
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{DistanceType, Table};

use super::document::ACTIVE;
use super::error::SearchError;
use super::index::SearchIndex;
use super::rows;
use super::scope::Scope;
use super::threads;
use crate::sight::Sight;

/// Most similar tools of one answer.
pub const MAX_SIMILAR: usize = 20;
/// Shared words that are told.
const MAX_SHARED: usize = 8;
/// Different words of the tool that are looked up where there are no vectors.
const MAX_WORDS: usize = 64;

/// Which tool, for whom.
#[derive(Debug, Clone)]
pub struct SimilarRequest {
    /// Whose tools: taken from the verified token, never from the caller's input.
    pub tenant: TenantId,
    /// Which tools are reached.
    pub scope: Scope,
    /// The tool, which the caller may see: its tenant's own, or a public one.
    pub tool_id: String,
    /// What of its tools the caller may see.
    pub sight: Sight,
    /// How many, at most [`MAX_SIMILAR`].
    pub first: usize,
}

/// A tool like the one in question.
#[derive(Debug, Clone, PartialEq)]
pub struct Similar {
    /// The tool's id.
    pub tool_id: String,
    /// The cosine of both vectors, from -1 to 1; without vectors, the share of the best one's points.
    pub score: f32,
    /// Whether the score is one of meaning.
    pub semantic: bool,
    /// Words that both texts hold, in the order of the tool in question: its name comes first.
    pub shared_words: Vec<String>,
}

impl Similar {
    /// Why it is listed, as one line.
    #[must_use]
    pub fn reason(&self) -> String {
        let words = self.shared_words.join(", ");
        match (self.semantic, words.is_empty()) {
            (true, true) => format!("similar in meaning ({:.2})", self.score),
            (true, false) => format!("similar in meaning ({:.2}); both say {words}", self.score),
            (false, _) => format!("both say {words}"),
        }
    }
}

/// What the index has of the tool in question.
struct Own {
    words: Vec<String>,
    vector: Option<Vec<f32>>,
}

impl SearchIndex {
    /// The active tools most like one, best first; none when the index does not have it yet.
    ///
    /// # Errors
    /// [`SearchError::Lance`] when the table cannot be read.
    pub async fn similar(&self, request: &SimilarRequest) -> Result<Vec<Similar>, SearchError> {
        let first = request.first.min(MAX_SIMILAR);
        if request.sight.is_nothing() || first == 0 {
            return Ok(Vec::new());
        }
        let (index, request) = (self.clone(), request.clone());
        threads::beside(async move { index.like(&request, first).await }).await
    }

    async fn like(
        &self,
        request: &SimilarRequest,
        first: usize,
    ) -> Result<Vec<Similar>, SearchError> {
        let table = self.table.query_snapshot().await?;
        let Some(own) = own(&table, request, self.embedder.dimensions().is_some()).await? else {
            return Ok(Vec::new());
        };
        let reached = request.scope.reaches(&request.tenant, &request.sight);
        let others = reached
            .and(col("status").eq(lit(ACTIVE)))
            .and(col("tool_id").not_eq(lit(request.tool_id.as_str())));
        match &own.vector {
            Some(vector) => nearest(&table, &own, vector, &others, first).await,
            None => by_words(&table, &own, &others, first).await,
        }
    }
}

async fn own(
    table: &Table,
    request: &SimilarRequest,
    semantic: bool,
) -> Result<Option<Own>, SearchError> {
    let columns: &[&str] = if semantic {
        &["text", "vector"]
    } else {
        &["text"]
    };
    let public = col("visibility").eq(lit(Visibility::Public.as_str()));
    let readable = col("tenant").eq(lit(request.tenant.as_str())).or(public);
    let this = readable.and(col("tool_id").eq(lit(request.tool_id.as_str())));
    let query = table.query().only_if_expr(this);
    let query = query.select(Select::columns(columns)).limit(1);
    let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(None);
    };
    let vector = semantic.then(|| rows::vector(batch, 0)).transpose()?;
    let words = distinct(rows::strings(batch, "text")?.value(0));
    Ok(Some(Own { words, vector }))
}

async fn nearest(
    table: &Table,
    own: &Own,
    vector: &[f32],
    others: &DfExpr,
    first: usize,
) -> Result<Vec<Similar>, SearchError> {
    let query = table
        .query()
        .nearest_to(vector)?
        .column("vector")
        .distance_type(DistanceType::Cosine)
        .bypass_vector_index()
        .only_if_expr(others.clone())
        .select(Select::columns(&["tool_id", "text", "_distance"]))
        .limit(first);
    let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
    found(&batches, own, "_distance", |distance| 1.0 - distance)
}

async fn by_words(
    table: &Table,
    own: &Own,
    others: &DfExpr,
    first: usize,
) -> Result<Vec<Similar>, SearchError> {
    let words = &own.words[..own.words.len().min(MAX_WORDS)];
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let words = MatchQuery::new(words.join(" ")).with_column(Some("text".to_owned()));
    let query = table
        .query()
        .full_text_search(FullTextSearchQuery::new_query(FtsQuery::Match(words)))
        .only_if_expr(others.clone())
        .select(Select::columns(&["tool_id", "text", "_score"]))
        .limit(first);
    let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
    let mut found = found(&batches, own, "_score", |points| points)?;
    let best = found.first().map_or(1.0, |best| best.score);
    for similar in &mut found {
        similar.score /= best;
    }
    Ok(found)
}

/// The rows, best first; equal scores by id, so that an answer is the same every time.
fn found(
    batches: &[RecordBatch],
    own: &Own,
    score: &str,
    convert: fn(f32) -> f32,
) -> Result<Vec<Similar>, SearchError> {
    let mut all = Vec::new();
    for batch in batches {
        let (ids, texts) = (
            rows::strings(batch, "tool_id")?,
            rows::strings(batch, "text")?,
        );
        let scores = rows::floats(batch, score)?;
        for row in 0..batch.num_rows() {
            let theirs: HashSet<&str> = texts.value(row).split_whitespace().collect();
            let shared = own
                .words
                .iter()
                .filter(|word| theirs.contains(word.as_str()));
            all.push(Similar {
                tool_id: ids.value(row).to_owned(),
                score: convert(scores.value(row)),
                semantic: own.vector.is_some(),
                shared_words: shared.take(MAX_SHARED).cloned().collect(),
            });
        }
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.tool_id.cmp(&b.tool_id)));
    Ok(all)
}

/// The different words of an indexed text, which repeats those of strong fields.
fn distinct(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let words = text.split_whitespace().filter(|word| seen.insert(*word));
    words.map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "similar_tests.rs"]
mod tests;
