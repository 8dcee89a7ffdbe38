//! The denial's rules.

use super::{DenialCommand, DenialError, DenialEvent, DenialRecorded, DenialRepeated, Refusal};
use crate::aggregate::AggregateRoot;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

/// A denial, folded from its events. It has few: one for each process that refuses in its window, and one
/// more for each when the window ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    total: Option<u64>,
}

impl Aggregate for Denial {
    const TYPE: &'static str = "denial";
    type Command = DenialCommand;
    type Event = DenialEvent;
    type Error = DenialError;
    type Services = ();

    async fn handle(
        &mut self,
        command: DenialCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), DenialError> {
        let event = match command {
            DenialCommand::Record { refusal, times } => self.record(refusal, times)?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: DenialEvent) {
        match event {
            DenialEvent::Recorded(event) => self.total = Some(event.times),
            DenialEvent::Repeated(event) => self.total = Some(event.total),
        }
    }
}

impl AggregateRoot for Denial {
    /// Nearly always the first of its window; when it is not, the dispatcher loads and decides again.
    fn is_creation(command: &DenialCommand) -> bool {
        match command {
            DenialCommand::Record { .. } => true,
        }
    }
}

impl Denial {
    fn record(&self, refusal: Refusal, times: u64) -> Result<DenialEvent, DenialError> {
        if times == 0 {
            return Err(DenialError::NothingRefused);
        }
        refusal.check()?;
        Ok(match self.total {
            None => DenialEvent::Recorded(Box::new(DenialRecorded { refusal, times })),
            Some(total) => DenialEvent::Repeated(DenialRepeated {
                times,
                total: total.saturating_add(times),
            }),
        })
    }
}
