//! The chains of the objects in the archive, as a verified export has them: each commit is the next one of its object,
//! and names the hash of the one before. So a row that was altered together with the hash beside it is found at the
//! object's next commit; the last commit of an object has none, and only a signed head holds it.

use crate::audit::Fault;
use bus::RestoredCommit;
use domain::canonical::is_canonical;
use domain::envelope::Commit;
use domain::merkle::TreeHash;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// An object's last commit.
struct Link {
    stream_sequence: u64,
    sequence: u64,
    hash: TreeHash,
}

/// The last commit of every object, by the end of its subject: memory grows with the number of objects.
#[derive(Default)]
pub(super) struct Chains(HashMap<Box<str>, Link>);

impl Chains {
    /// Takes the next commit. A body that is none has no place in a chain, and only a signed head holds it.
    ///
    /// # Errors
    /// [`Fault::NotCanonical`], [`Fault::Subject`], [`Fault::Gap`] or [`Fault::Chain`].
    pub(super) fn push(&mut self, restored: &RestoredCommit) -> Result<(), Fault> {
        let stream_sequence = restored.stream_sequence;
        let Ok(commit) = Commit::from_bytes(&restored.body) else {
            return Ok(());
        };
        // The archive writes bodies in this form; one that was parked may have come in another.
        if !is_canonical(&restored.body) {
            return Err(Fault::NotCanonical(stream_sequence));
        }
        let object = format!(
            "{}.{}.{}",
            commit.tenant, commit.aggregate, commit.aggregate_id
        );
        if object != restored.subject_tail {
            return Err(Fault::Subject(stream_sequence));
        }
        let before = self.0.get(object.as_str());
        let after = before.map_or(0, |before| before.stream_sequence);
        let expected = before.map_or(1, |before| before.sequence + 1);
        if commit.sequence != expected {
            return Err(Fault::Gap {
                stream_sequence,
                object,
                expected,
                found: commit.sequence,
                after,
            });
        }
        if commit.previous_hash != before.map(|before| before.hash.to_string()) {
            return Err(Fault::Chain {
                stream_sequence,
                object,
                previous: after.max(1),
            });
        }
        let now = Link {
            stream_sequence,
            sequence: expected,
            hash: TreeHash(Sha256::digest(&restored.body).into()),
        };
        self.0.insert(object.into(), now);
        Ok(())
    }
}
