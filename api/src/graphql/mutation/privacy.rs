//! Forgetting a person.

use super::parked_notice;
use super::principal::{PrincipalPayload, Target, change_keeping_an_owner};
use crate::authz::Action;
use crate::error::ApiError;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::{Session, WAIT};
use async_graphql::{Context, InputObject, Object};
use domain::principal::PrincipalCommand;
use projections::{reviews, search};
use std::time::Instant;

/// What removes more than the principal itself, and what is told of it while it is late.
const STILL_TO_COME: [(&str, &str); 2] = [
    (
        reviews::NAME,
        "The texts of the reviews are still to be removed: read them with minSequence.",
    ),
    (
        search::NAME,
        "Older versions of the search index are still to be removed: that is done when `search` has reached sequence, \
         see /readyz.",
    ),
];

/// A principal to erase.
#[derive(Debug, InputObject)]
struct ErasePrincipalInput {
    /// Which.
    handle: String,
}

/// The mutations that forget.
#[derive(Default)]
pub(super) struct PrivacyMutations;

#[Object]
impl PrivacyMutations {
    /// Forgets a person: destroys the key of its personal fields, which nobody can read from then on, and
    /// refuses its requests. There is no way back. What was decided stays in the log, under an id that
    /// names nobody. The last active owner stays (`LAST_OWNER`).
    async fn erase_principal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The principal.")] input: ErasePrincipalInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        let session = Session::of(ctx);
        let target = Target::load(session, Action::ErasePrincipal, &input.handle, None).await?;
        let command = PrincipalCommand::Erase;
        let payload = change_keeping_an_owner(session, target, command, command_id).await?;
        Ok(Some(removed(session, payload).await))
    }
}

/// Waits, within [`WAIT`] for all together, until what belongs to the person is removed, and says what is late.
async fn removed(session: &Session, mut payload: PrincipalPayload) -> PrincipalPayload {
    let Sequence(sequence) = payload.sequence;
    let (positions, begun) = (&session.state.positions, Instant::now());
    for (projector, notice) in STILL_TO_COME {
        let left = WAIT.saturating_sub(begun.elapsed());
        let reached = positions.wait_for(projector, sequence, left).await;
        let parked = match reached {
            Ok(()) => positions.parked_by(&[projector], sequence).await,
            Err(behind) => Err(behind),
        };
        payload = match parked {
            Ok(None) => payload,
            Ok(Some(projector)) => {
                payload.with_notice(&parked_notice(projector, Sequence(sequence)))
            }
            Err(_late) => payload.with_notice(notice),
        };
    }
    payload
}
