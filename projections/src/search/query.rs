//! Asking the index: a request, two lists of candidates, one fused answer.
//!
//! Invariant: tenant, visibility, status and filters are applied inside LanceDB *before* ranking, to both
//! lists, so that a hidden tool neither appears nor takes a visible one's place. All of an answer comes
//! from one version of the table.

use std::collections::HashSet;

use domain::id::TenantId;
use domain::tool::Visibility;
use futures::future::try_join_all;
use lancedb::expr::{DfExpr, col, contains, is_in, lit};

use super::candidates::{DEPTH, Reader};
use super::document::ACTIVE;
use super::error::SearchError;
use super::index::SearchIndex;
use super::rank::{self, Fused, List};
use super::rows;
use super::stems::Stems;
use super::steps::steps;
use super::words::words;

/// Most hits of one answer.
pub const MAX_HITS: usize = 100;
/// Characters of a query that are read.
const MAX_QUERY_CHARS: usize = 4_000;
/// Different words of a query that are looked up.
const MAX_QUERY_WORDS: usize = 64;

const OFF: &str = "semantic search is off: no embedding model is configured";
const UNAVAILABLE: &str = "semantic search is unavailable at the moment: results match words only";

/// One search.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Which tools are reached.
    pub scope: Scope,
    /// Whose tools: taken from the verified token, never from the caller's input.
    pub tenant: TenantId,
    /// What is wanted, in plain words.
    pub query: String,
    /// Narrows the search.
    pub filter: SearchFilter,
    /// The visibilities that the caller may see; with none, nothing is found.
    pub visibilities: Vec<String>,
    /// Number of hits wanted, at most [`MAX_HITS`].
    pub first: usize,
}

/// Which tools a search reaches. Everything else is filtered out before ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The tenant's own, of the visibilities that the caller may see, and those that it has installed.
    Tenant {
        /// The ids of the installed tools, which are found while they are public.
        installed: Vec<String>,
    },
    /// The public ones of every tenant, or of one.
    Marketplace {
        /// The one.
        publisher: Option<TenantId>,
    },
}

/// Narrows a search. An empty list does not narrow; several values of one list mean any of them.
#[derive(Debug, Clone, Default)]
pub struct SearchFilter {
    /// Slugs of servers.
    pub servers: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
}

/// What is searched. A caller leaves the choice to [`SearchIndex::search`]; benchmarks compare the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Full text alone.
    Text,
    /// Vectors alone.
    Vector,
    /// Both, fused.
    Hybrid,
}

/// A found tool.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchHit {
    /// The tool's id.
    pub tool_id: String,
    /// The server's id.
    pub server_id: String,
    /// The server's slug.
    pub server: String,
    /// The server's name for people.
    pub server_name: String,
    /// The tool's name.
    pub name: String,
    /// The tool's title for people.
    pub title: Option<String>,
    /// The tool's description: untrusted text.
    pub description: String,
    /// The version that was indexed.
    pub tool_version: String,
    /// The category.
    pub category: Option<String>,
    /// The tags.
    pub tags: Vec<String>,
    /// From 0 to 1, the share of the best hit's points; comparable within one answer only.
    pub score: f32,
    /// Why it was found.
    pub why: Why,
}

/// Why a tool was found: its place in either list, from 1, and what of the query it contains.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Why {
    /// Place in the full-text list.
    pub text_rank: Option<usize>,
    /// BM25 score in the full-text list.
    pub text_score: Option<f32>,
    /// Place in the list of nearest vectors.
    pub vector_rank: Option<usize>,
    /// Cosine of the tool and the query, or that of its sentences that fits best, from -1 to 1.
    pub similarity: Option<f32>,
    /// Words of the query that the tool's text contains, word endings aside.
    pub matched_terms: Vec<String>,
}

/// The answer to one search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchAnswer {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// Whether meaning was searched, and not only words.
    pub semantic: bool,
    /// What the reader should know about this answer, such as that semantic search is off.
    pub notice: Option<String>,
}

impl SearchIndex {
    /// Searches by words and, where there is an embedder, by meaning. When the embedder fails, the answer
    /// is by words alone and says so.
    ///
    /// # Errors
    /// [`SearchError::EmptyQuery`], or [`SearchError::Lance`] when the table cannot be read.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchAnswer, SearchError> {
        self.search_by(request, Mode::Hybrid).await
    }

    /// [`Self::search`] with a choice of what is searched.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub async fn search_by(
        &self,
        request: &SearchRequest,
        mode: Mode,
    ) -> Result<SearchAnswer, SearchError> {
        let query = request.query.trim();
        if query.is_empty() {
            return Err(SearchError::EmptyQuery);
        }
        let query = query
            .char_indices()
            .nth(MAX_QUERY_CHARS)
            .map_or(query, |(end, _)| &query[..end]);
        if request.visibilities.is_empty() || request.first == 0 {
            let semantic = mode != Mode::Text && self.embedder.dimensions().is_some();
            return Ok(SearchAnswer {
                hits: Vec::new(),
                semantic,
                notice: self.standing_notice(mode),
            });
        }
        let words = distinct_words(query);
        let filter = filter(request);
        let reader = self.reader().await?;
        // Words are looked up while the query is embedded.
        let by_words = async {
            let words = if mode == Mode::Vector {
                &[]
            } else {
                words.as_slice()
            };
            reader.text_candidates(words, &filter).await
        };
        let by_meaning = async {
            let (vectors, notice) = self.query_vectors(query, mode).await;
            let found = reader.vector_candidates(&vectors, &filter).await?;
            Ok((found, !vectors.is_empty(), notice))
        };
        let (text, (vector, semantic, notice)) = futures::try_join!(by_words, by_meaning)?;
        let mut fused = rank::fuse(
            List {
                found: &text,
                depth: DEPTH,
            },
            List {
                found: &vector,
                depth: DEPTH,
            },
        );
        fused.truncate(request.first.min(MAX_HITS));
        let hits = hits(&reader, &fused, words).await?;
        Ok(SearchAnswer {
            hits,
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
    fn standing_notice(&self, mode: Mode) -> Option<String> {
        let off = mode != Mode::Text && self.embedder.dimensions().is_none();
        off.then(|| OFF.to_owned())
    }
}

async fn hits(
    reader: &Reader,
    fused: &[Fused],
    words: Vec<String>,
) -> Result<Vec<SearchHit>, SearchError> {
    let stems = Stems::of(words)?;
    let mut hits = Vec::with_capacity(fused.len());
    for (fused, (mut hit, text)) in fused.iter().zip(reader.shown(fused).await?) {
        hit.score = fused.score;
        hit.why = Why {
            text_rank: fused.text.map(|place| place.rank),
            text_score: fused.text.map(|place| place.score),
            vector_rank: fused.vector.map(|place| place.rank),
            similarity: fused.vector.map(|place| place.score),
            matched_terms: stems.matched(&text)?,
        };
        hits.push(hit);
    }
    Ok(hits)
}

/// The different words of a query, in their order.
fn distinct_words(query: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    words(query)
        .into_iter()
        .filter(|word| seen.insert(word.clone()))
        .take(MAX_QUERY_WORDS)
        .collect()
}

/// What may be found at all, as an expression and never as SQL text: nothing a caller sends is parsed.
fn filter(request: &SearchRequest) -> DfExpr {
    let any = |column: &str, values: &[String]| {
        is_in(
            col(column),
            values.iter().map(|v| lit(v.as_str())).collect(),
        )
    };
    let public = || col("visibility").eq(lit(Visibility::Public.as_str()));
    let of = |tenant: &TenantId| col("tenant").eq(lit(tenant.as_str()));
    let reached = match &request.scope {
        Scope::Tenant { installed } => {
            let own = of(&request.tenant).and(any("visibility", &request.visibilities));
            if installed.is_empty() {
                own
            } else {
                own.or(any("tool_id", installed).and(public()))
            }
        }
        Scope::Marketplace { publisher: None } => public(),
        Scope::Marketplace {
            publisher: Some(publisher),
        } => of(publisher).and(public()),
    };
    let mut filter = reached.and(col("status").eq(lit(ACTIVE)));
    let narrow = &request.filter;
    for (column, values) in [
        ("server", &narrow.servers),
        ("category", &narrow.categories),
    ] {
        if !values.is_empty() {
            filter = filter.and(any(column, values));
        }
    }
    let tags = narrow
        .tags
        .iter()
        .map(|tag| contains(col("tags"), lit(rows::marked(tag))));
    match tags.reduce(DfExpr::or) {
        Some(tags) => filter.and(tags),
        None => filter,
    }
}
