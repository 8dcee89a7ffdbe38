//! Finding a tool by describing a task, and by what is known of it: the entry, and the page that it answers. A page holds
//! [`hit`]s and their [`facets`]; [`filter`] narrows it.

mod facets;
mod filter;
mod hit;

pub(super) use facets::Facets;

use super::connection::{cost, page_request};
use super::loaders::ToolKey;
use super::marketplace::listing::Listing;
use super::scalars::Sequence;
use super::session::Session;
use super::tool::Tool;
use super::version::Deprecation;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::connection::PageInfo;
use async_graphql::{ComplexObject, Context, Enum, Object, SimpleObject};
use domain::id::ToolId;
use filter::SearchToolsFilter;
use hit::Hit;
use projections::catalog;
use projections::marketplace::{self, Installed};
use projections::search::{self, SearchAnswer, SearchHit, SearchRequest};
use std::collections::HashMap;

/// Hits of an answer when the query does not say.
const DEFAULT_HITS: i32 = 10;

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

/// The entry to the search.
#[derive(Default)]
pub(super) struct SearchQueries;

#[Object]
impl SearchQueries {
    /// Finds tools by what you want to do, in plain words: `create a ticket in the issue tracker`. Those of
    /// your tenant, and those that it has installed. Filters may stand
    /// among the words: `server:github`, `category:databases`, `tag:sql`, `-tag:beta`, `status:retired`,
    /// `visibility:public`, `team:payments`, `readonly:true`, `destructive:false`, `idempotent:true`, `openworld:false`,
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
        // What is installed, and which versions of it there are.
        session.caught_up(marketplace::NAME, min_sequence).await?;
        let installed = Installed::all(&mut session.reads().await?).await?;
        let request = SearchRequest {
            scope: installed.scope(),
            filter: filter.unwrap_or_default().compile()?,
            sight: session.sight.clone(),
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
