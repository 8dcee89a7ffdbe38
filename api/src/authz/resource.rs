//! What a decision is about: an action, and as much of a resource as the rules look at.

use crate::context::Caller;
use domain::id::PrincipalId;
use domain::principal::Role;
use domain::team::Team;
use domain::tool::{ToolProfile, Visibility};
use projections::catalog;
use std::collections::BTreeSet;
use std::fmt;

macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $word:literal, )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $( $(#[$vmeta])* $variant, )+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name in policies.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What can be done.
    pub enum Action {
        /// See a server.
        ReadServer = "read_server",
        /// See a tool.
        ReadTool = "read_tool",
        /// Search for tools.
        SearchTools = "search_tools",
        /// Begin a server.
        RegisterServer = "register_server",
        /// Change what is said of a server.
        DescribeServer = "describe_server",
        /// Take a server out of use.
        RetireServer = "retire_server",
        /// Take a retired server into use again.
        RestoreServer = "restore_server",
        /// Begin a tool.
        RegisterTool = "register_tool",
        /// Change what is said around a tool, its visibility included.
        DescribeTool = "describe_tool",
        /// Publish a definition of a tool.
        PublishToolVersion = "publish_tool_version",
        /// Take a tool out of use.
        RetireTool = "retire_tool",
        /// Take a retired tool into use again.
        RestoreTool = "restore_tool",
        /// Move, roll back or remove an alias of a tool.
        MoveToolAlias = "move_tool_alias",
        /// Warn those who use a tool or a version of it, or stop warning.
        DeprecateTool = "deprecate_tool",
        /// Hide a version of a tool from resolution, or show it again.
        YankToolVersion = "yank_tool_version",
        /// Offer a tool to every tenant.
        PublishPublicly = "publish_publicly",
        /// See which tenants have installed a tool.
        ReadDependents = "read_dependents",
        /// See what the tenant has installed.
        ReadInstallation = "read_installation",
        /// Install a tool of another tenant.
        InstallTool = "install_tool",
        /// Pin an installed tool to another range of versions.
        RepinTool = "repin_tool",
        /// Uninstall a tool.
        UninstallTool = "uninstall_tool",
        /// See a principal and its roles.
        ReadPrincipal = "read_principal",
        /// Begin a principal.
        RegisterPrincipal = "register_principal",
        /// Correct what is said of a principal.
        DescribePrincipal = "describe_principal",
        /// Give a role.
        GrantRole = "grant_role",
        /// Take a role away.
        RevokeRole = "revoke_role",
        /// Put a principal into a team, or take it out.
        ChangeTeams = "change_teams",
        /// Refuse a principal's requests.
        DeactivatePrincipal = "deactivate_principal",
        /// Accept a principal's requests again.
        ReactivatePrincipal = "reactivate_principal",
        /// Refuse a principal's tokens issued so far.
        RevokeTokens = "revoke_tokens",
        /// See what every event of a server changed in it, and who caused it.
        ReadServerHistory = "read_server_history",
        /// See what every event of a tool changed in it, and who caused it.
        ReadToolHistory = "read_tool_history",
        /// See every event of the tenant, those of its principals and its denials included.
        ReadAudit = "read_audit",
        /// Forget a principal.
        ErasePrincipal = "erase_principal",
        /// See the tenant.
        ReadTenant = "read_tenant",
        /// Rename the tenant.
        RenameTenant = "rename_tenant",
        /// Say what happens to those who resolve a version after its sunset.
        SetAfterSunset = "set_after_sunset",
        /// See the namespaces of publishers.
        ReadPublisher = "read_publisher",
        /// Claim a namespace for the tenant.
        ClaimNamespace = "claim_namespace",
        /// Prove a namespace.
        VerifyNamespace = "verify_namespace",
        /// Give a namespace up.
        RevokeNamespace = "revoke_namespace",
        /// See the ledger: signed tree heads and proofs; have a head signed.
        ReadLedger = "read_ledger",
        /// See the category taxonomy.
        ReadTaxonomy = "read_taxonomy",
        /// Add, describe and retire categories.
        ChangeTaxonomy = "change_taxonomy",
        /// Review a version of a tool.
        ReviewTool = "review_tool",
        /// See a review; `unlisted` when moderators have hidden it, `own` when the caller wrote it.
        ReadReview = "read_review",
        /// Hide and restore reviews of others, and decide their appeals.
        ModerateReview = "moderate_review",
    }
}

words! {
    /// What things can be acted on.
    pub enum ResourceKind {
        /// The caller's tenant.
        Tenant = "tenant",
        /// A principal of the tenant.
        Principal = "principal",
        /// A registered server.
        Server = "server",
        /// A tool of a server.
        Tool = "tool",
        /// A publisher's namespace.
        Publisher = "publisher",
        /// The Merkle tree over the log.
        Ledger = "ledger",
        /// The categories of the tenant.
        Taxonomy = "taxonomy",
        /// What a principal thinks of a version of a tool.
        Review = "review",
        /// A tool of another tenant that is installed.
        Installation = "installation",
    }
}

impl Action {
    /// What the action is done to.
    #[must_use]
    pub const fn kind(self) -> ResourceKind {
        match self {
            Self::ReadServer
            | Self::ReadServerHistory
            | Self::RegisterServer
            | Self::DescribeServer
            | Self::RetireServer
            | Self::RestoreServer => ResourceKind::Server,
            Self::ReadTool
            | Self::ReadToolHistory
            | Self::SearchTools
            | Self::RegisterTool
            | Self::DescribeTool
            | Self::PublishToolVersion
            | Self::RetireTool
            | Self::ReviewTool
            | Self::RestoreTool
            | Self::MoveToolAlias
            | Self::DeprecateTool
            | Self::YankToolVersion
            | Self::PublishPublicly
            | Self::ReadDependents => ResourceKind::Tool,
            Self::ReadInstallation | Self::InstallTool | Self::RepinTool | Self::UninstallTool => {
                ResourceKind::Installation
            }
            Self::ReadPrincipal
            | Self::RegisterPrincipal
            | Self::DescribePrincipal
            | Self::GrantRole
            | Self::RevokeRole
            | Self::ChangeTeams
            | Self::DeactivatePrincipal
            | Self::ReactivatePrincipal
            | Self::RevokeTokens
            | Self::ErasePrincipal => ResourceKind::Principal,
            Self::ReadTenant | Self::ReadAudit | Self::RenameTenant | Self::SetAfterSunset => {
                ResourceKind::Tenant
            }
            Self::ReadPublisher
            | Self::ClaimNamespace
            | Self::VerifyNamespace
            | Self::RevokeNamespace => ResourceKind::Publisher,
            Self::ReadLedger => ResourceKind::Ledger,
            Self::ReadTaxonomy | Self::ChangeTaxonomy => ResourceKind::Taxonomy,
            Self::ReadReview | Self::ModerateReview => ResourceKind::Review,
        }
    }
}

impl ResourceKind {
    /// The action that reads such a thing: who may not do it must not learn that the thing exists.
    #[must_use]
    pub const fn read_action(self) -> Action {
        match self {
            Self::Tenant => Action::ReadTenant,
            Self::Principal => Action::ReadPrincipal,
            Self::Server => Action::ReadServer,
            Self::Tool => Action::ReadTool,
            Self::Publisher => Action::ReadPublisher,
            Self::Ledger => Action::ReadLedger,
            Self::Taxonomy => Action::ReadTaxonomy,
            Self::Review => Action::ReadReview,
            Self::Installation => Action::ReadInstallation,
        }
    }
}

/// What the rules look at. Flags that do not concern a kind are false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resource {
    pub(super) kind: ResourceKind,
    /// The tool is private, and to no team of the caller: visible to maintainers only.
    pub(super) unlisted: bool,
    /// The tool is private to a team that the caller is not in.
    pub(super) reserved: bool,
    /// The principal is an owner, or the role in question is `owner`.
    pub(super) owner: bool,
    /// The principal is the caller.
    pub(super) own: bool,
    /// One existing object rather than a collection or one that is to be made.
    pub(super) existing: bool,
    /// Which object, so that a refusal can say what was asked for; rules do not see it.
    pub(super) id: Option<ObjectId>,
}

/// The id of an object in a size of its own, so that a [`Resource`] stays as cheap to pass as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ObjectId([u8; Self::LENGTH]);

impl ObjectId {
    /// Ids of objects are 32 characters of base32, see [`domain::id`].
    const LENGTH: usize = 32;

    fn new(id: &str) -> Option<Self> {
        id.as_bytes().try_into().ok().map(Self)
    }

    /// It was made of a text.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Resource {
    /// The caller's tenant.
    #[must_use]
    pub const fn tenant() -> Self {
        Self::any(ResourceKind::Tenant)
    }

    /// A kind of thing in general: for lists, searches and things that are to be made.
    #[must_use]
    pub const fn any(kind: ResourceKind) -> Self {
        Self {
            kind,
            unlisted: false,
            reserved: false,
            owner: false,
            own: false,
            existing: false,
            id: None,
        }
    }

    /// Says which object it is, for the record of a refusal.
    #[must_use]
    pub fn named(self, id: &str) -> Self {
        Self {
            id: ObjectId::new(id),
            ..self
        }
    }

    /// One existing server.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            existing: true,
            ..Self::any(ResourceKind::Server)
        }
    }

    /// One existing tool, as somebody sees it who is in some teams: its visibility, and the team that it belongs to.
    #[must_use]
    pub fn tool(visibility: Visibility, team: Option<&Team>, teams: &BTreeSet<Team>) -> Self {
        let listed = Self {
            existing: true,
            ..Self::any(ResourceKind::Tool)
        };
        match (visibility, team) {
            (Visibility::Tenant | Visibility::Public, _) => listed,
            (Visibility::Private, None) => Self {
                unlisted: true,
                ..listed
            },
            (Visibility::Private, Some(team)) if teams.contains(team) => listed,
            (Visibility::Private, Some(_)) => Self::reserved_tool(),
        }
    }

    /// One existing tool, as the catalogue shows it to a caller.
    #[must_use]
    pub fn of_tool(tool: &catalog::Tool, caller: &Caller) -> Self {
        Self::tool(tool.visibility, tool.team.as_ref(), &caller.teams).named(tool.id.as_str())
    }

    /// One existing tool, by what is said around it.
    #[must_use]
    pub fn described_tool(profile: &ToolProfile, caller: &Caller) -> Self {
        Self::tool(profile.visibility, profile.team.as_ref(), &caller.teams)
    }

    /// One tool that is private to a team that the caller is not in.
    #[must_use]
    pub const fn reserved_tool() -> Self {
        Self {
            unlisted: true,
            reserved: true,
            existing: true,
            ..Self::any(ResourceKind::Tool)
        }
    }

    /// One tool that is offered to every tenant.
    #[must_use]
    pub fn public_tool() -> Self {
        Self::tool(Visibility::Public, None, &BTreeSet::new())
    }

    /// One existing review: whether moderators have hidden it, and whether the caller wrote it.
    #[must_use]
    pub const fn review(hidden: bool, own: bool) -> Self {
        Self {
            unlisted: hidden,
            own,
            existing: true,
            ..Self::any(ResourceKind::Review)
        }
    }

    /// What moderators have hidden, in general.
    #[must_use]
    pub const fn hidden_reviews() -> Self {
        Self {
            unlisted: true,
            ..Self::any(ResourceKind::Review)
        }
    }

    /// A principal that is to be made with these roles.
    #[must_use]
    pub fn new_principal<'a>(roles: impl IntoIterator<Item = &'a Role>) -> Self {
        let owner = roles.into_iter().any(|role| *role == Role::Owner);
        Self {
            owner,
            ..Self::any(ResourceKind::Principal)
        }
    }

    /// One existing principal and its roles. For granting or revoking a role, give the principal's roles
    /// and that role: an owner's roles and the role of owner are an owner's business.
    #[must_use]
    pub fn principal<'a>(
        caller: &Caller,
        id: &PrincipalId,
        roles: impl IntoIterator<Item = &'a Role>,
    ) -> Self {
        let own = caller.principal == *id;
        Self {
            own,
            existing: true,
            ..Self::new_principal(roles)
        }
        .named(id.as_str())
    }
}
