//! The tree that a restore grows, compared with every signed head on the way.

use super::{Heads, origin};
use crate::audit::Fault;
use anyhow::Context;
use domain::merkle::{Frontier, TreeHash, leaf_hash};
use projections::ledger::{TreeHead, VerifyingKey};
use std::collections::BTreeMap;

/// A tree that is compared with each signed head as it grows.
pub(super) struct SignedTree {
    pub(super) frontier: Frontier,
    /// By size: the roots, and whether a known key has signed them.
    signed: BTreeMap<u64, Vec<(TreeHash, bool)>>,
    /// So many commits have a root that a known key has signed.
    pub(super) signed_to: u64,
}

impl SignedTree {
    pub(super) fn new(heads: &Heads, keys: &[VerifyingKey]) -> anyhow::Result<Self> {
        let mut signed: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (sequence, head) in heads {
            let forged = || format!("tree head {sequence} was altered or forged");
            let good = head.verify(keys).with_context(forged)?;
            let TreeHead {
                origin: of,
                size,
                root,
            } = head.head();
            if Some(of.as_str()) == origin(heads) {
                signed
                    .entry(*size)
                    .or_default()
                    .push((*root, !good.is_empty()));
            }
        }
        Ok(Self {
            frontier: Frontier::default(),
            signed,
            signed_to: 0,
        })
    }

    /// Takes the next commit.
    ///
    /// # Errors
    /// [`Fault::Root`] when the commits so far are not those that were signed.
    pub(super) fn push(&mut self, body: &[u8]) -> Result<(), Fault> {
        self.frontier.push(leaf_hash(body), |_, _| {});
        let size = self.frontier.size();
        for (root, known) in self.signed.remove(&size).unwrap_or_default() {
            if root != self.frontier.root() {
                let after = self.signed_to;
                return Err(Fault::Root { size, after });
            }
            if known {
                self.signed_to = size;
            }
        }
        Ok(())
    }
}
