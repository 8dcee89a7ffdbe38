//! Sends the commands of a plan, each only where its object is still as it was when the plan was checked.

use super::owners::{self, HeldOwners};
use super::{Action, Commands, Object, Rehearsed, Step};
use crate::app::Backend;
use crate::import::patience::Patience;
use bus::{BusError, CommandContext, DispatchError, PlannedError};
use domain::aggregate::{AggregateRoot, Rejection};
use domain::envelope::Actor;
use domain::id::{CommandId, CorrelationId, ServerId};
use domain::installation::Installation;
use domain::principal::Principal;
use domain::server::Server;
use domain::taxonomy::Taxonomy;
use domain::tenant::Tenant;
use domain::tool::Tool;
use futures::stream::{self, StreamExt};
use projections::owners::OwnersError;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Objects that are changed at once.
const IN_FLIGHT: usize = 64;

/// How a plan that was carried out ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Steps that are done.
    pub steps: usize,
    /// The last commit; none when there was nothing to do.
    pub last_stream_sequence: Option<u64>,
}

/// Why a plan was not carried out to its end. What is done is done; running it again does the rest.
#[derive(Debug, thiserror::Error)]
#[error("{done} of {all} changes were made; run the same command again for the rest")]
pub struct ApplyError {
    /// Steps that are done.
    pub done: usize,
    /// Steps of the plan.
    pub all: usize,
    /// Why.
    #[source]
    pub cause: ApplyCause,
}

/// What stops a plan.
#[derive(Debug, thiserror::Error)]
pub enum ApplyCause {
    /// Somebody else has changed it: look at a new plan.
    #[error("{0} was changed by somebody else since the plan was made (REGISTRY_MOVED)")]
    Moved(Object),
    /// The domain refuses now what it accepted before.
    #[error("{object} is refused: {message} ({code})")]
    Refused {
        /// Which object.
        object: Object,
        /// The domain's code.
        code: &'static str,
        /// What it says.
        message: String,
    },
    /// Nobody could let anybody in any more: give another principal the role first.
    #[error(
        "{0} keeps the role of an owner, because no other active owner would be left: give another principal the role first (LAST_OWNER)"
    )]
    LastOwner(Object),
    /// Whether another owner stays is not known, or others are at it.
    #[error(
        "whether the tenant keeps an owner cannot be made sure of; see /readyz if that stays so"
    )]
    Owners(#[source] OwnersError),
    /// The log failed or stayed away.
    #[error("the event log failed")]
    Log(#[from] BusError),
}

/// Who carries it out, and with how much patience.
struct Sender<'a> {
    backend: &'a Backend,
    actor: &'a Actor,
    correlation_id: CorrelationId,
    patience: Duration,
    planned: &'a Rehearsed,
}

impl Rehearsed {
    /// Carries the plan out: categories before what names them, servers before their tools, new owners before those
    /// who are none any more, what goes out of use last. While the log is away, a command is tried again for
    /// `patience`.
    ///
    /// # Errors
    /// [`ApplyError`], with what has been done until then.
    pub async fn carry_out(
        &self,
        backend: &Backend,
        actor: &Actor,
        patience: Duration,
    ) -> Result<Applied, ApplyError> {
        let tenant = self.plan.tenant.clone();
        let sender = Sender {
            backend,
            actor,
            correlation_id: CommandContext::new(tenant, actor.clone()).correlation_id,
            patience,
            planned: self,
        };
        let mut applied = Applied::default();
        let ended = sender.all(&mut applied).await;
        ended.map(|()| applied).map_err(|cause| ApplyError {
            done: applied.steps,
            all: self.plan.steps.len(),
            cause,
        })
    }
}

/// The order in which steps are sent.
fn rank(step: &Step) -> u8 {
    match (&step.object, &step.action) {
        (Object::Tenant | Object::Taxonomy | Object::Category(_), _) => 0,
        (Object::Server(_), Action::Create | Action::Update(_) | Action::Restore(_)) => 1,
        (Object::Tool(..), Action::Create | Action::Update(_) | Action::Restore(_)) => TOOLS,
        (Object::Principal(_), _) if owners::takes_one(step) => OWNERS,
        (Object::Installation(_) | Object::Principal(_), _) => 3,
        (Object::Tool(..), Action::Retire) => 5,
        (Object::Server(_), Action::Retire) => LAST,
    }
}

/// The rank of tools, whose servers are looked at before.
const TOOLS: u8 = 2;
/// The rank of those who lose the role of an owner, behind those who get it.
const OWNERS: u8 = 4;
const LAST: u8 = 6;

impl Sender<'_> {
    async fn all(&self, applied: &mut Applied) -> Result<(), ApplyCause> {
        let steps = || self.planned.plan.steps.iter().zip(&self.planned.positions);
        for wanted in 0..=LAST {
            let of_rank: Vec<_> = steps().filter(|(step, _)| rank(step) == wanted).collect();
            if wanted == TOOLS {
                self.check_servers(of_rank.iter().map(|(step, _)| *step))
                    .await?;
            }
            let held = match wanted == OWNERS && !of_rank.is_empty() {
                true => Some(self.keep_an_owner(&of_rank).await?),
                false => None,
            };
            // After a failure nothing more is begun; what is in flight ends, so that the count is true.
            let failed = AtomicBool::new(false);
            let mut sent = stream::iter(of_rank)
                .take_while(|_| ready(!failed.load(Ordering::Relaxed)))
                .map(|(step, position)| self.step(step, *position))
                .buffer_unordered(IN_FLIGHT);
            let mut failure = None;
            while let Some(outcome) = sent.next().await {
                match outcome {
                    Ok(at) => {
                        applied.steps += 1;
                        applied.last_stream_sequence = applied.last_stream_sequence.max(Some(at));
                    }
                    Err(cause) => {
                        failed.store(true, Ordering::Relaxed);
                        failure = failure.or(Some(cause));
                    }
                }
            }
            if let Some(cause) = failure {
                return Err(cause);
            }
            if let Some(held) = held {
                held.until_seen(applied.last_stream_sequence, self.patience)
                    .await;
            }
        }
        Ok(())
    }

    /// Others may have taken owners away since the plan counted them. From here on nobody does until what this answers
    /// is dropped.
    async fn keep_an_owner(&self, losing: &[(&Step, &u64)]) -> Result<HeldOwners, ApplyCause> {
        let steps: Vec<&Step> = losing.iter().map(|(step, _)| *step).collect();
        let tenant = &self.planned.plan.tenant;
        let held = HeldOwners::besides(self.backend, tenant, &steps, self.patience).await;
        held.map_err(|error| match (error, steps.first()) {
            (OwnersError::LastOwner, Some(step)) => ApplyCause::LastOwner(step.object.clone()),
            (error, _) => ApplyCause::Owners(error),
        })
    }

    /// A tool does not know its server's fate: a server that was retired in between gets no tools.
    async fn check_servers<'s>(
        &self,
        steps: impl Iterator<Item = &'s Step>,
    ) -> Result<(), ApplyCause> {
        let tenant = &self.planned.plan.tenant;
        let slugs: BTreeSet<&str> = steps
            .filter_map(|step| match &step.object {
                Object::Tool(slug, _) => Some(slug.as_str()),
                Object::Tenant
                | Object::Taxonomy
                | Object::Category(_)
                | Object::Server(_)
                | Object::Installation(_)
                | Object::Principal(_) => None,
            })
            .collect();
        for slug in slugs {
            let id = ServerId::derive(tenant, slug);
            let dispatcher = &self.backend.dispatcher;
            let server = dispatcher.load::<Server>(tenant, id.as_str()).await?;
            if server.unwrap_or_default().check_active().is_err() {
                return Err(ApplyCause::Moved(Object::Server(slug.to_owned())));
            }
        }
        Ok(())
    }

    async fn step(&self, step: &Step, position: u64) -> Result<u64, ApplyCause> {
        match &step.commands {
            Commands::Tenant(commands) => self.send::<Tenant>(step, position, commands).await,
            Commands::Taxonomy(commands) => self.send::<Taxonomy>(step, position, commands).await,
            Commands::Server(commands) => self.send::<Server>(step, position, commands).await,
            Commands::Tool(commands) => self.send::<Tool>(step, position, commands).await,
            Commands::Installation(commands) => {
                self.send::<Installation>(step, position, commands).await
            }
            Commands::Principal(commands) => self.send::<Principal>(step, position, commands).await,
        }
    }

    /// Sends the commands to one object; each expects the commit of the one before it.
    async fn send<A: AggregateRoot>(
        &self,
        step: &Step,
        mut position: u64,
        commands: &[A::Command],
    ) -> Result<u64, ApplyCause> {
        let tenant = &self.planned.plan.tenant;
        let id = step.object.id(tenant);
        for (index, command) in commands.iter().enumerate() {
            let context = CommandContext::new(tenant.clone(), self.actor.clone())
                .with_command_id(command_id(&[
                    tenant.as_str().as_bytes(),
                    A::TYPE.as_bytes(),
                    id.as_bytes(),
                    &position.to_be_bytes(),
                    &index.to_be_bytes(),
                    &step.target,
                ]))
                .with_correlation_id(self.correlation_id);
            let mut patience = Patience::new(self.patience);
            position = loop {
                let sent = self
                    .backend
                    .dispatcher
                    .dispatch_at::<A>(&context, &id, position, command.clone())
                    .await;
                match sent {
                    Ok(committed) => break committed.stream_sequence,
                    Err(PlannedError::Dispatch(DispatchError::Bus(error)))
                        if error.is_unavailable() =>
                    {
                        let Some(pause) = patience.pause() else {
                            return Err(error.into());
                        };
                        tokio::time::sleep(pause).await;
                    }
                    Err(error) => return Err(cause(&step.object, error)),
                }
            };
        }
        Ok(position)
    }
}

fn cause<E: Rejection>(object: &Object, error: PlannedError<E>) -> ApplyCause {
    let object = object.clone();
    match error {
        PlannedError::Moved
        | PlannedError::Dispatch(DispatchError::Conflict | DispatchError::CommandIdReused) => {
            ApplyCause::Moved(object)
        }
        PlannedError::Dispatch(DispatchError::Rejected(rejection)) => ApplyCause::Refused {
            object,
            code: rejection.code(),
            message: rejection.to_string(),
        },
        PlannedError::Dispatch(DispatchError::Bus(error)) => ApplyCause::Log(error),
    }
}

/// An id that follows from its parts (UUID version 8, RFC 9562 section 5.8).
fn command_id(parts: &[&[u8]]) -> CommandId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    CommandId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_id_follows_from_its_parts_and_separates_them() {
        let id = command_id(&[b"acme", b"tool"]);
        assert_eq!(id, command_id(&[b"acme", b"tool"]));
        assert_ne!(id, command_id(&[b"acmet", b"ool"]));
        assert_eq!(id.0.get_version_num(), 8);
    }
}
