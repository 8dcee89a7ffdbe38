//! Tools: the type, its versions ([`tool_version`]), its lists and its look-up ([`queries`]).

mod queries;
mod tool_version;

pub(super) use queries::{ToolConnection, ToolFilter, ToolQueries, ToolTotal};
pub(super) use tool_version::{ToolVersion, ToolVersionConnection};

use super::connection::{DEFAULT_FIRST, cost};
use super::enums::{Status, Visibility};
use super::history::Historied;
use super::marketplace::dependent::{self, DependentConnection};
use super::node::NodeId;
use super::public_review::{self, PublicReviewConnection};
use super::rating::{self, Rating};
use super::recommend::{self, Recommendation, companions};
use super::review::{self, ReviewConnection, ReviewPart};
use super::scalars::StoredSchema;
use super::server::Server;
use super::session::Session;
use super::version::{self, Alias, Deprecation};
use crate::error::ApiError;
use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use domain::team::Team;
use futures::FutureExt;
use projections::catalog;
use projections::usage::By;
use serde_json::Value;

/// A tool of the catalogue.
///
/// The library makes one future of all fields and allocates it for each field that a query names: those that
/// ask for more are boxed, so that the plain ones cost little.
pub(super) struct Tool(pub(super) catalog::Tool);

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

    /// The published versions, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> Option<Result<ToolVersionConnection, ApiError>> {
        let found = tool_version::of_tool(Session::of(ctx), &self.0, first, after);
        Some(found.boxed().await)
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

    /// The team that it belongs to, and that it is kept to while it is private; null when it belongs to none.
    async fn team(&self) -> Option<&str> {
        self.0.team.as_ref().map(Team::as_str)
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

    /// The tools most like it, best first: by meaning where there is an embedding model, else by words; as of now.
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

    #[graphql(flatten)]
    async fn historied(&self, ctx: &Context<'_>) -> Historied {
        Historied::of_tool(Session::of(ctx), &self.0)
    }
}
