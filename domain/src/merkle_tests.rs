//! Against the definition of RFC 9162, written out, and against vectors of others.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// The inputs and roots that implementations of Certificate Transparency test themselves with: the root
/// over the first 1, 2, … 8 inputs.
const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// MTH of RFC 9162 section 2.1.1, by its recursive definition.
fn naive_root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash(Sha256::digest([]).into()),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(naive_root(&leaves[..k]), naive_root(&leaves[k..]))
        }
    }
}

/// PATH of RFC 9162 section 2.1.3.1.
fn naive_inclusion(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    if index < k {
        let mut path = naive_inclusion(index, &leaves[..k]);
        path.push(naive_root(&leaves[k..]));
        path
    } else {
        let mut path = naive_inclusion(index - k, &leaves[k..]);
        path.push(naive_root(&leaves[..k]));
        path
    }
}

/// SUBPROOF of RFC 9162 section 2.1.4.1.
fn naive_consistency(old: usize, leaves: &[TreeHash], whole: bool) -> Vec<TreeHash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    if old <= k {
        let mut path = naive_consistency(old, &leaves[..k], whole);
        path.push(naive_root(&leaves[k..]));
        path
    } else {
        let mut path = naive_consistency(old - k, &leaves[k..], false);
        path.push(naive_root(&leaves[..k]));
        path
    }
}

fn leaves(count: usize) -> Vec<TreeHash> {
    let body = |n: usize| leaf_hash(&n.to_be_bytes());
    (0..count).map(body).collect()
}

fn grow(leaves: &[TreeHash]) -> (Frontier, HashMap<Subtree, TreeHash>) {
    let (mut tree, mut nodes) = (Frontier::default(), HashMap::new());
    for leaf in leaves {
        tree.push(*leaf, |subtree, hash| {
            assert_eq!(nodes.insert(subtree, hash), None, "{subtree:?} twice");
        });
    }
    (tree, nodes)
}

fn hashes(ranges: &[Range<u64>], nodes: &HashMap<Subtree, TreeHash>) -> Vec<TreeHash> {
    let hash = |range| range_hash(range, |subtree| nodes.get(subtree).copied()).unwrap();
    ranges.iter().map(hash).collect()
}

#[test]
fn the_vectors_of_certificate_transparency_hold() {
    let mut tree = Frontier::default();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(tree.root().to_string(), empty);
    for (input, root) in INPUTS.iter().zip(ROOTS) {
        tree.push(leaf_hash(&hex::decode(input).unwrap()), |_, _| {});
        assert_eq!(tree.root().to_string(), root);
        assert_eq!(TreeHash::from_hex(root), Some(tree.root()));
    }
}

#[test]
fn a_frontier_of_the_wrong_shape_is_none() {
    assert_eq!(Frontier::new(3, leaves(1)), None);
    assert!(Frontier::new(3, leaves(2)).is_some());
}

proptest! {
    #[test]
    fn roots_and_proofs_are_those_of_the_definition(
        size in 1usize..130, index in 0usize..130, old in 1usize..130,
    ) {
        let (index, old) = (index % size, (old - 1) % size + 1);
        let leaves = leaves(size);
        let (tree, nodes) = grow(&leaves);
        let (n, i, m) = (size as u64, index as u64, old as u64);
        prop_assert_eq!(tree.root(), naive_root(&leaves));
        let known = |subtree: &Subtree| nodes.get(subtree).copied();
        let old_root = range_hash(&(0..m), known).unwrap();
        prop_assert_eq!(old_root, naive_root(&leaves[..old]));

        let inclusion = hashes(&inclusion_ranges(i, n).unwrap(), &nodes);
        prop_assert_eq!(&inclusion, &naive_inclusion(index, &leaves));
        prop_assert!(verify_inclusion(leaves[index], i, n, &inclusion, tree.root()));

        let consistency = hashes(&consistency_ranges(m, n).unwrap(), &nodes);
        prop_assert_eq!(&consistency, &naive_consistency(old, &leaves, true));
        prop_assert!(verify_consistency((m, old_root), (n, tree.root()), &consistency));

        // What takes part in a proof cannot be changed.
        let forged = leaf_hash(b"forged");
        prop_assert!(!verify_inclusion(forged, i, n, &inclusion, tree.root()));
        prop_assert!(!verify_inclusion(leaves[index], i, n, &inclusion, forged));
        prop_assert!(!verify_inclusion(leaves[index], n, n, &inclusion, tree.root()));
        prop_assert!(!verify_consistency((m, forged), (n, tree.root()), &consistency));
        prop_assert!(!verify_consistency((m, old_root), (n, forged), &consistency));
        for place in 0..inclusion.len() {
            let mut path = inclusion.clone();
            path[place] = forged;
            prop_assert!(!verify_inclusion(leaves[index], i, n, &path, tree.root()));
            path.remove(place);
            prop_assert!(!verify_inclusion(leaves[index], i, n, &path, tree.root()));
        }
        for place in 0..consistency.len() {
            let mut path = consistency.clone();
            path[place] = forged;
            prop_assert!(!verify_consistency((m, old_root), (n, tree.root()), &path));
        }
    }

    #[test]
    fn a_tree_goes_on_from_its_frontier(size in 0u64..200, more in 0u64..40) {
        let all = leaves(usize::try_from(size + more).unwrap());
        let (whole, nodes) = grow(&all);
        let peaks = subtrees(&(0..size)).iter().map(|subtree| nodes[subtree]).collect();
        let mut tree = Frontier::new(size, peaks).unwrap();
        for leaf in &all[usize::try_from(size).unwrap()..] {
            tree.push(*leaf, |subtree, hash| assert_eq!(nodes[&subtree], hash));
        }
        prop_assert_eq!(tree, whole);
    }

    #[test]
    fn a_proof_needs_few_subtrees(size in 1u64..1 << 40, at in 0u64..1 << 40) {
        let count = |ranges: Vec<Range<u64>>| ranges.iter().map(|r| subtrees(r).len()).sum::<usize>();
        let bound = 2 * (size.ilog2() as usize + 1);
        prop_assert!(count(inclusion_ranges(at % size, size).unwrap()) <= bound);
        prop_assert!(count(consistency_ranges(at % size + 1, size).unwrap()) <= bound);
    }
}
