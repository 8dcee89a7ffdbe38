//! What can be asked of a review. That the author may see the tool, that the version is there, and who
//! moderates is looked up where the command is made.

use super::{AppealDecision, AuthorText, Rating};
use crate::id::{PrincipalId, ToolId};
use semver::Version;

/// A command to a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewCommand {
    /// Begin the review, or write a withdrawn one anew.
    Write(WriteReview),
    /// Say something else; rating and text are replaced.
    Revise {
        /// How good.
        rating: Rating,
        /// Why.
        text: AuthorText,
    },
    /// Take the review back.
    Withdraw,
    /// As a moderator: show it to nobody but its author and moderators, and count it no more.
    Hide {
        /// Why, for the author.
        reason: String,
    },
    /// As a moderator: take hiding it back.
    Restore {
        /// Why; may be empty.
        reason: String,
    },
    /// As the author: object to the hiding. Once.
    Appeal {
        /// Why it should be shown.
        text: AuthorText,
    },
    /// As a moderator: answer the appeal, for good.
    DecideAppeal {
        /// How.
        decision: AppealDecision,
        /// Why, for the author.
        reason: String,
    },
}

/// Begin a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReview {
    /// The tool.
    pub tool_id: ToolId,
    /// The version that it is about.
    pub tool_version: Version,
    /// Who writes.
    pub author: PrincipalId,
    /// How good.
    pub rating: Rating,
    /// Why.
    pub text: AuthorText,
}
