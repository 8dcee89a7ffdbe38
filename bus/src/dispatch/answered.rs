//! The first answer to a command that is sent again, for those who ask something else before they send one.
//!
//! [`Dispatcher::dispatch`] answers a command id that was seen before as the first time, whatever the object is now.
//! Who checks a command against other objects before it is sent would refuse its repetition for what has become of
//! those since, although it is done and acknowledged. So the first answer is asked for before the checks.

use super::{
    CommandContext, Committed, DispatchError, Dispatcher, count, first_answer, outcome, span,
};
use crate::event_store::{AggregateContext, JetStreamEventStore};
use domain::AggregateRoot;
use tracing::Instrument;

type Asked<A> = Result<
    Option<Committed<<A as cqrs_es::Aggregate>::Event>>,
    DispatchError<<A as cqrs_es::Aggregate>::Error>,
>;

impl Dispatcher {
    /// What a command of this id was answered, from the log as it is now; none when the object has no commit of it.
    /// Then it is to be sent, and may still be answered as the first time, by a sending that came in between.
    ///
    /// # Errors
    /// [`DispatchError::Bus`].
    pub async fn answered<A: AggregateRoot>(
        &self,
        context: &CommandContext,
        aggregate_id: &str,
    ) -> Result<Option<Committed<A::Event>>, DispatchError<A::Error>> {
        let asking = self.ask::<A>(context, aggregate_id);
        counted::<A>(asking.instrument(span(context, A::TYPE)).await)
    }

    async fn ask<A: AggregateRoot>(&self, context: &CommandContext, id: &str) -> Asked<A> {
        let loaded = self.load_at::<A>(&context.tenant, id).await?;
        self.answered_on(context, &loaded).await
    }

    /// The same on what was loaded.
    pub(super) async fn answered_on<A: AggregateRoot>(
        &self,
        context: &CommandContext,
        loaded: &AggregateContext<A>,
    ) -> Asked<A> {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), context.tenant.clone());
        first_answer(&store, loaded, context).await
    }
}

/// Counts a first answer, and a failure to ask for it, as the end of the command. Without an answer it is still to
/// be sent, and is counted then.
pub(super) fn counted<A: AggregateRoot>(asked: Asked<A>) -> Asked<A> {
    let ended = asked.transpose();
    if let Some(ended) = &ended {
        count(A::TYPE, outcome(ended.as_ref()));
    }
    ended.transpose()
}
