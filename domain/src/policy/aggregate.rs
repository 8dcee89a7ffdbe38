//! The policy's rules.

use super::{PolicyAdopted, PolicyCommand, PolicyError, PolicyEvent, version_of};
use crate::aggregate::AggregateRoot;
use crate::envelope::body_hash;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

/// Longest text of a policy, in bytes: it is one event.
pub const MAX_TEXT: usize = 256 * 1024;

/// The policy, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    sha256: Option<String>,
}

impl Aggregate for Policy {
    const TYPE: &'static str = "policy";
    type Command = PolicyCommand;
    type Event = PolicyEvent;
    type Error = PolicyError;
    type Services = ();

    async fn handle(
        &mut self,
        command: PolicyCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), PolicyError> {
        let event = match command {
            PolicyCommand::Adopt {
                text,
                program_version,
            } => self.adopt(text, program_version)?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: PolicyEvent) {
        match event {
            PolicyEvent::Adopted(event) => self.sha256 = Some(event.sha256),
        }
    }
}

impl AggregateRoot for Policy {
    /// Only the first is, and every start asks: the log says what is on record.
    fn is_creation(command: &PolicyCommand) -> bool {
        match command {
            PolicyCommand::Adopt { .. } => false,
        }
    }
}

impl Policy {
    fn adopt(&self, text: String, program_version: String) -> Result<PolicyEvent, PolicyError> {
        if text.len() > MAX_TEXT {
            return Err(PolicyError::TooLarge { found: text.len() });
        }
        let sha256 = body_hash(text.as_bytes());
        if self.sha256.as_ref() == Some(&sha256) {
            return Err(PolicyError::AlreadyInForce);
        }
        Ok(PolicyEvent::Adopted(PolicyAdopted {
            policy_version: version_of(&text),
            sha256,
            text,
            program_version: Some(program_version),
        }))
    }
}
