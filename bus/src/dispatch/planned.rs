//! A command that was planned: rehearsed first, and appended later only where nothing came in between.
//!
//! A plan is shown to a person before it is carried out. What he has agreed to must not be decided on another
//! state than the one that he was shown, so a planned command expects the position of its object's last
//! commit, and is never decided again on a later one.

use super::{CommandContext, Committed, DispatchError, Dispatcher, count, outcome, span};
use crate::error::BusError;
use cqrs_es::event_sink::EventSink;
use domain::AggregateRoot;
use domain::id::TenantId;
use tracing::Instrument;

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
        let mut context = self.load_at::<A>(tenant, aggregate_id).await?;
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
        let deciding = self.decide_at::<A>(context, aggregate_id, expected, command);
        let result = deciding.instrument(span(context, A::TYPE)).await;
        count(A::TYPE, outcome(result.as_ref()));
        result.map_err(|error| match error {
            DispatchError::Conflict => PlannedError::Moved,
            error => PlannedError::Dispatch(error),
        })
    }

    async fn decide_at<A: AggregateRoot>(
        &self,
        context: &CommandContext,
        aggregate_id: &str,
        expected: u64,
        command: A::Command,
    ) -> Result<Committed<A::Event>, DispatchError<A::Error>> {
        let loaded = self.load_at::<A>(&context.tenant, aggregate_id).await?;
        let seen_before = loaded.commands.contains_key(&context.command_id);
        if loaded.stream_sequence != expected && !seen_before {
            return Err(DispatchError::Conflict);
        }
        self.decide_on(context, loaded, command).await
    }
}
