//! How far a mirror is: one line that changes where standard error is a terminal; elsewhere, as in the log of a
//! job, a new line every ten seconds.
#![expect(clippy::print_stderr, reason = "the lines of a job's log")]

use super::Summary;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Least time between two lines of a job's log.
const EVERY: Duration = Duration::from_secs(10);

/// Tells on standard error how far a mirror is.
pub(super) struct Progress {
    bar: ProgressBar,
    terminal: bool,
    begun: Instant,
    /// How many seconds after the beginning the last line was written.
    told: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> anyhow::Result<Self> {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template("mirroring: {msg} ({elapsed})")?;
        Ok(Self {
            bar: ProgressBar::with_draw_target(None, target).with_style(style),
            terminal,
            begun: Instant::now(),
            told: AtomicU64::new(0),
        })
    }

    pub(super) fn tell(&self, summary: &Summary) {
        let text = format!("{} versions read, {} new", summary.read, summary.published);
        let elapsed = self.begun.elapsed();
        if self.terminal {
            self.bar.set_message(text);
            self.bar.tick();
        } else if is_due(&self.told, elapsed) {
            eprintln!("mirroring: {text} ({} s)", elapsed.as_secs());
        }
    }

    /// Takes the changing line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whether a line is due; it counts as written then.
fn is_due(told: &AtomicU64, elapsed: Duration) -> bool {
    let now = elapsed.as_secs();
    let due = now >= told.load(Ordering::Relaxed) + EVERY.as_secs();
    if due {
        told.store(now, Ordering::Relaxed);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_every_ten_seconds_and_no_more() {
        let told = AtomicU64::new(0);
        let lines = |seconds: &u64| is_due(&told, Duration::from_secs(*seconds));
        let lines: Vec<u64> = (0..=35).filter(lines).collect();
        assert_eq!(lines, [10, 20, 30]);
        assert!(is_due(&told, Duration::from_secs(47)));
        assert!(!is_due(&told, Duration::from_secs(56)));
    }
}
