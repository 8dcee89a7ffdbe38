//! Finding a tool by describing a task.

use super::connection::{cost, page_request};
use super::loaders::ToolKey;
use super::marketplace::listing::Listing;
use super::scalars::Sequence;
use super::session::Session;
use super::tool::Tool;
use super::version::Deprecation;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::{Context, InputObject, Object, SimpleObject};
use domain::id::ToolId;
use projections::catalog::{self, Status};
use projections::marketplace::Installed;
use projections::search::{self, SearchFilter, SearchHit, SearchRequest};
use std::collections::HashMap;

/// Hits of an answer when the query does not say.
const DEFAULT_HITS: i32 = 10;

/// Narrows a search. Several values of one list mean any of them; the lists hold together.
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
}

/// The answer to a search.
#[derive(SimpleObject)]
pub(super) struct SearchToolsResult {
    /// The found tools, best first.
    hits: Vec<Hit>,
    /// Whether meaning was searched. If false, only tools that share words with the query were found.
    semantic: bool,
    /// What to know about this answer, such as that semantic search is off, or that the index is behind.
    notice: Option<String>,
}

/// A found tool.
#[derive(SimpleObject)]
#[graphql(name = "SearchHit")]
struct Hit {
    /// How it is named: `server/name`, or `@publisher/server/name` for an installed one.
    reference: String,
    /// The tool of your tenant; null for an installed one.
    tool: Option<Tool>,
    /// The tool of another tenant, which yours has installed, with the definition of the version that its
    /// range means; null for one of your own.
    listing: Option<Listing>,
    /// How well it fits: higher is better, comparable within one answer only.
    score: f64,
    /// Why it was found.
    why: Why,
    /// What those are told who use it; null when it is not deprecated.
    deprecation: Option<Deprecation>,
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
    /// your tenant, and those that it has installed.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn search_tools(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What you want to do.")] query: String,
        #[graphql(desc = "Narrows the search.")] filter: Option<SearchToolsFilter>,
        #[graphql(
            desc = "How many hits at most, 1 to 100.",
            default_with = "DEFAULT_HITS"
        )]
        first: i32,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<SearchToolsResult>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::SearchTools, &Resource::any(ResourceKind::Tool))?;
        let first = page_request(session, first, None)?.first;
        session.caught_up(search::NAME, min_sequence).await?;
        session.caught_up(catalog::NAME, min_sequence).await?;
        let filter = filter.unwrap_or_default();
        let installed = Installed::all(&mut session.reads().await?).await?;
        let request = SearchRequest {
            scope: installed.scope(),
            tenant: session.caller.tenant.clone(),
            query,
            filter: SearchFilter {
                servers: filter.servers,
                categories: filter.categories,
                tags: filter.tags,
            },
            visibilities: session
                .visibilities
                .iter()
                .map(|v| v.as_str().to_owned())
                .collect(),
            first,
        };
        let answer = session.state.search(&request, "graphql").await?;
        let hits = visible(session, &installed, answer.hits).await?;
        let (semantic, notice) = (answer.semantic, answer.notice);
        Ok(Some(SearchToolsResult {
            hits,
            semantic,
            notice,
        }))
    }
}

/// The hits with their tools. The index may be behind the catalogue and the marketplace, which have the
/// last word: what they show no longer to the caller, or have retired, is left out.
async fn visible(
    session: &Session,
    installed: &Installed,
    hits: Vec<SearchHit>,
) -> Result<Vec<Hit>, ApiError> {
    let id = |hit: &SearchHit| ToolId::parse(hit.tool_id.as_str()).ok();
    let ids: Vec<ToolId> = hits.iter().filter_map(id).collect();
    let mut tools: HashMap<ToolKey, catalog::Tool> = session
        .loaders
        .load_many(ids.iter().cloned().map(ToolKey))
        .await?;
    let mut listings = installed
        .listings(&mut session.reads().await?, &ids)
        .await?;
    let shown = hits.into_iter().filter_map(|hit| {
        let id = id(&hit)?;
        let tool = tools
            .remove(&ToolKey(id.clone()))
            .filter(|tool| tool.status == Status::Active);
        let listing = listings.remove(&id);
        let reference = match (&tool, &listing) {
            (Some(tool), _) => format!("{}/{}", tool.server, tool.name),
            (None, Some(listing)) => listing.reference.to_string(),
            (None, None) => return None,
        };
        Some(Hit {
            deprecation: tool
                .as_ref()
                .and_then(projections::catalog::Tool::current_deprecation)
                .map(Deprecation::from),
            reference,
            tool: tool.map(Tool),
            listing: listing.map(Listing),
            score: hit.score.into(),
            why: hit.why.into(),
        })
    });
    Ok(shown.collect())
}
