//! Writes the log, or a part of it, with the tree heads that cover it. Streams: neither commits nor heads are
//! held in memory beyond a few batches. One task reads, others make lines of what was read, and the caller's
//! writes them in order.

use super::format::{CommitLine, End, FORMAT, HeadLine, Header, Line};
use super::signed_heads::SignedHeads;
use anyhow::{Context, bail, ensure};
use bus::{Log, LogEntry};
use data_encoding::BASE64;
use domain::canonical;
use domain::merkle::{TreeHash, leaf_hash};
use projections::Database;
use projections::ledger::heads::agrees;
use projections::ledger::tree;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

/// Entries read at once.
const BATCH: usize = 1_000;
/// Batches that lie read while one is written.
const AHEAD: usize = 2;
/// Bytes that a commit's line has beside its body, and that escapes in a body add, on the average.
const BESIDE_BODY: usize = 512;
/// What a commit's line ends with.
const CLOSED: &[u8] = b"}}";
/// Silence of the log after which an export gives up.
const SILENCE: Duration = Duration::from_secs(30);

/// What is to be exported: all of it, without bounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Position of the first commit.
    pub from: Option<u64>,
    /// Position of the last one.
    pub to: Option<u64>,
}

/// Writes an export and returns its last line. `progress` is told the position and the last one.
///
/// # Errors
/// When the log or the database is away, the bounds are none, or the output fails.
pub async fn export(
    log: &Log,
    database: &Database,
    bounds: Bounds,
    out: &mut impl Write,
    progress: &dyn Fn(u64, u64),
) -> anyhow::Result<End> {
    let head = log.head().await?;
    let (from, to) = (bounds.from.unwrap_or(1).max(1), bounds.to.unwrap_or(head));
    ensure!(to <= head, "the log ends at position {head}");
    ensure!(from <= to + 1, "--from {from} lies behind --to {to}");
    let header = Header {
        format: FORMAT,
        subject_root: log.subject_root().to_owned(),
        from,
        to,
        frontier: frontier(database, from - 1).await?,
    };
    write(out, &Line::Log(header))?;
    let mut heads = SignedHeads::open(log, database, from - 1).await?;
    let mut end = End {
        commits: 0,
        tree_heads: 0,
    };
    // A head over all that lies before the export vouches for its beginning.
    end.tree_heads += write_heads(&mut heads, from - 1, out).await?;
    let mut position = from - 1;
    let spent = Spent::default();
    let mut batches = read_ahead(log, from, to, &spent).await?;
    while position < to {
        let rendering = batches.recv().await.context("the reader has stopped")??;
        let rendered = rendering.await??;
        let mut lines = rendered.lines.as_slice();
        while !lines.is_empty() {
            // As many as stand before the next head, in one piece.
            let size = heads.next_size().await?.unwrap_or(to);
            let before = usize::try_from(size.saturating_sub(position))?;
            let (now, later) = lines.split_at(before.clamp(1, lines.len()));
            out.write_all(rendered.text_of(now))?;
            lines = later;
            position += now.len() as u64;
            end.commits += now.len() as u64;
            end.tree_heads += write_heads(&mut heads, position, out).await?;
        }
        spent.put(rendered);
        progress(position, to);
    }
    if let Some(line) = beyond(database, &mut heads, to).await? {
        write(out, &Line::TreeHead(line))?;
        end.tree_heads += 1;
    }
    write(out, &Line::End(end.clone()))?;
    out.flush()?;
    Ok(end)
}

/// The lines of some commits in a row.
#[derive(Default)]
struct Rendered {
    text: Vec<u8>,
    /// Where each of them lies in the text.
    lines: Vec<Range<usize>>,
}

impl Rendered {
    /// Takes the place of what it held.
    fn fill(&mut self, entries: &[LogEntry]) -> anyhow::Result<()> {
        let bodies: usize = entries.iter().map(|entry| entry.body.len()).sum();
        self.text.clear();
        self.text.reserve(bodies + entries.len() * BESIDE_BODY);
        self.lines.clear();
        for entry in entries {
            let begin = self.text.len();
            write_commit(
                &mut self.text,
                entry.stream_sequence,
                &entry.subject,
                &entry.body,
            )?;
            self.lines.push(begin..self.text.len());
        }
        Ok(())
    }

    fn text_of(&self, lines: &[Range<usize>]) -> &[u8] {
        match lines {
            [first, .., last] => &self.text[first.start..last.end],
            [only] => &self.text[only.clone()],
            [] => &[],
        }
    }
}

/// What was written, to be filled again: megabytes that one thread allocates and another frees are slow to come back
/// to an allocator that has a heap for each thread.
#[derive(Clone, Default)]
struct Spent(Arc<Mutex<Vec<Rendered>>>);

impl Spent {
    fn put(&self, rendered: Rendered) {
        self.all().push(rendered);
    }

    fn take(&self) -> Rendered {
        self.all().pop().unwrap_or_default()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Rendered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Rendering = anyhow::Result<JoinHandle<anyhow::Result<Rendered>>>;

/// Reads the log, and makes lines of it, while what was read before is being written.
async fn read_ahead(
    log: &Log,
    from: u64,
    to: u64,
    spent: &Spent,
) -> anyhow::Result<mpsc::Receiver<Rendering>> {
    let spent = spent.clone();
    let mut reader = log.read_from(from).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let mut position = from - 1;
        while position < to {
            let batch = tokio::time::timeout(SILENCE, reader.next_batch(BATCH)).await;
            let batch = batch.context("the log has gone silent: is NATS well?");
            let batch = batch.and_then(|batch| Ok(batch?));
            let last = batch.as_ref().ok().and_then(|batch| batch.last());
            position = last.map_or(to, |entry| entry.stream_sequence);
            let rendering = batch.map(|mut batch| {
                batch.retain(|entry| entry.stream_sequence <= to);
                let mut rendered = spent.take();
                spawn_blocking(move || rendered.fill(&batch).map(|()| rendered))
            });
            // Nobody listens any more when the export has failed.
            if sender.send(rendering).await.is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn write_commit(
    out: &mut Vec<u8>,
    stream_sequence: u64,
    subject: &str,
    body: &[u8],
) -> anyhow::Result<()> {
    let text = std::str::from_utf8(body);
    let encoded = text.is_err().then(|| BASE64.encode(body).into());
    let line = Line::Commit(CommitLine {
        stream_sequence,
        subject: subject.into(),
        leaf_hash: leaf_hash(body).to_string().into(),
        body: None,
        body_base64: encoded,
    });
    serde_json::to_writer(&mut *out, &line)?;
    if let Ok(text) = text {
        // Nearly all of the line is the body, whose quotes have to be escaped: the domain's writer does it faster.
        out.truncate(out.len() - CLOSED.len());
        out.extend_from_slice(b",\"body\":");
        canonical::write_text(out, text);
        out.extend_from_slice(CLOSED);
    }
    out.push(b'\n');
    Ok(())
}

fn write(out: &mut impl Write, line: &Line<'_>) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    Ok(out.write_all(b"\n")?)
}

async fn frontier(database: &Database, size: u64) -> anyhow::Result<Vec<TreeHash>> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let mut connection = database.connect().await?;
    let Some(frontier) = tree::frontier(&mut connection, size).await? else {
        bail!("the ledger has not come to position {size} yet: does a projector run?");
    };
    Ok(frontier.peaks().to_vec())
}

/// Writes the heads over no more than `size` commits. One that contradicts the log is written, too: whoever
/// verifies the export has to learn of it.
async fn write_heads(
    heads: &mut SignedHeads,
    size: u64,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    let mut written = 0;
    while let Some(head) = heads.next_up_to(size).await? {
        let line = HeadLine {
            note: head.note().to_owned(),
            consistency: Vec::new(),
        };
        write(out, &Line::TreeHead(line))?;
        written += 1;
    }
    Ok(written)
}

/// For an export that ends before a signed head: the first one of the present log, with the proof that the export
/// leads there. Heads over commits that were lost are of no log that there is.
async fn beyond(
    database: &Database,
    heads: &mut SignedHeads,
    to: u64,
) -> anyhow::Result<Option<HeadLine>> {
    // The whole log is exported without a database.
    if heads.next_size().await?.is_none() {
        return Ok(None);
    }
    let mut connection = database.connect().await?;
    while let Some(head) = heads.next().await? {
        match agrees(&mut connection, &head).await? {
            Some(true) => {
                let size = head.head().size;
                let consistency = tree::consistency(&mut connection, to, size).await?;
                let note = head.note().to_owned();
                return Ok(consistency.map(|consistency| HeadLine { note, consistency }));
            }
            Some(false) => {}
            // Those that follow cover no fewer.
            None => break,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_serde_writes_of_it() {
        for body in ["{\"a\":\"\\\"b\\u0001\"}", "", "é\u{10000}\n\u{7f}\u{2028}"] {
            let line = CommitLine {
                stream_sequence: 7,
                subject: "a.b".into(),
                leaf_hash: leaf_hash(body.as_bytes()).to_string().into(),
                body: Some(body.into()),
                body_base64: None,
            };
            let mut written = Vec::new();
            write_commit(&mut written, 7, "a.b", body.as_bytes()).unwrap();
            let expected = serde_json::to_string(&Line::Commit(line)).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), format!("{expected}\n"));
        }
    }
}
