//! Taking a commit back.

mod catalogue;
mod people;

use super::first_answer;
use crate::error::ApiError;
use crate::graphql::node::Node;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::{Session, WAIT};
use async_graphql::{Context, ID, Object, SimpleObject};
use bus::Committed;
use cqrs_es::Aggregate;
use domain::WireEvent;
use domain::denial::Denial;
use domain::envelope::Commit;
use domain::id::{CommandId, CommitId};
use domain::installation::Installation;
use domain::principal::Principal;
use domain::publisher::Publisher;
use domain::review::Review;
use domain::server::Server;
use domain::taxonomy::Taxonomy;
use domain::tenant::Tenant;
use domain::tool::Tool;
use domain::undo::{Undo, Undoing};
use projections::archive;
use uuid::Uuid;

/// What an undo did.
#[derive(SimpleObject)]
struct UndoPayload {
    /// The event that takes the other one back, such as `principal.role_revoked`.
    event: String,
    /// The object after the change; null when `notice` says why.
    node: Option<Node>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

/// The mutation that takes a commit back.
#[derive(Default)]
pub(super) struct UndoMutations;

#[Object]
impl UndoMutations {
    /// Takes a commit back by a new one: a role granted is revoked, a description becomes the one before.
    /// You need the right to do just that. `NOT_UNDOABLE` says what to do instead of undoing something
    /// final; `CHANGED_SINCE` means that the same was changed again since.
    async fn undo(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The commit: its `sequence`, as its mutation answered, or its id.")]
        commit: ID,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<UndoPayload>, ApiError> {
        let session = Session::of(ctx);
        let commit = find(session, &commit).await?;
        match commit.aggregate.as_str() {
            Tenant::TYPE => people::tenant(session, &commit, command_id).await,
            Principal::TYPE => people::principal(session, &commit, command_id).await,
            Server::TYPE => catalogue::server(session, &commit, command_id).await,
            Tool::TYPE => catalogue::tool(session, &commit, command_id).await,
            Publisher::TYPE => catalogue::publisher(session, &commit).await,
            Taxonomy::TYPE => catalogue::taxonomy(session, &commit, command_id).await,
            Review::TYPE => people::review(session, &commit, command_id).await,
            Installation::TYPE => catalogue::installed(session, &commit, command_id).await,
            Denial::TYPE => people::denial(session, &commit),
            _ => Err(ApiError::NotFound),
        }
        .map(Some)
    }
}

/// The commit of the caller's tenant, from the log itself.
async fn find(session: &Session, commit: &ID) -> Result<Commit, ApiError> {
    let position = match commit.parse::<u64>() {
        Ok(position) => position,
        Err(_) => position_of(session, commit).await?,
    };
    let entry = session.state.log.entry_at(position).await?;
    let commit = entry.ok_or(ApiError::NotFound)?.commit()?;
    if commit.tenant == session.caller.tenant {
        Ok(commit)
    } else {
        Err(ApiError::NotFound)
    }
}

async fn position_of(session: &Session, commit: &ID) -> Result<u64, ApiError> {
    let id = Uuid::try_parse(commit).map_err(|_| ApiError::Invalid {
        code: "INVALID_ARGUMENT",
        message: "`commit` is the `sequence` of a commit or its id, a UUID".to_owned(),
    })?;
    session.reached_the_end(archive::NAME, WAIT).await?;
    let found = archive::position_of(&mut session.reads().await?, CommitId(id)).await?;
    found.ok_or(ApiError::NotFound)
}

/// The object as it is now: whether the caller may see it comes before anything that is said of it.
async fn load<A: Undo>(session: &Session, commit: &Commit) -> Result<A, ApiError> {
    let loaded = session
        .state
        .dispatcher
        .load::<A>(&commit.tenant, &commit.aggregate_id)
        .await?;
    loaded.ok_or(ApiError::NotFound)
}

async fn plan<A: Undo>(session: &Session, commit: &Commit) -> Result<Undoing<A>, ApiError> {
    let dispatcher = &session.state.dispatcher;
    let plan = dispatcher.undoing::<A>(&commit.tenant, &commit.aggregate_id, commit.sequence);
    Ok(plan.await?)
}

/// What an undo was answered that is sent again under the id that the caller gave: to be asked once it is known that he
/// may do what it does, and before that is checked against other objects.
async fn answered<A: Undo>(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<Option<(String, Sequence)>, ApiError> {
    let first = first_answer::<A>(session, &commit.aggregate_id, command_id).await?;
    Ok(first.map(|first| told(&first)))
}

/// Takes the commit back.
async fn undo<A: Undo>(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<(String, Sequence), ApiError> {
    let context = session
        .caller
        .command_context(command_id.map(|id| CommandId(id.0)));
    let dispatcher = &session.state.dispatcher;
    let done = dispatcher.undo::<A>(&context, &commit.aggregate_id, commit.sequence);
    Ok(told(&done.await?))
}

/// The wire name of the event that was appended, and where it lies.
fn told<E: WireEvent>(done: &Committed<E>) -> (String, Sequence) {
    let names = done.events.iter().map(WireEvent::wire_type);
    let names = names.collect::<Vec<_>>().join(", ");
    (names, Sequence(done.stream_sequence))
}
