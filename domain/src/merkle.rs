//! The Merkle tree over the commits of the log (RFC 9162 section 2.1): its hashes, its proofs and how to
//! check them. Leaf `i` (from 0) is the body of the commit at position `i + 1` of the log.
//!
//! Pure: where the hashes of a large tree are kept is the caller's business. Everything that a root or a
//! proof needs is named as [`Subtree`]s, which never change once they are complete, so each of them is
//! O(log n) look-ups wherever they are stored.

use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;

/// SHA-256 of a leaf, a node or a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash(pub [u8; 32]);

impl TreeHash {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        Self::from_slice(&hex::decode(text).ok()?)
    }

    /// Takes 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of a leaf: the prefix keeps a leaf from being passed off as a node.
#[must_use]
pub fn leaf_hash(body: &[u8]) -> TreeHash {
    let hash = Sha256::new().chain_update([0]).chain_update(body);
    TreeHash(hash.finalize().into())
}

/// The hash of a node over its two children.
#[must_use]
pub fn node_hash(left: TreeHash, right: TreeHash) -> TreeHash {
    let hash = Sha256::new().chain_update([1]);
    TreeHash(
        hash.chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// A complete subtree: `2^level` leaves, beginning at leaf `number * 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// 0 for a leaf.
    pub level: u32,
    /// Counts the subtrees of this level from 0.
    pub number: u64,
}

/// The complete subtrees that make up a range of leaves, largest first. The range must begin at 0 or be
/// one of a proof's.
#[must_use]
pub fn subtrees(range: &Range<u64>) -> Vec<Subtree> {
    let mut start = range.start;
    let mut all = Vec::new();
    while start < range.end {
        let level = (range.end - start).ilog2();
        let number = start >> level;
        all.push(Subtree { level, number });
        start += 1 << level;
    }
    all
}

/// The hash of a range of leaves, from the hashes of its [`subtrees`]; none when one is not known.
pub fn range_hash(
    range: &Range<u64>,
    known: impl Fn(&Subtree) -> Option<TreeHash>,
) -> Option<TreeHash> {
    let hashes: Option<Vec<_>> = subtrees(range).iter().map(known).collect();
    Some(fold(&hashes?))
}

/// Joins peaks, smallest first.
fn fold(peaks: &[TreeHash]) -> TreeHash {
    let joined = peaks.iter().rev().copied();
    let joined = joined.reduce(|right, left| node_hash(left, right));
    joined.unwrap_or_else(|| TreeHash(Sha256::digest([]).into()))
}

/// A tree that only grows, as the hashes of its largest complete subtrees: O(log n) memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<TreeHash>,
}

impl Frontier {
    /// A tree of `size` leaves with the hashes of its [`subtrees`]; none when their number is not right.
    #[must_use]
    pub fn new(size: u64, peaks: Vec<TreeHash>) -> Option<Self> {
        let fits = u32::try_from(peaks.len()).ok() == Some(size.count_ones());
        fits.then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the largest complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[TreeHash] {
        &self.peaks
    }

    /// The root; that of an empty tree is the hash of nothing.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        fold(&self.peaks)
    }

    /// Adds a leaf, and tells of each subtree that it completes, the leaf itself first.
    pub fn push(&mut self, leaf: TreeHash, mut completed: impl FnMut(Subtree, TreeHash)) {
        let (mut level, mut number, mut hash) = (0, self.size, leaf);
        completed(Subtree { level, number }, hash);
        // A set bit of the old size is a peak of that level, which this one completes.
        while number & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(left, hash);
            (level, number) = (level + 1, number >> 1);
            completed(Subtree { level, number }, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }
}

/// The ranges whose hashes prove that leaf `index` is in the tree of `size` leaves, from the leaf upwards
/// (RFC 9162 section 2.1.3.1); none when it is not.
#[must_use]
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    ranges.reverse();
    Some(ranges)
}

/// The ranges whose hashes prove that the tree of `new` leaves begins with that of `old`
/// (RFC 9162 section 2.1.4.1); none unless `0 < old <= new`.
#[must_use]
pub fn consistency_ranges(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut start, mut end) = (0, new);
    let mut ranges = Vec::new();
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    // The old tree itself is known to whoever checks.
    if start > 0 {
        ranges.push(start..end);
    }
    ranges.reverse();
    Some(ranges)
}

/// The largest power of two below `n`, which is at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// Whether a path proves a leaf (RFC 9162 section 2.1.3.2).
#[must_use]
pub fn verify_inclusion(
    leaf: TreeHash,
    index: u64,
    size: u64,
    path: &[TreeHash],
    root: TreeHash,
) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(*sibling, hash);
            skip_levels_without_sibling(&mut at, &mut last);
        } else {
            hash = node_hash(hash, *sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == root
}

/// Whether a path proves that one tree is the beginning of another (RFC 9162 section 2.1.4.2).
#[must_use]
pub fn verify_consistency(
    (old, old_root): (u64, TreeHash),
    (new, new_root): (u64, TreeHash),
    path: &[TreeHash],
) -> bool {
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return false;
    }
    let (mut at, mut last) = (old - 1, new - 1);
    let shift = at.trailing_ones();
    (at, last) = (at >> shift, last >> shift);
    let mut path = path.iter().copied();
    // A complete old tree is itself the first subtree of the path.
    let first = if old.is_power_of_two() {
        Some(old_root)
    } else {
        path.next()
    };
    let Some(first) = first else { return false };
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, old_hash);
            new_hash = node_hash(sibling, new_hash);
            skip_levels_without_sibling(&mut at, &mut last);
        } else {
            new_hash = node_hash(new_hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}

/// A last node without a right neighbour is its own parent, level after level.
fn skip_levels_without_sibling(at: &mut u64, last: &mut u64) {
    while *at & 1 == 0 && *at != 0 {
        (*at, *last) = (*at >> 1, *last >> 1);
    }
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
