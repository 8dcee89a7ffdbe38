//! Undoing what was done to a tenant, to its principals, to what they think of tools and to what they were refused.

use super::{UndoPayload, answered, load, plan, undo};
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::loaders::{OwnTenant, PrincipalKey};
use crate::graphql::mutation::principal::keep_an_owner;
use crate::graphql::mutation::read_back;
use crate::graphql::mutation::review::{check_moderator, is_own};
use crate::graphql::node::Node;
use crate::graphql::review::{ReviewKey, by_id};
use crate::graphql::scalars::UuidScalar;
use crate::graphql::session::Session;
use domain::envelope::Commit;
use domain::id::{PrincipalId, ReviewId};
use domain::principal::{Principal, PrincipalCommand, Role};
use domain::review::{Review, ReviewCommand};
use domain::tenant::{Tenant, TenantCommand};
use projections::{Moment, access, reviews};

pub(super) async fn tenant(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    session.authorize(Action::ReadTenant, &Resource::tenant())?;
    let plan = plan::<Tenant>(session, commit).await?;
    let action = match plan.command {
        TenantCommand::Rename { .. } => Action::RenameTenant,
        TenantCommand::SetAfterSunset(_) => Action::SetAfterSunset,
        // No event is taken back by a registration, and nobody may register a tenant here.
        TenantCommand::Register { .. } => return Err(ApiError::NotFound),
    };
    session.authorize(action, &Resource::tenant())?;
    let (event, sequence) = undo::<Tenant>(session, commit, command_id).await?;
    let (found, notice) = read_back(session, access::NAME, sequence, OwnTenant).await?;
    let node = found.map(|tenant| Node::Tenant(crate::graphql::tenant::Tenant(tenant)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

pub(super) async fn principal(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let id = PrincipalId::parse(&commit.aggregate_id).map_err(|_| ApiError::NotFound)?;
    let now = load::<Principal>(session, commit).await?;
    let roles = now.roles().ok_or(ApiError::NotFound)?;
    let resource = Resource::principal(&session.caller, &id, roles);
    session.authorize(Action::ReadPrincipal, &resource)?;
    let plan = plan::<Principal>(session, commit).await?;
    let (action, role) = match &plan.command {
        PrincipalCommand::GrantRole(role) => (Action::GrantRole, Some(role)),
        PrincipalCommand::RevokeRole(role) => (Action::RevokeRole, Some(role)),
        PrincipalCommand::JoinTeam(_) | PrincipalCommand::LeaveTeam(_) => {
            (Action::ChangeTeams, None)
        }
        PrincipalCommand::Deactivate => (Action::DeactivatePrincipal, None),
        PrincipalCommand::Reactivate => (Action::ReactivatePrincipal, None),
        PrincipalCommand::Register(_) => (Action::RegisterPrincipal, None),
        PrincipalCommand::Describe(_) | PrincipalCommand::RestoreDescription(_) => {
            (Action::DescribePrincipal, None)
        }
        PrincipalCommand::RevokeTokens { .. } => (Action::RevokeTokens, None),
        PrincipalCommand::Erase => (Action::ErasePrincipal, None),
    };
    let concerned = roles.iter().chain(role);
    session.authorize(
        action,
        &Resource::principal(&session.caller, &id, concerned),
    )?;
    let takes_an_owner = matches!(
        plan.command,
        PrincipalCommand::Deactivate | PrincipalCommand::RevokeRole(Role::Owner)
    );
    let first = answered::<Principal>(session, commit, command_id).await?;
    let is_owner = now.is_active() && roles.contains(&Role::Owner);
    // Held until `access` shows what was done.
    let _held = if first.is_none() && takes_an_owner && is_owner {
        Some(keep_an_owner(session).await?)
    } else {
        None
    };
    let (event, sequence) = match first {
        Some(first) => first,
        None => undo::<Principal>(session, commit, command_id).await?,
    };
    let (found, notice) = read_back(session, access::NAME, sequence, PrincipalKey(id)).await?;
    let shown = |found| crate::graphql::principal::Principal(found, Moment::Now);
    let node = found.map(|found| Node::Principal(shown(found)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

pub(super) async fn review(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let id = ReviewId::parse(&commit.aggregate_id).map_err(|_| ApiError::NotFound)?;
    let now = load::<Review>(session, commit).await?;
    let own = is_own(session, &now);
    let resource = Resource::review(now.is_hidden(), own).named(id.as_str());
    session.authorize(Action::ReadReview, &resource)?;
    let (authorizer, roles) = (&session.state.authorizer, &session.caller.roles);
    if !own
        && !authorizer.permits(roles, Action::ModerateReview, &resource)
        && by_id(session, id.clone()).await?.is_none()
    {
        return Err(ApiError::NotFound);
    }
    let plan = plan::<Review>(session, commit).await?;
    match plan.command {
        ReviewCommand::Hide { .. }
        | ReviewCommand::Restore { .. }
        | ReviewCommand::DecideAppeal { .. } => check_moderator(session, &id, &now)?,
        ReviewCommand::Write(_)
        | ReviewCommand::Revise { .. }
        | ReviewCommand::Withdraw
        | ReviewCommand::Appeal { .. } => {
            if !own {
                return Err(ApiError::NotFound);
            }
        }
    }
    let (event, sequence) = undo::<Review>(session, commit, command_id).await?;
    let key = ReviewKey::of(session, id);
    let (found, notice) = read_back(session, reviews::NAME, sequence, key).await?;
    let node = found.map(|found| Node::Review(crate::graphql::review::Review(found)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

/// A refusal stands in the audit log as a commit, for those who may read that, and is nothing that could be taken
/// back. To all others there is no such commit.
pub(super) fn denial(session: &Session, commit: &Commit) -> Result<UndoPayload, ApiError> {
    let (authorizer, roles) = (&session.state.authorizer, &session.caller.roles);
    if !authorizer.permits(roles, Action::ReadAudit, &Resource::tenant()) {
        return Err(ApiError::NotFound);
    }
    let names = commit.events.iter().map(|event| event.wire_type.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    Err(ApiError::Rejected {
        code: "NOT_UNDOABLE",
        message: format!(
            "`{names}` cannot be undone: a refusal is a record; change the right instead"
        ),
    })
}
