//! A review: what one principal thinks of one version of a tool, and what moderators decided about it.
//!
//! Its id follows from tenant, tool, version and author, so nobody has two of one version. The texts of the
//! author are personal fields, sealed in events; the rating stays when the author is erased, and is
//! anonymous then. A review counts while it is published and not hidden.

mod aggregate;
mod command;
mod error;
mod event;
mod rating;
#[cfg(test)]
mod tests;
mod text;
mod undo;
pub(crate) mod upcast;

pub use aggregate::{Moderation, Review};
pub use command::{ReviewCommand, WriteReview};
pub use error::ReviewError;
pub use event::{
    AppealDecided, AppealDecision, ReviewAppealed, ReviewEvent, ReviewHidden, ReviewRestored,
    ReviewRevised, ReviewWithdrawn, ReviewWritten,
};
pub use rating::Rating;
pub use text::AuthorText;
