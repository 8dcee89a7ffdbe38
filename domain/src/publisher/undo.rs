//! What takes an event of a namespace back: nothing, because each says something of the world outside.

use super::{Publisher, PublisherCommand, PublisherEvent};
use crate::undo::{Respect, Undo};

impl Undo for Publisher {
    fn respect(event: &PublisherEvent) -> Respect {
        match event {
            PublisherEvent::Claimed(_)
            | PublisherEvent::Verified(_)
            | PublisherEvent::Lapsed(_)
            | PublisherEvent::Revoked(_) => Respect::Life,
        }
    }

    fn compensation(
        event: &PublisherEvent,
        _before: &Self,
    ) -> Result<PublisherCommand, &'static str> {
        match event {
            PublisherEvent::Claimed(_) => Err("revoke the namespace"),
            PublisherEvent::Verified(_) => {
                Err("revoke the namespace, or take the key out of its record")
            }
            PublisherEvent::Lapsed(_) => Err("publish the record again and verify the namespace"),
            PublisherEvent::Revoked(_) => Err("claim the namespace again and verify it"),
        }
    }
}
