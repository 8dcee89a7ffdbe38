//! Reading candidates from one version of the table: by words, by meaning, and the rows of the best.

use std::collections::HashMap;

use arrow_array::{Array, RecordBatch};
use futures::TryStreamExt;
use futures::future::try_join_all;
use lancedb::expr::DfExpr;
use lancedb::index::scalar::{FtsQuery, FullTextSearchQuery, MatchQuery};
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{DistanceType, Table};

use super::error::SearchError;
use super::index::SearchIndex;
use super::query::{SearchHit, Why};
use super::rank::{Candidate, Fused, best_of};
use super::rows;

/// Candidates that each list contributes.
pub(super) const DEPTH: usize = 100;

/// The table as it stood when a query began.
pub(super) struct Reader {
    table: Table,
}

impl SearchIndex {
    pub(super) async fn reader(&self) -> Result<Reader, SearchError> {
        Ok(Reader {
            table: self.table.query_snapshot().await?,
        })
    }
}

impl Reader {
    /// The best rows by BM25; none when the query has no words.
    pub(super) async fn text_candidates(
        &self,
        terms: &[String],
        filter: &DfExpr,
    ) -> Result<Vec<Candidate>, SearchError> {
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        let terms = MatchQuery::new(terms.join(" ")).with_column(Some("text".to_owned()));
        let query = self
            .table
            .query()
            .full_text_search(FullTextSearchQuery::new_query(FtsQuery::Match(terms)))
            .only_if_expr(filter.clone())
            .with_row_id()
            .select(Select::columns(&["_score"]))
            .limit(DEPTH);
        let batches: Vec<_> = query.execute().await?.try_collect().await?;
        candidates(&batches, "_score", |score| score)
    }

    /// The rows nearest to any of the vectors; none when there is no vector.
    pub(super) async fn vector_candidates(
        &self,
        vectors: &[Vec<f32>],
        filter: &DfExpr,
    ) -> Result<Vec<Candidate>, SearchError> {
        let lists = vectors.iter().map(|vector| self.nearest(vector, filter));
        Ok(best_of(try_join_all(lists).await?, DEPTH))
    }

    /// The nearest rows by cosine, by an exact scan.
    async fn nearest(
        &self,
        vector: &[f32],
        filter: &DfExpr,
    ) -> Result<Vec<Candidate>, SearchError> {
        let query = self
            .table
            .query()
            .nearest_to(vector)?
            .column("vector")
            .distance_type(DistanceType::Cosine)
            .bypass_vector_index()
            .only_if_expr(filter.clone())
            .with_row_id()
            .select(Select::columns(&["_distance"]))
            .limit(DEPTH);
        let batches: Vec<_> = query.execute().await?.try_collect().await?;
        candidates(&batches, "_distance", |distance| 1.0 - distance)
    }

    /// The rows of fused candidates, in their order, each with its indexed text.
    pub(super) async fn shown(
        &self,
        fused: &[Fused],
    ) -> Result<Vec<(SearchHit, String)>, SearchError> {
        if fused.is_empty() {
            return Ok(Vec::new());
        }
        let query = self
            .table
            .take_row_ids(fused.iter().map(|fused| fused.row).collect())
            .select(Select::columns(rows::SHOWN))
            .with_row_id();
        let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
        let mut found = HashMap::new();
        for batch in &batches {
            let ids = rows::row_ids(batch)?;
            for row in 0..batch.num_rows() {
                found.insert(
                    ids.value(row),
                    (
                        hit(batch, row)?,
                        rows::strings(batch, "text")?.value(row).to_owned(),
                    ),
                );
            }
        }
        let gone = || SearchError::Damaged("a candidate's row is missing".to_owned());
        fused
            .iter()
            .map(|fused| found.remove(&fused.row).ok_or_else(gone))
            .collect()
    }
}

fn candidates(
    batches: &[RecordBatch],
    score: &str,
    convert: fn(f32) -> f32,
) -> Result<Vec<Candidate>, SearchError> {
    let mut out = Vec::new();
    for batch in batches {
        let (ids, scores) = (rows::row_ids(batch)?, rows::floats(batch, score)?);
        out.extend(
            ids.values()
                .iter()
                .zip(scores.values())
                .map(|(row, value)| Candidate {
                    row: *row,
                    score: convert(*value),
                }),
        );
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
        category: optional("category")?,
        tags: rows::tags(&text("tags")?),
        score: 0.0,
        why: Why::default(),
    })
}
