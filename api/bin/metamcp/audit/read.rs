//! Reading exports, kept tree heads and public keys from files.

use super::examine::examine;
use super::fault::Fault;
use super::format::Line;
use super::verify::{Verified, Verifier};
use anyhow::{Context, anyhow, bail, ensure};
use projections::ledger::{SignedHead, VerifyingKey};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::num::NonZero;
use std::path::Path;

/// Longest line that is read. A commit is at most a NATS message of 2 MB, and less than six times that here.
const MAX_LINE: u64 = 16 << 20;
/// Bytes that a thread examines at a time: enough that beginning a thread is nothing beside it.
const CHUNK: usize = 1 << 20;

/// The lines of a file, one at a time.
pub struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    read: u64,
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        Ok(Self {
            reader: BufReader::with_capacity(1 << 20, file),
            line: Vec::new(),
            read: 0,
        })
    }

    /// The next line without its end; none at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or the line is too long.
    pub fn next_line(&mut self) -> anyhow::Result<Option<&[u8]>> {
        self.line.clear();
        let mut bounded = (&mut self.reader).take(MAX_LINE);
        let read = bounded.read_until(b'\n', &mut self.line)? as u64;
        ensure!(read < MAX_LINE, "a line is longer than {MAX_LINE} bytes");
        self.read += read;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        Ok((read > 0).then_some(&self.line))
    }

    /// Bytes read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.read
    }
}

/// The public keys of a file, one a line; lines that begin with `#` are comments.
///
/// # Errors
/// When the file cannot be read, holds something else, or no key.
pub fn keys(path: &Path) -> anyhow::Result<Vec<VerifyingKey>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Result<Vec<_>, _> = lines.map(str::parse).collect();
    let keys = keys.with_context(|| path.display().to_string())?;
    if keys.is_empty() {
        bail!("{} holds no key", path.display());
    }
    Ok(keys)
}

/// The tree heads of a file: what `ledger.head_file` keeps, or another export.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn heads(path: &Path) -> anyhow::Result<Vec<SignedHead>> {
    let mut lines = Lines::open(path)?;
    let mut heads = Vec::new();
    while let Some(line) = lines.next_line()? {
        match serde_json::from_slice(line).with_context(|| path.display().to_string())? {
            Line::TreeHead(head) => heads.push(SignedHead::parse(&head.note)?),
            Line::Log(_) | Line::Commit(_) | Line::End(_) => {}
        }
    }
    Ok(heads)
}

/// Verifies a whole file, its lines examined by as many threads as the machine has processors. `progress` is
/// told how many bytes were read.
///
/// # Errors
/// When the file cannot be read. What is wrong in it is the inner result.
pub fn verify_file(
    path: &Path,
    mut verifier: Verifier,
    progress: &dyn Fn(u64),
) -> anyhow::Result<Result<Verified, Fault>> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut lines = Lines::open(path)?;
    loop {
        let chunks: Vec<Chunk> = (0..threads)
            .map(|_| lines.next_chunk())
            .collect::<anyhow::Result<_>>()?;
        if chunks.iter().all(Chunk::is_empty) {
            return Ok(verifier.finish());
        }
        let taken = std::thread::scope(|scope| {
            let workers: Vec<_> = chunks
                .iter()
                .map(|chunk| scope.spawn(|| chunk.lines().map(examine).collect::<Vec<_>>()))
                .collect();
            for worker in workers {
                // A worker that panicked has said so on its way out.
                let examined = worker
                    .join()
                    .map_err(|_| anyhow!("a line cannot be examined"))?;
                for line in examined {
                    if let Err(fault) = verifier.take(line) {
                        return Ok(Err(fault));
                    }
                }
            }
            anyhow::Ok(Ok(()))
        })?;
        if let Err(fault) = taken {
            return Ok(Err(fault));
        }
        progress(lines.position());
    }
}

/// Some lines that stand one after the other.
#[derive(Default)]
struct Chunk {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Chunk {
    fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins
            .zip(&self.ends)
            .map(|(begin, end)| &self.text[begin..*end])
    }
}

impl Lines {
    /// The next lines, about [`CHUNK`] bytes of them; none at the end of the file.
    fn next_chunk(&mut self) -> anyhow::Result<Chunk> {
        let mut chunk = Chunk::default();
        while chunk.text.len() < CHUNK {
            let Some(line) = self.next_line()? else { break };
            chunk.text.extend_from_slice(line);
            chunk.ends.push(chunk.text.len());
        }
        Ok(chunk)
    }
}
