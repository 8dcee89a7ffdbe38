//! The chains of the objects in the archive, as a verified export has them: each commit is the next one of its object,
//! and names the hash of the one before. So a row that was altered together with the hash beside it is found at the
//! object's next commit; the last commit of an object has none, and only a signed head holds it.

use crate::audit::{Fault, Link, follows};
use bus::RestoredCommit;
use domain::envelope::Commit;
use domain::merkle::TreeHash;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The last commit of every object, by the end of its subject: memory grows with the number of objects.
#[derive(Default)]
pub(super) struct Chains(HashMap<Box<str>, Link>);

impl Chains {
    /// Takes the next commit. A body that is none has no place in a chain, and only a signed head holds it. One that was
    /// parked may be in another form than the canonical one: it is held by the bytes' hash as every other.
    ///
    /// # Errors
    /// [`Fault::Subject`], [`Fault::Gap`] or [`Fault::Chain`].
    pub(super) fn push(&mut self, restored: &RestoredCommit) -> Result<(), Fault> {
        let stream_sequence = restored.stream_sequence;
        let Ok(commit) = Commit::from_bytes(&restored.body) else {
            return Ok(());
        };
        let object = format!(
            "{}.{}.{}",
            commit.tenant, commit.aggregate, commit.aggregate_id
        );
        if object != restored.subject_tail {
            return Err(Fault::Subject(stream_sequence));
        }
        let before = self.0.get(object.as_str());
        let names =
            |hash: Option<TreeHash>| commit.previous_hash == hash.map(|hash| hash.to_string());
        follows((stream_sequence, &object), commit.sequence, names, before)?;
        let now = Link {
            stream_sequence,
            sequence: commit.sequence,
            hash: TreeHash(Sha256::digest(&restored.body).into()),
        };
        self.0.insert(object.into(), now);
        Ok(())
    }
}
