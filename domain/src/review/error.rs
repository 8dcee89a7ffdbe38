//! Why a review refuses a command.

use crate::aggregate::Rejection;

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
    /// Remove control, bidirectional and zero-width characters.
    #[error("the text holds hidden characters (control, bidirectional or zero-width); remove them")]
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
    #[error("the review is not hidden")]
    NotHidden,
    /// Wait for the answer to the first appeal; after that, it stands.
    #[error("there was an appeal already; one is all there is")]
    AlreadyAppealed,
    /// Only an appeal that waits for its answer can be decided.
    #[error("there is no appeal that waits for a decision")]
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
