//! Who could do what to a tool, at any moment: the rights of then, judged by the policy of then.

mod target;

use super::as_of::AsOf;
use super::grant::Grant;
use super::policy::PolicyAdoption;
use super::principal::Principal;
use super::scalars::Sequence;
use super::session::Session;
use super::tool::Tool;
use crate::authz::{Action, Authorizer, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::{Context, Enum, Object, SimpleObject};
use domain::id::PrincipalId;
use domain::principal::Role;
use projections::{Moment, access, catalog};
use std::collections::BTreeSet;
use std::sync::Arc;
use target::{Named, PastInstallation, Target};

/// What can be done to one tool.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolAction {
    /// See it and its definition.
    Read,
    /// Find it by searching.
    Search,
    /// Change what is said around it.
    Describe,
    /// Publish another definition of it.
    PublishVersion,
    /// Take it out of use.
    Retire,
}

impl ToolAction {
    fn action(self) -> Action {
        match self {
            Self::Read => Action::ReadTool,
            Self::Search => Action::SearchTools,
            Self::Describe => Action::DescribeTool,
            Self::PublishVersion => Action::PublishToolVersion,
            Self::Retire => Action::RetireTool,
        }
    }

    /// What is out of use can only be read.
    fn needs_active_tool(self) -> bool {
        self != Self::Read
    }
}

/// Why something was not possible.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessObstacle {
    /// There was no such principal.
    PrincipalAbsent,
    /// The principal was deactivated: all its requests were refused.
    PrincipalDeactivated,
    /// There was no such tool.
    ToolAbsent,
    /// The tool was out of use.
    ToolRetired,
    /// The other tenant's tool was not installed.
    ToolNotInstalled,
    /// The installed tool was not offered, or had no version within the range.
    ToolUnavailable,
    /// No role that the principal held permits it, in the teams that it was in; with an installed tool, it is the
    /// publisher's alone.
    NotPermitted,
}

/// What somebody could do to a tool at a moment, and why. Whether it held a valid token is another question.
#[derive(SimpleObject)]
pub(super) struct Access {
    /// Whether it was possible: true when there is no obstacle.
    allowed: bool,
    /// All that stood in the way.
    obstacles: Vec<AccessObstacle>,
    /// The grants that permitted it, each of them alone. Empty when nothing did, or when the policy permits it
    /// to everybody.
    grants: Vec<Grant>,
    /// The principal as it was; null when it was not there.
    principal: Option<Principal>,
    /// The tool as it was; null when it was not there, and for one of another tenant.
    tool: Option<Tool>,
    /// By what another tenant's tool could be used; null when it was not installed, and for one of your own.
    installation: Option<PastInstallation>,
    /// The position of the log at which this was so.
    sequence: Sequence,
    /// The policy that judged: the beginning of the SHA-256 of its rules.
    policy_version: String,
    /// Whether it was on record then. False for a moment before the first record, in a log that is older than
    /// such records: the policy that judged is then the one in force in the process that answers.
    policy_recorded: bool,
    /// The position of its record; null when there is none.
    policy_sequence: Option<Sequence>,
    /// Its record, as `policies` lists it; null when there is none.
    policy: Option<PolicyAdoption>,
}

/// The entry to past and present rights.
#[derive(Default)]
pub(super) struct AccessQueries;

#[Object]
impl AccessQueries {
    /// Whether a principal could do something to a tool at a moment, and by which grants. For owners,
    /// administrators and auditors. What was not there is no error but part of the answer.
    #[graphql(complexity = "10 + child_complexity")]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an argument of a GraphQL field"
    )]
    async fn access_at(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The principal's handle.")] principal: String,
        #[graphql(desc = "The slug of the tool's server.")] server: String,
        #[graphql(desc = "The tool's name.")] tool: String,
        #[graphql(
            desc = "The slug of the tenant that offers it, for a tool that is installed; yours when left out."
        )]
        publisher: Option<String>,
        #[graphql(desc = "As of which moment; now when left out.")] at: Option<AsOf>,
        #[graphql(desc = "What was to be done.", default_with = "ToolAction::Read")]
        action: ToolAction,
    ) -> Result<Option<Access>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(
            Action::ReadPrincipal,
            &Resource::any(ResourceKind::Principal),
        )?;
        let named = Named::new(session, publisher.as_deref(), &server, &tool)?;
        let mut position = common_position(session, at).await?;
        if let Some(AsOf::Time(time)) = at {
            position = named.until(session, position, time).await?;
        }
        let moment = Moment::At(position);
        let tenant = &session.caller.tenant;
        let target = named.then(session, position).await?;
        let id = PrincipalId::named(tenant, principal.trim());
        let principal = session.principal_at(id.clone(), moment).await?;
        let adopted =
            access::policy(&mut session.reads_of_installation().await?.at(moment)).await?;
        let record = adopted.as_ref().map(access::Adoption::from);
        let policy: Arc<dyn Authorizer> = match adopted {
            Some(adopted) => {
                let evaluated = session.state.policies.of(adopted).await;
                evaluated.map_err(|error| ApiError::internal(&*error))?
            }
            None => Arc::clone(&session.state.authorizer),
        };
        let mut reads = session.reads().await?.at(moment);
        let held = access::grants_of(&mut reads, &id).await?;
        let (obstacles, grants) = judge(policy.as_ref(), principal.as_ref(), &target, action, held);
        let grants = grants.into_iter().map(|row| Grant { row, moment });
        let (tool, installation) = target.shown();
        Ok(Some(Access {
            allowed: obstacles.is_empty(),
            obstacles,
            grants: grants.collect(),
            principal,
            tool,
            installation,
            sequence: Sequence(position),
            policy_version: policy.policy_version().to_owned(),
            policy_recorded: record.is_some(),
            policy_sequence: record.as_ref().map(|it| Sequence(it.stream_sequence)),
            policy: record.map(PolicyAdoption),
        }))
    }
}

/// One position for both read models, so that rights, tool and policy are of the same moment: for the present,
/// the end of the log. For a time, it lies also before the first later policy, which is no tenant's commit.
async fn common_position(session: &Session, at: Option<AsOf>) -> Result<u64, ApiError> {
    let at = match at {
        Some(at) => at,
        None => AsOf::Sequence(Sequence(session.state.log.head().await?)),
    };
    let mut position = session.position(catalog::NAME, at).await?;
    if let AsOf::Time(time) = at {
        let policy =
            catalog::position_at(&mut session.reads_of_installation().await?, time).await?;
        position = policy.map_or(position, |policy| policy.min(position));
    }
    let same = AsOf::Sequence(Sequence(position));
    session.position(access::NAME, same).await
}

/// What stood in the way, and which of the grants permit the action.
fn judge(
    policy: &dyn Authorizer,
    principal: Option<&Principal>,
    target: &Target,
    action: ToolAction,
    held: Vec<access::Grant>,
) -> (Vec<AccessObstacle>, Vec<access::Grant>) {
    let mut obstacles = Vec::new();
    match principal {
        None => obstacles.push(AccessObstacle::PrincipalAbsent),
        Some(principal) if !principal.0.active => {
            obstacles.push(AccessObstacle::PrincipalDeactivated);
        }
        Some(_) => {}
    }
    obstacles.extend(target.obstacle(action));
    let Some(principal) = principal else {
        return (obstacles, Vec::new());
    };
    let Some(resource) = target.resource(&principal.0.teams) else {
        return (obstacles, Vec::new());
    };
    let permits = |roles: &BTreeSet<Role>| policy.permits(roles, action.action(), &resource);
    if !target.is_open_to(action) || !permits(&principal.0.roles) {
        obstacles.push(AccessObstacle::NotPermitted);
    }
    if !target.is_open_to(action) || permits(&BTreeSet::new()) {
        return (obstacles, Vec::new());
    }
    let alone = |grant: &access::Grant| permits(&BTreeSet::from([grant.role]));
    (obstacles, held.into_iter().filter(alone).collect())
}
