//! What to look at beside a tool: what is like it, what is used together with it, and what comes next.

use super::connection::page_request;
use super::loaders::Loaders;
use super::marketplace::listing::Listing;
use super::session::Session;
use super::tool::Tool;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::recommend::{self, Companions, Reach, Recommended, Shown};
use async_graphql::SimpleObject;
use async_graphql::dataloader::Loader;
use domain::id::ToolId;
use projections::usage::By;
use std::collections::HashMap;
use std::sync::Arc;

/// Similar tools of a list when the query does not say.
pub(super) const DEFAULT_SIMILAR: i32 = 5;
/// What a list of similar tools costs beside its items: it asks the index, each time.
pub(super) const COST: usize = 20;

/// A tool to look at, and why.
#[derive(SimpleObject)]
pub(super) struct Recommendation {
    /// How it is named: `server/name`, or `@publisher/server/name` for an installed one.
    reference: String,
    /// The tool of your tenant; null for an installed one.
    tool: Option<Tool>,
    /// The tool of another tenant, which yours has installed, with the definition of the version that its
    /// range means; null for one of your own.
    listing: Option<Listing>,
    /// How much it is recommended, comparable within one list: from 0 to 1; of similar tools the cosine of meanings,
    /// from -1 to 1, and without an embedding model the share of the best one's points by words.
    score: f64,
    /// Why, in one sentence: what was seen, or how close in meaning it is and the words that both say.
    reason: String,
}

impl From<Recommended> for Recommendation {
    fn from(recommended: Recommended) -> Self {
        let reference = recommended.tool.reference();
        let (tool, listing) = match recommended.tool {
            Shown::Own(tool) => (Some(Tool(*tool)), None),
            Shown::Installed(listing) => (None, Some(Listing(*listing))),
        };
        Self {
            reference,
            tool,
            listing,
            score: recommended.score,
            reason: recommended.reason,
        }
    }
}

/// What the caller's tenant has used with a tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CompanionsOf(ToolId);

/// Which tools the caller reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ReachOfCaller;

/// A tool that the caller reaches, to be recommended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ShownKey(ToolId);

impl Loader<CompanionsOf> for Loaders {
    type Value = Arc<Companions>;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[CompanionsOf],
    ) -> Result<HashMap<CompanionsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let reach = Reach::of(&mut reads, &self.sight, self.rules).await?;
        let found = recommend::companions(&mut reads, &reach, &ids).await?;
        reads.keep();
        let keyed = |(id, companions)| (CompanionsOf(id), Arc::new(companions));
        Ok(found.into_iter().map(keyed).collect())
    }
}

impl Loader<ReachOfCaller> for Loaders {
    type Value = Arc<Reach>;
    type Error = ApiError;

    async fn load(
        &self,
        _: &[ReachOfCaller],
    ) -> Result<HashMap<ReachOfCaller, Self::Value>, ApiError> {
        let reach = Reach::of(&mut self.reads().await?, &self.sight, self.rules).await?;
        Ok(HashMap::from([(ReachOfCaller, Arc::new(reach))]))
    }
}

impl Loader<ShownKey> for Loaders {
    type Value = Shown;
    type Error = ApiError;

    async fn load(&self, keys: &[ShownKey]) -> Result<HashMap<ShownKey, Shown>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads().await?;
        let reach = Reach::of(&mut reads, &self.sight, self.rules).await?;
        let shown = reach.unrefused(&mut reads, &ids).await?;
        reads.keep();
        Ok(shown
            .into_iter()
            .map(|(id, shown)| (ShownKey(id), shown))
            .collect())
    }
}

/// The best companions of a tool that the caller may see.
pub(super) async fn companions(
    session: &Session,
    tool: &ToolId,
    by: By,
    first: i32,
) -> Result<Vec<Recommendation>, ApiError> {
    let first = usize::try_from(first.max(0)).unwrap_or_default();
    let found = session.loaders.load_one(CompanionsOf(tool.clone())).await?;
    let found = found.map(|found| match by {
        By::Together => found.together.clone(),
        By::Next => found.next.clone(),
    });
    let found = found.unwrap_or_default().into_iter().take(first);
    Ok(found.map(Recommendation::from).collect())
}

/// The tools most like one that the caller may see.
pub(super) async fn similar(
    session: &Session,
    tool: &ToolId,
    first: i32,
) -> Result<Vec<Recommendation>, ApiError> {
    session.authorize(Action::SearchTools, &Resource::any(ResourceKind::Tool))?;
    let first = page_request(session, first, None)?.first;
    let reach = session.loaders.load_one(ReachOfCaller).await?;
    // The loader answers for everybody.
    let reach = reach.ok_or(ApiError::NotFound)?;
    let (state, caller) = (&session.state, &session.caller);
    let found = recommend::similar(state, caller, &reach, tool, first).await?;
    let keys = found.iter().map(|(id, _)| ShownKey(id.clone()));
    let shown = session.loaders.load_many(keys).await?.into_iter();
    let shown = shown.map(|(ShownKey(id), shown)| (id, shown)).collect();
    let alike = recommend::alike(&found, &shown).into_iter();
    Ok(alike.map(Recommendation::from).collect())
}
