//! Servers: the type, its lists and its look-up, and what they have published ([`manifests`]).
#![expect(
    clippy::too_many_arguments,
    reason = "each is an argument of a GraphQL field"
)]

pub(super) mod manifests;

use self::manifests::ServerManifestConnection;
use super::as_of::AsOf;
use super::connection::{
    DEFAULT_FIRST, OrderInput, PageOf, connection, cost, filter_text, page_request,
};
use super::enums::{Status, Transport};
use super::history::Historied;
use super::loaders::{ToolCountOf, ToolsOf};
use super::node::NodeId;
use super::publisher::{ServerPublisher, behind};
use super::scalars::Sequence;
use super::session::Session;
use super::tool::{Tool, ToolConnection, ToolTotal};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use domain::id::ServerId;
use futures::FutureExt;
use projections::{Moment, Page, catalog};
use std::sync::Arc;

/// A server of the catalogue.
pub(super) struct Server(pub(super) catalog::Server);

/// A page of servers.
pub(super) type ServerConnection = PageOf<Server, ServerTotal>;

/// An upstream MCP server that your tenant has registered.
#[Object]
impl Server {
    /// Names this server among all objects.
    pub(super) async fn id(&self) -> ID {
        NodeId::Server(self.0.id.clone()).encode()
    }

    /// Its name in your tenant, which never changes.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// The name that people read.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its name across registries, such as `io.github.acme/weather`, when it has one.
    async fn registry_name(&self) -> Option<&str> {
        self.0.registry_name.as_deref()
    }

    /// Who stands behind its registry name today; null when it has none.
    async fn publisher(&self, ctx: &Context<'_>) -> Result<Option<ServerPublisher>, ApiError> {
        match &self.0.registry_name {
            Some(name) => behind(Session::of(ctx), name).await.map(Some),
            None => Ok(None),
        }
    }

    /// What it is for; may be empty.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// An address to read more.
    async fn homepage(&self) -> Option<&str> {
        self.0.homepage.as_deref()
    }

    /// Its licence, an SPDX identifier.
    async fn license(&self) -> Option<&str> {
        self.0.license.as_deref()
    }

    /// How it is reached, when known.
    async fn transport(&self) -> Option<Transport> {
        self.0.transport.map(Into::into)
    }

    /// One word to group by.
    async fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }

    /// Words to filter by.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// Whether it is in use.
    async fn status(&self) -> Status {
        self.0.status.into()
    }

    /// Why it is out of use, when somebody said so.
    async fn retired_reason(&self) -> Option<&str> {
        self.0
            .retired_reason
            .as_deref()
            .filter(|reason| !reason.is_empty())
    }

    /// How many tools in use it has, of those that you may see.
    async fn tool_count(&self, ctx: &Context<'_>) -> Result<i64, ApiError> {
        tool_count(Session::of(ctx), &self.0.id, self.0.moment).await
    }

    /// Its first tools in use, by name. For more, give `endCursor` as `after` to the root's `tools` with
    /// `filter: {server: …, status: ACTIVE}`.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn tools(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
    ) -> Result<ToolConnection, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        let first = page_request(session, first, None)?.first;
        let key = ToolsOf {
            server: self.0.id.clone(),
            first,
        };
        let page = session.loaders_at(self.0.moment).load_one(key).await?;
        let page = page.map(Arc::unwrap_or_clone).unwrap_or(Page {
            items: Vec::new(),
            has_next: false,
        });
        Ok(connection(
            page,
            false,
            ToolTotal::OfServer(self.0.id.clone(), self.0.moment),
            Tool,
        ))
    }

    /// The `server.json` documents that it has published, the last published first, deleted ones included; as of
    /// now.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn manifests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> Option<Result<ServerManifestConnection, ApiError>> {
        let found = manifests::of_server(Session::of(ctx), &self.0.id, first, after);
        Some(found.boxed().await)
    }

    /// When it was registered.
    async fn registered_at(&self) -> DateTime<Utc> {
        self.0.registered_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    #[graphql(flatten)]
    async fn historied(&self) -> Historied {
        Historied::of_server(&self.0.id, self.0.moment)
    }
}

/// The number of active tools of a server that the caller may see, at a moment.
pub(super) async fn tool_count(
    session: &Session,
    id: &ServerId,
    moment: Moment,
) -> Result<i64, ApiError> {
    session.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
    Ok(session
        .loaders_at(moment)
        .load_one(ToolCountOf(id.clone()))
        .await?
        .unwrap_or(0))
}

/// Which servers; all conditions together.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "ServerFilter")]
pub(super) struct ServerFilter {
    /// Slug, name or description contains this text, in whatever case.
    text: Option<String>,
    /// Of this category.
    category: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// Reached in this way.
    transport: Option<Transport>,
    /// In use or out of use; both when left out.
    status: Option<Status>,
    /// With or without a verified publisher today; both when left out.
    verified_publisher: Option<bool>,
}

impl From<ServerFilter> for catalog::ServerFilter {
    fn from(filter: ServerFilter) -> Self {
        Self {
            text: filter_text(filter.text),
            category: filter_text(filter.category),
            tag: filter_text(filter.tag),
            transport: filter.transport.map(Into::into),
            status: filter.status.map(Into::into),
            verified_publisher: filter.verified_publisher,
        }
    }
}

/// How many servers there are at a moment, counted when asked.
pub(super) struct ServerTotal(catalog::ServerFilter, Moment);

/// What a page of servers says beside its edges.
#[Object]
impl ServerTotal {
    /// How many servers the filter lets through on all pages together. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64, ApiError> {
        let mut reads = Session::of(ctx).reads().await?.at(self.1);
        Ok(catalog::count_servers(&mut reads, &self.0).await?)
    }
}

/// The entries to servers.
#[derive(Default)]
pub(super) struct ServerQueries;

#[Object]
impl ServerQueries {
    /// The servers of your tenant, by name unless sorted otherwise.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn servers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which servers; all when left out.")] filter: Option<ServerFilter>,
        #[graphql(desc = "How they are sorted. A cursor belongs to one order.")] order_by: Option<
            OrderInput,
        >,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<ServerConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadServer, &Resource::any(ResourceKind::Server))?;
        session.caught_up(catalog::NAME, min_sequence).await?;
        let moment = session.moment(catalog::NAME, as_of).await?;
        let filter = catalog::ServerFilter::from(filter.unwrap_or_default());
        let request = page_request(session, first, after)?;
        let mut reads = session.reads().await?.at(moment);
        let sort = OrderInput::sort(order_by);
        let page = catalog::servers(&mut reads, &filter, sort, &request).await?;
        let continues = request.after.is_some();
        Ok(Some(connection(
            page,
            continues,
            ServerTotal(filter, moment),
            Server,
        )))
    }

    /// One server. What does not exist and what you may not see answer the same error, `NOT_FOUND`.
    async fn server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its slug.")] slug: String,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<Server>, ApiError> {
        let session = Session::of(ctx);
        session.caught_up(catalog::NAME, min_sequence).await?;
        let moment = session.moment(catalog::NAME, as_of).await?;
        let id = ServerId::derive(&session.caller.tenant, slug.trim());
        session
            .server_at(id, moment)
            .await?
            .ok_or(ApiError::NotFound)
            .map(Some)
    }
}
