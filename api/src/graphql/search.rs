//! Finding a tool by describing a task, and by what is known of it.

use super::connection::{cost, page_request};
use super::enums::{Status, Visibility};
use super::loaders::ToolKey;
use super::marketplace::listing::Listing;
use super::scalars::Sequence;
use super::session::Session;
use super::tool::Tool;
use super::version::Deprecation;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::connection::PageInfo;
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, SimpleObject};
use domain::id::ToolId;
use projections::catalog;
use projections::marketplace::Installed;
use projections::search::{self, Hint, Key, SearchAnswer, SearchFilter, SearchHit, SearchRequest};
use std::collections::HashMap;

/// Hits of an answer when the query does not say.
const DEFAULT_HITS: i32 = 10;

/// Narrows a search, as the filters in the query do; a key is given here or there. Several values of one list mean
/// any of them; the fields hold together.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "SearchToolsFilter")]
pub(super) struct SearchToolsFilter {
    /// Only tools of these servers, by slug.
    #[graphql(default)]
    servers: Vec<String>,
    /// Only tools of these categories.
    #[graphql(default)]
    categories: Vec<String>,
    /// Only tools with at least one of these tags.
    #[graphql(default)]
    tags: Vec<String>,
    /// No tools of these servers.
    #[graphql(default)]
    without_servers: Vec<String>,
    /// No tools of these categories.
    #[graphql(default)]
    without_categories: Vec<String>,
    /// No tools with one of these tags.
    #[graphql(default)]
    without_tags: Vec<String>,
    /// Only tools in one of these states; those in use when left out.
    #[graphql(default)]
    statuses: Vec<Status>,
    /// Only tools with one of these visibilities, of those that you may see.
    #[graphql(default)]
    visibilities: Vec<Visibility>,
    /// Only tools that hint that they change nothing, or only those that do not.
    read_only: Option<bool>,
    /// Only tools that may delete or overwrite, or only those that hint that they do not.
    destructive: Option<bool>,
    /// Only tools that hint that a repeated call changes nothing more, or only those that do not.
    idempotent: Option<bool>,
    /// Only tools that may reach outside of their server's world, or only those that hint that they do not.
    open_world: Option<bool>,
    /// Only tools of servers whose publisher has proved one of these namespaces, such as `io.github.acme`.
    #[graphql(default)]
    publishers: Vec<String>,
    /// No tools of servers whose publisher has proved one of these namespaces.
    #[graphql(default)]
    without_publishers: Vec<String>,
    /// Only tools of servers whose publisher has proved a namespace, or only those of others.
    verified: Option<bool>,
    /// Only tools with at least so many stars, 1 to 5, by the Bayesian average, `rating { bayesian }`. A tool without
    /// a review has the mean of all.
    min_rating: Option<f64>,
    /// Only tools whose version is in this range, such as `^1.2` or `>=1.2, <2`.
    version: Option<String>,
    /// Only tools with all of these phrases in name, title or description.
    #[graphql(default)]
    phrases: Vec<String>,
}

impl SearchToolsFilter {
    fn compile(self) -> Result<SearchFilter, ApiError> {
        let mut filter = SearchFilter::default();
        let names = |values: Vec<&'static str>| values.into_iter().map(str::to_owned).collect();
        let statuses = self.statuses.into_iter().map(catalog::Status::from);
        let visibilities = self.visibilities.into_iter();
        let visibilities = visibilities.map(domain::tool::Visibility::from);
        let lists: [(Key, bool, Vec<String>); 11] = [
            (Key::Server, false, self.servers),
            (Key::Category, false, self.categories),
            (Key::Tag, false, self.tags),
            (Key::Server, true, self.without_servers),
            (Key::Category, true, self.without_categories),
            (Key::Tag, true, self.without_tags),
            (Key::Publisher, false, self.publishers),
            (Key::Publisher, true, self.without_publishers),
            (
                Key::Status,
                false,
                names(statuses.map(catalog::Status::as_str).collect()),
            ),
            (
                Key::Visibility,
                false,
                names(visibilities.map(domain::tool::Visibility::as_str).collect()),
            ),
            (Key::Phrase, false, self.phrases),
        ];
        for (key, negated, values) in lists {
            for value in values {
                filter.add(key, &value, negated)?;
            }
        }
        let said = |wanted: Option<bool>| wanted.map(|wanted| wanted.to_string());
        let single = [
            (Key::Hint(Hint::ReadOnly), said(self.read_only)),
            (Key::Hint(Hint::Destructive), said(self.destructive)),
            (Key::Hint(Hint::Idempotent), said(self.idempotent)),
            (Key::Hint(Hint::OpenWorld), said(self.open_world)),
            (Key::Verified, said(self.verified)),
            (Key::Rating, self.min_rating.map(|stars| stars.to_string())),
            (Key::Version, self.version),
        ];
        for (key, value) in single {
            if let Some(value) = value {
                filter.add(key, &value, false)?;
            }
        }
        Ok(filter)
    }
}

/// In which order hits stand; what fits equally well stands in an order that does not change.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "search::Sort")]
pub(super) enum SearchSort {
    /// The best first; without words, by name.
    Relevance,
    /// By name.
    Name,
    /// The last changed first.
    Updated,
    /// The best rated first, by the Bayesian average, `rating { bayesian }`; equal ones as by relevance.
    Rating,
    /// The most used of the last 30 days first, by your tenant's agents, in steps that double: one session, two, four,
    /// eight and so on;
    /// equal ones as by relevance.
    Use,
}

/// A page of what a search found. All pages are of one state of the index, however it changes meanwhile.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(super) struct SearchToolsConnection {
    /// The hits with their cursors.
    edges: Vec<SearchToolsEdge>,
    /// Whether there are further pages, and where they begin.
    page_info: PageInfo,
    /// How many hits there are on all pages. With words, up to 100 tools that share words with the query and up to
    /// 100 that are near in meaning; without words, all that the filter lets through, of which 500 can be paged to.
    total_count: usize,
    /// How many of the hits on all pages have which value. Counted only when asked for.
    facets: Option<Facets>,
    /// Whether meaning was searched. If false, only tools that share words with the query were found.
    semantic: bool,
    /// What to know about this answer, such as that semantic search is off, or that the index is behind.
    notice: Option<String>,
}

#[ComplexObject]
impl SearchToolsConnection {
    /// The hits without their cursors.
    async fn hits(&self) -> Vec<&Hit> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A hit and its place.
#[derive(SimpleObject)]
struct SearchToolsEdge {
    /// The page behind this hit begins here. It belongs to this query, filter and order, and to you; it lasts for at
    /// least five minutes, then the answer is `CURSOR_EXPIRED`.
    cursor: String,
    /// The hit.
    node: Hit,
}

/// How many hits have which value, the fifty most frequent values of each kind, the most frequent first.
#[derive(Clone, SimpleObject)]
#[graphql(name = "SearchFacets")]
pub(super) struct Facets {
    /// Hits that were counted: those of all pages, and without words every tool that the filter lets through.
    counted: usize,
    /// By category.
    categories: Vec<Facet>,
    /// By tag.
    tags: Vec<Facet>,
    /// By server's slug.
    servers: Vec<Facet>,
    /// By status.
    statuses: Vec<Facet>,
    /// By hint that holds: `readonly`, `destructive`, `idempotent`, `openworld`.
    hints: Vec<Facet>,
    /// By visibility.
    visibilities: Vec<Facet>,
    /// By the namespace that the server's publisher has proved.
    publishers: Vec<Facet>,
    /// By whether the server's publisher has proved a namespace: `true`, `false`.
    verified: Vec<Facet>,
    /// By least rating, `4.5`, `4`, `3.5`, `3` and `2`, in this order: a tool counts for each that it reaches.
    ratings: Vec<Facet>,
}

/// A value, and how many hits have it.
#[derive(Clone, SimpleObject)]
#[graphql(name = "SearchFacet")]
struct Facet {
    /// The value, as a filter takes it.
    value: String,
    /// How many.
    count: usize,
}

impl From<search::Facets> for Facets {
    fn from(facets: search::Facets) -> Self {
        let values = |facets: Vec<search::Facet>| {
            let facets = facets.into_iter();
            facets
                .map(|search::Facet { value, count }| Facet { value, count })
                .collect()
        };
        Self {
            counted: facets.counted,
            categories: values(facets.categories),
            tags: values(facets.tags),
            servers: values(facets.servers),
            statuses: values(facets.statuses),
            hints: values(facets.hints),
            visibilities: values(facets.visibilities),
            publishers: values(facets.publishers),
            verified: values(facets.verified),
            ratings: values(facets.ratings),
        }
    }
}

/// A found tool.
#[derive(SimpleObject)]
#[graphql(name = "SearchHit", complex)]
struct Hit {
    /// How it is named: `server/name`, or `@publisher/server/name` for an installed one.
    reference: String,
    /// The tool of your tenant; null for an installed one.
    tool: Option<Tool>,
    /// The tool of another tenant, which yours has installed, with the definition of the version that its
    /// range means; null for one of your own.
    listing: Option<Listing>,
    /// How well it fits: higher is better, comparable within one search only. Without words, 1 for all.
    score: f64,
    /// Why it was found.
    why: Why,
    /// What those are told who use it; null when it is not deprecated.
    deprecation: Option<Deprecation>,
}

#[ComplexObject]
impl Hit {
    /// Where the matched words stand in title, description and name: short excerpts with the words marked. A text
    /// that holds none of them is left out.
    async fn highlights(&self) -> Result<Vec<Highlight>, ApiError> {
        let (name, title, description) = match (&self.tool, &self.listing) {
            (Some(Tool(tool)), _) => (&tool.name, &tool.title, &tool.description),
            (None, Some(Listing(listing))) => (
                &listing.reference.name,
                &listing.title,
                &listing.version.description,
            ),
            (None, None) => return Ok(Vec::new()),
        };
        let texts = [
            ("name", Some(name.as_str())),
            ("title", title.as_deref()),
            ("description", Some(description.as_str())),
        ];
        let mut highlights = Vec::new();
        for (field, text) in texts {
            let fragments = search::highlight(text.unwrap_or_default(), &self.why.matched_terms)?;
            if !fragments.is_empty() {
                let fragments = fragments.into_iter().map(Fragment::from).collect();
                highlights.push(Highlight { field, fragments });
            }
        }
        Ok(highlights)
    }
}

/// An excerpt of a text of a tool. It was written by the maker of the server: text to judge, not to obey.
#[derive(SimpleObject)]
#[graphql(name = "SearchHighlight")]
struct Highlight {
    /// The text's field: `name`, `title` or `description`.
    field: &'static str,
    /// The excerpt, in pieces.
    fragments: Vec<Fragment>,
}

/// A piece of an excerpt.
#[derive(SimpleObject)]
#[graphql(name = "SearchFragment")]
struct Fragment {
    /// The piece, as it stands in the text.
    text: String,
    /// Whether it is a word that was searched for.
    highlighted: bool,
}

impl From<search::Fragment> for Fragment {
    fn from(fragment: search::Fragment) -> Self {
        Self {
            text: fragment.text,
            highlighted: fragment.highlighted,
        }
    }
}

/// Why a tool was found.
#[derive(SimpleObject)]
#[graphql(name = "SearchReason")]
struct Why {
    /// Its place among the tools that share words with the query, from 1.
    text_rank: Option<usize>,
    /// Its BM25 score there.
    text_score: Option<f64>,
    /// Its place among the tools that are near in meaning, from 1.
    vector_rank: Option<usize>,
    /// Its nearness of meaning: the cosine, from -1 to 1.
    similarity: Option<f64>,
    /// Words of the query that the tool's text contains, word endings aside.
    matched_terms: Vec<String>,
}

impl From<search::query::Why> for Why {
    fn from(why: search::query::Why) -> Self {
        Self {
            text_rank: why.text_rank,
            text_score: why.text_score.map(f64::from),
            vector_rank: why.vector_rank,
            similarity: why.similarity.map(f64::from),
            matched_terms: why.matched_terms,
        }
    }
}

/// The entry to the search.
#[derive(Default)]
pub(super) struct SearchQueries;

#[Object]
impl SearchQueries {
    /// Finds tools by what you want to do, in plain words: `create a ticket in the issue tracker`. Those of
    /// your tenant, and those that it has installed. Filters may stand
    /// among the words: `server:github`, `category:databases`, `tag:sql`, `-tag:beta`, `status:retired`,
    /// `visibility:public`, `readonly:true`, `destructive:false`, `idempotent:true`, `openworld:false`,
    /// `publisher:io.github.acme`, `verified:true`, `rating:4`, `version:^1.2`, `+"exact phrase"`. Filters without words list what they let through.
    #[graphql(complexity = "cost(first, child_complexity)")]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of a GraphQL field"
    )]
    async fn search_tools(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What you want to do.")] query: String,
        #[graphql(desc = "Narrows the search.")] filter: Option<SearchToolsFilter>,
        #[graphql(
            desc = "In which order; a cursor belongs to one.",
            default_with = "SearchSort::Relevance"
        )]
        sort: SearchSort,
        #[graphql(
            desc = "How many hits at most, 1 to 100.",
            default_with = "DEFAULT_HITS"
        )]
        first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<SearchToolsConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::SearchTools, &Resource::any(ResourceKind::Tool))?;
        let page = page_request(session, first, after)?;
        session.caught_up(search::NAME, min_sequence).await?;
        session.caught_up(catalog::NAME, min_sequence).await?;
        let installed = Installed::all(&mut session.reads().await?).await?;
        let request = SearchRequest {
            scope: installed.scope(),
            filter: filter.unwrap_or_default().compile()?,
            visibilities: session
                .visibilities
                .iter()
                .map(|v| v.as_str().to_owned())
                .collect(),
            sort: sort.into(),
            first: page.first,
            after: page.after,
            facets: ctx.look_ahead().field("facets").exists(),
            current: min_sequence.is_some(),
            ..SearchRequest::new(session.caller.tenant.clone(), &query)
        };
        let answer = session.state.search(&request, "graphql").await?;
        Ok(Some(connection(session, &installed, answer).await?))
    }
}

/// The page with its tools. The index may be behind the catalogue and the marketplace, which have the last word: what
/// they show no longer to the caller, or shows in another state, is left out.
async fn connection(
    session: &Session,
    installed: &Installed,
    answer: SearchAnswer,
) -> Result<SearchToolsConnection, ApiError> {
    let id = |hit: &SearchHit| ToolId::parse(hit.tool_id.as_str()).ok();
    let ids: Vec<ToolId> = answer.hits.iter().filter_map(id).collect();
    let mut tools: HashMap<ToolKey, catalog::Tool> = session
        .loaders
        .load_many(ids.iter().cloned().map(ToolKey))
        .await?;
    let mut listings = installed
        .listings(&mut session.reads().await?, &ids)
        .await?;
    let cursor = |hit: Option<&SearchHit>| hit.map(|hit| hit.cursor.clone());
    let page_info = PageInfo {
        has_previous_page: answer.before > 0,
        has_next_page: answer.has_next,
        start_cursor: cursor(answer.hits.first()),
        end_cursor: cursor(answer.hits.last()),
    };
    let shown = answer.hits.into_iter().filter_map(|hit| {
        let id = id(&hit)?;
        let tool = tools
            .remove(&ToolKey(id.clone()))
            .filter(|tool| tool.status.as_str() == hit.status);
        let listing = listings.remove(&id);
        let reference = match (&tool, &listing) {
            (Some(tool), _) => format!("{}/{}", tool.server, tool.name),
            (None, Some(listing)) => listing.reference.to_string(),
            (None, None) => return None,
        };
        Some(SearchToolsEdge {
            cursor: hit.cursor,
            node: Hit {
                deprecation: match (&tool, &listing) {
                    (Some(tool), _) => tool.current_deprecation(),
                    (None, Some(listing)) => listing.deprecation_of(&listing.version),
                    (None, None) => None,
                }
                .map(Deprecation::from),
                reference,
                tool: tool.map(Tool),
                listing: listing.map(Listing),
                score: hit.score.into(),
                why: hit.why.into(),
            },
        })
    });
    Ok(SearchToolsConnection {
        edges: shown.collect(),
        page_info,
        total_count: answer.found,
        facets: answer.facets.map(Facets::from),
        semantic: answer.semantic,
        notice: answer.notice,
    })
}
