//! Verifies a file with all processors: one thread reads it in chunks of whole lines, as many as there are
//! processors examine lines by themselves, and the caller's takes what they found in the order of the file.
//! Chunks go round, so that the order needs no sorting and a thread that lags holds back the others: memory
//! does not grow with the file.

use super::examine::{Examined, examine};
use super::fault::Fault;
use super::read::MAX_LINE;
use super::verify::{Verified, Verifier};
use anyhow::{Context, anyhow, ensure};
use std::fs::File;
use std::io::{BufRead, Read};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes that a thread examines at a time: enough that handing them over is nothing beside it.
const CHUNK: usize = 1 << 20;
/// Chunks that wait before a thread, and behind it.
const AHEAD: usize = 1;

/// Verifies a whole file. `progress` is told how many bytes were read.
///
/// # Errors
/// When the file cannot be read. What is wrong in it is the inner result.
pub fn verify_file(
    path: &Path,
    mut verifier: Verifier,
    progress: &dyn Fn(u64),
) -> anyhow::Result<Result<Verified, Fault>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let (mut give, mut hear, mut running) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..threads {
            let (to_worker, chunks) = sync_channel(AHEAD);
            let (tell, examined) = sync_channel(AHEAD);
            give.push(to_worker);
            hear.push(examined);
            running.push(scope.spawn(move || work(&chunks, &tell)));
        }
        let reading = scope.spawn(move || read(file, &give));
        let taken = take_all(&mut verifier, &hear, progress);
        // Who still has something to say after a fault hears that it is over.
        drop(hear);
        let read = reading.join();
        for worker in running {
            // A worker that panicked has said so on its way out.
            worker
                .join()
                .map_err(|_| anyhow!("a line cannot be examined"))?;
        }
        if let Err(fault) = taken {
            return Ok(Err(fault));
        }
        read.map_err(|_| anyhow!("the reader has stopped"))?
            .with_context(|| path.display().to_string())?;
        Ok(verifier.finish())
    })
}

/// Takes what the workers found until they have nothing more.
fn take_all(
    verifier: &mut Verifier,
    workers: &[Receiver<ExaminedChunk>],
    progress: &dyn Fn(u64),
) -> Result<(), Fault> {
    for worker in workers.iter().cycle() {
        let Ok(chunk) = worker.recv() else { break };
        for line in chunk.lines {
            verifier.take(line)?;
        }
        progress(chunk.end);
    }
    Ok(())
}

fn work(chunks: &Receiver<Chunk>, tell: &SyncSender<ExaminedChunk>) {
    for chunk in chunks {
        let examined = ExaminedChunk {
            lines: chunk.lines().map(examine).collect(),
            end: chunk.end,
        };
        // Nobody listens any more when a fault was found.
        if tell.send(examined).is_err() {
            break;
        }
    }
}

fn read(file: File, workers: &[SyncSender<Chunk>]) -> anyhow::Result<()> {
    let mut chunks = Chunks {
        file,
        rest: Vec::new(),
        read: 0,
    };
    for worker in workers.iter().cycle() {
        let Some(chunk) = chunks.next()? else { break };
        if worker.send(chunk).is_err() {
            break;
        }
    }
    Ok(())
}

/// Whole lines that stand one after the other.
struct Chunk {
    text: Vec<u8>,
    /// Where it ends in the file.
    end: u64,
}

/// What can be said of them by themselves.
struct ExaminedChunk {
    lines: Vec<Examined>,
    end: u64,
}

impl Chunk {
    /// The lines, without their ends.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.text.as_slice();
        std::iter::from_fn(move || {
            let mut behind = rest;
            let length = behind.skip_until(b'\n').ok().filter(|length| *length > 0)?;
            let line = &rest[..length];
            rest = behind;
            Some(line.strip_suffix(b"\n").unwrap_or(line))
        })
    }
}

struct Chunks {
    file: File,
    /// The beginning of a line that the last chunk was too short for.
    rest: Vec<u8>,
    read: u64,
}

impl Chunks {
    /// The next lines; none at the end of the file.
    fn next(&mut self) -> anyhow::Result<Option<Chunk>> {
        let mut text = std::mem::take(&mut self.rest);
        loop {
            let before = text.len();
            text.reserve(CHUNK);
            let got = (&mut self.file).take(CHUNK as u64).read_to_end(&mut text)?;
            let end = text[before..].iter().rposition(|byte| *byte == b'\n');
            if let Some(end) = end {
                self.rest = text.split_off(before + end + 1);
                break;
            }
            if got == 0 {
                break;
            }
            let length = text.len() as u64;
            ensure!(length < MAX_LINE, "a line is longer than {MAX_LINE} bytes");
        }
        self.read += text.len() as u64;
        let end = self.read;
        Ok((!text.is_empty()).then_some(Chunk { text, end }))
    }
}
