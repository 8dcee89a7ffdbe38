//! Undoing what was done to servers and tools, those of others that are installed, and the namespaces and categories
//! that they are found by.

use super::{UndoPayload, answered, load, plan, undo};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::loaders::{ServerKey, ToolKey};
use crate::graphql::marketplace::{InstallationKey, installation};
use crate::graphql::mutation::server::may_come_back;
use crate::graphql::mutation::tool::{may_be_seen, shown_in};
use crate::graphql::mutation::{
    IN_BOTH, check_category, check_server, read_back, read_back_when_in,
};
use crate::graphql::node::Node;
use crate::graphql::scalars::UuidScalar;
use crate::graphql::session::Session;
use crate::graphql::taxonomy::OwnTaxonomy;
use domain::envelope::Commit;
use domain::id::{InstallationId, ServerId, ToolId};
use domain::installation::{Installation, InstallationCommand};
use domain::publisher::Publisher;
use domain::server::{Server, ServerCommand};
use domain::taxonomy::Taxonomy;
use domain::tool::{Tool, ToolCommand, ToolProfile};
use domain::undo::Undoing;
use projections::{marketplace, taxonomy as categories};

pub(super) async fn server(
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
    let (event, sequence) = match answered::<Server>(session, commit, command_id).await? {
        Some(done) => done,
        None => {
            check_server_again(session, &id, &plan).await?;
            undo::<Server>(session, commit, command_id).await?
        }
    };
    let (found, notice) = read_back_when_in(session, IN_BOTH, sequence, ServerKey(id)).await?;
    let node = found.map(|server| Node::Server(crate::graphql::server::Server(server)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

/// What a server has to fulfil to become what it was: the same as for any such command.
async fn check_server_again(
    session: &Session,
    id: &ServerId,
    plan: &Undoing<Server>,
) -> Result<(), ApiError> {
    if let (ServerCommand::Describe(profile), Some(now)) = (&plan.command, plan.now.profile()) {
        let category = profile.category.as_deref();
        check_category(session, now.category.as_deref(), category).await?;
    }
    if matches!(plan.command, ServerCommand::Restore) {
        may_come_back(session, id).await?;
    }
    Ok(())
}

pub(super) async fn tool(
    session: &Session,
    commit: &Commit,
    command_id: Option<UuidScalar>,
) -> Result<UndoPayload, ApiError> {
    let id = ToolId::parse(&commit.aggregate_id).map_err(|_| ApiError::NotFound)?;
    let now = load::<Tool>(session, commit).await?;
    let profile = now.profile().ok_or(ApiError::NotFound)?;
    let resource = Resource::described_tool(profile, &session.caller);
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
    let shown_in = if matches!(plan.command, ToolCommand::Describe(_)) {
        IN_BOTH
    } else {
        shown_in(profile.visibility)
    };
    let (event, sequence) = match answered::<Tool>(session, commit, command_id).await? {
        Some(done) => done,
        None => {
            check_tool_again(session, profile, &resource, &plan).await?;
            undo::<Tool>(session, commit, command_id).await?
        }
    };
    let (found, notice) = read_back_when_in(session, shown_in, sequence, ToolKey(id)).await?;
    let node = found.map(|tool| Node::Tool(crate::graphql::tool::Tool(tool)));
    Ok(UndoPayload {
        event,
        node,
        sequence,
        notice,
    })
}

/// What a tool has to fulfil to become what it was: the same as for any such command.
async fn check_tool_again(
    session: &Session,
    now: &ToolProfile,
    resource: &Resource,
    plan: &Undoing<Tool>,
) -> Result<(), ApiError> {
    if let ToolCommand::Describe(before) = &plan.command {
        let category = before.category.as_deref();
        check_category(session, now.category.as_deref(), category).await?;
        may_be_seen(session, Some(now), before, resource)?;
    }
    if let (ToolCommand::Restore, Some(server)) = (&plan.command, plan.now.server()) {
        may_be_seen(session, None, now, resource)?;
        let server_id = ServerId::derive(&session.caller.tenant, server);
        check_server(session, &server_id, server).await?;
    }
    Ok(())
}

pub(super) async fn installed(
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

/// No event of a namespace is taken back: this tells what to do instead.
pub(super) async fn publisher(session: &Session, commit: &Commit) -> Result<UndoPayload, ApiError> {
    let resource = Resource::any(ResourceKind::Publisher).named(&commit.aggregate_id);
    session.authorize(Action::ReadPublisher, &resource)?;
    plan::<Publisher>(session, commit).await?;
    Err(ApiError::NotFound)
}

pub(super) async fn taxonomy(
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
