//! Who is in which team. It is the principal that joins and leaves; a tool's team is part of what is said of the tool.

use super::principal::{PrincipalPayload, Target, send};
use crate::authz::Action;
use crate::error::ApiError;
use crate::graphql::scalars::UuidScalar;
use crate::graphql::session::Session;
use async_graphql::{Context, InputObject, Object};
use domain::Rejection;
use domain::principal::PrincipalCommand;
use domain::team::Team;

/// A team of a principal.
#[derive(Debug, InputObject)]
struct TeamInput {
    /// Whose.
    handle: String,
    /// Which: lower-case letters, digits and hyphens. One that is not there yet begins with its first member.
    team: String,
}

/// The changes of teams.
#[derive(Default)]
pub(super) struct TeamMutations;

#[Object]
impl TeamMutations {
    /// Puts a principal into a team: it sees the private tools of the team, as far as its roles go. For owners and
    /// administrators.
    async fn join_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose and which.")] input: TeamInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        change_teams(ctx, input, PrincipalCommand::JoinTeam, command_id).await
    }

    /// Takes a principal out of a team. The tools of a team without members stay its own; owners, administrators and
    /// auditors see them.
    async fn leave_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose and which.")] input: TeamInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<PrincipalPayload>, ApiError> {
        change_teams(ctx, input, PrincipalCommand::LeaveTeam, command_id).await
    }
}

async fn change_teams(
    ctx: &Context<'_>,
    input: TeamInput,
    command: impl FnOnce(Team) -> PrincipalCommand,
    command_id: Option<UuidScalar>,
) -> Result<Option<PrincipalPayload>, ApiError> {
    let session = Session::of(ctx);
    let target = Target::load(session, Action::ChangeTeams, &input.handle, None).await?;
    let command = command(team_named(&input.team)?);
    let sequence = send(session, &target.id, command, command_id).await?;
    PrincipalPayload::of(session, target.id, sequence)
        .await
        .map(Some)
}

/// The name of a team.
pub(super) fn team_named(name: &str) -> Result<Team, ApiError> {
    Team::new(name.trim()).map_err(|error| ApiError::Rejected {
        code: error.code(),
        message: error.to_string(),
    })
}
