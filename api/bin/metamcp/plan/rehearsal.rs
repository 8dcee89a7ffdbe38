//! Every command of a plan is decided once before the first one is sent: by the domain, on the log as it is.

use super::{Action, Commands, Object, Plan, Problem, Step};
use bus::{BusError, DispatchError, Dispatcher};
use domain::aggregate::AggregateRoot;
use domain::id::{TaxonomyId, TenantId};
use domain::installation::Installation;
use domain::principal::Principal;
use domain::server::{Server, ServerCommand};
use domain::taxonomy::Taxonomy;
use domain::tenant::Tenant;
use domain::tool::{Tool, ToolCommand};
use futures::stream::{self, StreamExt};

/// Objects that are looked at at once.
const IN_FLIGHT: usize = 64;

/// A plan that the domain accepts as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    pub(super) plan: Plan,
    /// For each step, the position of its object's last commit; 0 when it has none.
    pub(super) positions: Vec<u64>,
}

impl Rehearsed {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The domain refuses some of it; nothing was sent.
    #[error("{} of the changes are refused", .0.len())]
    Refused(Vec<Problem>),
    /// An object has changed since the plan was made: plan again.
    #[error(
        "{0} was changed by somebody else meanwhile; run the same command again (REGISTRY_MOVED)"
    )]
    Moved(Object),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] BusError),
}

enum Found {
    At(u64),
    Refused(Problem),
}

impl Plan {
    /// Decides every command without sending it.
    ///
    /// # Errors
    /// [`RehearsalError`]; all refusals together.
    pub async fn rehearse(self, dispatcher: &Dispatcher) -> Result<Rehearsed, RehearsalError> {
        let taxonomy = taxonomy(dispatcher, &self).await?;
        let found: Vec<Result<Found, BusError>> = stream::iter(&self.steps)
            .map(|step| rehearse(dispatcher, &self.tenant, step))
            .buffered(IN_FLIGHT)
            .collect()
            .await;
        let (mut positions, mut refused) = (Vec::with_capacity(found.len()), Vec::new());
        for (step, found) in self.steps.iter().zip(found) {
            if let Some(problem) = unknown_category(step, &taxonomy) {
                refused.push(problem);
                continue;
            }
            match found? {
                Found::At(position) if position > self.position => {
                    return Err(RehearsalError::Moved(step.object.clone()));
                }
                Found::At(position) => positions.push(position),
                Found::Refused(problem) => refused.push(problem),
            }
        }
        if refused.is_empty() {
            Ok(Rehearsed {
                plan: self,
                positions,
            })
        } else {
            Err(RehearsalError::Refused(refused))
        }
    }
}

/// The categories that objects may name: those that the tenant has once the plan is carried out.
async fn taxonomy(dispatcher: &Dispatcher, plan: &Plan) -> Result<Taxonomy, BusError> {
    let id = TaxonomyId::derive(&plan.tenant);
    let found = dispatcher
        .load::<Taxonomy>(&plan.tenant, id.as_str())
        .await?;
    let mut taxonomy = found.unwrap_or_default();
    for step in &plan.steps {
        if let Commands::Taxonomy(commands) = &step.commands {
            // What is refused is told with the step itself.
            taxonomy = taxonomy.after(commands);
        }
    }
    Ok(taxonomy)
}

/// The refusal of a category that the step would set and the taxonomy does not have.
fn unknown_category(step: &Step, taxonomy: &Taxonomy) -> Option<Problem> {
    let changes = match &step.action {
        Action::Create => true,
        Action::Update(changes) | Action::Restore(changes) => {
            changes.iter().any(|change| change.path == "/category")
        }
        Action::Retire => false,
    };
    let category = match &step.commands {
        Commands::Server(commands) => commands.iter().find_map(|command| match command {
            ServerCommand::Register(register) => register.profile.category.as_deref(),
            ServerCommand::Describe(profile) => profile.category.as_deref(),
            ServerCommand::Retire { .. }
            | ServerCommand::Restore
            | ServerCommand::PublishManifest(_)
            | ServerCommand::SetManifestStatus(_) => None,
        }),
        Commands::Tool(commands) => commands.iter().find_map(ToolCommand::category),
        Commands::Tenant(_)
        | Commands::Taxonomy(_)
        | Commands::Installation(_)
        | Commands::Principal(_) => None,
    };
    let category = category.filter(|_| changes)?;
    let error = taxonomy.check(category).err()?;
    Some(Problem::rejected(step.object.to_string(), &error))
}

async fn rehearse(
    dispatcher: &Dispatcher,
    tenant: &TenantId,
    step: &Step,
) -> Result<Found, BusError> {
    let id = step.object.id(tenant);
    match &step.commands {
        Commands::Tenant(commands) => one::<Tenant>(dispatcher, tenant, &id, step, commands).await,
        Commands::Taxonomy(commands) => {
            one::<Taxonomy>(dispatcher, tenant, &id, step, commands).await
        }
        Commands::Server(commands) => one::<Server>(dispatcher, tenant, &id, step, commands).await,
        Commands::Tool(commands) => one::<Tool>(dispatcher, tenant, &id, step, commands).await,
        Commands::Installation(commands) => {
            one::<Installation>(dispatcher, tenant, &id, step, commands).await
        }
        Commands::Principal(commands) => {
            one::<Principal>(dispatcher, tenant, &id, step, commands).await
        }
    }
}

async fn one<A: AggregateRoot>(
    dispatcher: &Dispatcher,
    tenant: &TenantId,
    id: &str,
    step: &Step,
    commands: &[A::Command],
) -> Result<Found, BusError> {
    match dispatcher.rehearse::<A>(tenant, id, commands).await {
        Ok(position) => Ok(Found::At(position)),
        Err(DispatchError::Rejected(rejection)) => Ok(Found::Refused(Problem::rejected(
            step.object.to_string(),
            &rejection,
        ))),
        Err(DispatchError::Bus(error)) => Err(error),
        // A rehearsal appends nothing, so there is nobody to race with.
        Err(DispatchError::Conflict | DispatchError::CommandIdReused) => Ok(Found::At(u64::MAX)),
    }
}
