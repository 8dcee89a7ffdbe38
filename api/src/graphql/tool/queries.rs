//! The entries to tools: one by its name, and the lists with what they are filtered by and how many they hold.
#![expect(
    clippy::too_many_arguments,
    reason = "each is an argument of a GraphQL field"
)]

use super::Tool;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::as_of::AsOf;
use crate::graphql::connection::{
    DEFAULT_FIRST, OrderInput, PageOf, connection, cost, filter_text, page_request,
};
use crate::graphql::enums::Status;
use crate::graphql::scalars::Sequence;
use crate::graphql::server::tool_count;
use crate::graphql::session::Session;
use async_graphql::{Context, InputObject, Object};
use domain::id::{ServerId, ToolId};
use projections::{Moment, catalog};

/// Which tools; all conditions together.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "ToolFilter")]
pub(in crate::graphql) struct ToolFilter {
    /// Name, title or description contains this text, in whatever case. To find a tool by its
    /// purpose, use `searchTools`.
    text: Option<String>,
    /// Of the server with this slug.
    server: Option<String>,
    /// Of this category.
    category: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// Of this team.
    team: Option<String>,
    /// In use or out of use; both when left out.
    status: Option<Status>,
    /// Of a server with or without a verified publisher today; both when left out.
    verified_publisher: Option<bool>,
}

impl ToolFilter {
    /// The filter in the terms of the catalogue, over what the caller may see.
    pub(in crate::graphql) fn of(self, session: &Session) -> catalog::ToolFilter {
        catalog::ToolFilter {
            text: filter_text(self.text),
            server: filter_text(self.server),
            category: filter_text(self.category),
            tag: filter_text(self.tag),
            status: self.status.map(Into::into),
            verified_publisher: self.verified_publisher,
            team: filter_text(self.team),
            sight: session.sight.clone(),
        }
    }
}

/// A page of tools.
pub(in crate::graphql) type ToolConnection = PageOf<Tool, ToolTotal>;

/// What there is to tell of a list as a whole, at a moment, when asked.
pub(in crate::graphql) enum ToolTotal {
    Matching(catalog::ToolFilter, Moment),
    OfServer(ServerId, Moment),
}

/// What a page of tools says beside its edges.
#[Object]
impl ToolTotal {
    /// How many tools there are on all pages together, of those that you may see; below a server, how
    /// many of them are in use. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64, ApiError> {
        let session = Session::of(ctx);
        match self {
            Self::Matching(filter, moment) => {
                let mut reads = session.reads().await?.at(*moment);
                Ok(catalog::count_tools(&mut reads, filter).await?)
            }
            Self::OfServer(id, moment) => tool_count(session, id, *moment).await,
        }
    }

    /// The position of the last change of one of the tools on all pages together, up to the end of the log, for which it waits;
    /// null when there are none, and below a server. As of it, a list of now that is filtered by nothing but a server is
    /// what it is now, so its pages can be read with `asOf` as one: that is how `metamcp lock` reads them.
    async fn last_change(&self, ctx: &Context<'_>) -> Result<Option<Sequence>, ApiError> {
        let Self::Matching(filter, moment) = self else {
            return Ok(None);
        };
        let session = Session::of(ctx);
        if moment.is_now() {
            session.at_the_end().await?;
        }
        let mut reads = session.reads().await?.at(*moment);
        let last = catalog::last_change(&mut reads, filter).await?;
        reads.keep();
        Ok(last.map(Sequence))
    }
}

/// The entries to tools.
#[derive(Default)]
pub(in crate::graphql) struct ToolQueries;

#[Object]
impl ToolQueries {
    /// The tools of your tenant that you may see, by name unless sorted otherwise.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn tools(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which tools; all when left out.")] filter: Option<ToolFilter>,
        #[graphql(desc = "How they are sorted. A cursor belongs to one order.")] order_by: Option<
            OrderInput,
        >,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<ToolConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        session.caught_up(catalog::NAME, min_sequence).await?;
        let moment = session.moment(catalog::NAME, as_of).await?;
        let filter = filter.unwrap_or_default().of(session);
        let request = page_request(session, first, after)?;
        let mut reads = session.reads().await?.at(moment);
        let sort = OrderInput::sort(order_by);
        let page = catalog::tools(&mut reads, &filter, sort, &request).await?;
        reads.keep();
        let continues = request.after.is_some();
        Ok(Some(connection(
            page,
            continues,
            ToolTotal::Matching(filter, moment),
            Tool,
        )))
    }

    /// One tool. What does not exist and what you may not see answer the same error, `NOT_FOUND`.
    async fn tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The slug of its server.")] server: String,
        #[graphql(desc = "Its name.")] name: String,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<Tool>, ApiError> {
        let session = Session::of(ctx);
        session.caught_up(catalog::NAME, min_sequence).await?;
        let moment = session.moment(catalog::NAME, as_of).await?;
        let id = ToolId::derive(&session.caller.tenant, server.trim(), name.trim());
        session
            .tool_at(id, moment)
            .await?
            .ok_or(ApiError::NotFound)
            .map(Some)
    }
}
