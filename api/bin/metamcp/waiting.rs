//! What a process does that starts while the log does not answer, as for some seconds when a NATS cluster has just lost
//! a server: it asks again, for a bounded time, and says why. What somebody has to mend first ends the start at once.

use api::error::chain;
use bus::{BusError, DispatchError};
use std::time::{Duration, Instant};

/// For how long a start begins to ask again: longer than a cluster takes to choose its leaders.
const AT_START: Duration = Duration::from_secs(60);
/// Between two attempts. An attempt by itself may take some seconds more.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait for the log, counted from when it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// None: it is asked once.
    until: Option<Instant>,
    pause: Duration,
}

/// A failure of which the log may be the cause.
pub(crate) trait OfTheLog: std::error::Error + 'static {
    /// Whether it may be over in a moment, without anybody's doing.
    fn passes_by_itself(&self) -> bool;
}

impl OfTheLog for BusError {
    fn passes_by_itself(&self) -> bool {
        BusError::passes_by_itself(self)
    }
}

impl<E: std::error::Error + 'static> OfTheLog for DispatchError<E> {
    fn passes_by_itself(&self) -> bool {
        matches!(self, DispatchError::Bus(error) if error.passes_by_itself())
    }
}

impl Waiting {
    /// That of a command: whoever has called it hears at once that the log is away.
    pub(crate) fn none() -> Self {
        Self {
            until: None,
            pause: PAUSE,
        }
    }

    /// That of a process that stays.
    pub(crate) fn of_a_start() -> Self {
        Self {
            until: Some(Instant::now() + AT_START),
            pause: PAUSE,
        }
    }

    /// Asks the log until it answers, refuses, or time is up.
    pub(crate) async fn ask<T, E: OfTheLog, F>(self, attempt: impl Fn() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        loop {
            match attempt().await {
                Err(error) if error.passes_by_itself() && self.lasts() => {
                    tracing::warn!(
                        error = chain(&error),
                        "the log does not answer: the start waits for it"
                    );
                    tokio::time::sleep(self.pause).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn lasts(self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn silent() -> BusError {
        BusError::Unavailable {
            operation: "open the stream",
            source: None,
        }
    }

    fn too_old() -> BusError {
        BusError::ServerTooOld {
            found: String::new(),
            needed: bus::stream::LEAST_SERVER,
        }
    }

    /// So many times the log was asked that answers the third time, and fails as given before.
    async fn asked(waiting: Waiting, failure: fn() -> BusError) -> u32 {
        let asked = Cell::new(0);
        let attempt = || {
            asked.set(asked.get() + 1);
            let outcome = match asked.get() {
                3 => Ok(()),
                _ => Err(failure()),
            };
            std::future::ready(outcome)
        };
        let outcome = waiting.ask(attempt).await;
        assert_eq!(outcome.is_ok(), asked.get() == 3);
        asked.get()
    }

    #[tokio::test]
    async fn a_start_waits_for_what_passes_by_itself_and_for_nothing_else() {
        let waiting = Waiting {
            pause: Duration::ZERO,
            ..Waiting::of_a_start()
        };
        assert_eq!(asked(waiting, silent).await, 3);
        assert_eq!(asked(waiting, too_old).await, 1);
    }

    #[tokio::test]
    async fn a_command_asks_once_and_so_does_a_start_whose_time_is_up() {
        assert_eq!(asked(Waiting::none(), silent).await, 1);
        let up = Waiting {
            until: Some(Instant::now()),
            pause: Duration::ZERO,
        };
        assert_eq!(asked(up, silent).await, 1);
    }
}
