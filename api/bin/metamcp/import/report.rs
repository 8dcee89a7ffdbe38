//! Collects how the lines end: every bad one counted by reason, the first of each reason kept to be shown.

use super::Observer;
use super::summary::{Note, Severity, Summary};
use std::time::{Duration, Instant};

/// Longest message, in characters; it may quote what a stranger wrote.
const MAX_MESSAGE: usize = 300;

/// Why a line was refused or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// Stable, upper-case.
    pub(crate) code: &'static str,
    /// For people, safe to print.
    pub(crate) message: String,
}

impl Reason {
    pub(crate) fn new(code: &'static str, message: impl AsRef<str>) -> Self {
        let message = domain::text::clean(message.as_ref())
            .text
            .replace(['\n', '\t'], " ");
        Self {
            code,
            message: message.chars().take(MAX_MESSAGE).collect(),
        }
    }
}

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Servers,
    Tools,
}

/// How one line ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// At this position of the log.
    Registered(u64),
    /// Registered before, with what to know about it.
    AlreadyThere(Option<Reason>),
    Rejected(Reason),
    /// Asked to stop before it was decided; the line counts as not read.
    Abandoned,
}

/// Collects what happens.
pub(super) struct Report<'a> {
    summary: Summary,
    observer: &'a dyn Observer,
    notes_per_reason: u64,
    started: Instant,
}

impl<'a> Report<'a> {
    pub(super) fn new(observer: &'a dyn Observer, notes_per_reason: u64) -> Self {
        let summary = Summary::default();
        Self {
            summary,
            observer,
            notes_per_reason,
            started: Instant::now(),
        }
    }

    /// Counts a line that has ended.
    pub(super) fn line(
        &mut self,
        kind: Kind,
        (file, line): (&str, u64),
        outcome: Outcome,
        warnings: Vec<Reason>,
    ) {
        let counts = match kind {
            Kind::Servers => &mut self.summary.servers,
            Kind::Tools => &mut self.summary.tools,
        };
        match outcome {
            Outcome::Registered(stream_sequence) => {
                counts.registered += 1;
                let last = &mut self.summary.last_stream_sequence;
                *last = (*last).max(Some(stream_sequence));
            }
            Outcome::AlreadyThere(warning) => {
                counts.already_there += 1;
                if let Some(warning) = warning {
                    self.note((file, line), Severity::Warning, warning);
                }
            }
            Outcome::Rejected(reason) => {
                counts.rejected += 1;
                self.note((file, line), Severity::Rejected, reason);
            }
            Outcome::Abandoned => return,
        }
        for warning in warnings {
            self.note((file, line), Severity::Warning, warning);
        }
    }

    pub(super) fn finish(mut self, interrupted: bool) -> Summary {
        let elapsed = self
            .started
            .elapsed()
            .max(Duration::from_micros(1))
            .as_secs_f64();
        let lines = self.summary.lines();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let lines = lines as f64;
        self.summary.elapsed_seconds = elapsed;
        self.summary.lines_per_second = lines / elapsed;
        self.summary.interrupted = interrupted;
        self.summary
    }

    fn note(&mut self, (file, line): (&str, u64), severity: Severity, reason: Reason) {
        let counts = match severity {
            Severity::Rejected => &mut self.summary.rejected,
            Severity::Warning => &mut self.summary.warnings,
        };
        let count = counts.entry(reason.code).or_default();
        *count += 1;
        if *count > self.notes_per_reason {
            return;
        }
        let Reason { code, message } = reason;
        let note = Note {
            file: file.to_owned(),
            line,
            severity,
            code,
            message,
        };
        self.observer.noted(&note);
        self.summary.notes.push(note);
    }
}
