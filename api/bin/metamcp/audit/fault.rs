//! What a verification can find.

use std::ops::RangeInclusive;

/// The first fault of an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line is not one of the format.
    #[error("line {line} is not one of an export: {reason}")]
    Format {
        /// Counts from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A commit does not stand where it belongs.
    #[error(
        "commit {found} stands where commit {expected} belongs: commits were dropped, inserted or moved"
    )]
    Place {
        /// The position that comes next.
        expected: u64,
        /// The position that the line names.
        found: u64,
    },
    /// A body is not the one that its line was written for.
    #[error("commit {0} was altered: its body does not have the line's leaf hash")]
    Altered(u64),
    /// A body is a commit, but not in the one form that is hashed.
    #[error("commit {0} was altered: it is not in canonical form (RFC 8785)")]
    NotCanonical(u64),
    /// A commit lies on another object's subject.
    #[error("commit {0} was moved: its subject is not the one of the object that it names")]
    Subject(u64),
    /// An object's commits are not numbered one after the other.
    #[error(
        "commit {stream_sequence} is number {found} of {object}, and number {expected} comes next: commits of it were dropped, inserted or moved between {after} and here"
    )]
    Gap {
        /// Its position.
        stream_sequence: u64,
        /// The object.
        object: String,
        /// The aggregate sequence that comes next.
        expected: u64,
        /// The one that the commit has.
        found: u64,
        /// Position of the object's commit before; the one before the export when there is none.
        after: u64,
    },
    /// A commit does not name the hash of the one before.
    #[error(
        "commit {stream_sequence} does not follow on commit {previous} of {object}: one of the two was altered"
    )]
    Chain {
        /// Its position.
        stream_sequence: u64,
        /// The object.
        object: String,
        /// Position of the object's commit before.
        previous: u64,
    },
    /// A tree head was altered or forged.
    #[error("the tree head over {size} commits is not signed by {key}, which it names")]
    Signature {
        /// How many commits it covers.
        size: u64,
        /// The key.
        key: String,
    },
    /// The commits are not those that were signed.
    #[error(
        "the commits up to {size} are not those that were signed: one from {after} on was altered, dropped, inserted or moved",
        after = .after + 1
    )]
    Root {
        /// How many commits the signed head covers; how many stand before it, if it covers fewer.
        size: u64,
        /// Up to here a signed head agrees.
        after: u64,
    },
    /// A signed head says that there is more.
    #[error(
        "a signed tree head covers {signed} commits, and the export ends at {end}: the end was cut off"
    )]
    Shorter {
        /// What was signed.
        signed: u64,
        /// The last commit that is there.
        end: u64,
    },
    /// A later head does not continue the export.
    #[error(
        "the tree head over {size} commits is not proved to continue the export, which ends at {end}"
    )]
    Consistency {
        /// How many commits the later head covers.
        size: u64,
        /// The last commit that is there.
        end: u64,
        /// Up to here a signed head agrees.
        after: u64,
    },
    /// The last line is missing, or has other counts.
    #[error("the export is not whole: {}", what_is_missing(*end, *to))]
    NotWhole {
        /// The last commit that is there.
        end: u64,
        /// The last one that the first line promises.
        to: u64,
    },
    /// No head is signed by a key that is trusted.
    #[error(
        "no tree head in the export is signed by the given key: nothing says that it is the log"
    )]
    Unsigned,
}

impl Fault {
    /// The commits among which the fault lies, as far as it can be said; none when the fault is of the file
    /// or of a tree head.
    #[must_use]
    pub fn commits(&self) -> Option<RangeInclusive<u64>> {
        match self {
            // One that comes again, or too late, is at fault itself; one that comes too early shows a gap.
            Self::Place { expected, found } => Some(*expected.min(found)..=*expected),
            Self::Altered(at) | Self::NotCanonical(at) | Self::Subject(at) => Some(*at..=*at),
            Self::Gap {
                stream_sequence,
                after,
                ..
            } => Some(*after.max(&1)..=*stream_sequence),
            Self::Chain {
                stream_sequence,
                previous,
                ..
            } => Some(*previous..=*stream_sequence),
            Self::Root { size, after } => Some(after + 1..=*size),
            Self::Shorter { signed, end } => Some(end + 1..=*signed),
            // Where the first line promises no more, no commit is missing that is known to exist.
            Self::NotWhole { end, to } => (end < to).then(|| end + 1..=end + 1),
            // Where an earlier head holds all of them, it is the proof that is wrong.
            Self::Consistency { end, after, .. } => (after < end).then(|| after + 1..=*end),
            Self::Format { .. } | Self::Signature { .. } | Self::Unsigned => None,
        }
    }
}

fn what_is_missing(end: u64, to: u64) -> String {
    match end < to {
        true => format!("it was cut off behind commit {end}, and its first line promises {to}"),
        false => format!(
            "it was cut off behind commit {end}: its last line is missing, or lines that it counts"
        ),
    }
}
