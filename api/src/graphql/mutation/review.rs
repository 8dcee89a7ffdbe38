//! Changes of reviews: by their authors, and by moderators. Whose a review is follows from its id, not from
//! a role; what a moderator may do is the policy's to say.

mod reviewed;

use super::{dispatch, read_back, trimmed};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::connection::filter_text;
use crate::graphql::marketplace::reference;
use crate::graphql::node::NodeId;
use crate::graphql::review::{Review, ReviewKey};
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::Session;
use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use bus::DispatchError;
use domain::id::ReviewId;
use domain::personal::PersonalField;
use domain::review::{AuthorText, Rating, ReviewCommand, WriteReview};
use projections::reviews;

/// A review to write.
#[derive(Debug, InputObject)]
struct ReviewToolInput {
    /// The slug of the tenant that offers the tool; left out for one of your own tenant. The review of a tool of
    /// another tenant, which yours has installed, is public.
    publisher: Option<String>,
    /// The slug of the tool's server.
    server: String,
    /// Which tool.
    name: String,
    /// The version that you have used; the latest when left out, of an installed tool the one that its range means.
    version: Option<String>,
    /// How good, 1 to 5.
    rating: i32,
    /// Why, up to 4000 characters. A personal field: it is sealed, and can be erased.
    text: Option<String>,
}

/// What a review shall say instead.
#[derive(Debug, InputObject)]
struct ReviseReviewInput {
    /// Your review.
    review: ID,
    /// How good, 1 to 5.
    rating: i32,
    /// Why; it replaces the present text, and left out removes it.
    text: Option<String>,
}

/// A review to take back.
#[derive(Debug, InputObject)]
struct WithdrawReviewInput {
    /// Your review.
    review: ID,
}

/// What a moderator does.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
enum ModerationAction {
    /// Hide the review from all but its author and those who see hidden reviews; it does not count then.
    Hide,
    /// Take hiding it back.
    Restore,
}

/// A review to hide or to restore.
#[derive(Debug, InputObject)]
struct ModerateReviewInput {
    /// Which review; not your own.
    review: ID,
    /// What to do.
    action: ModerationAction,
    /// Why, for the author, up to 1000 characters; needed to hide. It is not sealed: name nobody in it.
    #[graphql(default)]
    reason: String,
}

/// An objection to the hiding of your review.
#[derive(Debug, InputObject)]
struct AppealReviewInput {
    /// Your review.
    review: ID,
    /// Why it should be shown, up to 4000 characters. A personal field, as the review's text.
    text: String,
}

/// The answer to an appeal.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::review::AppealDecision")]
enum AppealDecision {
    /// The review stays hidden.
    Upheld,
    /// The review is shown and counts again.
    Restored,
}

/// An appeal to answer.
#[derive(Debug, InputObject)]
struct DecideAppealInput {
    /// Which review; not your own.
    review: ID,
    /// The answer, for good.
    decision: AppealDecision,
    /// Why, for the author, up to 1000 characters. It is not sealed: name nobody in it.
    reason: String,
}

/// A changed review.
#[derive(SimpleObject)]
struct ReviewPayload {
    /// The review after the change; null when `notice` says why.
    review: Option<Review>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

/// The changes of reviews.
#[derive(Default)]
pub(super) struct ReviewMutations;

#[Object]
impl ReviewMutations {
    /// Reviews a version of a tool that you may see, or that your tenant has installed. One review for each of you and version: a second is
    /// `REVIEW_EXISTS`, unless you have withdrawn the first.
    async fn review_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The review.")] input: ReviewToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ReviewPayload>, ApiError> {
        let session = Session::of(ctx);
        let caller = &session.caller;
        let (server, name) = (input.server.trim(), input.name.trim());
        let publisher = filter_text(input.publisher).unwrap_or_else(|| caller.tenant.to_string());
        let tool = reference(&publisher, server, name)?;
        reviewed::authorize(session, &tool).await?;
        let (tool_id, version) = (tool.tool_id(), reviewed::named(input.version.as_deref())?);
        let first = reviewed::sent_before(session, &tool_id, version.as_ref(), command_id);
        if let Some((id, sequence)) = first.await? {
            return payload(session, id, sequence).await.map(Some);
        }
        let tool_version = reviewed::resolved(session, tool, version).await?;
        let rating = Rating::new(input.rating.into()).map_err(DispatchError::Rejected)?;
        let text = AuthorText::new(input.text.as_deref());
        let text = seal(session, PersonalField::ReviewText, text).await?;
        let author = caller.principal.clone();
        let id = ReviewId::derive(&caller.tenant, &tool_id, &tool_version, &author);
        let command = ReviewCommand::Write(WriteReview {
            tool_id,
            tool_version,
            author,
            rating,
            text,
        });
        send(session, id, command, command_id).await
    }

    /// Says something else in your review: rating and text are replaced.
    async fn revise_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it shall say.")] input: ReviseReviewInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ReviewPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = own(session, &input.review).await?;
        let rating = Rating::new(input.rating.into()).map_err(DispatchError::Rejected)?;
        let text = AuthorText::new(input.text.as_deref());
        let text = seal(session, PersonalField::ReviewText, text).await?;
        let command = ReviewCommand::Revise { rating, text };
        send(session, id, command, command_id).await
    }

    /// Takes your review back: nobody else sees it, and it does not count. You can write it anew.
    async fn withdraw_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The review.")] input: WithdrawReviewInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ReviewPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = own(session, &input.review).await?;
        send(session, id, ReviewCommand::Withdraw, command_id).await
    }

    /// Hides somebody's review, or takes hiding it back. For owners and administrators.
    async fn moderate_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The review and what to do.")] input: ModerateReviewInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ReviewPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = moderated(session, &input.review).await?;
        let reason = trimmed(&input.reason);
        let command = match input.action {
            ModerationAction::Hide => ReviewCommand::Hide { reason },
            ModerationAction::Restore => ReviewCommand::Restore { reason },
        };
        send(session, id, command, command_id).await
    }

    /// Objects to the hiding of your review. Once; a moderator decides.
    async fn appeal_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The review and why.")] input: AppealReviewInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ReviewPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = own(session, &input.review).await?;
        let text = AuthorText::new(Some(&input.text));
        let text = seal(session, PersonalField::Appeal, text).await?;
        send(session, id, ReviewCommand::Appeal { text }, command_id).await
    }

    /// Answers an appeal, for good. For owners and administrators.
    async fn decide_appeal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The review and the answer.")] input: DecideAppealInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<ReviewPayload>, ApiError> {
        let session = Session::of(ctx);
        let id = moderated(session, &input.review).await?;
        let command = ReviewCommand::DecideAppeal {
            decision: input.decision.into(),
            reason: trimmed(&input.reason),
        };
        send(session, id, command, command_id).await
    }
}

/// A text of the caller, with the form that the event will carry.
async fn seal(
    session: &Session,
    field: PersonalField,
    text: AuthorText,
) -> Result<AuthorText, ApiError> {
    text.check().map_err(DispatchError::Rejected)?;
    let Some(plain) = text.plain() else {
        return Ok(text);
    };
    let (vault, caller) = (&session.state.vault, &session.caller);
    let sealed = vault.seal_text(&caller.tenant, &caller.principal, field, plain);
    let sealed = sealed.await?;
    Ok(text.with_sealed(Some(sealed)))
}

/// A review of the caller's tenant, from the log itself.
async fn load(
    session: &Session,
    review: &ID,
) -> Result<(ReviewId, domain::review::Review), ApiError> {
    let Some(NodeId::Review(id)) = NodeId::decode(review) else {
        return Err(ApiError::NotFound);
    };
    let dispatcher = &session.state.dispatcher;
    let loaded = dispatcher.load(&session.caller.tenant, id.as_str()).await?;
    Ok((id, loaded.ok_or(ApiError::NotFound)?))
}

/// The id of a review, if it is the caller's.
async fn own(session: &Session, review: &ID) -> Result<ReviewId, ApiError> {
    let (id, review) = load(session, review).await?;
    if is_own(session, &review) {
        Ok(id)
    } else {
        Err(ApiError::NotFound)
    }
}

/// The id of a review that the caller may decide over. Who moderates nothing is told the same of every review,
/// because its id follows from its tool, which may be hidden from him.
async fn moderated(session: &Session, review: &ID) -> Result<ReviewId, ApiError> {
    if let Some(NodeId::Review(id)) = NodeId::decode(review) {
        let any = Resource::any(ResourceKind::Review).named(id.as_str());
        session.authorize(Action::ModerateReview, &any)?;
    }
    let (id, review) = load(session, review).await?;
    check_moderator(session, &id, &review)?;
    Ok(id)
}

/// Whether the caller wrote it.
pub(super) fn is_own(session: &Session, review: &domain::review::Review) -> bool {
    review.author() == Some(&session.caller.principal)
}

/// That the caller may decide over a review: by the policy, and because it is not its own.
pub(super) fn check_moderator(
    session: &Session,
    id: &ReviewId,
    review: &domain::review::Review,
) -> Result<(), ApiError> {
    let own = is_own(session, review);
    let resource = Resource::review(review.is_hidden(), own).named(id.as_str());
    session.authorize(Action::ModerateReview, &resource)?;
    if own {
        return Err(ApiError::Rejected {
            code: "OWN_REVIEW",
            message: "nobody decides over a review of their own; ask another moderator".into(),
        });
    }
    Ok(())
}

async fn send(
    session: &Session,
    id: ReviewId,
    command: ReviewCommand,
    command_id: Option<UuidScalar>,
) -> Result<Option<ReviewPayload>, ApiError> {
    let sent = dispatch::<domain::review::Review>(session, id.as_str(), command, command_id);
    let sequence = sent.await?;
    payload(session, id, sequence).await.map(Some)
}

async fn payload(
    session: &Session,
    id: ReviewId,
    sequence: Sequence,
) -> Result<ReviewPayload, ApiError> {
    let key = ReviewKey::of(session, id);
    let (found, notice) = read_back(session, reviews::NAME, sequence, key).await?;
    Ok(ReviewPayload {
        review: found.map(Review),
        sequence,
        notice,
    })
}
