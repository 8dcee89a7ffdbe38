//! Facets: what the tools of a filter are made up of.

use super::as_of::AsOf;
use super::scalars::Sequence;
use super::session::Session;
use super::tool::ToolFilter;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::{Context, Object, SimpleObject};
use projections::catalog;

/// Values of each facet when the query does not say.
const DEFAULT_VALUES: i32 = 20;

/// A value, and how many tools have it.
#[derive(SimpleObject)]
struct FacetValue {
    /// The value.
    value: String,
    /// How many tools have it, of those that the filter leaves and you may see.
    count: i64,
}

/// What the tools of a filter are made up of. The most frequent values first.
#[derive(SimpleObject)]
struct ToolFacets {
    /// By category; tools without one are in none.
    categories: Vec<FacetValue>,
    /// By tag; a tool counts for each of its tags.
    tags: Vec<FacetValue>,
    /// By server, its slug.
    servers: Vec<FacetValue>,
    /// By status, `active` or `retired`.
    statuses: Vec<FacetValue>,
}

/// The entry to facets.
#[derive(Default)]
pub(super) struct FacetQueries;

#[Object]
impl FacetQueries {
    /// How many of the tools that you may see have which category, tags, server and status. Counts only
    /// those that the filter leaves.
    async fn tool_facets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tools; all when left out.")] filter: Option<ToolFilter>,
        #[graphql(
            desc = "How many values of each, 1 to 100.",
            default_with = "DEFAULT_VALUES"
        )]
        first: i32,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<ToolFacets>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        session.caught_up(catalog::NAME, min_sequence).await?;
        let moment = session.moment(catalog::NAME, as_of).await?;
        let most = super::limits::check_first(first.into(), &session.state.config.limits)?;
        let filter = filter.unwrap_or_default().of(session);
        let mut reads = session.reads().await?.at(moment);
        let found = catalog::tool_facets(&mut reads, &filter, most).await?;
        Ok(Some(ToolFacets {
            categories: values(found.categories),
            tags: values(found.tags),
            servers: values(found.servers),
            statuses: values(found.statuses),
        }))
    }
}

fn values(counts: Vec<catalog::Count>) -> Vec<FacetValue> {
    let value = |(value, count)| FacetValue { value, count };
    counts.into_iter().map(value).collect()
}
