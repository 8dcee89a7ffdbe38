//! From a command to a commit: load, decide, append, and again when somebody else was first.
//!
//! A command whose outcome is there already is decided without an event: nothing is appended, and the answer
//! is the commit that did it.
//!
//! Commands are pure, so deciding again is safe. A bounded cache keeps recent aggregates; a stale entry
//! costs one conflict and a reload, never a wrong answer: a refusal that a cached aggregate gave, and that
//! there was nothing to do, is decided again on a fresh one before the caller hears it.

mod answered;
mod cache;
mod merge;
mod planned;
mod undo;

pub use merge::Merge;
pub use planned::PlannedError;
pub use undo::UndoError;

use crate::error::BusError;
use crate::event_store::{AggregateContext, AppendError, Appended, JetStreamEventStore};
use crate::stream::Log;
use cache::Aggregates;
use chrono::{DateTime, Utc};
use cqrs_es::event_sink::EventSink;
use domain::AggregateRoot;
use domain::envelope::Actor;
use domain::id::{CommandId, CommitId, CorrelationId, TenantId};
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;
use uuid::Uuid;

/// Races that one command may lose before the caller is asked to try again.
const MAX_ATTEMPTS: u32 = 8;

/// Who wants it, for whom, when, and under which ids.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// Whose registry.
    pub tenant: TenantId,
    /// Who wants it.
    pub actor: Actor,
    /// Sent twice, answered once.
    pub command_id: CommandId,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// The time that the commit will carry.
    pub now: DateTime<Utc>,
}

impl CommandContext {
    /// A context with fresh ids and the present time.
    #[must_use]
    pub fn new(tenant: TenantId, actor: Actor) -> Self {
        let command_id = CommandId(Uuid::now_v7());
        let correlation_id = CorrelationId(Uuid::now_v7());
        Self {
            tenant,
            actor,
            command_id,
            correlation_id,
            now: Utc::now(),
        }
    }

    /// With the command id that a caller sent.
    #[must_use]
    pub fn with_command_id(mut self, command_id: CommandId) -> Self {
        self.command_id = command_id;
        self
    }

    /// As a part of a request.
    #[must_use]
    pub fn with_correlation_id(mut self, correlation_id: CorrelationId) -> Self {
        self.correlation_id = correlation_id;
        self
    }
}

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed<E> {
    /// The commit.
    pub commit_id: CommitId,
    /// Its position in the log: what a query passes as `minSequence` to read this write.
    pub stream_sequence: u64,
    /// Its position in the aggregate.
    pub aggregate_sequence: u64,
    /// What happened.
    pub events: Vec<E>,
    /// True when nothing was appended: the command id was seen before and this is its first answer, or
    /// what it asks for was done before by this commit.
    pub replayed: bool,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError<E> {
    /// The domain refused it.
    #[error(transparent)]
    Rejected(E),
    /// Too many others write to the same object: try again.
    #[error("the object is being changed by others; try again")]
    Conflict,
    /// The command id was used for another object: send a new one.
    #[error("the command id was already used for another object")]
    CommandIdReused,
    /// The log failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Sends commands to aggregates. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher {
    log: Log,
    aggregates: Aggregates,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// How an attempt got its aggregate, and hence whether a refusal can be believed.
enum Loaded<A> {
    Fresh(Arc<AggregateContext<A>>),
    Assumed(Arc<AggregateContext<A>>),
}

impl Dispatcher {
    /// A dispatcher over a log.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self {
            log,
            aggregates: Aggregates::new(),
        }
    }

    /// Decides a command and appends what it decided. Returns when the commit is on disk.
    ///
    /// # Errors
    /// [`DispatchError`].
    pub async fn dispatch<A>(
        &self,
        context: &CommandContext,
        aggregate_id: &str,
        command: A::Command,
    ) -> Result<Committed<A::Event>, DispatchError<A::Error>>
    where
        A: AggregateRoot,
    {
        let deciding = self.decide::<A>(context, aggregate_id, command);
        let result = deciding.instrument(span(context, A::TYPE)).await;
        count(A::TYPE, outcome(result.as_ref()));
        result
    }

    /// The state of an aggregate as the log has it now; none when it has no commit.
    ///
    /// # Errors
    /// [`BusError`].
    pub async fn load<A: AggregateRoot>(
        &self,
        tenant: &TenantId,
        aggregate_id: &str,
    ) -> Result<Option<A>, BusError> {
        let context = self.load_at::<A>(tenant, aggregate_id).await?;
        Ok((context.aggregate_sequence() > 0).then_some(context.aggregate))
    }

    /// The same with its position, from one read; an empty one when it has no commit. Never from the cache.
    async fn load_at<A: AggregateRoot>(
        &self,
        tenant: &TenantId,
        aggregate_id: &str,
    ) -> Result<AggregateContext<A>, BusError> {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), tenant.clone());
        store.load(aggregate_id).await
    }

    async fn decide<A>(
        &self,
        context: &CommandContext,
        aggregate_id: &str,
        command: A::Command,
    ) -> Result<Committed<A::Event>, DispatchError<A::Error>>
    where
        A: AggregateRoot,
    {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), context.tenant.clone());
        let key = cache::key::<A>(&context.tenant, aggregate_id);
        let mut loaded = self
            .first_load::<A>(&store, &key, aggregate_id, &command)
            .await?;
        for attempt in 1..=MAX_ATTEMPTS {
            let (aggregate, fresh) = match loaded {
                Loaded::Fresh(aggregate) => (aggregate, true),
                Loaded::Assumed(aggregate) => (aggregate, false),
            };
            if let Some(first) = first_answer(&store, &aggregate, context).await? {
                return Ok(first);
            }
            let mut decided = AggregateContext::clone(&aggregate);
            let sink = EventSink::default();
            match decided.aggregate.handle(command.clone(), &(), &sink).await {
                Err(rejection) if fresh => return Err(DispatchError::Rejected(rejection)),
                Err(_) => {}
                Ok(()) => {
                    let events = sink.collect().await;
                    if !events.is_empty() {
                        match self.append(&store, decided, events, context).await? {
                            Some(appended) => return Ok(committed(appended)),
                            None => back_off(attempt).await,
                        }
                    } else if fresh {
                        return done_before(&store, aggregate_id, &command).await;
                    }
                }
            }
            self.aggregates.forget(&key);
            loaded = Loaded::Fresh(Arc::new(store.load(aggregate_id).await?));
        }
        Err(DispatchError::Conflict)
    }

    /// Decides a command on what was loaded and on nothing else: [`DispatchError::Conflict`] when the aggregate
    /// has changed since. A command id that was seen before is answered as the first time.
    async fn decide_on<A: AggregateRoot>(
        &self,
        context: &CommandContext,
        loaded: AggregateContext<A>,
        command: A::Command,
    ) -> Result<Committed<A::Event>, DispatchError<A::Error>> {
        let store = JetStreamEventStore::<A>::new(self.log.clone(), context.tenant.clone());
        if let Some(first) = first_answer(&store, &loaded, context).await? {
            return Ok(first);
        }
        let mut decided = loaded;
        let sink = EventSink::default();
        let handled = decided.aggregate.handle(command.clone(), &(), &sink).await;
        handled.map_err(DispatchError::Rejected)?;
        let events = sink.collect().await;
        if events.is_empty() {
            return done_before(&store, decided.aggregate_id(), &command).await;
        }
        let key = cache::key::<A>(&context.tenant, decided.aggregate_id());
        match self.append(&store, decided, events, context).await? {
            Some(appended) => Ok(committed(appended)),
            None => {
                self.aggregates.forget(&key);
                Err(DispatchError::Conflict)
            }
        }
    }

    /// Appends what was decided and keeps the aggregate; none when others were first.
    async fn append<A: AggregateRoot>(
        &self,
        store: &JetStreamEventStore<A>,
        decided: AggregateContext<A>,
        events: Vec<A::Event>,
        context: &CommandContext,
    ) -> Result<Option<Appended<A>>, DispatchError<A::Error>> {
        let key = cache::key::<A>(&context.tenant, decided.aggregate_id());
        match store.append(decided, events, context).await {
            Ok(appended) => {
                if let Some(next) = appended.next.clone() {
                    self.aggregates.keep(key, next);
                }
                tracing::Span::current().record("stream_sequence", appended.commit.stream_sequence);
                Ok(Some(appended))
            }
            Err(AppendError::Conflict) => {
                metrics::counter!("metamcp_command_conflicts_total", "aggregate" => A::TYPE)
                    .increment(1);
                Ok(None)
            }
            Err(AppendError::CommandIdReused) => Err(DispatchError::CommandIdReused),
            Err(AppendError::Bus(error)) => {
                self.aggregates.forget(&key);
                Err(error.into())
            }
        }
    }

    /// The cached aggregate; or an empty one for a creation, which expects to be the first; or a load.
    async fn first_load<A: AggregateRoot>(
        &self,
        store: &JetStreamEventStore<A>,
        key: &str,
        aggregate_id: &str,
        command: &A::Command,
    ) -> Result<Loaded<A>, BusError> {
        if let Some(cached) = self.aggregates.get(key) {
            Ok(Loaded::Assumed(cached))
        } else if A::is_creation(command) {
            let empty = AggregateContext::empty(aggregate_id);
            Ok(Loaded::Assumed(Arc::new(empty)))
        } else {
            Ok(Loaded::Fresh(Arc::new(store.load(aggregate_id).await?)))
        }
    }
}

/// Around one decision. Not of one aggregate's type, and so compiled once.
fn span(context: &CommandContext, aggregate: &'static str) -> tracing::Span {
    tracing::info_span!(
        "dispatch",
        tenant = %context.tenant,
        aggregate,
        stream_sequence = tracing::field::Empty,
    )
}

/// How a command ended, as it is counted.
fn outcome<E, R>(result: Result<&Committed<E>, &DispatchError<R>>) -> &'static str {
    match result {
        Ok(committed) if committed.replayed => "replayed",
        Ok(_) => "committed",
        Err(DispatchError::Rejected(_)) => "rejected",
        Err(DispatchError::Conflict) => "conflict",
        Err(DispatchError::CommandIdReused) => "command_id_reused",
        Err(DispatchError::Bus(_)) => "failed",
    }
}

fn count(aggregate: &'static str, outcome: &'static str) {
    metrics::counter!("metamcp_commands_total", "aggregate" => aggregate, "outcome" => outcome)
        .increment(1);
}

/// A short, growing pause, so that writers of one object do not meet again at once. The commit's own
/// random id spreads them.
async fn back_off(attempt: u32) {
    let spread = u64::from(Uuid::now_v7().as_bytes()[15]) % 8;
    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * spread)).await;
}

/// The answer to a command that decides on nothing, because what it asks for was done before: that commit.
async fn done_before<A: AggregateRoot>(
    store: &JetStreamEventStore<A>,
    aggregate_id: &str,
    command: &A::Command,
) -> Result<Committed<A::Event>, DispatchError<A::Error>> {
    let done = |event: &A::Event| A::is_done_by(command, event);
    let first = store.first_commit(aggregate_id, done).await?;
    let (commit, events) = first.ok_or(DispatchError::Conflict)?;
    Ok(committed(Appended::<A> {
        commit,
        events,
        next: None,
    }))
}

/// The answer to a command that the aggregate has seen before.
async fn first_answer<A: AggregateRoot>(
    store: &JetStreamEventStore<A>,
    aggregate: &AggregateContext<A>,
    context: &CommandContext,
) -> Result<Option<Committed<A::Event>>, DispatchError<A::Error>> {
    let Some(first) = aggregate.commands.get(&context.command_id) else {
        return Ok(None);
    };
    let found = store
        .commit_at(&aggregate.aggregate_id, first.stream_sequence)
        .await?;
    let (commit, events) = found.ok_or(DispatchError::CommandIdReused)?;
    Ok(Some(committed(Appended::<A> {
        commit,
        events,
        next: None,
    })))
}

fn committed<A: AggregateRoot>(appended: Appended<A>) -> Committed<A::Event> {
    Committed {
        commit_id: appended.commit.commit_id,
        stream_sequence: appended.commit.stream_sequence,
        aggregate_sequence: appended.commit.aggregate_sequence,
        replayed: appended.next.is_none(),
        events: appended.events,
    }
}
