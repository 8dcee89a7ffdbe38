//! `metamcp import`. Here: `import catalogue`, which registers servers and tools from two files of JSON lines.
//! [`registry`] mirrors another registry.
//!
//! A bad line is reported with file, line and reason, and the rest goes on. A second run registers only what is
//! missing, so a run that was interrupted is finished by running it again, with nothing doubled.
//!
//! # Reading order
//! `run.rs` (what happens), `catalogue.rs` (from a line to a command), `fields.rs` and `lines.rs` (bad input),
//! `categories.rs` (the taxonomy),
//! `send.rs` (in flight, and while the log is away), `summary.rs` (what is told), `command.rs` (the command line).

mod catalogue;
mod categories;
mod command;
pub(crate) mod fields;
mod lines;
pub(crate) mod patience;
pub mod registry;
pub(crate) mod report;
#[cfg(test)]
mod report_tests;
mod run;
mod send;
mod standing;
mod summary;
#[cfg(test)]
mod tests;

pub use command::{Args, run_command};
pub use run::run;
pub use summary::{Counts, Note, Severity, Summary};

use domain::id::TenantId;
use semver::Version;
use std::io;
use std::time::Duration;

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// Commands in flight at once.
    pub in_flight: usize,
    /// The version that every tool's first definition gets; a catalogue carries none.
    pub tool_version: Version,
    /// Whether categories that the taxonomy lacks are added to it; otherwise lines that name them are
    /// rejected. An empty taxonomy accepts any and stays empty.
    pub add_categories: bool,
    /// Whether they are added to an empty taxonomy, too, which is controlled from then on.
    pub begin_taxonomy: bool,
    /// How long one command is tried while the log is away.
    pub patience: Duration,
    /// Notes of each reason that are kept and shown; all are counted.
    pub notes_per_reason: u64,
    /// What the servers' file is called in notes.
    pub servers_name: String,
    /// What the tools' file is called in notes.
    pub tools_name: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            in_flight: 256,
            tool_version: Version::new(1, 0, 0),
            add_categories: true,
            begin_taxonomy: false,
            patience: Duration::from_secs(30),
            notes_per_reason: 20,
            servers_name: "servers.jsonl".to_owned(),
            tools_name: "tools.jsonl".to_owned(),
        }
    }
}

/// Is told how it goes, while it goes.
pub trait Observer: Send + Sync {
    /// So many bytes more have been read.
    fn read(&self, bytes: u64) {
        let _ = bytes;
    }
    /// A line was refused or changed; the first ones of each reason only.
    fn noted(&self, note: &Note) {
        let _ = note;
    }
    /// The log takes no commits, and why; commands are tried again for this long.
    fn waiting(&self, patience: Duration, why: &str) {
        tracing::warn!(?patience, why, "the import waits for the event log");
    }
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing was registered: a wrong name must not begin a registry that nobody reads.
    #[error("there is no tenant `{0}`: check --tenant, or register the tenant first")]
    UnknownTenant(TenantId),
    /// Everything that the summary counts is registered.
    #[error(
        "the import stopped with {} servers and {} tools in the registry; run the same command again: it goes on where it stopped",
        summary.servers.present(), summary.tools.present()
    )]
    Stopped {
        /// Why.
        #[source]
        cause: Cause,
        /// How far it came.
        summary: Box<Summary>,
    },
}

/// What stops an import.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// See [`ImportError::UnknownTenant`].
    #[error("the tenant is not registered")]
    UnknownTenant,
    /// A file could not be read to its end.
    #[error("{file} cannot be read after line {line}")]
    Read {
        /// The file, as it was named.
        file: String,
        /// The last line that was begun.
        line: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The log stayed away.
    #[error("the event log did not answer for {} s: check that NATS is running", patience.as_secs())]
    Unavailable {
        /// How long it was tried.
        patience: Duration,
        /// The last attempt.
        #[source]
        source: bus::BusError,
    },
    /// The log failed in a way that trying again does not mend.
    #[error("the event log failed")]
    Log(#[source] bus::BusError),
}
