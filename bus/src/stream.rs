//! Connecting to NATS, and the stream's configuration, which is asserted: MetaMCP refuses to run on a
//! stream that could lose, age out or rewrite commits.

mod options;

pub use options::{LogOptions, LogTls};

use crate::error::BusError;
use crate::subject;
use async_nats::connection::State;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The stream of commits.
pub const STREAM: &str = "METAMCP_EVENTS";
/// The least nats-server: the first that can sync every write (`sync_interval: always`) and has the
/// fixes that optimistic concurrency on one subject needs.
pub const LEAST_SERVER: &str = "2.10.23";
/// How long JetStream itself remembers command ids; beyond it, an aggregate's own commits do.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
const CREATE: &str = "create the stream, which is missing and which not every user may create";
/// How often who waits for something looks whether the connection is still the one on which it would come.
const LOOK: Duration = Duration::from_millis(50);
/// How long a failed append is remembered when none follows it.
const MEMORY_OF_A_REFUSAL: Duration = Duration::from_secs(60);

/// The connected log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    stream: Stream,
    options: LogOptions,
    refused: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("stream", &self.inner.options.stream)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Connects, checks the server's version, and creates the stream or asserts its configuration.
    ///
    /// # Errors
    /// [`BusError::Connect`], [`BusError::ServerTooOld`], [`BusError::StreamDiffers`] or
    /// [`BusError::Unavailable`].
    pub async fn connect(options: &LogOptions) -> Result<Self, BusError> {
        let context = connect(options).await?;
        let stream = open_stream(&context, configuration(options)).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                context,
                stream,
                options: options.clone(),
                refused: Mutex::new(None),
            }),
        })
    }

    /// Looks at what [`Self::connect`] would find, and makes nothing.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn look(options: &LogOptions) -> Result<Found, BusError> {
        let context = connect(options).await?;
        let stream = existing_stream(&context, &configuration(options)).await?;
        Ok(Found {
            server: context.client().server_info().version,
            commits: stream.map(|stream| stream.cached_info().state.messages),
        })
    }

    /// The last `stream_sequence`; 0 for an empty log.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn head(&self) -> Result<u64, BusError> {
        self.check_connected("read the head of the log")?;
        let info = self.inner.stream.get_info().await;
        let info =
            info.map_err(|source| BusError::unavailable("read the head of the log", source))?;
        Ok(info.state.last_sequence)
    }

    /// Whether the connection stands at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.context.client().connection_state() == State::Connected
    }

    /// How often the connection was made. When it grows, the server behind it may be another one, or the
    /// same one with another log: a reader compares its last position again.
    #[must_use]
    pub fn connections(&self) -> u64 {
        let statistics = self.inner.context.client().statistics();
        statistics.connects.load(Ordering::Relaxed)
    }

    /// Returns once the connection was made anew since [`Self::connections`] gave `since`, or within [`LOOK`] of it.
    pub(crate) async fn reconnected(&self, since: u64) {
        while self.connections() == since {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether the log takes commits, as far as this process has noticed: false when an append failed within
    /// the last minute, as it does on a full disk, and none has succeeded since.
    #[must_use]
    pub fn takes_commits(&self) -> bool {
        let refused = self.inner.refused.lock();
        let refused = refused.unwrap_or_else(PoisonError::into_inner);
        refused.is_none_or(|at| at.elapsed() > MEMORY_OF_A_REFUSAL)
    }

    /// Remembers how an append went.
    pub(crate) fn note_append(&self, taken: bool) {
        let mut refused = self
            .inner
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *refused = (!taken).then(Instant::now);
    }

    /// Whether the stream has copies on several servers, of which some may lag behind the leader.
    pub(crate) fn is_replicated(&self) -> bool {
        self.inner.options.replicas > 1
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream_name(&self) -> &str {
        &self.inner.options.stream
    }

    pub(crate) fn check_connected(&self, operation: &'static str) -> Result<(), BusError> {
        // The client would keep a publish until it is connected again, and a command that was
        // answered with "unavailable" would be committed behind the caller's back.
        if self.is_connected() {
            Ok(())
        } else {
            Err(BusError::Unavailable {
                operation,
                source: None,
            })
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.inner.context
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.inner.stream
    }

    /// What every subject of the log begins with.
    #[must_use]
    pub fn subject_root(&self) -> &str {
        &self.inner.options.subject_root
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.inner.options.timeout
    }

    pub(crate) fn configuration(&self) -> Config {
        configuration(&self.inner.options)
    }
}

/// What there is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Version of nats-server.
    pub server: String,
    /// Commits of the log; none where it is still to be created.
    pub commits: Option<u64>,
}

async fn connect(options: &LogOptions) -> Result<Context, BusError> {
    let addresses: Vec<&str> = options.url.split(',').map(str::trim).collect();
    let client = options
        .for_the_client()
        .connect(addresses)
        .await
        .map_err(|source| BusError::Connect {
            url: options.url.clone(),
            source: source.into(),
        })?;
    check_version(&client.server_info().version)?;
    Ok(ContextBuilder::new()
        .timeout(options.timeout)
        .ack_timeout(options.timeout)
        .build(client))
}

/// A stream that keeps everything and lets nothing be changed.
fn configuration(options: &LogOptions) -> Config {
    Config {
        name: options.stream.clone(),
        description: Some("MetaMCP: every decision, one commit a message".to_owned()),
        subjects: vec![subject::everything(&options.subject_root)],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: -1,
        storage: StorageType::File,
        num_replicas: options.replicas,
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        duplicate_window: options.duplicate_window,
        ..Config::default()
    }
}

/// Opens a stream, having asserted its configuration, or creates it.
pub(crate) async fn open_stream(context: &Context, wanted: Config) -> Result<Stream, BusError> {
    if let Some(stream) = existing_stream(context, &wanted).await? {
        return Ok(stream);
    }
    // Two instances may start at once: the second creation of an equal stream succeeds.
    let created = context.create_stream(wanted).await;
    // A user without the right is not answered: the attempt times out.
    created.map_err(|source| BusError::unavailable(CREATE, source))
}

/// The stream, having asserted its configuration; none when there is none of its name.
async fn existing_stream(context: &Context, wanted: &Config) -> Result<Option<Stream>, BusError> {
    match context.get_stream(&wanted.name).await {
        Ok(stream) => {
            assert_config(wanted, &stream.cached_info().config)?;
            Ok(Some(stream))
        }
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(jetstream)
                if jetstream.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(BusError::unavailable("open the stream", error)),
        },
    }
}

fn assert_config(wanted: &Config, found: &Config) -> Result<(), BusError> {
    let differs = |field: &'static str, found: String, needed: String| {
        if found == needed {
            return Ok(());
        }
        Err(BusError::StreamDiffers {
            stream: wanted.name.clone(),
            field,
            found,
            needed,
        })
    };
    differs(
        "subjects",
        found.subjects.join(" "),
        wanted.subjects.join(" "),
    )?;
    differs(
        "retention",
        format!("{:?}", found.retention),
        format!("{:?}", wanted.retention),
    )?;
    differs(
        "discard",
        format!("{:?}", found.discard),
        format!("{:?}", wanted.discard),
    )?;
    differs(
        "storage",
        format!("{:?}", found.storage),
        format!("{:?}", wanted.storage),
    )?;
    differs(
        "max_age",
        format!("{:?}", found.max_age),
        format!("{:?}", wanted.max_age),
    )?;
    for (field, found, needed) in [
        ("max_msgs", found.max_messages, wanted.max_messages),
        ("max_bytes", found.max_bytes, wanted.max_bytes),
        (
            "max_msgs_per_subject",
            found.max_messages_per_subject,
            wanted.max_messages_per_subject,
        ),
    ] {
        differs(field, found.to_string(), needed.to_string())?;
    }
    for (field, found, needed) in [
        ("deny_delete", found.deny_delete, true),
        ("deny_purge", found.deny_purge, true),
        ("allow_direct", found.allow_direct, true),
        ("allow_rollup_hdrs", found.allow_rollup, false),
    ] {
        differs(field, found.to_string(), needed.to_string())?;
    }
    Ok(())
}

fn check_version(found: &str) -> Result<(), BusError> {
    let numbers = |text: &str| -> Vec<u32> {
        text.split(['.', '-', '+'])
            .take(3)
            .map(|part| part.parse().unwrap_or(0))
            .collect()
    };
    if numbers(found) >= numbers(LEAST_SERVER) {
        Ok(())
    } else {
        Err(BusError::ServerTooOld {
            found: found.to_owned(),
            needed: LEAST_SERVER,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_refused() {
        for good in ["2.10.23", "2.10.27", "2.11.0-preview.1", "2.12.1", "3.0.0"] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        for old in ["2.9.10", "2.10.22", "1.4.1", ""] {
            assert!(
                matches!(check_version(old), Err(BusError::ServerTooOld { .. })),
                "{old}"
            );
        }
    }

    #[test]
    fn a_stream_that_forgets_is_refused() {
        let wanted = Config {
            deny_delete: true,
            ..Config::default()
        };
        let forgets = Config {
            max_age: Duration::from_secs(1),
            ..wanted.clone()
        };
        let error = assert_config(&wanted, &forgets).unwrap_err();
        assert!(
            matches!(
                error,
                BusError::StreamDiffers {
                    field: "max_age",
                    ..
                }
            ),
            "{error}"
        );
    }
}
