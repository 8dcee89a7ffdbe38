//! Reading the whole log in order, with an ordered pull consumer: unfiltered, because consumers that
//! filter over many subjects are slow. Delivery is in order and without gaps from the position asked for;
//! the consumer re-creates itself after a lost connection.

use crate::error::BusError;
use crate::stream::Log;
use crate::trace;
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{
    DirectGetError, DirectGetErrorKind, LastRawMessageErrorKind, Stream,
};
use bytes::Bytes;
use domain::envelope::{Commit, body_hash};
use futures::{FutureExt, StreamExt};
use std::time::Duration;

/// So many entries at once are a replay, and not what several writers did in the same moment.
const REPLAY: usize = 32;

/// How long a replay is waited for in the middle of a batch.
const GATHER: Duration = Duration::from_millis(1);

/// How long one pull waits at the server; a lost consumer is noticed within about this time.
const PULL: Duration = Duration::from_secs(5);

/// So long a copy of a replicated stream is waited for before its leader is asked.
const COPY: Duration = Duration::from_millis(500);

const OPEN: &str = "open a reader of the log";

/// One message of the log, not decoded yet.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Position in the log.
    pub stream_sequence: u64,
    /// The subject it lies on.
    pub subject: String,
    /// The commit's body as it was published.
    pub body: Bytes,
    pub(crate) headers: HeaderMap,
}

impl LogEntry {
    /// The commit.
    ///
    /// # Errors
    /// [`BusError::Corrupt`] when the body is none.
    pub fn commit(&self) -> Result<Commit, BusError> {
        Commit::from_bytes(&self.body).map_err(|source| BusError::Corrupt {
            stream_sequence: self.stream_sequence,
            source: source.into(),
        })
    }

    /// Hex SHA-256 of the body.
    #[must_use]
    pub fn hash(&self) -> String {
        body_hash(&self.body)
    }

    /// The trace that the command belonged to.
    #[must_use]
    pub fn trace_context(&self) -> opentelemetry::Context {
        trace::extract(&self.headers)
    }
}

/// Reads the log from a position on, and waits for more at its end.
pub struct LogReader {
    messages: Ordered,
    next: u64,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// A reader whose first entry is the one at `from` (at least 1), or the next that comes.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn read_from(&self, from: u64) -> Result<LogReader, BusError> {
        self.check_connected(OPEN)?;
        LogReader::open(self.stream(), from.max(1)).await
    }

    /// The entry at a position; none when the log has not come so far.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn entry_at(&self, stream_sequence: u64) -> Result<Option<LogEntry>, BusError> {
        const READ: &str = "read one entry of the log";
        if stream_sequence == 0 || stream_sequence > self.head().await? {
            return Ok(None);
        }
        let message = self.message_at(READ, stream_sequence).await?;
        Ok(Some(LogEntry {
            stream_sequence,
            subject: message.subject.to_string(),
            body: message.payload,
            headers: message.headers,
        }))
    }
}

impl Log {
    /// The message at a position that exists.
    pub(crate) async fn message_at(
        &self,
        operation: &'static str,
        stream_sequence: u64,
    ) -> Result<StreamMessage, BusError> {
        let direct = self.stream().direct_get(stream_sequence);
        let of_the_leader = async {
            let found = self.stream().get_raw_message(stream_sequence).await;
            found.map_err(|source| BusError::unavailable(operation, source))
        };
        self.ask_a_copy(operation, direct, of_the_leader).await
    }

    /// What a direct get finds, which any copy of the stream may answer. A copy that lags may not have it yet, and one
    /// whose server is frozen is asked as often as any other and is silent: where a copy does not answer soon, or not
    /// with a message, the leader is asked.
    pub(crate) async fn ask_a_copy<T>(
        &self,
        operation: &'static str,
        direct: impl Future<Output = Result<T, DirectGetError>>,
        of_the_leader: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        if !self.is_replicated() {
            let found = direct.await;
            return found.map_err(|source| BusError::unavailable(operation, source));
        }
        match tokio::time::timeout(COPY, direct).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => of_the_leader.await,
        }
    }

    /// The last message of a subject of the log's stream, or of one that is configured as it is. A direct get may be
    /// answered by a copy that lags behind: an append after it would only meet a conflict, but what is decided
    /// on an old state would be believed. So the leader is asked where there are copies.
    pub(crate) async fn last_message(
        &self,
        operation: &'static str,
        stream: &Stream,
        subject: &str,
    ) -> Result<Option<StreamMessage>, BusError> {
        if self.is_replicated() {
            return match stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(BusError::unavailable(operation, error)),
            };
        }
        match stream.direct_get_last_for_subject(subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(BusError::unavailable(operation, error)),
        }
    }
}

impl LogReader {
    /// A reader of a stream whose first entry is the one at `from`, which is at least 1.
    pub(crate) async fn open(stream: &Stream, from: u64) -> Result<Self, BusError> {
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: from,
            },
            replay_policy: ReplayPolicy::Instant,
            description: Some("MetaMCP reader".to_owned()),
            max_expires: PULL,
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await;
        let consumer = consumer.map_err(|source| BusError::unavailable(OPEN, source))?;
        let messages = consumer.messages().await;
        let messages = messages.map_err(|source| BusError::unavailable(OPEN, source))?;
        Ok(Self {
            messages,
            next: from,
        })
    }

    /// Waits for the next entry, then takes what has already arrived, up to `most` entries.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the reader broke: open another from the last position.
    pub async fn next_batch(&mut self, most: usize) -> Result<Vec<LogEntry>, BusError> {
        let mut batch = Vec::new();
        let Some(first) = self.messages.next().await else {
            return Err(broken(None));
        };
        batch.push(self.entry(first)?);
        while batch.len() < most {
            // At the end of the log nobody waits for what may come. A replay delivers almost without
            // pause, and a full batch is worth a millisecond; a clock is asked only when there is one.
            let mut next = self.messages.next().now_or_never();
            if next.is_none() && batch.len() >= REPLAY {
                let arrives = tokio::time::timeout(GATHER, self.messages.next());
                next = arrives.await.ok();
            }
            match next {
                Some(Some(message)) => batch.push(self.entry(message)?),
                Some(None) => return Err(broken(None)),
                None => break,
            }
        }
        Ok(batch)
    }

    fn entry<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        message: Result<async_nats::jetstream::Message, E>,
    ) -> Result<LogEntry, BusError> {
        let message = message.map_err(|source| broken(Some(source.into())))?;
        let info = message.info().map_err(|source| broken(Some(source)))?;
        let stream_sequence = info.stream_sequence;
        if stream_sequence != self.next {
            let gap = format!("expected entry {}, got {stream_sequence}", self.next);
            return Err(broken(Some(gap.into())));
        }
        self.next += 1;
        let message = message.message;
        Ok(LogEntry {
            stream_sequence,
            subject: message.subject.to_string(),
            body: message.payload,
            headers: message.headers.unwrap_or_default(),
        })
    }
}

fn broken(source: Option<crate::error::Source>) -> BusError {
    BusError::Unavailable {
        operation: "read the log",
        source,
    }
}
