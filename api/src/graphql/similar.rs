//! Tools like a tool.

use super::connection::page_request;
use super::loaders::ToolKey;
use super::session::Session;
use super::tool::Tool;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::SimpleObject;
use domain::id::ToolId;
use projections::catalog::{self, Status};
use projections::search::{MAX_SIMILAR, SimilarRequest};

/// Tools of a list when the query does not say.
pub(super) const DEFAULT_SIMILAR: i32 = 5;
/// What one list costs beside its items: it asks the index, each time.
pub(super) const COST: usize = 20;

/// A tool that is like another one.
#[derive(SimpleObject)]
pub(super) struct SimilarTool {
    /// The tool.
    tool: Tool,
    /// How much it is like the other: the cosine of meanings, from -1 to 1; without an embedding model, the
    /// share of the best one's points by words.
    score: f64,
    /// Why it is listed: how close in meaning, and the words that both say.
    reason: String,
}

/// The tools most like one, of those that the caller may see. The index may be behind the catalogue, which
/// has the last word.
pub(super) async fn of(
    session: &Session,
    tool: &catalog::Tool,
    first: i32,
) -> Result<Vec<SimilarTool>, ApiError> {
    session.authorize(Action::SearchTools, &Resource::any(ResourceKind::Tool))?;
    let first = page_request(session, first, None)?.first;
    let request = SimilarRequest {
        tenant: session.caller.tenant.clone(),
        tool_id: tool.id.to_string(),
        visibilities: session
            .visibilities
            .iter()
            .map(|visibility| visibility.as_str().to_owned())
            .collect(),
        first: first.min(MAX_SIMILAR),
    };
    let found = session.state.search.similar(&request).await?;
    let key = |id: &str| ToolId::parse(id).ok().map(ToolKey);
    let keys = found.iter().filter_map(|similar| key(&similar.tool_id));
    let mut tools = session.loaders.load_many(keys).await?;
    let shown = found.into_iter().filter_map(|similar| {
        let tool = tools
            .remove(&key(&similar.tool_id)?)
            .filter(|tool: &catalog::Tool| tool.status == Status::Active)?;
        Some(SimilarTool {
            tool: Tool(tool),
            score: similar.score.into(),
            reason: similar.reason(),
        })
    });
    Ok(shown.collect())
}
