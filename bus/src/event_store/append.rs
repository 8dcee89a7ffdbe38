//! Appending one commit with optimistic concurrency.

use super::{AggregateContext, CommitRef, JetStreamEventStore};
use crate::dispatch::CommandContext;
use crate::error::BusError;
use crate::stream::Log;
use crate::trace;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use domain::AggregateRoot;
use domain::envelope::{Commit, body_hash, to_micros};
use domain::id::{CommandId, CommitId};
use std::sync::Arc;
use uuid::Uuid;

/// What an append did.
#[derive(Debug, Clone)]
pub struct Appended<A: AggregateRoot> {
    /// Where the commit lies.
    pub commit: CommitRef,
    /// Its events; those of the first answer when the command id was seen before.
    pub events: Vec<A::Event>,
    /// The context for the next command; none when the command id was seen before.
    pub next: Option<Arc<AggregateContext<A>>>,
}

/// Why an append failed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else committed to the aggregate first: load and decide again.
    #[error("the aggregate has changed in the meantime")]
    Conflict,
    /// The command id was used for another aggregate: send a new one.
    #[error("the command id was used for another object")]
    CommandIdReused,
    /// The log failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl<A: AggregateRoot> JetStreamEventStore<A> {
    /// Publishes what a command decided as one message, which the server accepts only if the aggregate's
    /// last commit is still the one in `context`. Returns when the commit is on disk.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(
        &self,
        context: AggregateContext<A>,
        events: Vec<A::Event>,
        command: &CommandContext,
    ) -> Result<Appended<A>, AppendError> {
        let commit = Commit {
            commit_id: CommitId(Uuid::now_v7()),
            tenant: self.tenant.clone(),
            aggregate: A::TYPE.to_owned(),
            aggregate_id: context.aggregate_id.clone(),
            sequence: context.aggregate_sequence + 1,
            actor: command.actor.clone(),
            command_id: command.command_id,
            correlation_id: command.correlation_id,
            recorded_at: to_micros(command.now),
            previous_hash: context.hash.clone(),
            events,
        };
        let body = commit.to_canonical().map_err(BusError::NotCanonical)?;
        let hash = body_hash(&body);
        let subject = self.subject(&context.aggregate_id);
        let expected = context.stream_sequence;
        let ack = publish(&self.log, subject, expected, command.command_id, body).await?;
        if ack.duplicate {
            let first = self.commit_at(&context.aggregate_id, ack.sequence).await?;
            let (first, events) = first.ok_or(AppendError::CommandIdReused)?;
            // This very commit was stored before the connection broke, and then sent again.
            let is_this = first.commit_id == commit.commit_id;
            if !is_this {
                return Ok(Appended {
                    commit: first,
                    events,
                    next: None,
                });
            }
        }
        let reference = CommitRef {
            commit_id: commit.commit_id,
            stream_sequence: ack.sequence,
            aggregate_sequence: commit.sequence,
        };
        let mut next = context;
        next.stream_sequence = ack.sequence;
        next.aggregate_sequence = commit.sequence;
        next.hash = Some(hash);
        next.commands.insert(command.command_id, reference.clone());
        Ok(Appended {
            commit: reference,
            events: commit.events,
            next: Some(Arc::new(next)),
        })
    }
}

/// Not of one aggregate's type: what is generic is compiled again by every crate that sends commands.
async fn publish(
    log: &Log,
    subject: String,
    expected: u64,
    command_id: CommandId,
    body: Vec<u8>,
) -> Result<PublishAck, AppendError> {
    log.check_connected("append to the log")?;
    let headers = || {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, command_id.to_string());
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        trace::inject(&mut headers);
        headers
    };
    let answer = acknowledged(log, &subject.into(), headers, &body.into()).await;
    let answer = answer.map_err(publish_error);
    match &answer {
        Ok(_) => log.note_append(true),
        Err(AppendError::Bus(error)) if error.is_unavailable() => log.note_append(false),
        // An answer about this commit, by a log that takes others.
        Err(_) => {}
    }
    answer
}

/// Publishes, and once more on each connection that was made while the acknowledgement was waited for: the server
/// that was to send it is gone, and so is, perhaps, the message. If it was stored it is acknowledged as a duplicate,
/// because the message carries the command's id, and nothing is there twice.
async fn acknowledged(
    log: &Log,
    subject: &Subject,
    headers: impl Fn() -> HeaderMap,
    body: &Bytes,
) -> Result<PublishAck, PublishError> {
    let published = async {
        loop {
            let connections = log.connections();
            let publish =
                log.context()
                    .publish_with_headers(subject.clone(), headers(), body.clone());
            let sent = publish.await?;
            tokio::select! {
                answer = sent.into_future() => return answer,
                () = log.reconnected(connections) => {}
            }
        }
    };
    let in_time = tokio::time::timeout(log.timeout(), published).await;
    in_time.unwrap_or_else(|_elapsed| Err(PublishError::new(PublishErrorKind::TimedOut)))
}

fn publish_error(error: PublishError) -> AppendError {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => AppendError::Conflict,
        PublishErrorKind::MaxPayloadExceeded => AppendError::Bus(BusError::TooLarge),
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending
        | PublishErrorKind::Other => {
            AppendError::Bus(BusError::unavailable("append to the log", error))
        }
    }
}
