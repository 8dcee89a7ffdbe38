//! Reading exports, kept tree heads and public keys from files.

use super::format::Line;
use anyhow::{Context, bail, ensure};
use projections::ledger::{SignedHead, VerifyingKey, note::ends};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Longest line that is read. A commit is at most a NATS message of 2 MB, and less than six times that here.
pub(super) const MAX_LINE: u64 = 16 << 20;

/// The lines of a file, one at a time.
pub struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
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
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        Ok((read > 0).then_some(&self.line))
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

/// The tree heads of a file: what `ledger.head_file` keeps, another export, or notes as `metamcp audit head` prints
/// them, one after the other.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn heads(path: &Path) -> anyhow::Result<Vec<SignedHead>> {
    let mut lines = Lines::open(path)?;
    let (mut heads, mut note) = (Vec::new(), String::new());
    let named = || path.display().to_string();
    while let Some(line) = lines.next_line()? {
        let text = std::str::from_utf8(line).with_context(named)?;
        // Signatures are the last lines of a note.
        if ends(&note) && !ends(text) {
            heads.push(SignedHead::parse(&std::mem::take(&mut note)).with_context(named)?);
        }
        if note.is_empty() && text.starts_with('{') {
            match serde_json::from_str(text).with_context(named)? {
                Line::TreeHead(head) => heads.push(SignedHead::parse(&head.note)?),
                Line::Log(_) | Line::Commit(_) | Line::End(_) => {}
            }
        } else if !(note.is_empty() && text.trim().is_empty()) {
            note.push_str(text);
            note.push('\n');
        }
    }
    if !note.is_empty() {
        heads.push(SignedHead::parse(&note).with_context(named)?);
    }
    Ok(heads)
}
