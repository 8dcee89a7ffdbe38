//! Load and append one aggregate: cqrs-es's `EventStore` over JetStream.
//!
//! `append` is what the dispatcher uses, because it returns where the commit lies; the trait's `commit`
//! is the same call for those who drive the store through cqrs-es.

mod append;
mod context;
mod load;

pub use append::{AppendError, Appended};
pub use context::{AggregateContext, CommitRef};

use crate::dispatch::CommandContext;
use crate::error::BusError;
use crate::stream::Log;
use cqrs_es::{AggregateError, EventEnvelope, EventStore};
use domain::AggregateRoot;
use domain::envelope::{Actor, ActorKind};
use domain::id::{CommandId, CorrelationId, TenantId};
use std::collections::HashMap;
use std::marker::PhantomData;
use uuid::Uuid;

/// The events of one type of aggregate of one tenant.
#[derive(Debug, Clone)]
pub struct JetStreamEventStore<A> {
    log: Log,
    tenant: TenantId,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: AggregateRoot> JetStreamEventStore<A> {
    /// The store of a tenant.
    #[must_use]
    pub fn new(log: Log, tenant: TenantId) -> Self {
        Self {
            log,
            tenant,
            aggregate: PhantomData,
        }
    }

    fn subject(&self, aggregate_id: &str) -> String {
        crate::subject::of_aggregate(self.log.subject_root(), &self.tenant, A::TYPE, aggregate_id)
    }
}

impl<A: AggregateRoot> EventStore<A> for JetStreamEventStore<A> {
    type AC = AggregateContext<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        self.events(aggregate_id).await.map_err(unexpected)
    }

    async fn load_aggregate(
        &self,
        aggregate_id: &str,
    ) -> Result<AggregateContext<A>, AggregateError<A::Error>> {
        self.load(aggregate_id).await.map_err(unexpected)
    }

    /// Metadata keys understood: `actor_kind`, `actor_id`, `command_id`, `correlation_id`.
    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: AggregateContext<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let command = command_context(&self.tenant, &metadata);
        let aggregate_id = context.aggregate_id().to_owned();
        match self.append(context, events, &command).await {
            Ok(appended) => {
                let sequence = usize::try_from(appended.commit.aggregate_sequence);
                let sequence = sequence.map_err(|e| AggregateError::UnexpectedError(e.into()))?;
                let mut metadata = metadata;
                metadata.insert(
                    "stream_sequence".to_owned(),
                    appended.commit.stream_sequence.to_string(),
                );
                Ok(appended
                    .events
                    .into_iter()
                    .map(|payload| EventEnvelope {
                        aggregate_id: aggregate_id.clone(),
                        sequence,
                        payload,
                        metadata: metadata.clone(),
                    })
                    .collect())
            }
            Err(AppendError::Conflict) => Err(AggregateError::AggregateConflict),
            Err(AppendError::CommandIdReused) => Err(AggregateError::UnexpectedError(
                "the command id is in use".into(),
            )),
            Err(AppendError::Bus(error)) => Err(unexpected(error)),
        }
    }
}

fn unexpected<E: std::error::Error>(error: BusError) -> AggregateError<E> {
    if error.is_unavailable() {
        AggregateError::DatabaseConnectionError(Box::new(error))
    } else {
        AggregateError::UnexpectedError(Box::new(error))
    }
}

fn command_context(tenant: &TenantId, metadata: &HashMap<String, String>) -> CommandContext {
    let uuid = |key: &str| {
        metadata
            .get(key)
            .and_then(|text| Uuid::parse_str(text).ok())
    };
    let kind = metadata
        .get("actor_kind")
        .and_then(|kind| kind.parse().ok());
    let kind = kind.unwrap_or(ActorKind::System);
    let id = metadata
        .get("actor_id")
        .cloned()
        .unwrap_or_else(|| "unknown".to_owned());
    let mut context = CommandContext::new(tenant.clone(), Actor { kind, id });
    if let Some(command_id) = uuid("command_id") {
        context.command_id = CommandId(command_id);
    }
    if let Some(correlation_id) = uuid("correlation_id") {
        context.correlation_id = CorrelationId(correlation_id);
    }
    context
}
