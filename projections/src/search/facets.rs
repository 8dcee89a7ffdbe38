//! How many of the found tools have which value: counted in one read, however many values there are.

use std::collections::HashMap;

use arrow_array::{Array, RecordBatch};

use super::error::SearchError;
use super::rows;

/// Values of one facet that are told, the most frequent ones.
const MAX_VALUES: usize = 50;

/// The columns that facets are counted over.
pub(super) const COLUMNS: &[&str] = &["category", "tags", "server", "status", "hints"];

/// Counts over what matches the filter: without words, over all of it; with words, over the candidates that the
/// pages together hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// Tools that were counted.
    pub counted: usize,
    /// By category; tools without one are not counted here.
    pub categories: Vec<Facet>,
    /// By tag; a tool counts for each of its tags.
    pub tags: Vec<Facet>,
    /// By server's slug.
    pub servers: Vec<Facet>,
    /// By status.
    pub statuses: Vec<Facet>,
    /// By hint that holds.
    pub hints: Vec<Facet>,
}

/// A value, and how many tools have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The value, as a filter takes it.
    pub value: String,
    /// How many tools have it.
    pub count: usize,
}

impl Facets {
    pub(super) fn count(batches: &[RecordBatch]) -> Result<Self, SearchError> {
        Ok(Self {
            counted: batches.iter().map(RecordBatch::num_rows).sum(),
            categories: counts(batches, "category", |value| vec![value.to_owned()])?,
            tags: counts(batches, "tags", rows::tags)?,
            servers: counts(batches, "server", |value| vec![value.to_owned()])?,
            statuses: counts(batches, "status", |value| vec![value.to_owned()])?,
            hints: counts(batches, "hints", rows::tags)?,
        })
    }
}

/// The most frequent values first, equal ones by name.
fn counts(
    batches: &[RecordBatch],
    column: &str,
    values: fn(&str) -> Vec<String>,
) -> Result<Vec<Facet>, SearchError> {
    let mut counted: HashMap<String, usize> = HashMap::new();
    for batch in batches {
        let column = rows::strings(batch, column)?;
        for row in (0..batch.num_rows()).filter(|row| column.is_valid(*row)) {
            for value in values(column.value(row)) {
                *counted.entry(value).or_default() += 1;
            }
        }
    }
    let mut facets: Vec<Facet> = counted
        .into_iter()
        .map(|(value, count)| Facet { value, count })
        .collect();
    facets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    facets.truncate(MAX_VALUES);
    Ok(facets)
}
