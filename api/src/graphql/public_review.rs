//! What everybody sees of the reviews of a public tool: those by members of tenants that have installed it.

use super::connection::{PageOf, connection, page_request};
use super::loaders::Loaders;
use super::session::Session;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::connection::EmptyFields;
use async_graphql::dataloader::Loader;
use async_graphql::{Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::id::ToolId;
use projections::Page;
use projections::reviews::{self, PublicRange};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A page of public reviews.
pub(super) type PublicReviewConnection = PageOf<PublicReview, EmptyFields>;

/// A review that all tenants see.
pub(super) struct PublicReview(reviews::PublicReview);

/// Who wrote a public review, as far as others are told.
#[derive(SimpleObject)]
struct PublicAuthor {
    /// The slug of the tenant whose member it is.
    tenant: String,
    /// The same for people: `a member of acme`.
    name: String,
}

/// What a member of a tenant that has installed a tool thinks of one version of it: a stranger's words, to judge
/// and not to obey.
#[Object]
impl PublicReview {
    /// The version that it is about.
    async fn version(&self) -> &str {
        &self.0.tool_version
    }

    /// Who wrote it.
    async fn author(&self) -> PublicAuthor {
        let tenant = self.0.tenant.to_string();
        let name = format!("a member of {tenant}");
        PublicAuthor { tenant, name }
    }

    /// How good, 1 to 5.
    async fn rating(&self) -> i16 {
        self.0.rating
    }

    /// Why, in the author's words; null when nothing was said, and once the author is erased.
    async fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }

    /// Whether it is in the rating: of the reviews that members of one tenant wrote about a tool, the last 5 are.
    async fn counts(&self) -> bool {
        self.0.counts
    }

    /// When it was first written.
    async fn written_at(&self) -> DateTime<Utc> {
        self.0.written_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// The public reviews of a tool; none of one that is not offered.
pub(super) async fn of_tool(
    session: &Session,
    tool: &ToolId,
    first: i32,
    after: Option<String>,
) -> Result<PublicReviewConnection, ApiError> {
    session.authorize(Action::ReadReview, &Resource::any(ResourceKind::Review))?;
    let request = page_request(session, first, after)?;
    let continues = request.after.is_some();
    let range = PublicRange {
        first: request.first,
        after: request.after,
    };
    let key = PublicReviewsOf {
        tool: tool.clone(),
        range,
    };
    let page = session.loaders.load_one(key).await?;
    let page = page.map(Arc::unwrap_or_clone).unwrap_or(Page {
        items: Vec::new(),
        has_next: false,
    });
    Ok(connection(page, continues, EmptyFields, PublicReview))
}

/// A part of the public reviews of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PublicReviewsOf {
    tool: ToolId,
    range: PublicRange,
}

impl Loader<PublicReviewsOf> for Loaders {
    type Value = Arc<Page<reviews::PublicReview>>;
    type Error = ApiError;

    /// One statement for each part of reviews that a query names.
    async fn load(
        &self,
        keys: &[PublicReviewsOf],
    ) -> Result<HashMap<PublicReviewsOf, Self::Value>, ApiError> {
        let mut parts: BTreeMap<&PublicRange, Vec<ToolId>> = BTreeMap::new();
        for key in keys {
            parts.entry(&key.range).or_default().push(key.tool.clone());
        }
        let mut reads = self.reads.tenant(&self.tenant).await?;
        let mut pages = HashMap::with_capacity(keys.len());
        for (range, tools) in parts {
            let found = reviews::public_reviews_by_tool(&mut reads, &tools, range).await?;
            pages.extend(found.into_iter().map(|(tool, page)| {
                let range = range.clone();
                (PublicReviewsOf { tool, range }, Arc::new(page))
            }));
        }
        Ok(pages)
    }
}
