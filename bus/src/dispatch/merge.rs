//! A command that is made of what its object says now: a change of one field, where the command says all fields.
//!
//! [`Dispatcher::dispatch`] decides a command again on whatever state is the newest. A command that was made of an
//! older one would take back what others have changed in between. So this one is appended only to the very state
//! that it was made of: who loses the race reads again, and makes the command again.

use super::answered::counted;
use super::{
    CommandContext, Committed, DispatchError, Dispatcher, MAX_ATTEMPTS, back_off, count, outcome,
    span,
};
use crate::error::BusError;
use crate::event_store::AggregateContext;
use domain::AggregateRoot;
use std::marker::PhantomData;
use tracing::Instrument;

/// Such a command, round by round: [`Merge::read`], [`Merge::answered`], then [`Merge::send`], until one of the two
/// answers a commit.
#[derive(Debug)]
#[must_use]
pub struct Merge<'d, A> {
    dispatcher: &'d Dispatcher,
    context: CommandContext,
    aggregate_id: &'d str,
    lost: u32,
    aggregate: PhantomData<fn() -> A>,
}

impl Dispatcher {
    /// Begins a command that is made of what its object says.
    pub fn merge<'d, A: AggregateRoot>(
        &'d self,
        context: CommandContext,
        aggregate_id: &'d str,
    ) -> Merge<'d, A> {
        Merge {
            dispatcher: self,
            context,
            aggregate_id,
            lost: 0,
            aggregate: PhantomData,
        }
    }
}

impl<A: AggregateRoot> Merge<'_, A> {
    /// The object as the log has it now, and where; an empty one when it has no commit. The next command is made
    /// of this.
    ///
    /// # Errors
    /// [`BusError`].
    pub async fn read(&self) -> Result<AggregateContext<A>, BusError> {
        let tenant = &self.context.tenant;
        self.dispatcher.load_at(tenant, self.aggregate_id).await
    }

    /// What a command of this id was answered, if it is in what was read: to be asked for before the command is checked
    /// against other objects.
    ///
    /// # Errors
    /// [`DispatchError::Bus`].
    pub async fn answered(
        &self,
        read: &AggregateContext<A>,
    ) -> Result<Option<Committed<A::Event>>, DispatchError<A::Error>> {
        let answering = self.dispatcher.answered_on(&self.context, read);
        counted::<A>(answering.instrument(span(&self.context, A::TYPE)).await)
    }

    /// Decides the command on what was read and appends it there. None when somebody else was first: read and make
    /// it again. A command id that was seen before is answered as the first time.
    ///
    /// # Errors
    /// [`DispatchError`]; [`DispatchError::Conflict`] when this was the last round.
    pub async fn send(
        &mut self,
        read: AggregateContext<A>,
        command: A::Command,
    ) -> Result<Option<Committed<A::Event>>, DispatchError<A::Error>> {
        let deciding = self.dispatcher.decide_on(&self.context, read, command);
        let result = deciding.instrument(span(&self.context, A::TYPE)).await;
        if matches!(result, Err(DispatchError::Conflict)) {
            self.lost += 1;
            if self.lost < MAX_ATTEMPTS {
                back_off(self.lost).await;
                return Ok(None);
            }
        }
        count(A::TYPE, outcome(result.as_ref()));
        result.map(Some)
    }
}
