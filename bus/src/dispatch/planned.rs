//! A command that was planned: rehearsed first, and appended later only where nothing came in between.
//!
//! A plan is shown to a person before it is carried out. What he has agreed to must not be decided on another
//! state than the one that he was shown, so a planned command expects the position of its object's last
//! commit, and is never decided again on a later one.

use super::{CommandContext, Committed, DispatchError, Dispatcher, cache, committed};
use crate::error::BusError;
use crate::event_store::{AppendError, JetStreamEventStore};
use cqrs_es::event_sink::EventSink;
use domain::AggregateRoot;
use domain::id::TenantId;

/// Why a planned command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum PlannedError<E> {
    /// The object has changed since: plan again.
    #[error("the object has changed since the plan was made")]
    Moved,
    /// As for any command.
    #[error(transparent)]
    Dispatch(DispatchError<E>),
}

impl<E> From<BusError> for PlannedError<E> {
    fn from(error: BusError) -> Self {
        Self::Dispatch(error.into())
    }
}

impl Dispatcher {
    /// Decides commands one after another as the log is now, and appends nothing. Answers the position of
    /// the object's last commit, 0 when it has none: what [`Dispatcher::dispatch_at`] expects.
    ///
    /// # Errors
    /// [`DispatchError::Rejected`] for the first command that the domain refuses, or [`DispatchError::Bus`].
    pub async fn rehearse<A: AggregateRoot>(
        &self,
        tenant: &TenantId,
        aggregate_id: &str,
        commands: &[A::Command],
    ) -> Result<u64, DispatchError<A::Error>> {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), tenant.clone());
        let mut context = store.load(aggregate_id).await?;
        // The sink applies each event, so a command is decided on what the one before it made.
        let sink = EventSink::default();
        for command in commands {
            let decided = context.aggregate.handle(command.clone(), &(), &sink).await;
            decided.map_err(DispatchError::Rejected)?;
        }
        Ok(context.stream_sequence)
    }

    /// Decides a command and appends it if the object's last commit is still the one at `expected`. A command
    /// id that was seen before is answered as the first time, wherever the object is now.
    ///
    /// # Errors
    /// [`PlannedError`].
    pub async fn dispatch_at<A: AggregateRoot>(
        &self,
        context: &CommandContext,
        aggregate_id: &str,
        expected: u64,
        command: A::Command,
    ) -> Result<Committed<A::Event>, PlannedError<A::Error>> {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), context.tenant.clone());
        let mut aggregate = store.load(aggregate_id).await?;
        let first = super::first_answer(&store, &aggregate, context).await;
        if let Some(first) = first.map_err(PlannedError::Dispatch)? {
            return Ok(first);
        }
        if aggregate.stream_sequence != expected {
            return Err(PlannedError::Moved);
        }
        let sink = EventSink::default();
        let decided = aggregate
            .aggregate
            .handle(command.clone(), &(), &sink)
            .await;
        decided.map_err(|rejection| PlannedError::Dispatch(DispatchError::Rejected(rejection)))?;
        let events = sink.collect().await;
        if events.is_empty() {
            let done = super::done_before(&store, aggregate_id, &command).await;
            return done.map_err(PlannedError::Dispatch);
        }
        let appended = store.append(aggregate, events, context).await;
        self.aggregates
            .forget(&cache::key::<A>(&context.tenant, aggregate_id));
        match appended {
            Ok(appended) => Ok(committed(appended)),
            Err(AppendError::Conflict) => Err(PlannedError::Moved),
            Err(AppendError::CommandIdReused) => {
                Err(PlannedError::Dispatch(DispatchError::CommandIdReused))
            }
            Err(AppendError::Bus(error)) => Err(error.into()),
        }
    }
}
