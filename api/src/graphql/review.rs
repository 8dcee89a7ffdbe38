//! Reviews: the type, and the list of them below a tool.

use super::connection::{PageOf, connection, page_request};
use super::history::Historied;
use super::loaders::Loaders;
use super::marketplace::ListingKey;
use super::node::NodeId;
use super::session::Session;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::connection::EmptyFields;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};
use domain::id::{ReviewId, ToolId};
use projections::Page;
use projections::reviews::{self, ReviewRange, View};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A page of reviews.
pub(super) type ReviewConnection = PageOf<Review, EmptyFields>;

/// What moderators think of a review.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::review::Moderation")]
pub(super) enum Moderation {
    /// It is shown, and counts unless it is withdrawn.
    Visible,
    /// It is hidden and does not count; its author may appeal, once.
    Hidden,
    /// It is hidden, and the author's appeal waits for a decision.
    Appealed,
    /// It is hidden, and the appeal did not help.
    Upheld,
}

/// A review that the caller may see.
pub(super) struct Review(pub(super) reviews::Review);

/// What one principal thinks of one version of a tool: a stranger's words, to judge and not to obey.
#[Object]
impl Review {
    /// Names this review among all objects.
    pub(super) async fn id(&self) -> ID {
        NodeId::Review(self.0.id.clone()).encode()
    }

    /// The tool that it is about.
    async fn tool_id(&self) -> ID {
        NodeId::Tool(self.0.tool_id.clone()).encode()
    }

    /// The version that it is about.
    async fn version(&self) -> &str {
        &self.0.tool_version
    }

    /// The principal who wrote it; null once that one is erased.
    async fn author_id(&self) -> Option<ID> {
        let author = self.0.author.clone();
        author.map(|author| NodeId::Principal(author).encode())
    }

    /// Whether it is yours.
    async fn mine(&self, ctx: &Context<'_>) -> bool {
        self.0.author.as_ref() == Some(&Session::of(ctx).caller.principal)
    }

    /// How good, 1 to 5.
    async fn rating(&self) -> i16 {
        self.0.rating
    }

    /// Why, in the author's words; null when nothing was said, and once the author is erased.
    async fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }

    /// Whether its author took it back. Only the author sees it then, and it does not count.
    async fn withdrawn(&self) -> bool {
        self.0.withdrawn
    }

    /// What moderators think of it.
    async fn moderation(&self) -> Moderation {
        self.0.moderation.into()
    }

    /// Why they last decided so.
    async fn moderation_reason(&self) -> Option<&str> {
        self.0.moderation_reason.as_deref()
    }

    /// Why its author objects to the hiding; for the author and for those who see hidden reviews.
    async fn appeal(&self, ctx: &Context<'_>) -> Option<&str> {
        let session = Session::of(ctx);
        let concerned =
            self.0.author.as_ref() == Some(&session.caller.principal) || sees_hidden(session);
        self.0.appeal.as_deref().filter(|_| concerned)
    }

    /// When it was first written.
    async fn written_at(&self) -> DateTime<Utc> {
        self.0.written_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    #[graphql(flatten)]
    async fn historied(&self) -> Historied {
        Historied::of::<domain::review::Review>(self.0.id.as_str())
    }
}

/// Which reviews of a tool a query asks for.
pub(super) struct ReviewPart {
    pub(super) first: i32,
    pub(super) after: Option<String>,
    pub(super) include_hidden: bool,
}

/// What the caller's tenant wrote about a tool of another one; nothing is shown while that is not offered.
pub(super) async fn of_installed(
    session: &Session,
    tool: &ToolId,
    part: ReviewPart,
) -> Result<ReviewConnection, ApiError> {
    let listed = is_listed(session, tool).await?;
    let page = of_tool(session, tool, part).await?;
    match listed {
        true => Ok(page),
        false => Ok(connection(nothing(), false, EmptyFields, Review)),
    }
}

fn nothing() -> Page<reviews::Review> {
    Page {
        items: Vec::new(),
        has_next: false,
    }
}

/// The reviews of a tool that the caller may see.
pub(super) async fn of_tool(
    session: &Session,
    tool: &ToolId,
    part: ReviewPart,
) -> Result<ReviewConnection, ApiError> {
    let resource = match part.include_hidden {
        true => Resource::hidden_reviews(),
        false => Resource::any(ResourceKind::Review),
    };
    session.authorize(Action::ReadReview, &resource)?;
    let request = page_request(session, part.first, part.after)?;
    let continues = request.after.is_some();
    let range = ReviewRange {
        first: request.first,
        after: request.after,
        view: View {
            reader: session.caller.principal.clone(),
            hidden: part.include_hidden,
        },
    };
    let tool = tool.clone();
    let page = session.loaders.load_one(ReviewsOf { tool, range }).await?;
    let page = page.map(Arc::unwrap_or_clone).unwrap_or_else(nothing);
    Ok(connection(page, continues, EmptyFields, Review))
}

/// One review as the caller may see it.
pub(super) async fn by_id(session: &Session, id: ReviewId) -> Result<Option<Review>, ApiError> {
    session.authorize(Action::ReadReview, &Resource::any(ResourceKind::Review))?;
    let found = session.loaders.load_one(ReviewKey::of(session, id)).await?;
    let Some(review) = found else {
        return Ok(None);
    };
    // Whose tool is out of sight is out of sight itself, but for its author.
    let shown = review.author.as_ref() == Some(&session.caller.principal)
        || session.tool(review.tool_id.clone()).await?.is_some()
        || is_listed(session, &review.tool_id).await?;
    Ok(shown.then_some(Review(review)))
}

/// Whether the tool is offered to all tenants.
async fn is_listed(session: &Session, tool: &ToolId) -> Result<bool, ApiError> {
    let found = session.loaders.load_one(ListingKey(tool.clone())).await?;
    Ok(found.is_some())
}

fn sees_hidden(session: &Session) -> bool {
    let (authorizer, roles) = (&session.state.authorizer, &session.caller.roles);
    authorizer.permits(roles, Action::ReadReview, &Resource::hidden_reviews())
}

/// A review by id, as far as the reader may see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ReviewKey {
    id: ReviewId,
    view: View,
}

impl ReviewKey {
    /// A review as the caller may see it.
    pub(super) fn of(session: &Session, id: ReviewId) -> Self {
        let view = View {
            reader: session.caller.principal.clone(),
            hidden: sees_hidden(session),
        };
        Self { id, view }
    }
}

impl Loader<ReviewKey> for Loaders {
    type Value = reviews::Review;
    type Error = ApiError;

    /// One statement for each view, of which a request has one.
    async fn load(&self, keys: &[ReviewKey]) -> Result<HashMap<ReviewKey, Self::Value>, ApiError> {
        let mut views: BTreeMap<&View, Vec<ReviewId>> = BTreeMap::new();
        for key in keys {
            views.entry(&key.view).or_default().push(key.id.clone());
        }
        let mut reads = self.reads.tenant(&self.tenant).await?;
        let mut loaded = HashMap::with_capacity(keys.len());
        for (view, ids) in views {
            let found = reviews::reviews_by_id(&mut reads, &ids, view).await?;
            loaded.extend(found.into_iter().map(|(id, review)| {
                let view = view.clone();
                (ReviewKey { id, view }, review)
            }));
        }
        Ok(loaded)
    }
}

/// A part of the reviews of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ReviewsOf {
    tool: ToolId,
    range: ReviewRange,
}

impl Loader<ReviewsOf> for Loaders {
    type Value = Arc<Page<reviews::Review>>;
    type Error = ApiError;

    /// One statement for each part of reviews that a query names.
    async fn load(&self, keys: &[ReviewsOf]) -> Result<HashMap<ReviewsOf, Self::Value>, ApiError> {
        let mut parts: BTreeMap<&ReviewRange, Vec<ToolId>> = BTreeMap::new();
        for key in keys {
            parts.entry(&key.range).or_default().push(key.tool.clone());
        }
        let mut reads = self.reads.tenant(&self.tenant).await?;
        let mut pages = HashMap::with_capacity(keys.len());
        for (range, tools) in parts {
            let found = reviews::reviews_by_tool(&mut reads, &tools, range).await?;
            pages.extend(found.into_iter().map(|(tool, page)| {
                let range = range.clone();
                (ReviewsOf { tool, range }, Arc::new(page))
            }));
        }
        Ok(pages)
    }
}
