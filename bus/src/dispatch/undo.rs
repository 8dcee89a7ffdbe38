//! Undo: the compensating command, decided and appended only if the aggregate has not changed in the same
//! respect since.
//!
//! Rule and append see one state: the append expects the position up to which the history was read, and
//! a lost race reads again. So a change that comes in between is never overwritten.

use super::{
    CommandContext, Committed, DispatchError, Dispatcher, MAX_ATTEMPTS, back_off, cache, committed,
    count, first_answer, outcome, span,
};
use crate::error::BusError;
use crate::event_store::JetStreamEventStore;
use cqrs_es::event_sink::EventSink;
use domain::id::TenantId;
use domain::undo::{NotUndone, Undo, Undoing, undoing};
use tracing::Instrument;

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError<E> {
    /// The commit has no compensation, or its object has changed since.
    #[error(transparent)]
    NotUndone(#[from] NotUndone),
    /// As for any command.
    #[error(transparent)]
    Dispatch(DispatchError<E>),
}

impl<E> From<BusError> for UndoError<E> {
    fn from(error: BusError) -> Self {
        Self::Dispatch(error.into())
    }
}

impl Dispatcher {
    /// What undoing a commit would mean: for deciding who may.
    ///
    /// # Errors
    /// [`UndoError`].
    pub async fn undoing<A: Undo>(
        &self,
        tenant: &TenantId,
        aggregate_id: &str,
        aggregate_sequence: u64,
    ) -> Result<Undoing<A>, UndoError<A::Error>> {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), tenant.clone());
        let (_, history) = store.history(aggregate_id).await?;
        Ok(undoing(&history, aggregate_sequence)?)
    }

    /// Takes a commit back. A command id that was seen before is answered as the first time.
    ///
    /// # Errors
    /// [`UndoError`].
    pub async fn undo<A: Undo>(
        &self,
        context: &CommandContext,
        aggregate_id: &str,
        aggregate_sequence: u64,
    ) -> Result<Committed<A::Event>, UndoError<A::Error>> {
        let taking = self.take_back::<A>(context, aggregate_id, aggregate_sequence);
        let result = taking.instrument(span(context, A::TYPE)).await;
        count(A::TYPE, ended(&result));
        result
    }

    async fn take_back<A: Undo>(
        &self,
        context: &CommandContext,
        aggregate_id: &str,
        aggregate_sequence: u64,
    ) -> Result<Committed<A::Event>, UndoError<A::Error>> {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), context.tenant.clone());
        for attempt in 1..=MAX_ATTEMPTS {
            let (mut aggregate, history) = store.history(aggregate_id).await?;
            let first = first_answer(&store, &aggregate, context).await;
            if let Some(first) = first.map_err(UndoError::Dispatch)? {
                return Ok(first);
            }
            let undo = undoing::<A>(&history, aggregate_sequence)?;
            if undo.changed_since {
                return Err(NotUndone::ChangedSince.into());
            }
            let sink = EventSink::default();
            let handled = aggregate.aggregate.handle(undo.command, &(), &sink).await;
            handled.map_err(|rejection| UndoError::Dispatch(DispatchError::Rejected(rejection)))?;
            let events = sink.collect().await;
            let appended = self.append(&store, aggregate, events, context).await;
            if let Some(appended) = appended.map_err(UndoError::Dispatch)? {
                return Ok(committed(appended));
            }
            let key = cache::key::<A>(&context.tenant, aggregate_id);
            self.aggregates.forget(&key);
            back_off(attempt).await;
        }
        Err(UndoError::Dispatch(DispatchError::Conflict))
    }
}

/// How an undo ended, as any command is counted.
fn ended<E, R>(result: &Result<Committed<E>, UndoError<R>>) -> &'static str {
    match result {
        Ok(committed) => outcome::<E, R>(Ok(committed)),
        Err(UndoError::NotUndone(_)) => "rejected",
        Err(UndoError::Dispatch(error)) => outcome::<E, R>(Err(error)),
    }
}
