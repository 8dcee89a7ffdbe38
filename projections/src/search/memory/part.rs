//! Some rows of the table, which never change: their columns, words and vectors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{Array, BooleanArray, RecordBatch, UInt32Array};
use arrow_schema::{Schema, SchemaRef};
use lancedb::datafusion::arrow::buffer::BooleanBuffer;
use lancedb::datafusion::arrow::compute::{
    concat_batches, prep_null_mask_filter, take_record_batch,
};
use lancedb::datafusion::physical_expr::PhysicalExpr;
use lancedb::expr::DfExpr;
use numeric::planes::Planes;

use super::super::embed::normalize;
use super::super::error::SearchError;
use super::super::rows;
use super::postings::Postings;

/// Filters whose rows a part remembers.
const FILTERS: usize = 64;
/// Columns that are held in another form, or not at all.
const NOT_HELD: &[&str] = &["text", "embedded", "vector", "_rowid"];

pub(super) struct Part {
    /// Row ids, ascending.
    pub(super) ids: Vec<u64>,
    pub(super) columns: RecordBatch,
    pub(super) planes: Planes,
    pub(super) postings: Postings,
    filters: Mutex<HashMap<DfExpr, BooleanBuffer>>,
}

/// The columns that a part holds, of those of the table.
pub(super) fn held(table: &Schema) -> Schema {
    let fields = table.fields().iter().cloned();
    Schema::new(
        fields
            .filter(|field| !NOT_HELD.contains(&field.name().as_str()))
            .collect::<Vec<_>>(),
    )
}

impl Part {
    /// Of rows as the table returns them, with their ids, in whatever order.
    pub(super) fn of(batches: &[RecordBatch], held: &SchemaRef) -> Result<Self, SearchError> {
        let Some(first) = batches.first() else {
            return Err(SearchError::Damaged("a part without rows".to_owned()));
        };
        let all = concat_batches(&first.schema(), batches)?;
        let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
        let ids = rows::row_ids(&all)?;
        order.sort_unstable_by_key(|row| ids.value(*row as usize));
        let all = take_record_batch(&all, &UInt32Array::from(order))?;
        let ids = rows::row_ids(&all)?.values().to_vec();
        let texts = rows::strings(&all, "text")?;
        let postings = Postings::of((0..texts.len()).map(|row| texts.value(row)))?;
        let mut planes = Planes::default();
        if all.column_by_name("vector").is_some() {
            for row in 0..ids.len() {
                let mut vector = rows::vector(&all, row)?;
                normalize(&mut vector);
                if planes.is_empty() {
                    planes = Planes::new(vector.len());
                }
                planes.push(&vector);
            }
        }
        let columns = held
            .fields()
            .iter()
            .map(|field| all.column_by_name(field.name()).cloned())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| SearchError::Damaged("a column is missing".to_owned()))?;
        Ok(Self {
            ids,
            columns: RecordBatch::try_new(Arc::clone(held), columns)?,
            planes,
            postings,
            filters: Mutex::default(),
        })
    }

    /// The rows that are still there of several parts, as one.
    pub(super) fn merged(parts: &[(Arc<Self>, BooleanBuffer)]) -> Result<Self, SearchError> {
        let mut order: Vec<(u64, usize, usize)> = Vec::new();
        for (place, (part, live)) in parts.iter().enumerate() {
            order.extend(live.set_indices().map(|row| (part.ids[row], place, row)));
        }
        order.sort_unstable();
        let mut to: Vec<Vec<Option<u32>>> = parts
            .iter()
            .map(|(part, _)| vec![None; part.ids.len()])
            .collect();
        let begins: Vec<usize> = parts
            .iter()
            .scan(0, |begin, (part, _)| {
                let here = *begin;
                *begin += part.ids.len();
                Some(here)
            })
            .collect();
        let mut planes = Planes::default();
        let mut taken = Vec::with_capacity(order.len());
        for (new, (_, part, row)) in (0..).zip(&order) {
            let from = &parts[*part].0;
            if planes.is_empty() {
                planes = from.planes.emptied();
            }
            if !from.planes.is_empty() {
                planes.push_row(&from.planes, *row);
            }
            to[*part][*row] = Some(new);
            taken.push((begins[*part] + row) as u32);
        }
        let Some((first, _)) = parts.first() else {
            return Err(SearchError::Damaged("no parts to merge".to_owned()));
        };
        let columns = parts.iter().map(|(part, _)| &part.columns);
        let columns = concat_batches(&first.columns.schema(), columns)?;
        let lists = parts.iter().map(|(part, _)| &part.postings).zip(&to);
        let lists = lists.map(|(postings, to)| (postings, to.as_slice()));
        Ok(Self {
            ids: order.iter().map(|(id, ..)| *id).collect(),
            columns: take_record_batch(&columns, &UInt32Array::from(taken))?,
            planes,
            postings: Postings::merged(lists, order.len()),
            filters: Mutex::default(),
        })
    }

    /// What [`Self::matching`] found for this filter before.
    pub(super) fn known(&self, filter: &DfExpr) -> Option<BooleanBuffer> {
        self.filters().get(filter).cloned()
    }

    /// The rows that a filter lets through, of all that were ever here.
    pub(super) fn matching(
        &self,
        filter: &DfExpr,
        compiled: &dyn PhysicalExpr,
    ) -> Result<BooleanBuffer, SearchError> {
        let matching = compiled.evaluate(&self.columns);
        let matching = matching.and_then(|matching| matching.into_array(self.ids.len()));
        let matching = matching.map_err(SearchError::filter)?;
        let bits = match matching.as_any().downcast_ref::<BooleanArray>() {
            Some(bits) if bits.null_count() > 0 => prep_null_mask_filter(bits).values().clone(),
            Some(bits) => bits.values().clone(),
            None => BooleanBuffer::new_unset(self.ids.len()),
        };
        let mut filters = self.filters();
        if filters.len() >= FILTERS {
            filters.clear();
        }
        filters.insert(filter.clone(), bits.clone());
        Ok(bits)
    }

    fn filters(&self) -> MutexGuard<'_, HashMap<DfExpr, BooleanBuffer>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
