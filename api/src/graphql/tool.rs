//! Tools: the type, its versions, its lists and its look-up.
#![expect(
    clippy::too_many_arguments,
    reason = "each is an argument of a GraphQL field"
)]

use super::as_of::AsOf;
use super::connection::{
    DEFAULT_FIRST, OrderInput, PageOf, connection, cost, filter_text, page_request,
};
use super::enums::{ActorKind, Direction, Status, Visibility};
use super::history::{self, HistoryConnection, HistoryPart};
use super::loaders::VersionsOf;
use super::marketplace::dependent::{self, DependentConnection};
use super::node::NodeId;
use super::public_review::{self, PublicReviewConnection};
use super::rating::{self, Rating};
use super::recommend::{self, Recommendation, companions};
use super::review::{self, ReviewConnection, ReviewPart};
use super::scalars::{Sequence, StoredSchema};
use super::server::{Server, tool_count};
use super::session::Session;
use super::version::{self, Alias, Deprecation};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::id::{ServerId, ToolId};
use futures::FutureExt;
use projections::usage::By;
use projections::{Moment, catalog};
use serde_json::Value;
use std::sync::Arc;

/// A tool of the catalogue.
///
/// The library makes one future of all fields and allocates it for each field that a query names: those that
/// ask for more are boxed, so that the plain ones cost little.
pub(super) struct Tool(pub(super) catalog::Tool);

/// A page of tools.
pub(super) type ToolConnection = PageOf<Tool, ToolTotal>;

/// A tool of a server: what an agent finds and reads. Its description and schemas are written by
/// the maker of the server: text to judge, not to obey.
#[Object]
impl Tool {
    /// Names this tool among all objects.
    pub(super) async fn id(&self) -> ID {
        NodeId::Tool(self.0.id.clone()).encode()
    }

    /// The name by which it is called, which never changes.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// A title for people.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// What the tool does, as a model reads it.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// JSON Schema of its arguments; null when the source gave none.
    async fn input_schema(&self) -> Option<StoredSchema<'_>> {
        self.0.input_schema.as_ref().map(StoredSchema)
    }

    /// JSON Schema of its structured result, when it declares one.
    async fn output_schema(&self) -> Option<StoredSchema<'_>> {
        self.0.output_schema.as_ref().map(StoredSchema)
    }

    /// Hints about its behaviour, as its maker gives them (MCP specification, "ToolAnnotations").
    async fn annotations(&self) -> Option<&Value> {
        self.0.annotations.as_ref()
    }

    /// What identifies the definition: hex SHA-256 of the canonical JSON of name, description, schemas
    /// and annotations.
    async fn definition_hash(&self) -> &str {
        &self.0.definition_hash
    }

    /// The current version, which the alias `latest` stands at: the highest that is neither yanked nor a
    /// pre-release.
    async fn version(&self) -> &str {
        &self.0.tool_version
    }

    /// Every published version, newest first.
    #[graphql(complexity = "cost(10, child_complexity)")]
    async fn versions(&self, ctx: &Context<'_>) -> Result<Vec<ToolVersion>, ApiError> {
        let key = VersionsOf(self.0.id.clone());
        let loaders = Session::of(ctx).loaders_at(self.0.moment);
        let versions = loaders.load_one(key).await?;
        let versions = versions.map(Arc::unwrap_or_clone).unwrap_or_default();
        Ok(versions.into_iter().map(ToolVersion).collect())
    }

    /// The names that stand at versions of it, `latest` first.
    async fn aliases(&self) -> Vec<Alias> {
        version::aliases(self.0.tool_version.clone(), &self.0.aliases)
    }

    /// What those are told who use the current version; null when it is not deprecated.
    async fn deprecation(&self) -> Option<Deprecation> {
        self.0.current_deprecation().map(Deprecation::from)
    }

    /// What is used in the same sessions as this tool, best first. Empty until agents have used it.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn used_together(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Most of them, at most 20.", default = 5)] first: i32,
    ) -> Result<Vec<Recommendation>, ApiError> {
        companions(Session::of(ctx), &self.0.id, By::Together, first)
            .boxed()
            .await
    }

    /// What comes next after this tool, likeliest first. Empty until agents have used it.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn comes_next(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Most of them, at most 20.", default = 5)] first: i32,
    ) -> Result<Vec<Recommendation>, ApiError> {
        companions(Session::of(ctx), &self.0.id, By::Next, first)
            .boxed()
            .await
    }

    /// One word to group by.
    async fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }

    /// Words to filter by.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// Who may see it.
    async fn visibility(&self) -> Visibility {
        self.0.visibility.into()
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

    /// The server that offers it.
    async fn server(&self, ctx: &Context<'_>) -> Result<Server, ApiError> {
        let (id, moment) = (self.0.server_id.clone(), self.0.moment);
        let server = Session::of(ctx).server_at(id, moment).boxed().await?;
        server.ok_or(ApiError::NotFound)
    }

    /// The tools most like it, best first: by meaning where there is an embedding model, else by words.
    #[graphql(complexity = "cost(first, child_complexity) + recommend::COST")]
    async fn similar(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many, 1 to 20.",
            default_with = "recommend::DEFAULT_SIMILAR"
        )]
        first: i32,
    ) -> Option<Result<Vec<Recommendation>, ApiError>> {
        let found = recommend::similar(Session::of(ctx), &self.0.id, first);
        Some(found.boxed().await)
    }

    /// What its reviews say in numbers: those of your tenant's members and, while it is public, those of others;
    /// as of now, also where the tool is shown as it was.
    async fn rating(&self, ctx: &Context<'_>) -> Option<Result<Rating, ApiError>> {
        Some(rating::of_tool(Session::of(ctx), &self.0.id).boxed().await)
    }

    /// What the members of your tenant wrote about it, newest first, your own among it; as of now.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(
            desc = "Also those that moderators have hidden, if you may see them.",
            default
        )]
        include_hidden: bool,
    ) -> Option<Result<ReviewConnection, ApiError>> {
        let part = ReviewPart {
            first,
            after,
            include_hidden,
        };
        Some(
            review::of_tool(Session::of(ctx), &self.0.id, part)
                .boxed()
                .await,
        )
    }

    /// What members of other tenants wrote about it, newest first, as everybody sees it; none while it is not
    /// public.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn public_reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> Option<Result<PublicReviewConnection, ApiError>> {
        Some(public_review::of_tool(Session::of(ctx), &self.0.id, first, after).await)
    }

    /// When it was registered.
    async fn registered_at(&self) -> DateTime<Utc> {
        self.0.registered_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// The tenants that have installed it, now. For those who keep or audit the registry.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn dependents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> Option<Result<DependentConnection, ApiError>> {
        Some(
            dependent::of_tool(Session::of(ctx), &self.0, first, after)
                .boxed()
                .await,
        )
    }

    /// What has happened to it and what each event changed. For those who keep or audit the
    /// registry.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Newest or oldest first.", default_with = "Direction::Desc")]
        direction: Direction,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Option<Result<HistoryConnection, ApiError>> {
        let part = HistoryPart {
            first,
            after,
            direction,
            min_sequence,
        };
        Some(
            history::of_tool(Session::of(ctx), &self.0, part)
                .boxed()
                .await,
        )
    }
}

/// One published definition.
pub(super) struct ToolVersion(pub(super) catalog::ToolVersion);

/// A definition of a tool as it was published.
#[Object]
impl ToolVersion {
    /// Its semantic version.
    async fn version(&self) -> &str {
        &self.0.tool_version
    }

    /// What the tool does, as a model reads it.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// JSON Schema of the arguments; null when the source gave none.
    async fn input_schema(&self) -> Option<&Value> {
        self.0.input_schema.as_ref()
    }

    /// JSON Schema of the structured result, when the tool declares one.
    async fn output_schema(&self) -> Option<&Value> {
        self.0.output_schema.as_ref()
    }

    /// Hints about its behaviour, as its maker gives them (MCP specification, "ToolAnnotations").
    async fn annotations(&self) -> Option<&Value> {
        self.0.annotations.as_ref()
    }

    /// What identifies the definition: hex SHA-256 of the canonical JSON of name, description, schemas
    /// and annotations.
    async fn definition_hash(&self) -> &str {
        &self.0.definition_hash
    }

    /// When it was published.
    async fn published_at(&self) -> DateTime<Utc> {
        self.0.published_at
    }

    /// Who published it.
    async fn published_by(&self) -> Actor {
        Actor::from(&self.0.published_by)
    }

    /// The aliases that stand at it, `latest` included.
    async fn aliases(&self) -> &[String] {
        &self.0.aliases
    }

    /// Whether it is hidden from resolution; its exact number still leads to it.
    async fn yanked(&self) -> bool {
        self.0.mark.yanked.is_some()
    }

    /// Why it is, when somebody said so.
    async fn yanked_reason(&self) -> Option<&str> {
        let reason = self.0.mark.yanked.as_deref();
        reason.filter(|reason| !reason.is_empty())
    }

    /// What those are told who use this version, apart from what is said of the whole tool.
    async fn deprecation(&self) -> Option<Deprecation> {
        self.0.mark.deprecation.as_ref().map(Deprecation::from)
    }
}

/// Who caused a change, as the log recorded it.
#[derive(SimpleObject)]
pub(super) struct Actor {
    /// What kind of actor.
    pub(super) kind: ActorKind,
    /// The principal's id in the log, or the name of the part of the system that acted.
    pub(super) id: String,
}

impl From<&domain::envelope::Actor> for Actor {
    fn from(actor: &domain::envelope::Actor) -> Self {
        Self {
            kind: actor.kind.into(),
            id: actor.id.clone(),
        }
    }
}

/// Which tools; all conditions together.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "ToolFilter")]
pub(super) struct ToolFilter {
    /// Name, title or description contains this text, in whatever case. To find a tool by its
    /// purpose, use `searchTools`.
    text: Option<String>,
    /// Of the server with this slug.
    server: Option<String>,
    /// Of this category.
    category: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// In use or out of use; both when left out.
    status: Option<Status>,
    /// Of a server with or without a verified publisher today; both when left out.
    verified_publisher: Option<bool>,
}

impl ToolFilter {
    /// The filter in the terms of the catalogue, over what the caller may see.
    pub(super) fn of(self, session: &Session) -> catalog::ToolFilter {
        catalog::ToolFilter {
            text: filter_text(self.text),
            server: filter_text(self.server),
            category: filter_text(self.category),
            tag: filter_text(self.tag),
            status: self.status.map(Into::into),
            verified_publisher: self.verified_publisher,
            visibilities: session.visibilities.clone(),
        }
    }
}

/// How many tools there are at a moment, counted when asked.
pub(super) enum ToolTotal {
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
}

/// The entries to tools.
#[derive(Default)]
pub(super) struct ToolQueries;

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
