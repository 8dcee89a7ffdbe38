//! Why a review refuses a command.

use crate::aggregate::Rejection;
use crate::text::HIDDEN_KINDS;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// Write the review first.
    #[error("there is no such review")]
    NotWritten,
    /// There is one by this author of this version: revise it instead.
    #[error("you have reviewed this version already; revise that review instead")]
    Exists,
    /// Give 1 to 5 stars.
    #[error("a rating is 1 to 5; {given} is not")]
    RatingOutOfRange {
        /// What was given.
        given: i64,
    },
    /// Shorten the text.
    #[error("the text has {found} characters; the most is {most}")]
    TextTooLong {
        /// The limit.
        most: usize,
        /// What was given.
        found: usize,
    },
    /// Remove what a reader cannot see ([`HIDDEN_KINDS`]).
    #[error("the text holds hidden characters ({HIDDEN_KINDS}); remove them")]
    HiddenCharacters,
    /// Say why.
    #[error("say why, for the author: the reason must not be empty")]
    ReasonMissing,
    /// Write the review anew to bring it back.
    #[error("the review is withdrawn; write it anew to bring it back")]
    Withdrawn,
    /// Appeal against the hiding first.
    #[error("the review is hidden by a moderator; appeal against that instead")]
    Hidden,
    /// Only what is hidden can be restored, and appealed against.
    #[error("the review is not hidden; only what is hidden can be restored, or appealed against")]
    NotHidden,
    /// Wait for the answer to the first appeal; after that, it stands.
    #[error("there was an appeal already, and one is all there is; the decision over it stands")]
    AlreadyAppealed,
    /// Only an appeal that waits for its answer can be decided: hide or restore the review without one.
    #[error("no appeal waits for a decision; without one, hide or restore the review")]
    NoAppeal,
    /// Seal the text before sending the command. A fault of the caller's code, not of a person.
    #[error("the text is not sealed")]
    NotSealed,
}

impl Rejection for ReviewError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotWritten => "REVIEW_NOT_FOUND",
            Self::Exists => "REVIEW_EXISTS",
            Self::RatingOutOfRange { .. } => "RATING_OUT_OF_RANGE",
            Self::TextTooLong { .. } => "FIELD_TOO_LONG",
            Self::HiddenCharacters => "HIDDEN_CHARACTERS",
            Self::ReasonMissing => "FIELD_MISSING",
            Self::Withdrawn => "REVIEW_WITHDRAWN",
            Self::Hidden => "REVIEW_HIDDEN",
            Self::NotHidden => "REVIEW_NOT_HIDDEN",
            Self::AlreadyAppealed => "ALREADY_APPEALED",
            Self::NoAppeal => "NO_APPEAL",
            Self::NotSealed => "NOT_SEALED",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotWritten
    }
}
