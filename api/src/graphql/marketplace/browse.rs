//! Looking for listings: the list, the search over it, what it is made up of, and the look-up of one.

use super::listing::Listing;
use super::reference;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::connection::{
    DEFAULT_FIRST, PageOf, connection, cost, filter_text, page_request,
};
use crate::graphql::scalars::Sequence;
use crate::graphql::search::{Facets, SearchSort};
use crate::graphql::session::Session;
use crate::resolution::{malformed, resolve_listing};
use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, InputObject, Object};
use domain::id::{TenantId, ToolId};
use domain::installation::ForeignReference;
use domain::tool::Visibility;
use domain::tool::reference::Reference;
use projections::marketplace::{self, ListingFilter};
use projections::search::{self, Key, Scope, SearchFilter, SearchHit, SearchRequest, Sort};
use projections::{PageRequest, Sight};

/// A page of listings.
pub(in crate::graphql) type ListingConnection = PageOf<Listing, ListingPage>;

/// Which listings; all conditions together. Several values of one list mean any of them.
#[derive(Debug, Default, InputObject)]
struct MarketplaceFilter {
    /// Offered by the tenant with this slug.
    publisher: Option<String>,
    /// Only tools of these categories.
    #[graphql(default)]
    categories: Vec<String>,
    /// Only tools with at least one of these tags.
    #[graphql(default)]
    tags: Vec<String>,
    /// Only tools whose publisher has proved the namespace of their server, or only the others.
    verified_publisher: Option<bool>,
    /// Only tools with at least so many stars, 1 to 5, by the Bayesian average, `rating { bayesian }`. A tool without
    /// a review has the mean of all that your tenant sees.
    min_rating: Option<f64>,
}

impl MarketplaceFilter {
    fn read(self) -> Result<ListingFilter, ApiError> {
        let publisher = filter_text(self.publisher).map(TenantId::new).transpose();
        // What names one thing may name nothing; a filter that nothing can ever pass is a mistake.
        let publisher = publisher.map_err(|error| ApiError::Rejected {
            code: "INVALID_SLUG",
            message: error.to_string(),
        })?;
        let out_of_range = |least: &f64| !(1.0..=5.0).contains(least);
        if let Some(given) = self.min_rating.filter(out_of_range) {
            return Err(ApiError::Rejected {
                code: "RATING_OUT_OF_RANGE",
                message: format!("a rating is 1 to 5; {given} is not"),
            });
        }
        if let Some(given) = self.min_rating {
            // What a search would refuse is refused by name, too.
            SearchFilter::default().add(Key::Rating, &given.to_string(), false)?;
        }
        Ok(ListingFilter {
            publisher,
            categories: filter_texts(self.categories),
            tags: filter_texts(self.tags),
            verified_publisher: self.verified_publisher,
            min_rating: self.min_rating,
        })
    }
}

fn filter_texts(texts: Vec<String>) -> Vec<String> {
    let texts = texts.into_iter();
    texts.filter_map(|text| filter_text(Some(text))).collect()
}

/// What a page of listings says beside its edges.
pub(in crate::graphql) struct ListingPage {
    counted: Counted,
    notice: Option<String>,
}

/// How many listings there are on all pages, and what they are made up of.
enum Counted {
    /// As a search has found them, facets when they were asked for.
    Found(usize, Option<Facets>),
    /// As they pass: counted only when asked for, the facets by the index, which then has to be current or may be a
    /// moment behind.
    Passing(ListingFilter, bool),
}

/// What a page of listings says beside its edges.
#[Object]
impl ListingPage {
    /// How many listings there are on all pages together. With a query, those that it found: with words, it looks
    /// no deeper than at the best 100 by words and the best 100 by meaning.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Option<i64>, ApiError> {
        let filter = match &self.counted {
            Counted::Found(found, _) => return Ok(i64::try_from(*found).ok()),
            Counted::Passing(filter, _) => filter,
        };
        let mut reads = Session::of(ctx).reads().await?;
        Ok(Some(marketplace::count_listings(&mut reads, filter).await?))
    }

    /// How many of the listings on all pages have which value. Counted only when asked for.
    async fn facets(&self, ctx: &Context<'_>) -> Result<Option<Facets>, ApiError> {
        let (filter, current) = match &self.counted {
            Counted::Found(_, facets) => return Ok(facets.clone()),
            Counted::Passing(filter, current) => (filter.clone(), *current),
        };
        let session = Session::of(ctx);
        let request = SearchRequest {
            first: 1,
            facets: true,
            current,
            ..over_listings(session, "", filter)?
        };
        let answer = session.state.search(&request, "graphql").await?;
        Ok(answer.facets.map(Facets::from))
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
    /// The tools that tenants offer to all others: by name, or best first when you say what you want to do, unless
    /// sorted otherwise. By anything else than by name, all pages are of one state of the index.
    #[graphql(complexity = "cost(first, child_complexity)")]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of a GraphQL field"
    )]
    async fn marketplace(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What you want to do, in plain words, with filters among them as in `searchTools`."
        )]
        query: Option<String>,
        #[graphql(desc = "Which listings; all when left out.")] filter: Option<MarketplaceFilter>,
        #[graphql(
            desc = "In which order; a cursor belongs to one. `USE` is that of your tenant's own agents."
        )]
        sort: Option<SearchSort>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<ListingConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::SearchTools, &Resource::any(ResourceKind::Tool))?;
        session.caught_up(marketplace::NAME, min_sequence).await?;
        let filter = filter.unwrap_or_default().read()?;
        let page = page_request(session, first, after)?;
        let facets = ctx.look_ahead().field("facets").exists();
        let query = filter_text(query);
        let sort = sort.map_or(Sort::Relevance, Sort::from);
        // Without words, relevance is by name; and by name alone any number of pages can be read.
        let by_name = query.is_none() && matches!(sort, Sort::Relevance | Sort::Name);
        if facets || !by_name {
            session.caught_up(search::NAME, min_sequence).await?;
        }
        let current = min_sequence.is_some();
        if by_name {
            return by_names(session, filter, (page, current)).await.map(Some);
        }
        let query = query.unwrap_or_default();
        let request = SearchRequest {
            sort,
            facets,
            current,
            first: page.first,
            after: page.after,
            ..over_listings(session, &query, filter)?
        };
        find(session, &request).await.map(Some)
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

/// Listings by name, as the marketplace has them now.
async fn by_names(
    session: &Session,
    filter: ListingFilter,
    (page, current): (PageRequest, bool),
) -> Result<ListingConnection, ApiError> {
    let mut reads = session.reads().await?;
    let found = marketplace::listings(&mut reads, &filter, &page).await?;
    let fields = ListingPage {
        counted: Counted::Passing(filter, current),
        notice: None,
    };
    Ok(connection(found, page.after.is_some(), fields, Listing))
}

/// A search of the marketplace.
fn over_listings(
    session: &Session,
    query: &str,
    filter: ListingFilter,
) -> Result<SearchRequest, ApiError> {
    let verified = filter.verified_publisher.map(|it| it.to_string());
    let rating = filter.min_rating.map(|stars| stars.to_string());
    let mut narrowed = SearchFilter::default();
    for (key, values) in [
        (Key::Category, filter.categories),
        (Key::Tag, filter.tags),
        (Key::Verified, verified.into_iter().collect()),
        (Key::Rating, rating.into_iter().collect()),
    ] {
        for value in values {
            narrowed.add(key, &value, false)?;
        }
    }
    Ok(SearchRequest {
        scope: Scope::Marketplace {
            publisher: filter.publisher,
        },
        filter: narrowed,
        sight: Sight::listed([Visibility::Public]),
        ..SearchRequest::new(session.caller.tenant.clone(), query)
    })
}

/// Listings as the index finds them. It may be behind: what is not listed any more is left out.
async fn find(session: &Session, request: &SearchRequest) -> Result<ListingConnection, ApiError> {
    let answer = session.state.search(request, "graphql").await?;
    let id = |hit: &SearchHit| ToolId::parse(hit.tool_id.as_str()).ok();
    let ids: Vec<ToolId> = answer.hits.iter().filter_map(id).collect();
    let mut found = marketplace::listings_by_id(&mut session.reads().await?, &ids).await?;
    let fields = ListingPage {
        counted: Counted::Found(answer.found, answer.facets.map(Facets::from)),
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
