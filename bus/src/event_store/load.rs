//! Reading one aggregate's commits: with JetStream's direct get while they are few, or through a consumer.

use super::{AggregateContext, CommitRef, JetStreamEventStore};
use crate::error::BusError;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::message::StreamMessage;
use cqrs_es::EventEnvelope;
use domain::AggregateRoot;
use domain::envelope::{Commit, body_hash};
use domain::registry::decode_as;
use futures::StreamExt;
use std::collections::HashMap;
use std::time::Duration;

const READ: &str = "read an aggregate";

/// So many commits are read with a get each. To set up a consumer takes about as long; from there on it is faster.
const FEW: u64 = 4;

/// So long a consumer of a cluster is waited for; then a get each is sure to end.
const CONSUMER: Duration = Duration::from_secs(1);

/// Whom to ask for a message of a replicated stream.
#[derive(Clone, Copy)]
enum Source {
    AnyCopy,
    Leader,
}

impl<A: AggregateRoot> JetStreamEventStore<A> {
    /// Folds an aggregate; an empty one when it has no commit.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Corrupt`].
    pub async fn load(&self, aggregate_id: &str) -> Result<AggregateContext<A>, BusError> {
        let mut context = AggregateContext::<A>::empty(aggregate_id);
        for message in self.messages(aggregate_id).await? {
            let (commit, events) = decode::<A>(&message)?;
            for event in events {
                context.aggregate.apply(event);
            }
            context.stand_at(&message, &commit);
        }
        Ok(context)
    }

    /// An aggregate with the events of each of its commits, oldest first.
    pub(crate) async fn history(
        &self,
        aggregate_id: &str,
    ) -> Result<(AggregateContext<A>, Vec<Vec<A::Event>>), BusError> {
        let mut context = AggregateContext::<A>::empty(aggregate_id);
        let mut history = Vec::new();
        for message in self.messages(aggregate_id).await? {
            let (commit, events) = decode::<A>(&message)?;
            for event in &events {
                context.aggregate.apply(event.clone());
            }
            history.push(events);
            context.stand_at(&message, &commit);
        }
        Ok((context, history))
    }

    pub(super) async fn events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, BusError> {
        let mut envelopes = Vec::new();
        for message in self.messages(aggregate_id).await? {
            let (commit, events) = decode::<A>(&message)?;
            let sequence = usize::try_from(commit.sequence).unwrap_or(usize::MAX);
            let metadata = HashMap::from([
                ("stream_sequence".to_owned(), message.sequence.to_string()),
                ("commit_id".to_owned(), commit.commit_id.to_string()),
                ("command_id".to_owned(), commit.command_id.to_string()),
            ]);
            envelopes.extend(events.into_iter().map(|payload| EventEnvelope {
                aggregate_id: aggregate_id.to_owned(),
                sequence,
                payload,
                metadata: metadata.clone(),
            }));
        }
        Ok(envelopes)
    }

    /// The commit at a position of the log, when it is one of this aggregate.
    pub(crate) async fn commit_at(
        &self,
        aggregate_id: &str,
        stream_sequence: u64,
    ) -> Result<Option<(CommitRef, Vec<A::Event>)>, BusError> {
        let message = self.log.message_at(READ, stream_sequence).await?;
        if message.subject.as_str() != self.subject(aggregate_id) {
            return Ok(None);
        }
        let (commit, events) = decode::<A>(&message)?;
        let reference = CommitRef {
            commit_id: commit.commit_id,
            stream_sequence,
            aggregate_sequence: commit.sequence,
        };
        Ok(Some((reference, events)))
    }

    /// The first commit of the aggregate with an event of a kind.
    pub(crate) async fn first_commit(
        &self,
        aggregate_id: &str,
        wanted: impl Fn(&A::Event) -> bool,
    ) -> Result<Option<(CommitRef, Vec<A::Event>)>, BusError> {
        for message in self.messages(aggregate_id).await? {
            let (commit, events) = decode::<A>(&message)?;
            if events.iter().any(&wanted) {
                let reference = CommitRef {
                    commit_id: commit.commit_id,
                    stream_sequence: message.sequence,
                    aggregate_sequence: commit.sequence,
                };
                return Ok(Some((reference, events)));
            }
        }
        Ok(None)
    }

    /// Every message of the aggregate, oldest first. The last one comes first and usually is the only one.
    async fn messages(&self, aggregate_id: &str) -> Result<Vec<StreamMessage>, BusError> {
        self.log.check_connected(READ)?;
        let subject = self.subject(aggregate_id);
        let last = self.log.last_message(READ, self.log.stream(), &subject);
        let Some(last) = last.await? else {
            return Ok(Vec::new());
        };
        let mut messages = match parse(&last)?.sequence {
            0 | 1 => Vec::new(),
            2..=FEW => {
                self.before_one_by_one(&subject, &last, Source::AnyCopy)
                    .await?
            }
            _ => {
                let is_replicated = self.log.is_replicated();
                let patience = if is_replicated {
                    CONSUMER
                } else {
                    self.log.timeout()
                };
                let before = self.before_at_once(&subject, &last);
                let before = tokio::time::timeout(patience, before).await;
                let before = before.map_err(|elapsed| BusError::unavailable(READ, elapsed));
                match before.flatten() {
                    // The cluster may have put the consumer on a server that is frozen, which would be asked for
                    // a third of many messages, too. The leader has just answered.
                    Err(error) if is_replicated && error.is_unavailable() => {
                        self.before_one_by_one(&subject, &last, Source::Leader)
                            .await?
                    }
                    before => before?,
                }
            }
        };
        messages.push(last);
        Ok(messages)
    }

    /// The messages of a subject before the last one, a get each.
    async fn before_one_by_one(
        &self,
        subject: &str,
        last: &StreamMessage,
        source: Source,
    ) -> Result<Vec<StreamMessage>, BusError> {
        let mut messages = Vec::new();
        let mut next = 1;
        while next < last.sequence {
            let message = match source {
                Source::AnyCopy => self.next(subject, next).await?,
                Source::Leader => self.next_of_the_leader(subject, next).await?,
            };
            next = message.sequence + 1;
            if message.sequence < last.sequence {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    /// The messages of a subject before the last one, through a consumer. Where it runs on a copy that lags behind,
    /// it waits for the last one, too.
    async fn before_at_once(
        &self,
        subject: &str,
        last: &StreamMessage,
    ) -> Result<Vec<StreamMessage>, BusError> {
        let config = OrderedConfig {
            filter_subject: subject.to_owned(),
            deliver_policy: DeliverPolicy::All,
            description: Some("MetaMCP load".to_owned()),
            ..OrderedConfig::default()
        };
        let consumer = self.log.stream().create_consumer(config).await;
        let consumer = consumer.map_err(|source| BusError::unavailable(READ, source))?;
        let reading = consumer.messages().await;
        let mut reading = reading.map_err(|source| BusError::unavailable(READ, source))?;
        let mut messages = Vec::new();
        while let Some(message) = reading.next().await {
            let message = message.map_err(|source| BusError::unavailable(READ, source))?;
            let info = message
                .info()
                .map_err(|source| BusError::unavailable(READ, source))?;
            let (sequence, time) = (info.stream_sequence, info.published);
            if sequence >= last.sequence {
                break;
            }
            let message = message.message;
            messages.push(StreamMessage {
                subject: message.subject,
                sequence,
                headers: message.headers.unwrap_or_default(),
                payload: message.payload,
                time,
            });
        }
        Ok(messages)
    }

    /// The first message of a subject at or after a position, where one is known to be. What a copy has
    /// is complete up to its end; beyond it, the leader has the rest.
    async fn next(&self, subject: &str, from: u64) -> Result<StreamMessage, BusError> {
        let stream = self.log.stream();
        let direct = stream.direct_get_next_for_subject(subject, Some(from));
        let of_the_leader = self.next_of_the_leader(subject, from);
        self.log.ask_a_copy(READ, direct, of_the_leader).await
    }

    async fn next_of_the_leader(
        &self,
        subject: &str,
        from: u64,
    ) -> Result<StreamMessage, BusError> {
        let stream = self.log.stream();
        let found = stream.get_first_raw_message_by_subject(subject, from).await;
        found.map_err(|source| BusError::unavailable(READ, source))
    }
}

impl<A> AggregateContext<A> {
    fn stand_at(&mut self, message: &StreamMessage, commit: &Commit) {
        self.stream_sequence = message.sequence;
        self.aggregate_sequence = commit.sequence;
        self.hash = Some(body_hash(&message.payload));
        let reference = CommitRef {
            commit_id: commit.commit_id,
            stream_sequence: message.sequence,
            aggregate_sequence: commit.sequence,
        };
        self.commands.insert(commit.command_id, reference);
    }
}

fn parse(message: &StreamMessage) -> Result<Commit, BusError> {
    Commit::from_bytes(&message.payload).map_err(|source| BusError::Corrupt {
        stream_sequence: message.sequence,
        source: source.into(),
    })
}

fn decode<A: AggregateRoot>(message: &StreamMessage) -> Result<(Commit, Vec<A::Event>), BusError> {
    let commit = parse(message)?;
    let events: Result<Vec<_>, _> = commit.events.iter().map(decode_as::<A::Event>).collect();
    let events = events.map_err(|source| BusError::Corrupt {
        stream_sequence: message.sequence,
        source: source.into(),
    })?;
    Ok((commit, events))
}
