//! The table in memory, as searches read it.
//!
//! A search reads one version of the table. This module follows the table from version to version: it asks which
//! rows a version has, which costs a list of their ids, and reads those that it does not know yet. A row of a table
//! never changes under its id, a changed tool is a new row; so what was read stays right, for an older version that a
//! cursor names as well as for the latest.
//!
//! Invariants: an answer is that of the version it names, whatever was read before. The filter that decides on what a
//! caller sees is the one that LanceDB gets, evaluated by the same DataFusion. Memory is bounded: above [`MOST_ROWS`]
//! rows nothing is held, and LanceDB reads its files and indexes.

mod part;
mod postings;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{RecordBatch, UInt64Array};
use arrow_schema::SchemaRef;
use futures::{StreamExt, TryStreamExt};
use lancedb::Table;
use lancedb::datafusion::arrow::buffer::BooleanBuffer;
use lancedb::datafusion::arrow::compute::filter_record_batch;
use lancedb::datafusion::prelude::SessionContext;
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use super::error::SearchError;
use super::rows;
use part::Part;
use snapshot::Held;

pub(super) use snapshot::{Allowed, Snapshot};

/// Rows of a table that is held: about 3 KB each with vectors of 384 components. Up to so many, what is held answers
/// earlier than an index of partitions that finds nearly as much, and far earlier than a scan of files
/// (`benches/README.md`, bench `switch`).
const MOST_ROWS: usize = 250_000;
/// Rows of a part that is read at once.
const PART: usize = 4_096;
/// Parts of about the same size above which they become one.
const ALIKE: usize = 8;
/// New rows above which all are scanned instead of looked up one by one.
const LOOKED_UP: usize = 1_024;

/// What is held of one table. Cheap to clone.
#[derive(Clone)]
pub(super) struct Memory(Arc<Inner>);

struct Inner {
    most_rows: usize,
    latest: Mutex<Option<Arc<Snapshot>>>,
    /// Whoever needs a version that is not there reads it alone; the others wait for it.
    reading: tokio::sync::Mutex<()>,
    session: SessionContext,
}

impl Default for Memory {
    fn default() -> Self {
        Self::of(MOST_ROWS)
    }
}

impl Memory {
    /// For a table of so many rows at most.
    pub(super) fn of(most_rows: usize) -> Self {
        Self(Arc::new(Inner {
            most_rows,
            latest: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            session: SessionContext::default(),
        }))
    }

    /// Whether a table of so many rows is held.
    pub(super) fn holds(&self, rows: usize) -> bool {
        rows <= self.0.most_rows
    }

    /// The version to which `table` is pinned; `None` when it is too large.
    pub(super) async fn at(
        &self,
        table: &Table,
        version: u64,
    ) -> Result<Option<Arc<Snapshot>>, SearchError> {
        let known = |latest: &Arc<Snapshot>| latest.version == version;
        if let Some(latest) = self.latest().filter(known) {
            return Ok(Some(latest));
        }
        let _alone = self.0.reading.lock().await;
        let latest = self.latest();
        if let Some(latest) = latest.clone().filter(known) {
            return Ok(Some(latest));
        }
        if !self.holds(table.count_rows(None).await?) {
            self.keep(None);
            return Ok(None);
        }
        let read = self.read(latest.as_deref(), table, version).await?;
        let read = Arc::new(read);
        if latest.is_none_or(|latest| latest.version < version) {
            self.keep(Some(Arc::clone(&read)));
        }
        Ok(Some(read))
    }

    fn latest(&self) -> Option<Arc<Snapshot>> {
        let latest = self.0.latest.lock();
        latest.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, snapshot: Option<Arc<Snapshot>>) {
        *self.0.latest.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    /// A version, made of what is known of another one and what has to be read.
    async fn read(
        &self,
        known: Option<&Snapshot>,
        table: &Table,
        version: u64,
    ) -> Result<Snapshot, SearchError> {
        let held = match known {
            Some(known) => Arc::clone(&known.held),
            None => Arc::new(part::held(table.schema().await?.as_ref())),
        };
        let ids = row_ids(table).await?;
        let mut is_known = vec![false; ids.len()];
        let mut parts = Vec::new();
        for part in known.iter().flat_map(|known| &known.parts) {
            let live = live(&part.part.ids, &ids, &mut is_known);
            if live == part.live {
                parts.push(part.clone());
            } else if live.count_set_bits() > 0 {
                parts.push(Held::new(Arc::clone(&part.part), live));
            }
        }
        let new = ids.iter().zip(is_known).filter(|(_, known)| !known);
        let new: Vec<u64> = new.map(|(id, _)| *id).collect();
        let columns: Vec<String> = table_columns(table).await?;
        for part in read_parts(table, &new, &columns, &held).await? {
            let live = BooleanBuffer::new_set(part.ids.len());
            parts.push(Held::new(Arc::new(part), live));
        }
        Ok(Snapshot {
            version,
            held,
            parts: settled(parts)?,
            session: self.0.session.clone(),
        })
    }
}

/// The ids of all rows, ascending.
async fn row_ids(table: &Table) -> Result<Vec<u64>, SearchError> {
    let none: &[&str] = &[];
    let query = table.query().with_row_id().select(Select::columns(none));
    let mut batches = query.execute().await?;
    let mut ids = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        ids.extend_from_slice(rows::row_ids(&batch)?.values());
    }
    if !ids.is_sorted() {
        ids.sort_unstable();
    }
    Ok(ids)
}

/// All but what only the writer reads.
async fn table_columns(table: &Table) -> Result<Vec<String>, SearchError> {
    let schema = table.schema().await?;
    let names = schema.fields().iter().map(|field| field.name().clone());
    Ok(names.filter(|name| name != "embedded").collect())
}

/// Which rows of a part are among `ids`, where they are marked.
fn live(part: &[u64], ids: &[u64], known: &mut [bool]) -> BooleanBuffer {
    let (Some(first), Some(last)) = (part.first(), part.last()) else {
        return BooleanBuffer::new_unset(0);
    };
    let range = ids.partition_point(|id| id < first)..ids.partition_point(|id| id <= last);
    if ids[range.clone()] == *part {
        known[range].fill(true);
        return BooleanBuffer::new_set(part.len());
    }
    let mut at = range.start;
    let is_live = |id: &u64| {
        while ids.get(at).is_some_and(|other| other < id) {
            at += 1;
        }
        let is_live = ids.get(at) == Some(id);
        if is_live {
            known[at] = true;
        }
        is_live
    };
    part.iter().map(is_live).collect()
}

/// Reads rows that are not known yet.
async fn read_parts(
    table: &Table,
    new: &[u64],
    columns: &[String],
    held: &SchemaRef,
) -> Result<Vec<Part>, SearchError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let mut batches = if new.len() <= LOOKED_UP {
        let query = table.take_row_ids(new.to_vec());
        let query = query.select(Select::columns(columns)).with_row_id();
        query.execute().await?
    } else {
        let query = table.query().select(Select::columns(columns));
        query.with_row_id().execute().await?
    };
    let (mut parts, mut waiting, mut rows) = (Vec::new(), Vec::new(), 0);
    while let Some(batch) = batches.next().await {
        let batch = wanted(&batch?, new)?;
        rows += batch.num_rows();
        waiting.push(batch);
        if rows >= PART {
            parts.push(part(std::mem::take(&mut waiting), held).await?);
            rows = 0;
        }
    }
    if rows > 0 {
        parts.push(part(waiting, held).await?);
    }
    Ok(parts)
}

/// The rows of a batch that are among `ids`.
fn wanted(batch: &RecordBatch, ids: &[u64]) -> Result<RecordBatch, SearchError> {
    let found: &UInt64Array = rows::row_ids(batch)?;
    let bits = found
        .values()
        .iter()
        .map(|id| ids.binary_search(id).is_ok());
    let bits: BooleanBuffer = bits.collect();
    Ok(filter_record_batch(batch, &bits.into())?)
}

/// Cuts words and rounds vectors off the async runtime's own threads.
async fn part(batches: Vec<RecordBatch>, held: &SchemaRef) -> Result<Part, SearchError> {
    let held = Arc::clone(held);
    let made = tokio::task::spawn_blocking(move || Part::of(&batches, &held)).await;
    made.map_err(|error| SearchError::Damaged(error.to_string()))?
}

/// Makes one part of many small ones, and drops what is no longer there of those that are mostly gone.
fn settled(parts: Vec<Held>) -> Result<Vec<Held>, SearchError> {
    // Sizes of one class differ by a factor of eight at most.
    let class = |held: &Held| held.rows().max(1).ilog2() / 3;
    let is_small = |held: &Held| held.part.ids.len() < PART;
    let mut kept = parts;
    for size in 0..=PART.ilog2() / 3 {
        let (alike, others): (Vec<Held>, Vec<Held>) = kept
            .into_iter()
            .partition(|held| is_small(held) && class(held) == size);
        kept = others;
        if alike.len() < ALIKE {
            kept.extend(alike);
        } else {
            kept.push(merged(&alike)?);
        }
    }
    let mostly_gone = |held: &Held| held.rows() * 2 < held.part.ids.len();
    kept.into_iter()
        .map(|held| {
            if mostly_gone(&held) {
                merged(&[held])
            } else {
                Ok(held)
            }
        })
        .collect()
}

fn merged(parts: &[Held]) -> Result<Held, SearchError> {
    let parts = parts.iter();
    let parts: Vec<_> = parts
        .map(|held| (Arc::clone(&held.part), held.live.clone()))
        .collect();
    let part = Part::merged(&parts)?;
    let live = BooleanBuffer::new_set(part.ids.len());
    Ok(Held::new(Arc::new(part), live))
}
