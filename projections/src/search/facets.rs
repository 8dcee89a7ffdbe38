//! How many of the found tools have which value: counted in one read, however many values there are.

use std::collections::HashMap;

use arrow_array::{Array, RecordBatch};

use super::error::SearchError;
use super::ratings::Ratings;
use super::rows;
use super::scope::Scope;

/// Values of one facet that are told, the most frequent ones.
const MAX_VALUES: usize = 50;

/// The columns that facets are counted over.
pub(super) const COLUMNS: &[&str] = &[
    "tool_id",
    "category",
    "tags",
    "server",
    "status",
    "hints",
    "visibility",
    "publisher",
];
/// The least ratings that are counted.
const BANDS: [f64; 5] = [4.5, 4.0, 3.5, 3.0, 2.0];

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
    /// By visibility.
    pub visibilities: Vec<Facet>,
    /// By the namespace that the server's publisher has proved.
    pub publishers: Vec<Facet>,
    /// By whether there is such a namespace.
    pub verified: Vec<Facet>,
    /// By least rating, the highest first; a tool counts for each that it reaches.
    pub ratings: Vec<Facet>,
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
    pub(super) fn count(
        batches: &[RecordBatch],
        scope: &Scope,
        ratings: &Ratings,
    ) -> Result<Self, SearchError> {
        let whole = |column: &str| counts(batches, column, |value| vec![value.to_owned()]);
        Ok(Self {
            counted: batches.iter().map(RecordBatch::num_rows).sum(),
            categories: whole("category")?,
            tags: counts(batches, "tags", rows::tags)?,
            servers: whole("server")?,
            statuses: whole("status")?,
            hints: hints(batches, scope)?,
            visibilities: whole("visibility")?,
            publishers: whole("publisher")?,
            verified: verified(batches)?,
            ratings: bands(batches, ratings)?,
        })
    }
}

/// Of an installed tool, those of the version in force.
fn hints(batches: &[RecordBatch], scope: &Scope) -> Result<Vec<Facet>, SearchError> {
    let in_force = scope.in_force();
    let mut counted: HashMap<String, usize> = HashMap::new();
    for batch in batches {
        let tools = rows::strings(batch, "tool_id")?;
        let indexed = rows::strings(batch, "hints")?;
        for row in 0..batch.num_rows() {
            let holding: Vec<String> = match in_force.get(tools.value(row)) {
                Some(tool) => tool.hints.iter().map(|one| one.name().to_owned()).collect(),
                None => rows::tags(indexed.value(row)),
            };
            for hint in holding {
                *counted.entry(hint).or_default() += 1;
            }
        }
    }
    Ok(told(counted))
}

fn verified(batches: &[RecordBatch]) -> Result<Vec<Facet>, SearchError> {
    let mut unproved = 0;
    for batch in batches {
        unproved += rows::strings(batch, "publisher")?.null_count();
    }
    let all: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let counted = HashMap::from([
        ("true".to_owned(), all - unproved),
        ("false".to_owned(), unproved),
    ]);
    Ok(told(counted))
}

fn bands(batches: &[RecordBatch], ratings: &Ratings) -> Result<Vec<Facet>, SearchError> {
    let mut counted = BANDS.map(|least| (least, 0));
    for batch in batches {
        let tools = rows::strings(batch, "tool_id")?;
        for row in 0..batch.num_rows() {
            for (least, count) in &mut counted {
                *count += usize::from(ratings.reaches(tools.value(row), *least));
            }
        }
    }
    let reached = counted.into_iter().filter(|(_, count)| *count > 0);
    let facet = |(least, count): (f64, usize)| Facet {
        value: least.to_string(),
        count,
    };
    Ok(reached.map(facet).collect())
}

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
    Ok(told(counted))
}

/// The most frequent values first, equal ones by name.
fn told(counted: HashMap<String, usize>) -> Vec<Facet> {
    let counted = counted.into_iter().filter(|(_, count)| *count > 0);
    let mut facets: Vec<Facet> = counted
        .map(|(value, count)| Facet { value, count })
        .collect();
    facets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    facets.truncate(MAX_VALUES);
    facets
}
