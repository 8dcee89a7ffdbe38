//! Taking a commit back.

use super::principal::keep_an_owner;
use super::review::{check_moderator, is_own};
use super::tool::{may_be_seen, shown_in};
use super::{IN_BOTH, check_category, check_server, read_back, read_back_when_in};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::loaders::{OwnTenant, PrincipalKey, ServerKey, ToolKey};
use crate::graphql::marketplace::{InstallationKey, installation};
use crate::graphql::node::Node;
use crate::graphql::review::ReviewKey;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::{Session, WAIT};
use crate::graphql::taxonomy::OwnTaxonomy;
use async_graphql::{Context, ID, Object, SimpleObject};
use cqrs_es::Aggregate;
use domain::WireEvent;
use domain::envelope::Commit;
use domain::id::{CommandId, CommitId, InstallationId, PrincipalId, ReviewId, ServerId, ToolId};
use domain::installation::{Installation, InstallationCommand};
use domain::principal::{Principal, PrincipalCommand, Role};
use domain::publisher::Publisher;
use domain::review::{Review, ReviewCommand};
use domain::server::{Server, ServerCommand};
use domain::taxonomy::Taxonomy;
use domain::tenant::{Tenant, TenantCommand};
use domain::tool::{Tool, ToolCommand};
use domain::undo::{Undo, Undoing};
use projections::{Moment, access, archive, marketplace, reviews, taxonomy as categories};
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
    /// Why the accepted change cannot be shown yet.
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
            Tenant::TYPE => tenant(session, &commit, command_id).await,
            Principal::TYPE => principal(session, &commit, command_id).await,
            Server::TYPE => server(session, &commit, command_id).await,
            Tool::TYPE => tool(session, &commit, command_id).await,
            Publisher::TYPE => publisher(session, &commit).await,
            Taxonomy::TYPE => taxonomy(session, &commit, command_id).await,
            Review::TYPE => review(session, &commit, command_id).await,
            Installation::TYPE => installed(session, &commit, command_id).await,
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

async fn tenant(
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

async fn principal(
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
    let _held = if takes_an_owner && now.is_active() && roles.contains(&Role::Owner) {
        Some(keep_an_owner(session).await?)
    } else {
        None
    };
    let (event, sequence) = undo::<Principal>(session, commit, command_id).await?;
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

async fn server(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let id = ServerId::parse(&commit.aggregate_id).map_err(|_| ApiError::NotFound)?;
    session.authorize(Action::ReadServer, &Resource::server())?;
    let plan = plan::<Server>(session, commit).await?;
    let action = match plan.command {
        ServerCommand::Register(_) => Action::RegisterServer,
        ServerCommand::Describe(_) => Action::DescribeServer,
        ServerCommand::PublishManifest(_) | ServerCommand::SetManifestStatus(_) => {
            Action::DescribeServer
        }
        ServerCommand::Retire { .. } => Action::RetireServer,
        ServerCommand::Restore => Action::RestoreServer,
    };
    session.authorize(action, &Resource::server())?;
    if let (ServerCommand::Describe(profile), Some(now)) = (&plan.command, plan.now.profile()) {
        let category = profile.category.as_deref();
        check_category(session, now.category.as_deref(), category).await?;
    }
    let (event, sequence) = undo::<Server>(session, commit, command_id).await?;
    let (found, notice) = read_back_when_in(session, IN_BOTH, sequence, ServerKey(id)).await?;
    let node = found.map(|server| Node::Server(crate::graphql::server::Server(server)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

async fn tool(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let id = ToolId::parse(&commit.aggregate_id).map_err(|_| ApiError::NotFound)?;
    let now = load::<Tool>(session, commit).await?;
    let profile = now.profile().ok_or(ApiError::NotFound)?;
    let resource = Resource::tool(profile.visibility);
    session.authorize(Action::ReadTool, &resource)?;
    let plan = plan::<Tool>(session, commit).await?;
    let action = match plan.command {
        ToolCommand::Register(_) => Action::RegisterTool,
        ToolCommand::Describe(_) => Action::DescribeTool,
        ToolCommand::PublishVersion(_) => Action::PublishToolVersion,
        ToolCommand::Retire { .. } => Action::RetireTool,
        ToolCommand::Restore => Action::RestoreTool,
        ToolCommand::MoveAlias { .. }
        | ToolCommand::RollbackAlias { .. }
        | ToolCommand::RemoveAlias { .. } => Action::MoveToolAlias,
        ToolCommand::Deprecate { .. } | ToolCommand::Undeprecate { .. } => Action::DeprecateTool,
        ToolCommand::YankVersion { .. } | ToolCommand::UnyankVersion { .. } => {
            Action::YankToolVersion
        }
    };
    session.authorize(action, &resource)?;
    if let ToolCommand::Describe(before) = &plan.command {
        let category = before.category.as_deref();
        check_category(session, profile.category.as_deref(), category).await?;
    }

    if let (ToolCommand::Restore, Some(server)) = (&plan.command, plan.now.server()) {
        let server_id = ServerId::derive(&session.caller.tenant, server);
        check_server(session, &server_id, server).await?;
    }

    let mut shown_in = shown_in(profile.visibility);
    if let ToolCommand::Describe(then) = &plan.command {
        may_be_seen(
            session,
            Some(profile.visibility),
            then.visibility,
            &resource,
        )?;
        shown_in = IN_BOTH;
    }
    let (event, sequence) = undo::<Tool>(session, commit, command_id).await?;
    let (found, notice) = read_back_when_in(session, shown_in, sequence, ToolKey(id)).await?;
    let node = found.map(|tool| Node::Tool(crate::graphql::tool::Tool(tool)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

/// No event of a namespace is taken back: this tells what to do instead.
async fn publisher(session: &Session, commit: &Commit) -> Result<UndoPayload, ApiError> {
    let resource = Resource::any(ResourceKind::Publisher).named(&commit.aggregate_id);
    session.authorize(Action::ReadPublisher, &resource)?;
    plan::<Publisher>(session, commit).await?;
    Err(ApiError::NotFound)
}

async fn taxonomy(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let resource = Resource::any(ResourceKind::Taxonomy);
    // Whatever takes an event of the taxonomy back, it is a change of the taxonomy.
    session.authorize(Action::ChangeTaxonomy, &resource)?;
    let (event, sequence) = undo::<Taxonomy>(session, commit, command_id).await?;
    let (found, notice) = read_back(session, categories::NAME, sequence, OwnTaxonomy).await?;
    let node = found.map(|found| Node::Taxonomy(crate::graphql::taxonomy::Taxonomy(found)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

async fn review(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let id = ReviewId::parse(&commit.aggregate_id).map_err(|_| ApiError::NotFound)?;
    let now = load::<Review>(session, commit).await?;
    let own = is_own(session, &now);
    let resource = Resource::review(now.is_hidden(), own).named(id.as_str());
    session.authorize(Action::ReadReview, &resource)?;
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

async fn installed(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let id = InstallationId::parse(&commit.aggregate_id).map_err(|_| ApiError::NotFound)?;
    let resource = Resource::any(ResourceKind::Installation);
    session.authorize(Action::ReadInstallation, &resource)?;
    let plan = plan::<Installation>(session, commit).await?;
    let action = match plan.command {
        InstallationCommand::Install(_) => Action::InstallTool,
        InstallationCommand::Repin(_) => Action::RepinTool,
        InstallationCommand::Uninstall => Action::UninstallTool,
    };
    session.authorize(action, &resource)?;
    let (event, sequence) = undo::<Installation>(session, commit, command_id).await?;
    let key = InstallationKey(id);
    let (found, notice) = read_back(session, marketplace::NAME, sequence, key).await?;
    let node = found.map(|found| Node::Installation(installation::Installation(found)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
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

/// The wire name of the event that was appended, and where it lies.
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
    let done = done.await?;
    let names = done.events.iter().map(WireEvent::wire_type);
    let names = names.collect::<Vec<_>>().join(", ");
    Ok((names, Sequence(done.stream_sequence)))
}
