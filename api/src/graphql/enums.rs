//! The enums of the domain in GraphQL's dress.

use async_graphql::Enum;

/// What a principal may do.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::principal::Role")]
pub(super) enum Role {
    /// Everything, owners included.
    Owner,
    /// Everything but owners.
    Admin,
    /// Registers and changes servers and tools.
    Publisher,
    /// Finds and reads tools.
    Agent,
    /// Reads everything, changes nothing.
    Auditor,
}

/// What a principal is.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::principal::PrincipalKind")]
pub(super) enum PrincipalKind {
    /// A person.
    User,
    /// An AI agent.
    Agent,
    /// Another program.
    Service,
}

/// What happens to who resolves a version after its sunset.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::tenant::AfterSunset")]
pub(super) enum AfterSunset {
    /// The version is refused.
    Refuse,
    /// It is handed out with a warning.
    Warn,
}

/// Who caused a change.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::envelope::ActorKind")]
pub(super) enum ActorKind {
    /// A person.
    User,
    /// An AI agent.
    Agent,
    /// Another program.
    Service,
    /// Somebody at the command line of the machine.
    Operator,
    /// MetaMCP itself.
    System,
}

/// Who may see a tool.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::tool::Visibility")]
pub(super) enum Visibility {
    /// The team that it belongs to, and your tenant's owners, admins and auditors. One that belongs to no team is seen by
    /// every publisher as well.
    Private,
    /// Every principal of your tenant.
    Tenant,
    /// Every tenant.
    Public,
}

/// How a server is reached.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::server::Transport")]
pub(super) enum Transport {
    /// A child process that speaks over its standard input and output.
    Stdio,
    /// HTTP with server-sent events, the transport of MCP revision 2024-11-05.
    Sse,
    /// Streamable HTTP, the transport since MCP revision 2025-03-26.
    StreamableHttp,
}

/// Whether a server or a tool is in use.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "projections::catalog::Status")]
pub(super) enum Status {
    /// In use.
    Active,
    /// Out of use, until it is restored.
    Retired,
}

/// In which direction a list is sorted.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From A to Z, from the oldest to the newest.
    Asc,
    /// From Z to A, from the newest to the oldest.
    Desc,
}

/// By what a list of servers or tools is sorted.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "projections::catalog::Order")]
pub(super) enum OrderField {
    /// By name.
    Name,
    /// By the time of registration.
    RegisteredAt,
    /// By the time of the last change.
    UpdatedAt,
}

/// Whether a projector works.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProjectorState {
    /// It runs in this process.
    Running,
    /// Another process runs it.
    Following,
    /// It has failed and tries again.
    Retrying,
    /// It has stopped and needs its operator.
    Halted,
    /// It has not reported yet.
    Unknown,
}

impl From<&projections::ProjectorState> for ProjectorState {
    fn from(state: &projections::ProjectorState) -> Self {
        match state {
            projections::ProjectorState::Running => Self::Running,
            projections::ProjectorState::Following => Self::Following,
            projections::ProjectorState::Retrying { .. } => Self::Retrying,
            projections::ProjectorState::Halted { .. } => Self::Halted,
            projections::ProjectorState::Unknown => Self::Unknown,
        }
    }
}
