//! What has happened to a review. Events with a text of the author name the author, under whose key the
//! text is sealed.

use super::Rating;
use crate::id::{PrincipalId, ToolId};
use crate::named::named;
use crate::personal::Personal;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

wire_events! {
    /// An event of a review.
    pub enum ReviewEvent {
        /// The review began, or was written anew after it was withdrawn.
        Written(ReviewWritten) = "review.written" v 1,
        /// It says something else.
        Revised(ReviewRevised) = "review.revised" v 1,
        /// Its author took it back.
        Withdrawn(ReviewWithdrawn) = "review.withdrawn" v 1,
        /// A moderator hid it.
        Hidden(ReviewHidden) = "review.hidden" v 1,
        /// A moderator took hiding it back.
        Restored(ReviewRestored) = "review.restored" v 1,
        /// Its author objected to the hiding.
        Appealed(ReviewAppealed) = "review.appealed" v 1,
        /// A moderator answered the appeal.
        AppealDecided(AppealDecided) = "review.appeal_decided" v 1,
    }
}

named! {
    /// The answer to an appeal.
    pub enum AppealDecision {
        /// The review stays hidden.
        Upheld = "upheld",
        /// The review is shown and counts again.
        Restored = "restored",
    }
}

/// The review began, or was written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewWritten {
    /// The tool.
    pub tool_id: ToolId,
    /// The version that it is about.
    pub tool_version: Version,
    /// Who wrote it.
    pub author: PrincipalId,
    /// How good.
    pub rating: Rating,
    /// Why, sealed.
    pub text: Option<Personal>,
}

/// It says something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRevised {
    /// Who wrote it.
    pub author: PrincipalId,
    /// How good.
    pub rating: Rating,
    /// Why, sealed.
    pub text: Option<Personal>,
}

/// Its author took it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewWithdrawn {}

/// A moderator hid it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewHidden {
    /// Why.
    pub reason: String,
}

/// A moderator took hiding it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRestored {
    /// Why.
    pub reason: String,
}

/// Its author objected to the hiding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewAppealed {
    /// Who wrote it.
    pub author: PrincipalId,
    /// Why it should be shown, sealed.
    pub text: Option<Personal>,
}

/// A moderator answered the appeal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppealDecided {
    /// How.
    pub decision: AppealDecision,
    /// Why.
    pub reason: String,
}
