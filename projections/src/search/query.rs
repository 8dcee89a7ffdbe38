//! Asking the index: a request, two lists of candidates, one fused answer.
//!
//! Invariant: tenant, visibility, status and filters are applied inside LanceDB *before* ranking, to both
//! lists, so that a hidden tool neither appears nor takes a visible one's place. All of an answer comes
//! from one version of the table.

use domain::id::TenantId;

use super::asked::Asked;
use super::candidates::Reader;
use super::cursor::{Bound, Place};
use super::error::SearchError;
use super::facets::Facets;
use super::index::SearchIndex;
use super::language::{LanguageError, MAX_ECHO, SearchFilter};
use super::order::{Ranked, Wanted};
use super::ratings::Ratings;
use super::reading::Which;
use super::scope::Scope;
use super::stems::Stems;
use super::threads;
use crate::sight::Sight;

pub use super::order::MAX_DEPTH;

/// Most hits of one answer.
pub const MAX_HITS: usize = 100;
/// Hits of an answer when the request does not say.
const DEFAULT_HITS: usize = 10;

/// One search.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Whose tools: taken from the verified token, never from the caller's input.
    pub tenant: TenantId,
    /// Which tools are reached.
    pub scope: Scope,
    /// What is wanted, as a line of the [query language](super::language).
    pub query: String,
    /// Narrows the search beside the filters of the line.
    pub filter: SearchFilter,
    /// What of its tools the caller may see.
    pub sight: Sight,
    /// In which order.
    pub sort: Sort,
    /// Number of hits wanted, at most [`MAX_HITS`].
    pub first: usize,
    /// The cursor of the hit after which the page begins.
    pub after: Option<String>,
    /// Whether to count facets.
    pub facets: bool,
    /// Whether what other processes wrote until now has to be found; otherwise, what they wrote in the last tenth of
    /// a second may be missing.
    pub current: bool,
}

impl SearchRequest {
    /// A search for the best hits, which finds nothing until its `sight` is given.
    #[must_use]
    pub fn new(tenant: TenantId, query: &str) -> Self {
        Self {
            tenant,
            scope: Scope::Tenant {
                installed: Vec::new(),
            },
            query: query.to_owned(),
            filter: SearchFilter::default(),
            sight: Sight::default(),
            sort: Sort::Relevance,
            first: DEFAULT_HITS,
            after: None,
            facets: false,
            current: false,
        }
    }
}

/// In which order hits stand. Unless said otherwise, equal ones stand by tool id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// The best first; without words, by name.
    #[default]
    Relevance,
    /// By name.
    Name,
    /// The last changed first.
    Updated,
    /// The best rated first, by the Bayesian average as the tenant sees it; equal ones as by relevance.
    Rating,
    /// The most used of late first, by the tenant's agents; equal ones as by relevance.
    Use,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 5] = [
        Self::Relevance,
        Self::Name,
        Self::Updated,
        Self::Rating,
        Self::Use,
    ];

    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relevance => "relevance",
            Self::Name => "name",
            Self::Updated => "updated",
            Self::Rating => "rating",
            Self::Use => "use",
        }
    }

    /// The order of this name.
    ///
    /// # Errors
    /// [`LanguageError::UnknownSort`].
    pub fn named(name: &str) -> Result<Self, LanguageError> {
        let sort = Self::ALL.into_iter().find(|sort| sort.name() == name);
        sort.ok_or_else(|| LanguageError::UnknownSort {
            value: name.chars().take(MAX_ECHO).collect(),
            allowed: Self::ALL
                .map(|sort| format!("`{}`", sort.name()))
                .join(", "),
        })
    }
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
    /// The status that was indexed.
    pub status: String,
    /// The category.
    pub category: Option<String>,
    /// The tags.
    pub tags: Vec<String>,
    /// From 0 to 1, the share of the best hit's points; comparable within one search only. In a list without
    /// words, 1 for all.
    pub score: f32,
    /// Where the page behind this hit begins.
    pub cursor: String,
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
    /// One page, in the order that was asked for.
    pub hits: Vec<SearchHit>,
    /// How many hits stand on the pages before.
    pub before: usize,
    /// How many hits there are on all pages; of a list without words, how many match the filter.
    pub found: usize,
    /// Whether a page follows.
    pub has_next: bool,
    /// The counts, where they were asked for.
    pub facets: Option<Facets>,
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
    /// [`SearchError::EmptyQuery`], [`SearchError::Query`], [`SearchError::InvalidCursor`],
    /// [`SearchError::CursorExpired`], or [`SearchError::Lance`] when the table cannot be read.
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
        let asked = Asked::of(request)?;
        let bound = Bound::to(self.table.name(), &asked.binding(request.sort, mode));
        let place = request.after.as_deref().map(|cursor| bound.read(cursor));
        let place = place.transpose()?;
        if request.sight.is_nothing() || request.first == 0 {
            return Ok(self.nothing(mode));
        }
        let which = match &place {
            Some(place) => Which::Version(place.version),
            None if request.current => Which::Current,
            None => Which::AtHand,
        };
        let expires = place.is_some();
        let answer = async {
            let reader = self.reader(which).await?;
            let (index, request) = (self.clone(), request.clone());
            threads::beside(async move {
                index
                    .page(&reader, &request, mode, &asked, (&bound, place.as_ref()))
                    .await
            })
            .await
        };
        answer.await.map_err(|error| match error {
            SearchError::Lance(error) if expires => {
                tracing::debug!(%error, "the version of a cursor cannot be read any more");
                SearchError::CursorExpired
            }
            error => error,
        })
    }

    async fn page(
        &self,
        reader: &Reader,
        request: &SearchRequest,
        mode: Mode,
        asked: &Asked,
        (bound, place): (&Bound, Option<&Place>),
    ) -> Result<SearchAnswer, SearchError> {
        let rated = asked.least.is_some() || request.sort == Sort::Rating || request.facets;
        let ratings = match rated {
            true => Ratings::read(reader, &request.tenant).await?,
            false => Ratings::none(),
        };
        let wanted = Wanted {
            text: &asked.text,
            words: &asked.words,
            filter: &asked.filter(&ratings),
            sort: request.sort,
            tenant: &request.tenant,
            scope: &request.scope,
            ratings: &ratings,
            mode,
            facets: request.facets,
        };
        let order = self.order(reader, &wanted).await?;
        let from = place.map_or(0, |place| place.position);
        let last = from.checked_sub(1).and_then(|last| order.tools.get(last));
        if place.is_some_and(|place| !place.follows(last.map(|last| last.tool_id.as_str()))) {
            return Err(SearchError::CursorExpired);
        }
        let tools = order.tools.get(from..).unwrap_or_default();
        let tools = &tools[..tools.len().min(request.first).min(MAX_HITS)];
        let mut hits = hits(reader, tools, &asked.words).await?;
        for (position, hit) in (from + 1..).zip(&mut hits) {
            let place = Place::behind(reader.version, position, &hit.tool_id);
            hit.cursor = bound.write(&place);
        }
        Ok(SearchAnswer {
            has_next: from + hits.len() < order.tools.len(),
            hits,
            before: from,
            found: order.found,
            facets: order.facets,
            semantic: order.semantic,
            notice: asked.with_notice(order.notice),
        })
    }

    /// The answer to those who may see nothing.
    fn nothing(&self, mode: Mode) -> SearchAnswer {
        SearchAnswer {
            hits: Vec::new(),
            before: 0,
            found: 0,
            has_next: false,
            facets: None,
            semantic: mode != Mode::Text && self.embedder.dimensions().is_some(),
            notice: self.standing_notice(mode),
        }
    }
}

async fn hits(
    reader: &Reader,
    tools: &[Ranked],
    words: &[String],
) -> Result<Vec<SearchHit>, SearchError> {
    let stems = Stems::of(words.to_vec())?;
    let rows: Vec<u64> = tools.iter().map(|tool| tool.row).collect();
    let mut hits = Vec::with_capacity(tools.len());
    let shown = reader.shown(&rows, &stems).await?;
    for (Ranked { fused, .. }, (mut hit, matched_terms)) in tools.iter().zip(shown) {
        hit.score = fused.score;
        hit.why = Why {
            text_rank: fused.text.map(|place| place.rank),
            text_score: fused.text.map(|place| place.score),
            vector_rank: fused.vector.map(|place| place.rank),
            similarity: fused.vector.map(|place| place.score),
            matched_terms,
        };
        hits.push(hit);
    }
    Ok(hits)
}
