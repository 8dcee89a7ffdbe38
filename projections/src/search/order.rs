//! The whole order of what a search finds, of which an answer shows a page.
//!
//! Without words it is a list of all that the filter lets through; with words, of the candidates that the two
//! searches give, at most [`DEPTH`] each.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use arrow_array::RecordBatch;
use domain::id::TenantId;
use futures::future::try_join_all;
use lancedb::expr::DfExpr;

use super::candidates::{DEPTH, Found, Reader};
use super::error::SearchError;
use super::facets::{self, Facets};
use super::index::SearchIndex;
use super::query::{Mode, Sort};
use super::rank::{self, Candidate, Fused, List};
use super::ratings::Ratings;
use super::rows;
use super::scope::Scope;
use super::steps::steps;

/// How deep a list without words is paged through.
pub const MAX_DEPTH: usize = 500;

const OFF: &str = "semantic search is off: no embedding model is configured";
const UNAVAILABLE: &str = "semantic search is unavailable at the moment: results match words only";

/// What is looked for.
pub(super) struct Wanted<'a> {
    /// The text to embed; empty for a list.
    pub(super) text: &'a str,
    /// Its words.
    pub(super) words: &'a [String],
    pub(super) filter: &'a DfExpr,
    pub(super) sort: Sort,
    /// Who asks: tools are rated and used by each tenant for itself.
    pub(super) tenant: &'a TenantId,
    /// What is reached, and in which version.
    pub(super) scope: &'a Scope,
    /// Its ratings, where the order or the facets need them.
    pub(super) ratings: &'a Ratings,
    pub(super) mode: Mode,
    /// Whether to count facets.
    pub(super) facets: bool,
}

/// What is found.
pub(super) struct Order {
    /// In order; of a list without words, the first [`MAX_DEPTH`].
    pub(super) tools: Vec<Ranked>,
    /// How many there are.
    pub(super) found: usize,
    pub(super) facets: Option<Facets>,
    pub(super) semantic: bool,
    pub(super) notice: Option<String>,
}

/// A tool in the order.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    pub(super) row: u64,
    pub(super) tool_id: String,
    pub(super) fused: Fused,
}

impl SearchIndex {
    pub(super) async fn order(
        &self,
        reader: &Reader,
        wanted: &Wanted<'_>,
    ) -> Result<Order, SearchError> {
        if wanted.text.is_empty() {
            self.listed(reader, wanted).await
        } else {
            self.ranked(reader, wanted).await
        }
    }

    /// Everything that the filter lets through.
    async fn listed(&self, reader: &Reader, wanted: &Wanted<'_>) -> Result<Order, SearchError> {
        let mut columns: BTreeSet<&str> = wanted.sort.columns().iter().copied().collect();
        if wanted.facets {
            columns.extend(facets::COLUMNS);
        }
        let columns: Vec<&str> = columns.into_iter().collect();
        let batches = reader.all(wanted.filter, &columns).await?;
        let mut keyed = keyed(&batches, wanted)?;
        let found = keyed.len();
        keyed.sort_by(|a, b| Sort::Name.compare(a, b));
        keyed.sort_by(|a, b| wanted.sort.compare(a, b));
        keyed.truncate(MAX_DEPTH);
        let tools = keyed.into_iter().map(|Keyed { tool_id, row, .. }| Ranked {
            row,
            tool_id,
            fused: Fused {
                row,
                score: 1.0,
                text: None,
                vector: None,
            },
        });
        Ok(Order {
            tools: tools.collect(),
            found,
            facets: wanted
                .facets
                .then(|| Facets::count(&batches, wanted.scope, wanted.ratings))
                .transpose()?,
            semantic: self.embedder.dimensions().is_some() && wanted.mode != Mode::Text,
            notice: self.standing_notice(wanted.mode),
        })
    }

    /// The candidates by words and by meaning, as one order.
    async fn ranked(&self, reader: &Reader, wanted: &Wanted<'_>) -> Result<Order, SearchError> {
        // Words are looked up while the query is embedded.
        let by_words = async {
            let words = if wanted.mode == Mode::Vector {
                &[]
            } else {
                wanted.words
            };
            reader.text_candidates(words, wanted.filter).await
        };
        let by_meaning = async {
            let (vectors, notice) = self.query_vectors(wanted.text, wanted.mode).await;
            let found = reader.vector_candidates(&vectors, wanted.filter).await?;
            Ok((found, !vectors.is_empty(), notice))
        };
        let (text, (vectors, semantic, notice)) = futures::try_join!(by_words, by_meaning)?;
        let mut tools = fuse(&text, &vectors);
        let rows: Vec<u64> = tools.iter().map(|tool| tool.row).collect();
        if wanted.sort != Sort::Relevance {
            let batches = reader.take(rows.clone(), wanted.sort.columns()).await?;
            tools = resorted(tools, keyed(&batches, wanted)?, wanted.sort);
        }
        let facets = if wanted.facets {
            let batches = reader.take(rows, facets::COLUMNS).await?;
            Some(Facets::count(&batches, wanted.scope, wanted.ratings)?)
        } else {
            None
        };
        Ok(Order {
            found: tools.len(),
            tools,
            facets,
            semantic,
            notice,
        })
    }

    /// The vectors of the query's steps, and what the reader should know when there are none.
    async fn query_vectors(&self, query: &str, mode: Mode) -> (Vec<Vec<f32>>, Option<String>) {
        if mode == Mode::Text || self.embedder.dimensions().is_none() {
            return (Vec::new(), self.standing_notice(mode));
        }
        let steps = steps(query).into_iter();
        match try_join_all(steps.map(|step| self.embedder.embed_query(step))).await {
            Ok(vectors) => (vectors, None),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "query not embedded, searching by words alone"
                );
                (Vec::new(), Some(UNAVAILABLE.to_owned()))
            }
        }
    }

    /// What every answer of this index says.
    pub(super) fn standing_notice(&self, mode: Mode) -> Option<String> {
        let off = mode != Mode::Text && self.embedder.dimensions().is_none();
        off.then(|| OFF.to_owned())
    }
}

/// Fuses the lists. A row's id changes when the table is compacted, a tool's does not: ties are broken by the tool's.
fn fuse(text: &[Found], vectors: &[Vec<Found>]) -> Vec<Ranked> {
    let all = text.iter().chain(vectors.iter().flatten());
    let mut tools: Vec<(&str, u64)> = all
        .map(|found| (found.tool_id.as_str(), found.row))
        .collect();
    tools.sort_unstable();
    tools.dedup();
    let places: HashMap<u64, u64> = (0..)
        .zip(&tools)
        .map(|(place, tool)| (tool.1, place))
        .collect();
    let candidates = |found: &[Found]| -> Vec<Candidate> {
        let candidate = |found: &Found| Candidate {
            row: places.get(&found.row).copied().unwrap_or(u64::MAX),
            score: found.score,
        };
        found.iter().map(candidate).collect()
    };
    let text = candidates(text);
    let vectors = vectors.iter().map(|list| candidates(list)).collect();
    let vectors = rank::best_of(vectors, DEPTH);
    let (text, vector) = (&text, &vectors);
    let list = |found| List {
        found,
        depth: DEPTH,
    };
    let fused = rank::fuse(list(text), list(vector));
    let ranked = fused.into_iter().filter_map(|fused| {
        let (tool_id, row) = *tools.get(usize::try_from(fused.row).ok()?)?;
        Some(Ranked {
            row,
            tool_id: tool_id.to_owned(),
            fused,
        })
    });
    ranked.collect()
}

/// Candidates by what they are sorted by; what is equal in a sort by standing stays as it is, the best first.
fn resorted(mut tools: Vec<Ranked>, keyed: Vec<Keyed>, sort: Sort) -> Vec<Ranked> {
    let by_row: HashMap<u64, Keyed> = keyed.into_iter().map(|keyed| (keyed.row, keyed)).collect();
    tools.retain(|tool| by_row.contains_key(&tool.row));
    tools.sort_by(|a, b| sort.compare(&by_row[&a.row], &by_row[&b.row]));
    tools
}

/// A row with what it is sorted by.
struct Keyed {
    /// The name, or the moment.
    key: String,
    /// The rating, or the use.
    standing: f64,
    tool_id: String,
    row: u64,
}

impl Sort {
    /// The columns to sort by, the one with the key first; what has no relevance is listed by name.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Relevance | Self::Name | Self::Rating => &["name", "tool_id"],
            Self::Updated => &["updated_at", "tool_id"],
            Self::Use => &["name", "tool_id", "used"],
        }
    }

    fn compare(self, a: &Keyed, b: &Keyed) -> Ordering {
        let by_id = || a.tool_id.cmp(&b.tool_id);
        match self {
            Self::Relevance | Self::Name => a.key.cmp(&b.key).then_with(by_id),
            Self::Updated => b.key.cmp(&a.key).then_with(by_id),
            Self::Rating | Self::Use => b.standing.total_cmp(&a.standing),
        }
    }
}

fn keyed(batches: &[RecordBatch], wanted: &Wanted<'_>) -> Result<Vec<Keyed>, SearchError> {
    let mut out = Vec::new();
    for batch in batches {
        let (ids, tools) = (rows::row_ids(batch)?, rows::strings(batch, "tool_id")?);
        let keys = rows::strings(batch, wanted.sort.columns()[0])?;
        let used = match wanted.sort {
            Sort::Use => Some(rows::strings(batch, "used")?),
            Sort::Relevance | Sort::Name | Sort::Updated | Sort::Rating => None,
        };
        let standing = |row: usize| match (wanted.sort, used) {
            (Sort::Rating, _) => wanted.ratings.of(tools.value(row)),
            (_, Some(used)) => rows::use_by(used.value(row), wanted.tenant).map_or(0.0, f64::from),
            _ => 0.0,
        };
        out.extend((0..batch.num_rows()).map(|row| Keyed {
            key: keys.value(row).to_owned(),
            standing: standing(row),
            tool_id: tools.value(row).to_owned(),
            row: ids.value(row),
        }));
    }
    Ok(out)
}
