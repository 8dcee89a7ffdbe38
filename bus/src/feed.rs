//! The end of the log, live: read once for the whole process and handed to everybody who follows a tenant.
//!
//! **Guarantee.** Who subscribes is told a position and gets every commit of its tenant behind it, in order,
//! each once. Who does not keep up is told how much it has missed ([`Missed::Behind`]); nothing is ever left
//! out without a word. What follows in another log, which has taken the place of the one that was read, is not told to
//! those who followed before ([`Missed::Ended`]). The memory is bounded: so many commits for each tenant that somebody
//! follows.

use crate::consumer::LogEntry;
use crate::error::BusError;
use crate::stream::Log;
use bytes::Bytes;
use domain::envelope::Commit;
use domain::id::TenantId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// Commits that are taken from the log at once.
const BATCH: usize = 256;
/// Silence after which the reader is compared with the head of the log.
const QUIET: Duration = Duration::from_secs(3);
/// Pause before the log is opened again.
const PAUSE: Duration = Duration::from_millis(200);

/// A commit with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Position in the log.
    pub stream_sequence: u64,
    /// The commit.
    pub commit: Commit,
}

/// The live end of the log. Cheap to clone; the reading ends with the task that [`Feed::start`] returns.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Mutex<Shared>>,
    capacity: usize,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("position", &self.lock().position)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    /// The last commit that was handed out; none until the log was reached for the first time.
    position: Option<u64>,
    followers: HashMap<TenantId, broadcast::Sender<Arc<FeedEntry>>>,
}

/// The commits of one tenant from a position on.
#[derive(Debug)]
pub struct Follower {
    /// The first commit to come is the tenant's first behind this position.
    pub position: u64,
    commits: broadcast::Receiver<Arc<FeedEntry>>,
}

/// Why no commit came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// The follower was too slow, and commits were dropped for it: begin again from what it has seen.
    #[error("the follower is behind")]
    Behind,
    /// The feed has ended: it was stopped, another log took the place of the one that was read, or an entry of the
    /// tenant cannot be read. Begin again from what was seen.
    #[error("the feed has ended")]
    Ended,
}

impl Feed {
    /// Begins to read at the end of the log. `capacity` is how many commits of a tenant a follower may be
    /// behind.
    #[must_use]
    pub fn start(log: &Log, capacity: usize) -> (Self, JoinHandle<()>) {
        let feed = Self {
            shared: Arc::default(),
            capacity: capacity.max(1),
        };
        let task = tokio::spawn(read(feed.clone(), log.clone()));
        (feed, task)
    }

    /// Follows a tenant.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] until the log was reached for the first time.
    pub fn follow(&self, tenant: &TenantId) -> Result<Follower, BusError> {
        let mut shared = self.lock();
        let position = shared.position.ok_or(BusError::Unavailable {
            operation: "follow the log",
            source: None,
        })?;
        shared
            .followers
            .retain(|_, commits| commits.receiver_count() > 0);
        let commits = shared
            .followers
            .entry(tenant.clone())
            .or_insert_with(|| broadcast::Sender::new(self.capacity))
            .subscribe();
        Ok(Follower { position, commits })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins at a position. Where something was read before, it was another log, and who followed that one has
    /// reached its end.
    fn begin_at(&self, position: u64) {
        let mut shared = self.lock();
        if let Some(before) = shared.position.replace(position) {
            tracing::warn!(
                before,
                position,
                "the log was replaced; who followed it live is told to begin again"
            );
        }
        shared.followers.clear();
    }

    /// Position and hand-over change together, so that a follower's position is exact.
    fn hand_out(&self, entry: &LogEntry) {
        let mut shared = self.lock();
        shared.position = Some(entry.stream_sequence);
        if shared.followers.is_empty() {
            return;
        }
        match entry.commit() {
            Ok(commit) => {
                if let Some(followers) = shared.followers.get(&commit.tenant) {
                    // Nobody left is no failure: the tenant is forgotten at the next subscription.
                    let _ = followers.send(Arc::new(FeedEntry {
                        stream_sequence: entry.stream_sequence,
                        commit,
                    }));
                }
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    stream_sequence = entry.stream_sequence,
                    "an entry of the log is no commit and cannot be shown"
                );
                // Nobody is led past it: who comes again reads of it in the past.
                if let Some(tenant) = tenant_of(&entry.subject) {
                    shared.followers.remove(&tenant);
                }
            }
        }
    }
}

impl Follower {
    /// Waits for the next commit.
    ///
    /// # Errors
    /// [`Missed`].
    pub async fn next(&mut self) -> Result<Arc<FeedEntry>, Missed> {
        self.commits.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Lagged(_) => Missed::Behind,
            broadcast::error::RecvError::Closed => Missed::Ended,
        })
    }
}

/// A subject ends with tenant, aggregate and id, none of which holds a dot.
fn tenant_of(subject: &str) -> Option<TenantId> {
    let tenant = subject.rsplit('.').nth(2)?;
    TenantId::try_from(tenant.to_owned()).ok()
}

/// How far the log was read, by which it is known again.
struct Reached {
    position: u64,
    /// What lies there.
    body: Bytes,
}

impl Reached {
    async fn end_of(log: &Log) -> Result<Self, BusError> {
        let position = log.head().await?;
        let last = log.entry_at(position).await?;
        let body = last.map(|entry| entry.body).unwrap_or_default();
        Ok(Self { position, body })
    }

    /// Whether the log still holds what was read.
    async fn is_in(&self, log: &Log) -> Result<bool, BusError> {
        if self.position == 0 {
            return Ok(true);
        }
        let found = log.entry_at(self.position).await?;
        Ok(found.is_some_and(|entry| entry.body == self.body))
    }
}

async fn read(feed: Feed, log: Log) {
    let mut reached = None;
    loop {
        if let Err(error) = read_until_it_breaks(&feed, &log, &mut reached).await {
            tracing::debug!(%error, "the live reader broke and begins again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The position moves with what was handed out only, so beginning again leaves nothing out; and the log is first
/// compared with what was handed out last, so nothing is left out of another one either.
async fn read_until_it_breaks(
    feed: &Feed,
    log: &Log,
    reached: &mut Option<Reached>,
) -> Result<(), BusError> {
    // Counted before anything is asked: what comes over a later connection is not of a log that was looked at.
    let connections = log.connections();
    let is_known = match reached.as_ref() {
        Some(reached) => reached.is_in(log).await?,
        None => false,
    };
    if !is_known {
        let end = Reached::end_of(log).await?;
        feed.begin_at(end.position);
        *reached = Some(end);
    }
    let position = reached.as_ref().map_or(0, |reached| reached.position);
    let mut reader = log.read_from(position + 1).await?;
    loop {
        let arrived = tokio::select! {
            arrived = tokio::time::timeout(QUIET, reader.next_batch(BATCH)) => arrived,
            () = log.reconnected(connections) => return Ok(()),
        };
        match arrived {
            Ok(batch) => {
                let batch = batch?;
                if log.connections() != connections {
                    return Ok(());
                }
                batch.iter().for_each(|entry| feed.hand_out(entry));
                if let Some(last) = batch.last() {
                    *reached = Some(Reached {
                        position: last.stream_sequence,
                        body: last.body.clone(),
                    });
                }
            }
            // Nothing came. When there is something, the reader has died quietly, or its batch was cut
            // off by this very time-out; when there is less than was read, the log was replaced: begin again.
            Err(_) if Some(log.head().await?) != feed.lock().position => return Ok(()),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_its_tenant() {
        let acme = TenantId::new("acme").ok();
        assert!(acme.is_some());
        assert_eq!(tenant_of("metamcp.event.acme.tool.abc"), acme);
        assert_eq!(tenant_of("event.acme.tool.abc"), acme);
        assert_eq!(tenant_of("tool.abc"), None);
    }
}
