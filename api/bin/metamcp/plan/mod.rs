//! Making a registry what a document says: what differs becomes a plan, the plan is checked as a whole, shown,
//! and carried out by commands.
//!
//! Used by `metamcp apply` (a folder of files) and `metamcp import openapi` (one document, one server).
//!
//! **Invariants.** Nothing is sent before every command of the plan was decided once, on the log as it is, by
//! the domain itself ([`Plan::rehearse`]). Each command is appended only where its object is as it was then
//! ([`bus::Dispatcher::dispatch_at`]), under an id that follows from tenant, object, that position and what is
//! to be, so carrying out the same plan twice, or the rest of it after an interruption, doubles nothing.
//!
//! # Reading order
//! `spec.rs` and `spec_server.rs` (what is to be), `observed.rs` with the files named `observed_` (what is),
//! `difference.rs` (from the two to steps) with `servers.rs` (servers and what they publish), `life.rs` (versions and
//! aliases of a tool), `taxonomy.rs` (categories) and `members.rs` (installations and principals), `rehearsal.rs`,
//! `carry_out.rs` with `owners.rs` (a tenant keeps one), `show.rs` (what people see).

mod carry_out;
mod difference;
mod life;
mod members;
mod observed;
mod observed_manifests;
mod observed_members;
mod observed_tool;
mod owners;
mod rehearsal;
mod servers;
mod show;
mod spec;
mod spec_server;
mod taxonomy;

pub use carry_out::{Applied, ApplyError};
pub(crate) use difference::{is_permitted, suggested_version};
pub use observed::{Observed, ObservedPrincipal, Reader, RetiredTool};
pub use observed_tool::{ObservedTool, PublishedVersion};
pub use rehearsal::{RehearsalError, Rehearsed};
pub use spec::{CategorySpec, DeprecationSpec, PrincipalSpec, RegistrySpec, ToolSpec, VersionSpec};
pub use spec_server::{ManifestSpec, ServerSpec};

use crate::import::report::Reason;
use domain::Rejection;
use domain::diff::Change as FieldChange;
use domain::id::{PrincipalId, ServerId, TaxonomyId, TenantId, ToolId};
use domain::installation::{ForeignTool, InstallationCommand};
use domain::principal::PrincipalCommand;
use domain::server::ServerCommand;
use domain::taxonomy::TaxonomyCommand;
use domain::tenant::TenantCommand;
use domain::tool::ToolCommand;
use std::fmt;

/// Why a part of a document is refused: a stable code, and what to do.
type Refusal = (&'static str, String);

/// Something that keeps a document from becoming a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file or the place in a document.
    pub place: String,
    /// Stable, upper-case.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(
        place: impl Into<String>,
        code: &'static str,
        message: impl AsRef<str>,
    ) -> Self {
        Self::of(place, Reason::new(code, message))
    }

    pub(crate) fn of(place: impl Into<String>, reason: Reason) -> Self {
        let place = domain::text::clean(&place.into()).text;
        let Reason { code, message } = reason;
        Self {
            place,
            code,
            message,
        }
    }

    pub(crate) fn rejected(place: impl Into<String>, rejection: &impl Rejection) -> Self {
        Self::new(place, rejection.code(), rejection.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            code,
            message,
        } = self;
        write!(f, "{place}: {message} ({code})")
    }
}

/// An object of the registry, as a document names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// The tenant itself.
    Tenant,
    /// Its categories, which change together.
    Taxonomy,
    /// One of them, by its slug.
    Category(String),
    /// A server, by its slug.
    Server(String),
    /// A tool, by its server's slug and its name.
    Tool(String, String),
    /// A tool of another tenant that is installed.
    Installation(ForeignTool),
    /// An agent or a service, by its handle.
    Principal(String),
}

impl Object {
    /// The id of its aggregate.
    #[must_use]
    pub fn id(&self, tenant: &TenantId) -> String {
        match self {
            Self::Tenant => tenant.to_string(),
            Self::Taxonomy | Self::Category(_) => TaxonomyId::derive(tenant).into(),
            Self::Server(slug) => ServerId::derive(tenant, slug).into(),
            Self::Tool(slug, name) => ToolId::derive(tenant, slug, name).into(),
            Self::Installation(tool) => tool.installation_id(tenant).into(),
            Self::Principal(handle) => PrincipalId::derive(tenant, handle).into(),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Taxonomy => f.write_str("taxonomy"),
            Self::Category(slug) => write!(f, "category {slug}"),
            Self::Server(slug) => write!(f, "server {slug}"),
            Self::Tool(slug, name) => write!(f, "tool {slug}/{name}"),
            Self::Installation(tool) => write!(f, "installation {tool}"),
            Self::Principal(handle) => write!(f, "principal {handle}"),
        }
    }
}

/// What happens to an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It is registered.
    Create,
    /// These fields change.
    Update(Vec<FieldChange>),
    /// It comes back into use, and these fields change.
    Restore(Vec<FieldChange>),
    /// It goes out of use, or is uninstalled.
    Retire,
}

/// The commands to one object, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Commands {
    Tenant(Vec<TenantCommand>),
    Taxonomy(Vec<TaxonomyCommand>),
    Server(Vec<ServerCommand>),
    Tool(Vec<ToolCommand>),
    Installation(Vec<InstallationCommand>),
    Principal(Vec<PrincipalCommand>),
}

impl Commands {
    fn is_empty(&self) -> bool {
        match self {
            Self::Tenant(commands) => commands.is_empty(),
            Self::Taxonomy(commands) => commands.is_empty(),
            Self::Server(commands) => commands.is_empty(),
            Self::Tool(commands) => commands.is_empty(),
            Self::Installation(commands) => commands.is_empty(),
            Self::Principal(commands) => commands.is_empty(),
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which object.
    pub object: Object,
    /// What happens to it.
    pub action: Action,
    pub(crate) commands: Commands,
    /// Canonical bytes of what is to be: a part of the commands' ids.
    pub(crate) target: Vec<u8>,
}

/// What has to happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whose registry.
    pub tenant: TenantId,
    /// The position of the log that was looked at.
    pub position: u64,
    /// The changes, in the order of their objects.
    pub steps: Vec<Step>,
    /// Objects that are as they should be.
    pub unchanged: usize,
    /// Objects in use that the document does not name and that stay, because nobody asked to retire them.
    pub left_over: Vec<Object>,
}
