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
    /// Compares the end of the source with its heads and with those that are kept elsewhere, before anything is
    /// written. Heads of another name are those of another log. Answers how many commits were signed, if that is
    /// more than the source has.
    pub(super) fn check(
        self,
        heads: &Heads,
        kept: &[Heads],
        end: u64,
    ) -> Result<Option<u64>, SignedCommitsLost> {
        let of_this_log = std::iter::once(heads).chain(kept).flat_map(|list| {
            let name = origin(heads).or(origin(list));
            let all = list.iter().map(|(_, head)| head.head());
            all.filter(move |head| Some(head.origin.as_str()) == name)
        });
        let signed = of_this_log.map(|head| head.size).max();
        match signed.filter(|signed| *signed > end) {
            Some(signed) if self == Self::Refuse => Err(SignedCommitsLost { end, signed }),
            signed => Ok(signed),
        }
    }
}
