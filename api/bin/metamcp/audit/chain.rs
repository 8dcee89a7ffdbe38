//! The chain of an object: each of its commits is the next one, and names the hash of the one before.

use super::Fault;
use domain::merkle::TreeHash;

/// An object's last commit.
pub(crate) struct Link {
    pub(crate) stream_sequence: u64,
    pub(crate) sequence: u64,
    /// SHA-256 of its body.
    pub(crate) hash: TreeHash,
}

/// Whether the commit at a position is the next of its object behind the last one. `names` says whether it names a hash
/// as that of the commit before it, or none.
///
/// # Errors
/// [`Fault::Gap`] or [`Fault::Chain`].
pub(crate) fn follows(
    (stream_sequence, object): (u64, &str),
    sequence: u64,
    names: impl FnOnce(Option<TreeHash>) -> bool,
    before: Option<&Link>,
) -> Result<(), Fault> {
    let after = before.map_or(0, |before| before.stream_sequence);
    let expected = before.map_or(1, |before| before.sequence + 1);
    if sequence != expected {
        return Err(Fault::Gap {
            stream_sequence,
            object: object.to_owned(),
            expected,
            found: sequence,
            after,
        });
    }
    if !names(before.map(|before| before.hash)) {
        return Err(Fault::Chain {
            stream_sequence,
            object: object.to_owned(),
            previous: after.max(1),
        });
    }
    Ok(())
}
