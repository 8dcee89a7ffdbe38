//! The log read once for all copies: one reader, decoding ahead of the database, a bounded queue to each copy.
//! A copy that is slow holds the others back at last, so that memory stays bounded.

use super::Progress;
use super::beside::Beside;
use crate::error::ProjectionError;
use crate::projector::Recorded;
use bus::{BusError, Log, LogEntry, LogReader};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Commits in one transaction of a copy.
const BATCH: usize = 2_000;
/// Bytes of bodies at which a batch is large enough.
const BYTES: usize = 8 << 20;
/// Entries taken from the reader at once.
const TAKE: usize = 500;
/// Batches that are being decoded, and that lie decoded before each copy.
const AHEAD: usize = 2;
/// Silence of the log after which it counts as away.
const SILENCE: Duration = Duration::from_secs(30);

/// Commits in a row, and what they say if all of them can be read.
pub(super) struct Batch {
    entries: Vec<LogEntry>,
    recorded: Option<Vec<Recorded>>,
}

impl Batch {
    fn decode(entries: Vec<LogEntry>) -> Self {
        let recorded: Result<Vec<_>, _> = entries.iter().map(Recorded::decode).collect();
        Self {
            recorded: recorded.ok(),
            entries,
        }
    }

    /// Those behind a position, up to another one.
    pub(super) fn between(&self, after: u64, to: u64) -> (&[LogEntry], Option<&[Recorded]>) {
        let place = |position: u64| {
            self.entries
                .partition_point(|entry| entry.stream_sequence <= position)
        };
        let range = place(after)..place(to).max(place(after));
        let recorded = self.recorded.as_ref();
        (
            &self.entries[range.clone()],
            recorded.map(|recorded| &recorded[range]),
        )
    }
}

/// Brings each copy to its goal.
///
/// # Errors
/// The first thing that stops a copy, or the log.
pub(super) async fn catch_up(
    copies: Vec<Beside>,
    log: &Log,
    progress: &Progress,
) -> Result<Vec<Beside>, ProjectionError> {
    let behind = copies
        .iter()
        .filter(|one| one.at.stream_sequence < one.goal);
    let from = behind.clone().map(|one| one.at.stream_sequence + 1).min();
    let to = behind.map(|one| one.goal).max();
    let (Some(from), Some(to)) = (from, to) else {
        return Ok(copies);
    };
    let (mut queues, mut following) = (Vec::new(), Vec::new());
    for copy in copies {
        let (sender, receiver) = mpsc::channel(AHEAD);
        queues.push(sender);
        following.push(tokio::spawn(follow(copy, receiver, Arc::clone(progress))));
    }
    let read = distribute(decode_ahead(log, from, to), queues).await;
    let mut copies = Vec::new();
    let mut failure = None;
    for one in following {
        match joined(one).await {
            Ok(copy) => copies.push(copy),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    // What stops a copy explains why the reader found nobody.
    match failure {
        Some(error) => Err(error),
        None => read.map(|()| copies),
    }
}

async fn follow(
    mut copy: Beside,
    mut batches: mpsc::Receiver<Arc<Batch>>,
    progress: Progress,
) -> Result<Beside, ProjectionError> {
    let mut more = copy.at.stream_sequence < copy.goal;
    while let Some(batch) = batches.recv().await {
        // One that has arrived goes on listening: it must not look like one that has failed.
        if more {
            more = copy.apply(&batch).await?;
            progress(copy.projector.name(), copy.at.stream_sequence, copy.goal);
        }
    }
    Ok(copy)
}

type Decoding = Result<JoinHandle<Batch>, ProjectionError>;

/// Reads in one task and decodes in others; answers in the order of the log.
fn decode_ahead(log: &Log, from: u64, to: u64) -> mpsc::Receiver<Decoding> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let log = log.clone();
    tokio::spawn(async move {
        if let Err(error) = read(&log, from, to, &sender).await {
            // Nobody listens any more when a copy has failed.
            let _ = sender.send(Err(error)).await;
        }
    });
    receiver
}

async fn read(
    log: &Log,
    from: u64,
    to: u64,
    decoding: &mpsc::Sender<Decoding>,
) -> Result<(), ProjectionError> {
    let mut reader = log.read_from(from).await?;
    let mut next = from;
    while next <= to {
        let (mut entries, mut bytes) = (Vec::with_capacity(BATCH), 0);
        while next <= to && entries.len() < BATCH && bytes < BYTES {
            for entry in next_batch(&mut reader).await? {
                next = entry.stream_sequence + 1;
                bytes += entry.body.len();
                entries.push(entry);
            }
        }
        let decoding_one = tokio::task::spawn_blocking(move || Batch::decode(entries));
        if decoding.send(Ok(decoding_one)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The next commits of the log, which has to hold them already.
///
/// # Errors
/// When the log does not give them in time.
pub(super) async fn next_batch(reader: &mut LogReader) -> Result<Vec<LogEntry>, BusError> {
    let batch = tokio::time::timeout(SILENCE, reader.next_batch(TAKE)).await;
    batch.unwrap_or(Err(BusError::Unavailable {
        operation: "read the log",
        source: None,
    }))
}

async fn distribute(
    mut decoded: mpsc::Receiver<Decoding>,
    queues: Vec<mpsc::Sender<Arc<Batch>>>,
) -> Result<(), ProjectionError> {
    while let Some(batch) = decoded.recv().await {
        let batch = Arc::new(joined(batch?).await);
        for queue in &queues {
            if queue.send(Arc::clone(&batch)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A defect of ours goes on its way.
async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(value) => value,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
