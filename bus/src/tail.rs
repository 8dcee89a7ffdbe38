//! The last entries of the log, read once for all in this process who wait at its end.
//!
//! **Guarantee.** Whoever asks is given what follows its position, in order and without a gap, or is told that
//! this is not to be had here: then it reads by itself. The memory is bounded.

use crate::consumer::LogEntry;
use crate::error::BusError;
use crate::stream::Log;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Entries that are taken from the log at once.
const BATCH: usize = 256;
/// Entries that are kept, and their bytes.
const KEPT: usize = 1_024;
const KEPT_BYTES: usize = 8 << 20;
/// Silence after which the reader is compared with the head of the log.
const QUIET: Duration = Duration::from_secs(1);
/// Pause before the log is opened again that could not be read.
const PAUSE: Duration = Duration::from_millis(200);

/// The tail of a log. Cheap to clone; the reading ends with the task that [`Tail::start`] returns.
#[derive(Clone)]
pub struct Tail(Arc<Inner>);

struct Inner {
    kept: Mutex<Kept>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<LogEntry>,
    bytes: usize,
    /// The position of the entry to come; none while the log is not being read.
    next: Option<u64>,
}

/// What follows a position.
enum Following {
    Entries(Vec<LogEntry>),
    /// Nothing yet.
    ToCome,
    /// It is not kept.
    Elsewhere,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail")
            .field("next", &self.0.lock().next)
            .finish_non_exhaustive()
    }
}

impl Tail {
    /// Begins to read at the end of the log.
    #[must_use]
    pub fn start(log: &Log) -> (Self, JoinHandle<()>) {
        let tail = Self(Arc::new(Inner {
            kept: Mutex::default(),
            changed: watch::Sender::new(()),
        }));
        let task = tokio::spawn(read(tail.clone(), log.clone()));
        (tail, task)
    }

    /// Waits for the entry at a position and gives it and what follows it already, up to `most`. None when it
    /// is not to be had here. Whoever stops waiting misses nothing.
    pub async fn entries(&self, position: u64, most: usize) -> Option<Vec<LogEntry>> {
        let mut changed = self.0.changed.subscribe();
        loop {
            let following = self.0.lock().following(position, most);
            match following {
                Following::Entries(entries) => return Some(entries),
                Following::ToCome => changed.changed().await.ok()?,
                Following::Elsewhere => return None,
            }
        }
    }

    /// Whether the entry at a position is kept, or is the next to come.
    #[must_use]
    pub fn reaches(&self, position: u64) -> bool {
        !matches!(self.0.lock().following(position, 0), Following::Elsewhere)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }
}

impl Kept {
    fn following(&self, position: u64, most: usize) -> Following {
        let Some(next) = self.next.filter(|next| position <= *next) else {
            return Following::Elsewhere;
        };
        if position == next {
            return Following::ToCome;
        }
        let behind = usize::try_from(next - position).unwrap_or(usize::MAX);
        match self.entries.len().checked_sub(behind) {
            Some(first) => {
                let entries = self.entries.iter().skip(first).take(most);
                Following::Entries(entries.cloned().collect())
            }
            None => Following::Elsewhere,
        }
    }

    fn begin(&mut self, next: u64) {
        *self = Self {
            next: Some(next),
            ..Self::default()
        };
    }

    fn push(&mut self, entry: LogEntry) {
        self.next = Some(entry.stream_sequence + 1);
        self.bytes += entry.body.len();
        self.entries.push_back(entry);
        while self.entries.len() > KEPT || (self.bytes > KEPT_BYTES && self.entries.len() > 1) {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.body.len();
            }
        }
    }
}

async fn read(tail: Tail, log: Log) {
    loop {
        let outcome = read_until_it_breaks(&tail, &log).await;
        tail.0.change(|kept| *kept = Kept::default());
        if let Err(error) = outcome {
            tracing::debug!(%error, "the reader of the log's tail broke and begins again");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn read_until_it_breaks(tail: &Tail, log: &Log) -> Result<(), BusError> {
    let connections = log.connections();
    let mut next = log.head().await? + 1;
    let mut reader = log.read_from(next).await?;
    tail.0.change(|kept| kept.begin(next));
    loop {
        let arrived = tokio::select! {
            arrived = tokio::time::timeout(QUIET, reader.next_batch(BATCH)) => arrived,
            // The server that would send more is gone, and with it who reads there for this process.
            () = log.reconnected(connections) => return Ok(()),
        };
        match arrived {
            Ok(batch) => {
                let batch = batch?;
                next += batch.len() as u64;
                tail.0
                    .change(|kept| batch.into_iter().for_each(|entry| kept.push(entry)));
            }
            // Nothing came. When there is something, or less than there was, begin again.
            Err(_elapsed) if log.head().await? + 1 != next => return Ok(()),
            Err(_elapsed) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::HeaderMap;

    fn entry(stream_sequence: u64, bytes: usize) -> LogEntry {
        LogEntry {
            stream_sequence,
            subject: "a.b".to_owned(),
            body: vec![b' '; bytes].into(),
            headers: HeaderMap::new(),
        }
    }

    fn positions(kept: &Kept, position: u64, most: usize) -> Option<Vec<u64>> {
        match kept.following(position, most) {
            Following::Entries(entries) => {
                Some(entries.iter().map(|entry| entry.stream_sequence).collect())
            }
            Following::ToCome => Some(Vec::new()),
            Following::Elsewhere => None,
        }
    }

    #[test]
    fn what_is_kept_follows_without_a_gap_or_is_elsewhere() {
        let mut kept = Kept::default();
        assert_eq!(positions(&kept, 1, 9), None);
        kept.begin(5);
        (5..8).for_each(|position| kept.push(entry(position, 1)));
        assert_eq!(positions(&kept, 4, 9), None);
        assert_eq!(positions(&kept, 5, 9), Some(vec![5, 6, 7]));
        assert_eq!(positions(&kept, 6, 1), Some(vec![6]));
        assert_eq!(positions(&kept, 8, 9), Some(Vec::new()));
        assert_eq!(positions(&kept, 9, 9), None);
    }

    #[test]
    fn the_oldest_give_way() {
        let mut kept = Kept::default();
        kept.begin(1);
        let last = KEPT as u64 + 10;
        (1..=last).for_each(|position| kept.push(entry(position, 1)));
        assert_eq!(positions(&kept, 10, 1), None);
        assert_eq!(positions(&kept, 11, 1), Some(vec![11]));
        kept.push(entry(last + 1, KEPT_BYTES));
        kept.push(entry(last + 2, 1));
        assert_eq!(positions(&kept, last + 1, 9), None);
        assert_eq!(positions(&kept, last + 2, 9), Some(vec![last + 2]));
    }
}
