//! Filling an empty log with commits that were read elsewhere: the same bytes at the same positions.
//!
//! Every publish names the position that it follows, so whatever else may write at the same time, a commit
//! lands where it belongs or not at all. Many are under way at once; acknowledgements are awaited in order.

use crate::error::BusError;
use crate::stream::Log;
use async_nats::header::{HeaderMap, NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use bytes::Bytes;
use std::collections::VecDeque;

/// Publishes under way at once.
const IN_FLIGHT: usize = 256;
const RESTORE: &str = "restore the log";

/// A commit as it stood in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredCommit {
    /// Its position.
    pub stream_sequence: u64,
    /// Its subject without the log's root: `<tenant>.<aggregate>.<id>`.
    pub subject_tail: String,
    /// The command's id, by which the server recognises a repetition; none of a body that nobody can read.
    pub message_id: Option<String>,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// Why the log was not filled.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Somebody else writes to the log: stop every other process, and begin again.
    #[error(
        "position {0} of the log was taken by somebody else: stop every other process that writes to it, and run the restore again"
    )]
    Taken(u64),
    /// The log failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Log {
    /// Appends commits, in order, each at the position that it names. Returns when all are on disk.
    ///
    /// # Errors
    /// [`RestoreError`]; what was appended until then is a prefix of `commits`.
    pub async fn restore(&self, commits: &[RestoredCommit]) -> Result<(), RestoreError> {
        let mut rest = commits;
        while let Some(repeated) = self.send_all(rest).await? {
            // Two commits of the log had one command id, further apart than the server remembers, and are
            // nearer now. What was sent behind it was refused, because its position was not taken.
            let ack = self.send(&rest[repeated], false).await?;
            self.is_repetition(&rest[repeated], ack).await?;
            rest = &rest[repeated + 1..];
        }
        Ok(())
    }

    /// Sends commits until the server takes one for a repetition of an earlier one, and returns its place.
    async fn send_all(&self, commits: &[RestoredCommit]) -> Result<Option<usize>, RestoreError> {
        let mut under_way = VecDeque::with_capacity(IN_FLIGHT);
        let mut unsent = commits.iter().enumerate();
        loop {
            while under_way.len() < IN_FLIGHT
                && let Some((place, commit)) = unsent.next()
            {
                self.check_connected(RESTORE)?;
                under_way.push_back((place, self.send(commit, true).await?));
            }
            let Some((place, ack)) = under_way.pop_front() else {
                return Ok(None);
            };
            if self.is_repetition(&commits[place], ack).await? {
                return Ok(Some(place));
            }
        }
    }

    /// The subject of an entry without this log's root.
    #[must_use]
    pub fn subject_tail<'a>(&self, subject: &'a str) -> &'a str {
        let tail = subject.strip_prefix(self.subject_root());
        tail.and_then(|tail| tail.strip_prefix('.'))
            .unwrap_or(subject)
    }

    async fn send(
        &self,
        commit: &RestoredCommit,
        with_id: bool,
    ) -> Result<PublishAckFuture, BusError> {
        let mut headers = HeaderMap::new();
        let before = commit.stream_sequence.saturating_sub(1);
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, before.to_string());
        if let (Some(id), true) = (&commit.message_id, with_id) {
            headers.insert(NATS_MESSAGE_ID, id.as_str());
        }
        let subject = format!("{}.{}", self.subject_root(), commit.subject_tail);
        let context = self.context();
        let sent = context.publish_with_headers(subject, headers, commit.body.clone());
        sent.await.map_err(unavailable)
    }

    /// Whether the server has taken the commit for one that it knows, and so not stored it.
    async fn is_repetition(
        &self,
        commit: &RestoredCommit,
        ack: PublishAckFuture,
    ) -> Result<bool, RestoreError> {
        match ack.await {
            Ok(ack) => Ok(ack.duplicate),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                Err(RestoreError::Taken(commit.stream_sequence))
            }
            Err(error) => Err(unavailable(error).into()),
        }
    }
}

fn unavailable(error: PublishError) -> BusError {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => BusError::TooLarge,
        _ => BusError::unavailable(RESTORE, error),
    }
}
