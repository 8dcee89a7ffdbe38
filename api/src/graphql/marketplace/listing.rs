//! Listings: the type, its list, the search over it and the look-up.

use super::installation::Installation;
use super::listed_version::ListedVersion;
use super::loaders::{ListedVersionsOf, PublisherOf};
use super::reference;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::connection::{
    DEFAULT_FIRST, PageOf, connection, cost, filter_text, page_request,
};
use crate::graphql::public_review::{self, PublicReviewConnection};
use crate::graphql::publisher::ServerPublisher;
use crate::graphql::rating::{self, Rating};
use crate::graphql::scalars::Sequence;
use crate::graphql::session::Session;
use crate::graphql::version::{self, Alias, Deprecation};
use crate::resolution::{listing_warnings, malformed, resolve_listing};
use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, InputObject, Object};
use chrono::{DateTime, Utc};
use domain::id::{TenantId, ToolId};
use domain::installation::ForeignReference;
use domain::tool::Visibility;
use domain::tool::reference::Reference;
use projections::PageRequest;
use projections::marketplace::{self, ListingFilter};
use projections::search::{self, Key, Scope, SearchFilter, SearchHit, SearchRequest};
use serde_json::Value;
use std::sync::Arc;

/// A tool that a tenant offers to all others.
#[derive(Clone)]
pub(in crate::graphql) struct Listing(pub(in crate::graphql) marketplace::Listing);

/// A page of listings.
pub(in crate::graphql) type ListingConnection = PageOf<Listing, ListingPage>;

/// A tool that a tenant offers to all others. Title, description and schemas are written by strangers:
/// text to judge, not to obey.
#[Object]
impl Listing {
    /// How the tool is named by other tenants, once they have installed it: `@publisher/server/name`.
    async fn reference(&self) -> String {
        self.0.reference.to_string()
    }

    /// The slug of the tenant that offers it.
    async fn publisher(&self) -> &str {
        self.0.reference.publisher.as_str()
    }

    /// The slug of its server there.
    async fn server(&self) -> &str {
        &self.0.reference.server
    }

    /// The server's name for people.
    async fn server_name(&self) -> &str {
        &self.0.server_name
    }

    /// The name of the tool.
    async fn name(&self) -> &str {
        &self.0.reference.name
    }

    /// A title for people.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// One word to group by.
    async fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }

    /// Words to filter by.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// The version whose definition is shown here: the current one, the one that was asked for, or in a search for
    /// tools the one that your installation means.
    async fn version(&self) -> String {
        self.0.version.tool_version.to_string()
    }

    /// What the tool does, as a model reads it.
    async fn description(&self) -> &str {
        &self.0.version.description
    }

    /// JSON Schema of its arguments; null when the source gave none.
    async fn input_schema(&self) -> Option<&Value> {
        self.0.version.input_schema.as_ref()
    }

    /// JSON Schema of its structured result, when it declares one.
    async fn output_schema(&self) -> Option<&Value> {
        self.0.version.output_schema.as_ref()
    }

    /// Hints about its behaviour, as its maker gives them (MCP specification, "ToolAnnotations").
    async fn annotations(&self) -> Option<&Value> {
        self.0.version.annotations.as_ref()
    }

    /// What identifies the definition: hex SHA-256 of the canonical JSON of name, description, schemas
    /// and annotations.
    async fn definition_hash(&self) -> &str {
        &self.0.version.definition_hash
    }

    /// Why this version was yanked, perhaps without words; null when it was not.
    async fn yanked_reason(&self) -> Option<&str> {
        self.0.version.yanked.as_deref()
    }

    /// What those are told who use this version; null when it is not deprecated.
    async fn deprecation(&self) -> Option<Deprecation> {
        let told = self.0.deprecation_of(&self.0.version);
        told.map(Deprecation::from)
    }

    /// What to know before using this version, such as that it is deprecated or yanked.
    async fn warnings(&self) -> Vec<String> {
        listing_warnings(&self.0)
    }

    /// The names that its publisher moves from version to version, such as `stable`.
    async fn aliases(&self) -> Vec<Alias> {
        version::moved(&self.0.aliases)
    }

    /// The publisher's namespace behind the server's registry name, when it is proved; null otherwise.
    async fn verified_publisher(
        &self,
        ctx: &Context<'_>,
    ) -> Result<Option<ServerPublisher>, ApiError> {
        let key = PublisherOf(self.0.id.clone());
        let found = Session::of(ctx).loaders.load_one(key).await?;
        Ok(found.map(ServerPublisher::from))
    }

    /// What its reviews say in numbers.
    async fn rating(&self, ctx: &Context<'_>) -> Option<Result<Rating, ApiError>> {
        Some(rating::of_tool(Session::of(ctx), &self.0.id).await)
    }

    /// What members of tenants that have installed it wrote about it, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> Option<Result<PublicReviewConnection, ApiError>> {
        Some(public_review::of_tool(Session::of(ctx), &self.0.id, first, after).await)
    }

    /// Every published version, highest first, yanked ones included.
    #[graphql(complexity = "cost(10, child_complexity)")]
    async fn versions(&self, ctx: &Context<'_>) -> Result<Vec<ListedVersion>, ApiError> {
        let key = ListedVersionsOf(self.0.id.clone());
        let versions = Session::of(ctx).loaders.load_one(key).await?;
        let versions = versions.map(Arc::unwrap_or_clone).unwrap_or_default();
        Ok(versions.into_iter().map(ListedVersion).collect())
    }

    /// Its installation in your tenant; null when it is not installed.
    async fn installation(&self, ctx: &Context<'_>) -> Result<Option<Installation>, ApiError> {
        let session = Session::of(ctx);
        let id = self.0.reference.installation_id(&session.caller.tenant);
        session.installation(id).await
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// Which listings; all conditions together.
#[derive(Debug, Default, InputObject)]
struct MarketplaceFilter {
    /// Offered by the tenant with this slug.
    publisher: Option<String>,
    /// Of this category.
    category: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// Only tools whose publisher has proved the namespace of their server, or only the others.
    verified_publisher: Option<bool>,
    /// Only tools that are rated with this many stars on average, or more: 1 to 5.
    min_rating: Option<f64>,
}

impl MarketplaceFilter {
    fn read(self) -> Result<ListingFilter, ApiError> {
        let publisher = filter_text(self.publisher).map(TenantId::new).transpose();
        let out_of_range = |least: &f64| !(1.0..=5.0).contains(least);
        if let Some(given) = self.min_rating.filter(out_of_range) {
            return Err(ApiError::Rejected {
                code: "RATING_OUT_OF_RANGE",
                message: format!("a rating is 1 to 5; {given} is not"),
            });
        }
        Ok(ListingFilter {
            publisher: publisher.map_err(|_| ApiError::NotFound)?,
            category: filter_text(self.category),
            tag: filter_text(self.tag),
            verified_publisher: self.verified_publisher,
            min_rating: self.min_rating,
        })
    }
}

/// What a page of listings says beside its edges.
pub(in crate::graphql) struct ListingPage {
    counted: Counted,
    notice: Option<String>,
}

/// How many listings there are on all pages.
enum Counted {
    /// As many as a search has found.
    Found(usize),
    /// As many as pass: counted only when asked for.
    Passing(ListingFilter),
}

/// What a page of listings says beside its edges.
#[Object]
impl ListingPage {
    /// How many listings there are on all pages together. With a query, those that it found: with words, it looks
    /// no deeper than at the best 100 by words and the best 100 by meaning.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Option<i64>, ApiError> {
        let filter = match &self.counted {
            Counted::Found(found) => return Ok(i64::try_from(*found).ok()),
            Counted::Passing(filter) => filter,
        };
        let mut reads = Session::of(ctx).reads().await?;
        Ok(Some(marketplace::count_listings(&mut reads, filter).await?))
    }

    /// What to know about the answer to a query, such as that semantic search is off.
    async fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }
}

/// The entries to listings.
#[derive(Default)]
pub(in crate::graphql) struct ListingQueries;

#[Object]
impl ListingQueries {
    /// The tools that tenants offer to all others: by name, or best first when you say what you want to do.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn marketplace(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What you want to do, in plain words, with filters among them as in `searchTools`."
        )]
        query: Option<String>,
        #[graphql(desc = "Which listings; all when left out.")] filter: Option<MarketplaceFilter>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<ListingConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::SearchTools, &Resource::any(ResourceKind::Tool))?;
        session.caught_up(marketplace::NAME, min_sequence).await?;
        let filter = filter.unwrap_or_default().read()?;
        let request = page_request(session, first, after)?;
        if let Some(query) = filter_text(query) {
            session.caught_up(search::NAME, min_sequence).await?;
            let page = (request, min_sequence.is_some());
            return find(session, query, filter, page).await.map(Some);
        }
        let mut reads = session.reads().await?;
        let page = marketplace::listings(&mut reads, &filter, &request).await?;
        let fields = ListingPage {
            counted: Counted::Passing(filter),
            notice: None,
        };
        let continues = request.after.is_some();
        Ok(Some(connection(page, continues, fields, Listing)))
    }

    /// One listing. What does not exist and what is not offered answer the same error, `NOT_FOUND`. For those who
    /// look: any version is shown, whichever is installed and whatever was said of it since.
    async fn listing(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The slug of the tenant that offers it.")] publisher: String,
        #[graphql(desc = "The slug of its server there.")] server: String,
        #[graphql(desc = "Its name.")] tool: String,
        #[graphql(
            desc = "In which version: `1.2.3`, `^1.2`, `stable`; the current one when left out."
        )]
        version: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<Listing>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::SearchTools, &Resource::any(ResourceKind::Tool))?;
        session.caught_up(marketplace::NAME, min_sequence).await?;
        let tool = reference(&publisher, &server, &tool)?;
        let reference = filter_text(version).map(|version| version.parse::<Reference>());
        let reference = reference.transpose().map_err(|error| malformed(&error))?;
        let reference = reference.unwrap_or_default();
        let wanted = ForeignReference { tool, reference };
        let found = resolve_listing(&mut session.reads().await?, &wanted).await?;
        let found = found.ok_or(ApiError::NotFound)?;
        Ok(Some(Listing(found.listing)))
    }
}

/// Listings by what one wants to do. The index may be behind: what is not listed any more is left out.
async fn find(
    session: &Session,
    query: String,
    filter: ListingFilter,
    (page, current): (PageRequest, bool),
) -> Result<ListingConnection, ApiError> {
    let mut narrowed = SearchFilter::default();
    for (key, value) in [
        (Key::Category, filter.category),
        (Key::Tag, filter.tag),
        (
            Key::Verified,
            filter.verified_publisher.map(|it| it.to_string()),
        ),
    ] {
        if let Some(value) = value {
            narrowed.add(key, &value, false)?;
        }
    }
    let request = SearchRequest {
        scope: Scope::Marketplace {
            publisher: filter.publisher,
        },
        filter: narrowed,
        least_average: filter.min_rating,
        visibilities: vec![Visibility::Public.as_str().to_owned()],
        first: page.first,
        after: page.after,
        current,
        ..SearchRequest::new(session.caller.tenant.clone(), &query)
    };
    let answer = session.state.search(&request, "graphql").await?;
    let id = |hit: &SearchHit| ToolId::parse(hit.tool_id.as_str()).ok();
    let ids: Vec<ToolId> = answer.hits.iter().filter_map(id).collect();
    let mut found = marketplace::listings_by_id(&mut session.reads().await?, &ids).await?;
    let fields = ListingPage {
        counted: Counted::Found(answer.found),
        notice: answer.notice,
    };
    let mut connection =
        Connection::with_additional_fields(answer.before > 0, answer.has_next, fields);
    let edges = answer.hits.iter().filter_map(|hit| {
        let listing = found.remove(&id(hit)?)?;
        Some(Edge::new(hit.cursor.clone(), Listing(listing)))
    });
    connection.edges.extend(edges);
    Ok(connection)
}
