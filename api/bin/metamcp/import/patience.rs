//! How long to try while the log is away.

use std::time::{Duration, Instant};

/// Pauses between two attempts while the log is away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The attempts of one command while the log is away.
pub(crate) struct Patience {
    until: Instant,
    next: Duration,
}

impl Patience {
    pub(crate) fn new(most: Duration) -> Self {
        Self {
            until: Instant::now() + most,
            next: FIRST_PAUSE,
        }
    }

    /// How long to wait before the next attempt; none when it has lasted long enough.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        if Instant::now() >= self.until {
            return None;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_end() {
        let mut patience = Patience::new(Duration::from_secs(60));
        let pauses: Vec<_> = (0..7)
            .map(|_| patience.pause().unwrap().as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(Patience::new(Duration::ZERO).pause(), None);
    }
}
