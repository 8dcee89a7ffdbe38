//! What agents use: telemetry, not decisions, and so in a stream of its own beside the log.
//!
//! A process gathers what it recorded within [`GATHER`] into one message. What it holds when it dies is lost, and
//! what it cannot send is dropped and counted: no request ever waits for telemetry. The stream forgets after
//! [`KEEP`].

use crate::consumer::LogReader;
use crate::error::BusError;
use crate::stream::Log;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Stream};
use chrono::{DateTime, Utc};
use domain::id::{TenantId, ToolId};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The stream beside [`crate::stream::STREAM`].
pub const STREAM: &str = "METAMCP_USAGE";
/// How long the stream keeps a message.
pub const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a process gathers.
const GATHER: Duration = Duration::from_millis(100);
/// Most uses of a message.
const BATCH: usize = 1_000;
/// Uses that wait to be gathered.
const WAITING: usize = 10_000;
/// Metric: uses that were not recorded.
const DROPPED: &str = "metamcp_usage_dropped_total";

/// An agent turned to a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Whose agent.
    pub tenant: TenantId,
    /// In which session: uses of one are of one piece of work. Opaque: it names no person and no principal.
    pub session: String,
    /// Which tool.
    pub tool_id: ToolId,
    /// When.
    pub at: DateTime<Utc>,
}

/// One message: uses in the order in which a process recorded them.
#[derive(Debug, Serialize, Deserialize)]
pub struct UsageBatch {
    /// The uses.
    pub uses: Vec<Use>,
}

/// The stream of usage. Cheap to clone.
#[derive(Clone)]
pub struct Usage {
    log: Log,
    stream: Stream,
    subject: String,
}

impl std::fmt::Debug for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Usage")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// The stream of usage beside the log; created when it is not there. An operator may give it other limits.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn usage(&self) -> Result<Usage, BusError> {
        let subject = subject(self.subject_root());
        let wanted = Config {
            name: stream_name(self.stream_name()),
            description: Some("MetaMCP: which tools are used together".to_owned()),
            subjects: vec![subject.clone()],
            discard: DiscardPolicy::Old,
            max_age: KEEP,
            deny_delete: false,
            deny_purge: false,
            ..self.configuration()
        };
        let stream = self.context().get_or_create_stream(wanted).await;
        let stream =
            stream.map_err(|source| BusError::unavailable("open the stream of usage", source))?;
        Ok(Usage {
            log: self.clone(),
            stream,
            subject,
        })
    }
}

impl Usage {
    /// A reader from a position on, or from the first message that is still there.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn read_from(&self, from: u64) -> Result<LogReader, BusError> {
        self.log.check_connected("read the usage")?;
        LogReader::open(&self.stream, from.max(1)).await
    }

    /// Sends a batch and waits until the server has it. Returns its position.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn send(&self, batch: &UsageBatch) -> Result<u64, BusError> {
        const SEND: &str = "record usage";
        self.log.check_connected(SEND)?;
        let body = serde_json::to_vec(batch).map_err(|e| BusError::unavailable(SEND, e))?;
        let context = self.log.context();
        let sent = context.publish(self.subject.clone(), body.into());
        let ack = async { sent.await?.await }.await;
        let ack = ack.map_err(|source| BusError::unavailable(SEND, source))?;
        Ok(ack.sequence)
    }
}

/// Records uses without waiting. Cheap to clone; the task ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct UsageRecorder {
    sender: mpsc::Sender<Use>,
}

impl UsageRecorder {
    /// Begins to record.
    #[must_use]
    pub fn start(usage: Usage) -> (Self, JoinHandle<()>) {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let mut uses = Vec::new();
            while receiver.recv_many(&mut uses, BATCH).await > 0 {
                let gathering = async {
                    while uses.len() < BATCH {
                        let room = BATCH - uses.len();
                        if receiver.recv_many(&mut uses, room).await == 0 {
                            break;
                        }
                    }
                };
                // What is gathered when time is up stays in `uses`: receiving is cancel safe.
                let _ = tokio::time::timeout(GATHER, gathering).await;
                let batch = UsageBatch {
                    uses: std::mem::take(&mut uses),
                };
                if let Err(error) = usage.send(&batch).await {
                    metrics::counter!(DROPPED).increment(batch.uses.len() as u64);
                    tracing::debug!(%error, uses = batch.uses.len(), "usage was not recorded");
                }
            }
        });
        (Self { sender }, task)
    }

    /// Records a use.
    pub fn record(&self, one: Use) {
        if self.sender.try_send(one).is_err() {
            metrics::counter!(DROPPED).increment(1);
        }
    }
}

/// `METAMCP_EVENTS` has its usage in `METAMCP_USAGE`.
fn stream_name(log: &str) -> String {
    format!("{}_USAGE", log.strip_suffix("_EVENTS").unwrap_or(log))
}

/// Beside the log's subjects, never among them.
fn subject(root: &str) -> String {
    match root.strip_suffix(".event") {
        Some(base) => format!("{base}.usage"),
        None => format!("{root}-usage"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_lies_beside_the_log_and_never_in_it() {
        assert_eq!(stream_name(crate::stream::STREAM), STREAM);
        assert_eq!(stream_name("OTHER"), "OTHER_USAGE");
        assert_eq!(subject("metamcp.event"), "metamcp.usage");
        assert_eq!(subject("event"), "event-usage");
    }
}
