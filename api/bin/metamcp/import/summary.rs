//! What an import found and did, for people and as JSON.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What a note means for its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The line is not in the registry.
    Rejected,
    /// The line was changed before it was registered, or something else is there in its place.
    Warning,
}

/// Something to know about a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What it means for the line.
    pub severity: Severity,
    /// Stable, upper-case reason; the domain's own code for its refusals.
    pub code: &'static str,
    /// The reason for people.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            severity,
            code,
            message,
        } = self;
        let severity = if *severity == Severity::Warning {
            "warning: "
        } else {
            ""
        };
        write!(f, "{file}:{line}: {severity}{message} ({code})")
    }
}

/// How the lines of one file ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Registered by this run.
    pub registered: u64,
    /// Registered before.
    pub already_there: u64,
    /// Refused, each with a reason.
    pub rejected: u64,
}

impl Counts {
    /// Lines that are in the registry now.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.registered + self.already_there
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registered,
            already_there,
            rejected,
        } = self;
        write!(
            f,
            "{registered} registered, {already_there} already there, {rejected} rejected"
        )
    }
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Lines of the servers' file.
    pub servers: Counts,
    /// Lines of the tools' file.
    pub tools: Counts,
    /// Categories that this run has added to the taxonomy.
    pub categories_added: u64,
    /// Rejected lines by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Warnings by reason.
    pub warnings: BTreeMap<&'static str, u64>,
    /// The first notes of each reason, in the order in which they were found.
    pub notes: Vec<Note>,
    /// Wall time in seconds.
    pub elapsed_seconds: f64,
    /// Lines a second, the rejected ones too.
    pub lines_per_second: f64,
    /// Position of the last commit of this run in the log; none when nothing was registered.
    pub last_stream_sequence: Option<u64>,
    /// True when it was asked to stop before the end.
    pub interrupted: bool,
}

impl Summary {
    /// All lines that have ended, in whatever way.
    #[must_use]
    pub fn lines(&self) -> u64 {
        let all = |counts: &Counts| counts.present() + counts.rejected;
        all(&self.servers) + all(&self.tools)
    }

    /// True when every line is in the registry.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.interrupted && self.servers.rejected + self.tools.rejected == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "servers   {}", self.servers)?;
        writeln!(f, "tools     {}", self.tools)?;
        if self.categories_added > 0 {
            writeln!(f, "taxonomy  {} categories added", self.categories_added)?;
        }
        by_reason(f, "rejected", &self.rejected)?;
        by_reason(f, "warnings", &self.warnings)?;
        let lines = self.lines();
        write!(
            f,
            "time      {:.1} s for {lines} lines",
            self.elapsed_seconds
        )?;
        write!(f, " ({:.0} a second)", self.lines_per_second)?;
        if let Some(last) = self.last_stream_sequence {
            write!(f, "; last commit at position {last} of the log")?;
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

fn by_reason(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    counts: &BTreeMap<&'static str, u64>,
) -> fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = counts
        .iter()
        .map(|(code, n)| format!("{n} × {code}"))
        .collect();
    writeln!(f, "{title:<9} {}", reasons.join(", "))
}
