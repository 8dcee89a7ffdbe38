//! What a mirror found and did, for people and as JSON.

use crate::import::report::Reason;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Refusals of each reason that are kept and shown; all are counted.
const SHOWN: u64 = 20;

/// A version that is not mirrored, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The name that its document gives.
    pub name: String,
    /// The version that its document gives.
    pub version: String,
    /// Stable, upper-case; the domain's own code for its refusals.
    pub code: &'static str,
    /// The reason for people.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            version,
            code,
            message,
        } = self;
        write!(f, "{name} {version}: {message} ({code})")
    }
}

/// What a mirror did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Pages that were read.
    pub pages: u64,
    /// Versions that were read; one may be read twice.
    pub read: u64,
    /// New versions.
    pub published: u64,
    /// Versions whose status was changed.
    pub status_changed: u64,
    /// Versions that were here already.
    pub unchanged: u64,
    /// Versions that are deleted there and were never here.
    pub skipped: u64,
    /// Versions that are not mirrored.
    pub refused: u64,
    /// Servers that were registered.
    pub servers_registered: u64,
    /// Servers whose profile follows their newest document.
    pub servers_described: u64,
    /// Refused versions by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The first refusals of each reason.
    pub refusals: Vec<Refusal>,
    /// Position of the last commit of this run in the log; none when nothing had changed.
    pub last_stream_sequence: Option<u64>,
    /// True when it was asked to stop before the end.
    pub interrupted: bool,
}

impl Summary {
    /// True when all that was read is here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.interrupted && self.refused == 0
    }

    pub(super) fn committed(&mut self, stream_sequence: u64) {
        self.last_stream_sequence = self.last_stream_sequence.max(Some(stream_sequence));
    }

    pub(super) fn refuse(&mut self, name: &str, version: &str, reason: Reason) {
        self.refused += 1;
        let count = self.reasons.entry(reason.code).or_default();
        *count += 1;
        if *count > SHOWN {
            return;
        }
        let Reason { code, message } = reason;
        self.refusals.push(Refusal {
            name: printable(name),
            version: printable(version),
            code,
            message,
        });
    }
}

/// A stranger's text, safe to print.
fn printable(text: &str) -> String {
    let text = domain::text::clean(text).text.replace(['\n', '\t'], " ");
    match text.is_empty() {
        true => "?".to_owned(),
        false => text.chars().take(200).collect(),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for refusal in &self.refusals {
            writeln!(f, "{refusal}")?;
        }
        writeln!(
            f,
            "versions  {} read: {} published, {} with another status, {} unchanged, {} skipped, {} refused",
            self.read,
            self.published,
            self.status_changed,
            self.unchanged,
            self.skipped,
            self.refused
        )?;
        write!(
            f,
            "servers   {} registered, {} described anew",
            self.servers_registered, self.servers_described
        )?;
        if !self.reasons.is_empty() {
            let reasons = self.reasons.iter();
            let reasons: Vec<_> = reasons.map(|(code, n)| format!("{n} × {code}")).collect();
            write!(f, "\nrefused   {}", reasons.join(", "))?;
        }
        match self.last_stream_sequence {
            Some(last) => write!(f, "\nlog       last commit at position {last}")?,
            None => write!(f, "\nlog       nothing had changed")?,
        }
        if self.interrupted {
            write!(
                f,
                "\ninterrupted: run the same command again; it goes on where it stopped"
            )?;
        }
        Ok(())
    }
}
