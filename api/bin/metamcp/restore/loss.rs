//! A source that ends before a signed tree head: commits that were signed would be lost.

use super::{Heads, origin};

/// What to do about commits that were signed and are not in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Write nothing.
    Refuse,
    /// Restore what there is.
    Accept,
}

/// The source ends before a signed tree head; nothing was written.
///
/// The heads are brought back whole or not at all: left out, nothing here would tell of the loss, and a log that
/// goes on under the same name contradicts the copies of them that others keep.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the source ends at commit {end}, and a tree head is signed over {signed}: commits {} to {signed} would be lost, and no \
     head could be signed afterwards. Nothing was written. Take an export without `--to`, or `--from archive`. If \
     there is nothing longer, `--accept-loss` restores what there is and says how to go on",
    end + 1
)]
pub struct SignedCommitsLost {
    /// The last commit of the source.
    pub end: u64,
    /// So many commits a head of the log covers.
    pub signed: u64,
}

impl Loss {
    /// Compares the end of the source with the heads, before anything is written.
    pub(super) fn check(self, heads: &Heads, end: u64) -> Result<(), SignedCommitsLost> {
        let of_this_log = heads
            .iter()
            .map(|(_, head)| head.head())
            .filter(|head| Some(head.origin.as_str()) == origin(heads));
        match of_this_log.map(|head| head.size).max() {
            Some(signed) if signed > end && self == Self::Refuse => {
                Err(SignedCommitsLost { end, signed })
            }
            Some(_) | None => Ok(()),
        }
    }
}
