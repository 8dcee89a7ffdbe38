//! The root of all subscriptions.

use super::tail::{Start, Tail};
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::audit::EventFilter;
use crate::graphql::event::Event;
use crate::graphql::scalars::Sequence;
use crate::graphql::session::Session;
use async_graphql::{Context, Subscription};
use futures::Stream;
use projections::archive::Place;

/// What can be followed, over WebSocket (graphql-transport-ws) at `/graphql/ws`.
pub(in crate::graphql) struct Subscription;

#[Subscription]
impl Subscription {
    /// The events of your tenant as they happen, in the order of the log, each once. For owners,
    /// administrators and auditors. To go on after an interruption, on whatever instance, give the `cursor`
    /// of the last event that you have as `after`. A client that does not keep up is ended with
    /// `SLOW_CONSUMER`, and may go on the same way.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all when left out.")] filter: Option<EventFilter>,
        #[graphql(
            desc = "Begin with the commit at this position, of the past or to come; with what \
                          happens next when this and `after` are left out."
        )]
        from_sequence: Option<Sequence>,
        #[graphql(desc = "Begin behind the event with this `cursor`.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<Event, ApiError>> + use<>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadAudit, &Resource::tenant())?;
        let filter = filter.unwrap_or_default();
        let filter = filter.of_tenant(&session.caller.tenant)?;
        let start = match (from_sequence, after) {
            (None, None) => Start::Now,
            (Some(Sequence(sequence)), None) => {
                Start::Behind(Place::end_of(sequence.saturating_sub(1)))
            }
            (None, Some(cursor)) => Start::Behind(Place::of_cursor(&cursor)?),
            (Some(_), Some(_)) => {
                return Err(ApiError::Invalid {
                    code: "INVALID_START",
                    message: "give `fromSequence` or `after`, not both".into(),
                });
            }
        };
        let tail = Tail::begin(&session.state, &session.caller.tenant, filter, start)?;
        Ok(tail.into_stream())
    }
}
