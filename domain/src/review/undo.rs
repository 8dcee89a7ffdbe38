//! What takes an event of a review back.

use super::{Review, ReviewCommand, ReviewEvent};
use crate::undo::{Respect, Undo};

impl Undo for Review {
    fn respect(event: &ReviewEvent) -> Respect {
        match event {
            ReviewEvent::Written(_) | ReviewEvent::Withdrawn(_) => Respect::Life,
            ReviewEvent::Revised(_) => Respect::Profile,
            ReviewEvent::Hidden(_)
            | ReviewEvent::Restored(_)
            | ReviewEvent::Appealed(_)
            | ReviewEvent::AppealDecided(_) => Respect::Moderation,
        }
    }

    fn compensation(event: &ReviewEvent, _before: &Self) -> Result<ReviewCommand, &'static str> {
        match event {
            ReviewEvent::Written(_) => Ok(ReviewCommand::Withdraw),
            ReviewEvent::Hidden(_) => Ok(ReviewCommand::Restore {
                reason: String::new(),
            }),
            ReviewEvent::Revised(_) => {
                Err("the earlier text is for its author to say again; revise the review")
            }
            ReviewEvent::Withdrawn(_) => Err("its author can write it anew"),
            ReviewEvent::Restored(_) => Err("hide it again, and say why"),
            ReviewEvent::Appealed(_) => Err("an appeal waits for its decision"),
            ReviewEvent::AppealDecided(_) => {
                Err("the answer to an appeal stands; hide or restore the review instead")
            }
        }
    }
}
