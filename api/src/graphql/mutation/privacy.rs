//! Forgetting a person.

use super::principal::{PrincipalPayload, Target, send_keeping_an_owner};
use crate::authz::Action;
use crate::error::ApiError;
use crate::graphql::scalars::UuidScalar;
use crate::graphql::session::Session;
use async_graphql::{Context, InputObject, Object};
use domain::principal::PrincipalCommand;
use projections::reviews;

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
        let sequence = send_keeping_an_owner(session, &target, command, command_id).await?;
        let payload = PrincipalPayload::of(session, target.id, sequence).await?;
        let texts = session.caught_up(reviews::NAME, Some(sequence)).await;
        Ok(Some(match texts {
            Ok(()) => payload,
            Err(_) => payload.with_notice(
                "The texts of the reviews are still to be removed: read them with minSequence.",
            ),
        }))
    }
}
