//! The review's rules.

use super::event::{
    AppealDecided, AppealDecision, ReviewAppealed, ReviewHidden, ReviewRestored, ReviewRevised,
    ReviewWithdrawn, ReviewWritten,
};
use super::text::check;
use super::{AuthorText, Rating, ReviewCommand, ReviewError, ReviewEvent, WriteReview};
use crate::aggregate::AggregateRoot;
use crate::id::PrincipalId;
use crate::named::named;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest reason of a moderator, in characters.
const MAX_REASON: usize = 1_000;

named! {
    /// What moderators think of a review.
    pub enum Moderation {
        /// Nothing: it is shown.
        Visible = "visible",
        /// Hidden; its author may appeal, once.
        Hidden = "hidden",
        /// Hidden, and its author's appeal waits for a decision.
        Appealed = "appealed",
        /// Hidden, and the appeal did not help.
        Upheld = "upheld",
    }
}

/// A review, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    life: Option<Life>,
}

/// What a written review remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    author: PrincipalId,
    withdrawn: bool,
    moderation: Moderation,
}

impl Aggregate for Review {
    const TYPE: &'static str = "review";
    type Command = ReviewCommand;
    type Event = ReviewEvent;
    type Error = ReviewError;
    type Services = ();

    async fn handle(
        &mut self,
        command: ReviewCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ReviewError> {
        let event = match command {
            ReviewCommand::Write(write) => self.write(write)?,
            ReviewCommand::Revise { rating, text } => self.revise(rating, text)?,
            ReviewCommand::Withdraw => self.withdraw()?,
            ReviewCommand::Hide { reason } => self.hide(reason)?,
            ReviewCommand::Restore { reason } => self.restore(reason)?,
            ReviewCommand::Appeal { text } => self.appeal(text)?,
            ReviewCommand::DecideAppeal { decision, reason } => {
                self.decide_appeal(decision, reason)?
            }
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: ReviewEvent) {
        match event {
            ReviewEvent::Written(event) => {
                let earlier = self.life.as_ref();
                let moderation = earlier.map_or(Moderation::Visible, |life| life.moderation);
                self.life = Some(Life {
                    author: event.author,
                    withdrawn: false,
                    moderation,
                });
            }
            ReviewEvent::Revised(_) => {}
            ReviewEvent::Withdrawn(_) => {
                if let Some(life) = &mut self.life {
                    life.withdrawn = true;
                }
            }
            ReviewEvent::Hidden(_) => self.moderate(Moderation::Hidden),
            ReviewEvent::Restored(_) => self.moderate(Moderation::Visible),
            ReviewEvent::Appealed(_) => self.moderate(Moderation::Appealed),
            ReviewEvent::AppealDecided(event) => self.moderate(match event.decision {
                AppealDecision::Upheld => Moderation::Upheld,
                AppealDecision::Restored => Moderation::Visible,
            }),
        }
    }
}

impl AggregateRoot for Review {
    fn is_creation(command: &ReviewCommand) -> bool {
        matches!(command, ReviewCommand::Write(_))
    }
}

impl Review {
    /// Who wrote it; none before it is written. What a caller may do with it depends on this.
    #[must_use]
    pub fn author(&self) -> Option<&PrincipalId> {
        self.life.as_ref().map(|life| &life.author)
    }

    /// Whether a moderator hid it.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let visible = |life: &Life| life.moderation == Moderation::Visible;
        !self.life.as_ref().is_none_or(visible)
    }

    fn write(&self, write: WriteReview) -> Result<ReviewEvent, ReviewError> {
        match &self.life {
            Some(life) if !life.withdrawn => return Err(ReviewError::Exists),
            // Otherwise hiding a review would be undone by writing it once more.
            Some(life) if life.moderation != Moderation::Visible => {
                return Err(ReviewError::Hidden);
            }
            Some(_) | None => {}
        }
        Ok(ReviewEvent::Written(ReviewWritten {
            tool_id: write.tool_id,
            tool_version: write.tool_version,
            author: write.author,
            rating: write.rating,
            text: write.text.into_sealed()?,
        }))
    }

    fn revise(&self, rating: Rating, text: AuthorText) -> Result<ReviewEvent, ReviewError> {
        let life = self.published()?;
        if life.moderation != Moderation::Visible {
            return Err(ReviewError::Hidden);
        }
        Ok(ReviewEvent::Revised(ReviewRevised {
            author: life.author.clone(),
            rating,
            text: text.into_sealed()?,
        }))
    }

    fn withdraw(&self) -> Result<ReviewEvent, ReviewError> {
        self.published()?;
        Ok(ReviewEvent::Withdrawn(ReviewWithdrawn {}))
    }

    fn hide(&self, reason: String) -> Result<ReviewEvent, ReviewError> {
        let life = self.published()?;
        if life.moderation != Moderation::Visible {
            return Err(ReviewError::Hidden);
        }
        check_reason(&reason, true)?;
        Ok(ReviewEvent::Hidden(ReviewHidden { reason }))
    }

    fn restore(&self, reason: String) -> Result<ReviewEvent, ReviewError> {
        let life = self.life.as_ref().ok_or(ReviewError::NotWritten)?;
        if life.moderation == Moderation::Visible {
            return Err(ReviewError::NotHidden);
        }
        check_reason(&reason, false)?;
        Ok(ReviewEvent::Restored(ReviewRestored { reason }))
    }

    fn appeal(&self, text: AuthorText) -> Result<ReviewEvent, ReviewError> {
        let life = self.published()?;
        match life.moderation {
            Moderation::Hidden => {}
            Moderation::Visible => return Err(ReviewError::NotHidden),
            Moderation::Appealed | Moderation::Upheld => return Err(ReviewError::AlreadyAppealed),
        }
        let text = text.into_sealed()?.ok_or(ReviewError::ReasonMissing)?;
        Ok(ReviewEvent::Appealed(ReviewAppealed {
            author: life.author.clone(),
            text: Some(text),
        }))
    }

    fn decide_appeal(
        &self,
        decision: AppealDecision,
        reason: String,
    ) -> Result<ReviewEvent, ReviewError> {
        let life = self.life.as_ref().ok_or(ReviewError::NotWritten)?;
        if life.moderation != Moderation::Appealed {
            return Err(ReviewError::NoAppeal);
        }
        check_reason(&reason, true)?;
        let decided = AppealDecided { decision, reason };
        Ok(ReviewEvent::AppealDecided(decided))
    }

    fn published(&self) -> Result<&Life, ReviewError> {
        let life = self.life.as_ref().ok_or(ReviewError::NotWritten)?;
        if life.withdrawn {
            Err(ReviewError::Withdrawn)
        } else {
            Ok(life)
        }
    }

    fn moderate(&mut self, moderation: Moderation) {
        if let Some(life) = &mut self.life {
            life.moderation = moderation;
        }
    }
}

fn check_reason(reason: &str, needed: bool) -> Result<(), ReviewError> {
    if needed && reason.trim().is_empty() {
        return Err(ReviewError::ReasonMissing);
    }
    check(reason, MAX_REASON)
}
