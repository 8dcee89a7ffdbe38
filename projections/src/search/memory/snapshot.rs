//! One version of the table in memory: what is looked up in it.
//!
//! What it answers depends on the rows of that version alone, not on how they are divided into parts: products of
//! vectors are sums of whole numbers, and the points of a row are added in the order of the query's words.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lancedb::datafusion::arrow::buffer::BooleanBuffer;
use lancedb::datafusion::arrow::compute::{filter_record_batch, take_record_batch};
use lancedb::datafusion::common::DFSchema;
use lancedb::datafusion::physical_expr::PhysicalExpr;
use lancedb::datafusion::prelude::SessionContext;
use lancedb::expr::DfExpr;
use numeric::planes::Query;

use super::super::candidates::{DEPTH, Found};
use super::super::embed::normalize;
use super::super::error::SearchError;
use super::super::rows;
use super::part::Part;
use super::postings::Statistics;

pub(in super::super) struct Snapshot {
    pub(super) version: u64,
    pub(super) held: SchemaRef,
    pub(super) parts: Vec<Held>,
    pub(super) session: SessionContext,
}

/// A part, and which of its rows this version has.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) part: Arc<Part>,
    pub(super) live: BooleanBuffer,
    rows: usize,
    words: u64,
}

/// A row of this version.
#[derive(Clone, Copy)]
struct Row {
    part: usize,
    row: usize,
    score: f32,
}

impl Held {
    pub(super) fn new(part: Arc<Part>, live: BooleanBuffer) -> Self {
        let words = live.set_indices().map(|row| part.postings.length(row));
        Self {
            rows: live.count_set_bits(),
            words: words.sum(),
            part,
            live,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    fn is_whole(&self) -> bool {
        self.rows == self.part.ids.len()
    }

    fn rows_with(&self, stem: &str) -> usize {
        if self.is_whole() {
            self.part.postings.all_with(stem)
        } else {
            let is_live = |row| self.live.value(row);
            self.part.postings.rows_with(stem, is_live)
        }
    }
}

/// The rows of each part that a filter lets through.
pub(in super::super) struct Allowed(Vec<BooleanBuffer>);

impl Snapshot {
    /// The rows that a filter lets through; `None` when it reads a column that is not held.
    pub(in super::super) fn allowed(
        &self,
        filter: &DfExpr,
    ) -> Result<Option<Allowed>, SearchError> {
        let mut columns = filter.column_refs().into_iter();
        if !columns.all(|column| self.holds(column.name.as_str())) {
            return Ok(None);
        }
        let mut compiled = None;
        let mut allowed = Vec::with_capacity(self.parts.len());
        for held in &self.parts {
            let matching = match held.part.known(filter) {
                Some(known) => known,
                None => {
                    let compiled = match &mut compiled {
                        Some(compiled) => compiled,
                        none => none.insert(self.compiled(filter)?),
                    };
                    held.part.matching(filter, compiled.as_ref())?
                }
            };
            allowed.push(&matching & &held.live);
        }
        Ok(Some(Allowed(allowed)))
    }

    fn compiled(&self, filter: &DfExpr) -> Result<Arc<dyn PhysicalExpr>, SearchError> {
        let schema = DFSchema::try_from(self.held.as_ref().clone()).map_err(SearchError::filter)?;
        let compiled = self.session.create_physical_expr(filter.clone(), &schema);
        compiled.map_err(SearchError::filter)
    }

    pub(in super::super) fn holds(&self, column: &str) -> bool {
        self.held.field_with_name(column).is_ok()
    }

    /// The best rows by BM25 over stems.
    pub(in super::super) fn best_by_words(
        &self,
        stems: &[String],
        allowed: &Allowed,
    ) -> Vec<Found> {
        let statistics = Statistics {
            rows: self.parts.iter().map(|held| held.rows).sum(),
            words: self.parts.iter().map(|held| held.words).sum(),
        };
        let weights = stems.iter().map(|stem| {
            let with = self.parts.iter().map(|held| held.rows_with(stem)).sum();
            (stem, statistics.weight(with))
        });
        let weights: Vec<_> = weights.collect();
        let (mut scores, mut found) = (Vec::new(), Vec::new());
        for (part, (held, allowed)) in self.parts.iter().zip(&allowed.0).enumerate() {
            scores.clear();
            scores.resize(held.part.ids.len(), 0.0);
            for (stem, weight) in &weights {
                held.part.postings.score(stem, weight, &mut scores);
            }
            for (row, score) in scores.iter().copied().enumerate() {
                if score > 0.0 && allowed.value(row) {
                    found.push(Row { part, row, score });
                }
            }
        }
        self.best(found)
    }

    /// The rows nearest to a vector by cosine.
    pub(in super::super) fn nearest(&self, vector: &[f32], allowed: &Allowed) -> Vec<Found> {
        let mut vector = vector.to_vec();
        normalize(&mut vector);
        let query = Query::new(&vector);
        let (mut bounds, mut possible, mut least) = (Vec::new(), Vec::new(), Vec::new());
        for (part, (held, allowed)) in self.parts.iter().zip(&allowed.0).enumerate() {
            bounds.clear();
            held.part.planes.rough(&query, &mut bounds);
            for row in allowed.set_indices() {
                if let Some(bound) = bounds.get(row) {
                    least.push(bound.least);
                    possible.push((bound.most, part, row));
                }
            }
        }
        if least.len() > DEPTH {
            let (_, last, _) = least.select_nth_unstable_by(DEPTH - 1, |a, b| b.total_cmp(a));
            let last = *last;
            possible.retain(|(most, ..)| *most >= last);
        }
        let exact = possible.into_iter().map(|(_, part, row)| Row {
            part,
            row,
            score: self.parts[part].part.planes.product(&query, row),
        });
        self.best(exact.collect())
    }

    /// Columns of all rows that are allowed, with their ids; `None` when one of them is not held.
    pub(in super::super) fn all(
        &self,
        allowed: &Allowed,
        columns: &[&str],
    ) -> Result<Option<Vec<RecordBatch>>, SearchError> {
        let mut out = Vec::new();
        for (held, allowed) in self.parts.iter().zip(&allowed.0) {
            let Some(batch) = held.part.with_ids(columns)? else {
                return Ok(None);
            };
            out.push(filter_record_batch(&batch, &allowed.clone().into())?);
        }
        Ok(Some(out))
    }

    /// Columns of some rows, with their ids; `None` when a column is not held or a row not there.
    pub(in super::super) fn take(
        &self,
        wanted: &[u64],
        columns: &[&str],
    ) -> Result<Option<Vec<RecordBatch>>, SearchError> {
        let mut by_part: HashMap<usize, Vec<u32>> = HashMap::new();
        for id in wanted {
            let Some((part, row)) = self.find(*id) else {
                return Ok(None);
            };
            by_part.entry(part).or_default().push(row as u32);
        }
        let mut out = Vec::new();
        for (part, rows) in by_part {
            let Some(batch) = self.parts[part].part.with_ids(columns)? else {
                return Ok(None);
            };
            out.push(take_record_batch(&batch, &UInt32Array::from(rows))?);
        }
        Ok(Some(out))
    }

    /// Whether a row has a stem; `None` when the row is not there.
    pub(in super::super) fn has_stem(&self, id: u64, stem: &str) -> Option<bool> {
        let (part, row) = self.find(id)?;
        Some(self.parts[part].part.postings.has(stem, row))
    }

    fn find(&self, id: u64) -> Option<(usize, usize)> {
        let find = |(part, held): (usize, &Held)| {
            let row = held.part.ids.binary_search(&id).ok()?;
            held.live.value(row).then_some((part, row))
        };
        self.parts.iter().enumerate().find_map(find)
    }

    /// The best [`DEPTH`], equal ones by tool id.
    fn best(&self, mut found: Vec<Row>) -> Vec<Found> {
        let tool = |row: &Row| self.parts[row.part].part.tool_id(row.row);
        let better = |a: &Row, b: &Row| {
            let by_score = b.score.total_cmp(&a.score);
            by_score.then_with(|| tool(a).cmp(tool(b)))
        };
        if found.len() > DEPTH {
            found.select_nth_unstable_by(DEPTH - 1, better);
            found.truncate(DEPTH);
        }
        found.sort_unstable_by(better);
        let found = found.iter().map(|row| Found {
            row: self.parts[row.part].part.ids[row.row],
            tool_id: tool(row).to_owned(),
            score: row.score,
        });
        found.collect()
    }
}

impl Part {
    fn tool_id(&self, row: usize) -> &str {
        rows::strings(&self.columns, "tool_id").map_or("", |tools| tools.value(row))
    }

    /// Some columns and the row ids, as the table returns them; `None` when a column is not held.
    fn with_ids(&self, columns: &[&str]) -> Result<Option<RecordBatch>, SearchError> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for name in columns {
            let Ok(place) = self.columns.schema().index_of(name) else {
                return Ok(None);
            };
            fields.push(self.columns.schema().field(place).clone());
            arrays.push(Arc::clone(self.columns.column(place)));
        }
        fields.push(Field::new("_rowid", DataType::UInt64, true));
        arrays.push(Arc::new(UInt64Array::from(self.ids.clone())));
        let schema = Arc::new(Schema::new(fields));
        Ok(Some(RecordBatch::try_new(schema, arrays)?))
    }
}
