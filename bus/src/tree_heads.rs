//! The signed tree heads: a stream of their own beside the log, and asking the signer for one.
//!
//! A head is text to this module. An append names the head that it follows, so of two signers one wins and
//! the heads stay in order. Nothing is ever removed: the stream is configured and asserted as the log is.

use crate::consumer::LogReader;
use crate::error::BusError;
use crate::stream::{Log, open_stream};
use async_nats::header::{HeaderMap, NATS_EXPECTED_LAST_SEQUENCE};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The stream of heads beside [`crate::stream::STREAM`].
pub const STREAM: &str = "METAMCP_TREE_HEADS";

/// A head as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// Position in the stream of heads, from 1.
    pub sequence: u64,
    /// The signed note.
    pub note: String,
}

/// Why a head was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendHeadError {
    /// Another signer was first: look at its head and decide again.
    #[error("another signer has appended a tree head in the meantime")]
    Conflict,
    /// The log failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// The heads of a log. Cheap to clone.
#[derive(Clone)]
pub struct TreeHeads {
    log: Log,
    stream: Stream,
    subject: String,
    requests: String,
}

impl std::fmt::Debug for TreeHeads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeHeads")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// The log's tree heads. Creates their stream or asserts its configuration.
    ///
    /// # Errors
    /// [`BusError::StreamDiffers`] or [`BusError::Unavailable`].
    pub async fn tree_heads(&self) -> Result<TreeHeads, BusError> {
        let subject = subject(self.subject_root());
        let wanted = async_nats::jetstream::stream::Config {
            name: stream_name(self.stream_name()),
            description: Some("MetaMCP: signed tree heads of the log".to_owned()),
            subjects: vec![subject.clone()],
            ..self.configuration()
        };
        let stream = open_stream(self.context(), wanted).await?;
        Ok(TreeHeads {
            log: self.clone(),
            stream,
            requests: format!("{subject}.request"),
            subject,
        })
    }

    /// Asks whoever signs for a head over the log as it is now, and waits for it.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when nobody answers in time.
    pub async fn ask_for_tree_head(&self, timeout: Duration) -> Result<SignerAnswer, BusError> {
        const ASK: &str = "ask for a signed tree head";
        self.check_connected(ASK)?;
        let subject = format!("{}.request", subject(self.subject_root()));
        let client = self.context().client();
        // Several processes may hear a request; only the one that leads answers.
        let inbox = client.new_inbox();
        let answers = client.subscribe(inbox.clone()).await;
        let mut answers = answers.map_err(|source| BusError::unavailable(ASK, source))?;
        let asked = client
            .publish_with_reply(subject, inbox, Bytes::new())
            .await;
        asked.map_err(|source| BusError::unavailable(ASK, source))?;
        let unanswered = || BusError::Unavailable {
            operation: ASK,
            source: Some("no signer answers: does a projector run, with a key?".into()),
        };
        let heard = async {
            while let Some(message) = answers.next().await {
                // The server itself answers "no responders" with an empty message.
                if message.payload.is_empty() {
                    return Err(unanswered());
                }
                if let Ok(answer) = serde_json::from_slice(&message.payload) {
                    return Ok(answer);
                }
            }
            Err(unanswered())
        };
        let heard = tokio::time::timeout(timeout, heard).await;
        heard.unwrap_or_else(|_elapsed| Err(unanswered()))
    }
}

/// What a signer answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignerAnswer {
    /// The signed note over the log as it is.
    Note(String),
    /// Why there is none.
    Refused(String),
}

impl TreeHeads {
    /// The last head, as the leader of their stream has it: one that a copy does not have yet would seem to be lost.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn last(&self) -> Result<Option<StoredHead>, BusError> {
        const READ: &str = "read the last tree head";
        self.log.check_connected(READ)?;
        let last = self.log.last_message(READ, &self.stream, &self.subject);
        Ok(last.await?.map(|message| StoredHead {
            sequence: message.sequence,
            note: text(&message.payload),
        }))
    }

    /// How many heads there are.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn count(&self) -> Result<u64, BusError> {
        Ok(self.last().await?.map_or(0, |head| head.sequence))
    }

    /// Up to `most` heads from a position on; fewer, or none, at the end.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn page(&self, from: u64, most: usize) -> Result<Vec<StoredHead>, BusError> {
        const READ: &str = "read the tree heads";
        let end = self.count().await?;
        if from.max(1) > end {
            return Ok(Vec::new());
        }
        let mut reader = LogReader::open(&self.stream, from.max(1)).await?;
        let available = usize::try_from(end - from.max(1) + 1).unwrap_or(usize::MAX);
        let wanted = most.min(available);
        let mut heads = Vec::with_capacity(wanted);
        while heads.len() < wanted {
            let batch = reader.next_batch(wanted - heads.len());
            let batch = tokio::time::timeout(self.log.timeout(), batch).await;
            let batch = batch.map_err(|elapsed| BusError::unavailable(READ, elapsed))?;
            heads.extend(batch?.into_iter().map(|entry| StoredHead {
                sequence: entry.stream_sequence,
                note: text(&entry.body),
            }));
        }
        Ok(heads)
    }

    /// Appends a head, provided that the last one is still `after` (0 for none). Returns its position.
    ///
    /// # Errors
    /// [`AppendHeadError`].
    pub async fn append(&self, note: &str, after: u64) -> Result<u64, AppendHeadError> {
        const APPEND: &str = "append a tree head";
        self.log.check_connected(APPEND)?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, after.to_string());
        let body = note.to_owned().into();
        let context = self.log.context();
        let sent = context.publish_with_headers(self.subject.clone(), headers, body);
        let outcome = async { sent.await?.await }.await;
        match outcome {
            Ok(ack) => Ok(ack.sequence),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                Err(AppendHeadError::Conflict)
            }
            Err(error) => Err(BusError::unavailable(APPEND, error).into()),
        }
    }

    /// Hears the requests for a head from now on.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn requests(&self) -> Result<HeadRequests, BusError> {
        const LISTEN: &str = "listen for requests of tree heads";
        let client = self.log.context().client();
        let heard = client.subscribe(self.requests.clone()).await;
        let messages = heard.map_err(|source| BusError::unavailable(LISTEN, source))?;
        Ok(HeadRequests { client, messages })
    }
}

/// Requests for a head.
pub struct HeadRequests {
    client: async_nats::Client,
    messages: async_nats::Subscriber,
}

/// One request; it may be left unanswered by those who do not lead.
pub struct HeadRequest {
    client: async_nats::Client,
    reply: async_nats::Subject,
}

impl HeadRequests {
    /// The next request; none when the connection is closed for good.
    pub async fn next(&mut self) -> Option<HeadRequest> {
        loop {
            let message = self.messages.next().await?;
            if let Some(reply) = message.reply {
                let client = self.client.clone();
                return Some(HeadRequest { client, reply });
            }
        }
    }
}

impl HeadRequest {
    /// Answers. Whoever asked may have gone: then nobody reads it.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn answer(self, answer: &SignerAnswer) -> Result<(), BusError> {
        const ANSWER: &str = "answer with a tree head";
        let body = serde_json::to_vec(answer).map_err(|e| BusError::unavailable(ANSWER, e))?;
        let sent = self.client.publish(self.reply, body.into()).await;
        sent.map_err(|source| BusError::unavailable(ANSWER, source))
    }
}

/// `METAMCP_EVENTS` has its heads in `METAMCP_TREE_HEADS`.
fn stream_name(log: &str) -> String {
    format!("{}_TREE_HEADS", log.strip_suffix("_EVENTS").unwrap_or(log))
}

/// Beside the log's subjects, never among them.
fn subject(root: &str) -> String {
    match root.strip_suffix(".event") {
        Some(base) => format!("{base}.tree-head"),
        None => format!("{root}-tree-head"),
    }
}

/// A head that is no text does not verify; nothing is hidden by reading it as far as it goes.
fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_lie_beside_the_log_and_never_in_it() {
        assert_eq!(stream_name(crate::stream::STREAM), STREAM);
        assert_eq!(stream_name("OTHER"), "OTHER_TREE_HEADS");
        assert_eq!(subject("metamcp.event"), "metamcp.tree-head");
        assert_eq!(subject("event"), "event-tree-head");
    }
}
