//! Reading candidates from one version of the table: by words, by meaning, and the rows of the best.
//!
//! What is held in memory answers; what is not, because the table is too large for it, LanceDB reads from its files
//! by the same rules.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use futures::TryStreamExt;
use futures::future::try_join_all;
use lancedb::expr::DfExpr;
use lancedb::index::scalar::{FtsQuery, FullTextSearchQuery, MatchQuery};
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{DistanceType, Table};

use super::error::SearchError;
use super::memory::{Allowed, Snapshot};
use super::query::{SearchHit, Why};
use super::rows;
use super::stems::Stems;

/// Candidates that each list contributes.
pub(super) const DEPTH: usize = 100;
/// Rows that are read at most to tell equal scores at a list's end apart.
const MOST_TIED: usize = 50_000;

/// One version of the table. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) table: Table,
    /// Which one.
    pub(super) version: u64,
    /// None when the table is too large.
    pub(super) memory: Option<Arc<Snapshot>>,
}

/// A row that one measure found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) row: u64,
    pub(super) tool_id: String,
    /// BM25 or cosine.
    pub(super) score: f32,
}

impl Reader {
    /// Reads LanceDB's files and indexes, as for a table that is too large.
    #[cfg(test)]
    pub(super) fn without_memory(mut self) -> Self {
        self.memory = None;
        self
    }

    /// What is held in memory, and what of it a filter lets through.
    fn held(&self, filter: &DfExpr) -> Result<Option<(&Snapshot, Allowed)>, SearchError> {
        let Some(memory) = self.memory.as_deref() else {
            return Ok(None);
        };
        let allowed = memory.allowed(filter)?;
        Ok(allowed.map(|allowed| (memory, allowed)))
    }

    /// The best rows by BM25; none when the query has no words.
    pub(super) async fn text_candidates(
        &self,
        terms: &[String],
        filter: &DfExpr,
    ) -> Result<Vec<Found>, SearchError> {
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        if let Some((memory, allowed)) = self.held(filter)? {
            let stems = Stems::of(terms.to_vec())?.in_order();
            return Ok(memory.best_by_words(&stems, &allowed));
        }
        let terms = MatchQuery::new(terms.join(" ")).with_column(Some("text".to_owned()));
        let terms = FullTextSearchQuery::new_query(FtsQuery::Match(terms));
        let mut limit = DEPTH + 1;
        loop {
            let query = self
                .table
                .query()
                .full_text_search(terms.clone())
                .only_if_expr(filter.clone())
                .with_row_id()
                .select(Select::columns(&["tool_id", "_score"]))
                .limit(limit);
            let batches: Vec<_> = query.execute().await?.try_collect().await?;
            match best(candidates(&batches, "_score", |score| score)?, limit) {
                ControlFlow::Break(best) => return Ok(best),
                ControlFlow::Continue(more) => limit = more,
            }
        }
    }

    /// The rows nearest to each of the vectors.
    pub(super) async fn vector_candidates(
        &self,
        vectors: &[Vec<f32>],
        filter: &DfExpr,
    ) -> Result<Vec<Vec<Found>>, SearchError> {
        if vectors.is_empty() {
            return Ok(Vec::new());
        }
        if let Some((memory, allowed)) = self.held(filter)? {
            let nearest = |vector: &Vec<f32>| memory.nearest(vector, &allowed);
            return Ok(vectors.iter().map(nearest).collect());
        }
        try_join_all(vectors.iter().map(|vector| self.nearest(vector, filter))).await
    }

    /// The nearest rows by cosine, by an exact scan.
    async fn nearest(&self, vector: &[f32], filter: &DfExpr) -> Result<Vec<Found>, SearchError> {
        let mut limit = DEPTH + 1;
        loop {
            let query = self
                .table
                .query()
                .nearest_to(vector)?
                .column("vector")
                .distance_type(DistanceType::Cosine)
                .bypass_vector_index()
                .only_if_expr(filter.clone())
                .with_row_id()
                .select(Select::columns(&["tool_id", "_distance"]))
                .limit(limit);
            let batches: Vec<_> = query.execute().await?.try_collect().await?;
            let found = candidates(&batches, "_distance", |distance| 1.0 - distance)?;
            match best(found, limit) {
                ControlFlow::Break(best) => return Ok(best),
                ControlFlow::Continue(more) => limit = more,
            }
        }
    }

    /// Columns of all rows that fulfil a filter, in no order.
    pub(super) async fn all(
        &self,
        filter: &DfExpr,
        columns: &[&str],
    ) -> Result<Vec<RecordBatch>, SearchError> {
        if let Some((memory, allowed)) = self.held(filter)?
            && let Some(batches) = memory.all(&allowed, columns)?
        {
            return Ok(batches);
        }
        let query = self
            .table
            .query()
            .only_if_expr(filter.clone())
            .with_row_id()
            .select(Select::columns(columns));
        Ok(query.execute().await?.try_collect().await?)
    }

    /// Columns of some rows, in no order.
    pub(super) async fn take(
        &self,
        rows: Vec<u64>,
        columns: &[&str],
    ) -> Result<Vec<RecordBatch>, SearchError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(memory) = &self.memory
            && let Some(batches) = memory.take(&rows, columns)?
        {
            return Ok(batches);
        }
        let query = self
            .table
            .take_row_ids(rows)
            .select(Select::columns(columns))
            .with_row_id();
        Ok(query.execute().await?.try_collect().await?)
    }

    /// What an answer shows of rows, in their order, each with the words that it contains.
    pub(super) async fn shown(
        &self,
        wanted: &[u64],
        words: &Stems,
    ) -> Result<Vec<(SearchHit, Vec<String>)>, SearchError> {
        let mut columns = rows::SHOWN.to_vec();
        if self.memory.is_none() {
            columns.push("text");
        }
        let mut found = HashMap::new();
        for batch in &self.take(wanted.to_vec(), &columns).await? {
            let ids = rows::row_ids(batch)?;
            for row in 0..batch.num_rows() {
                let id = ids.value(row);
                let matched = match &self.memory {
                    Some(memory) => words.matching(|stem| memory.has_stem(id, stem) == Some(true)),
                    None => words.matched(rows::strings(batch, "text")?.value(row))?,
                };
                found.insert(id, (hit(batch, row)?, matched));
            }
        }
        let gone = || SearchError::Damaged("a candidate's row is missing".to_owned());
        wanted
            .iter()
            .map(|row| found.remove(row).ok_or_else(gone))
            .collect()
    }
}

/// The best [`DEPTH`] of the rows that were found with a limit above it, equal ones by tool id. Where rows below the
/// cut fit as well as the last one above it, which of them LanceDB answers is chance: then the answer is how many to
/// read, so that all equal ones are there to choose from.
fn best(mut found: Vec<Found>, limit: usize) -> ControlFlow<Vec<Found>, usize> {
    found.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        by_score.then_with(|| a.tool_id.cmp(&b.tool_id))
    });
    let score = |place: usize| found.get(place).map(|found| found.score);
    let tied = found.len() >= limit && score(limit - 1) == score(DEPTH - 1);
    if tied && limit < MOST_TIED {
        return ControlFlow::Continue(limit * 8);
    }
    found.truncate(DEPTH);
    ControlFlow::Break(found)
}

fn candidates(
    batches: &[RecordBatch],
    score: &str,
    convert: fn(f32) -> f32,
) -> Result<Vec<Found>, SearchError> {
    let mut out = Vec::new();
    for batch in batches {
        let (ids, scores) = (rows::row_ids(batch)?, rows::floats(batch, score)?);
        let tools = rows::strings(batch, "tool_id")?;
        out.extend((0..batch.num_rows()).map(|row| Found {
            row: ids.value(row),
            tool_id: tools.value(row).to_owned(),
            score: convert(scores.value(row)),
        }));
    }
    Ok(out)
}

fn hit(batch: &RecordBatch, row: usize) -> Result<SearchHit, SearchError> {
    let text = |name: &str| Ok::<_, SearchError>(rows::strings(batch, name)?.value(row).to_owned());
    let optional = |name: &str| {
        let column = rows::strings(batch, name)?;
        Ok::<_, SearchError>(column.is_valid(row).then(|| column.value(row).to_owned()))
    };
    Ok(SearchHit {
        tool_id: text("tool_id")?,
        server_id: text("server_id")?,
        server: text("server")?,
        server_name: text("server_name")?,
        name: text("name")?,
        title: optional("title")?,
        description: text("description")?,
        tool_version: text("tool_version")?,
        status: text("status")?,
        category: optional("category")?,
        tags: rows::tags(&text("tags")?),
        score: 0.0,
        cursor: String::new(),
        why: Why::default(),
    })
}
