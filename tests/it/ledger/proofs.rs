//! Proofs over GraphQL: whoever has a signed head checks a single commit against it, and learns nothing of
//! others.

use super::{Export, SIGN, auditor, fill, installation, sign};
use crate::support::python;
use data_encoding::BASE64;
use domain::merkle::{TreeHash, leaf_hash, verify_consistency, verify_inclusion};
use domain::principal::Role;
use metamcp::audit::Bounds;
use projections::ledger::SignedHead;
use serde_json::{Value, json};

const PROOF: &str = "query($commit: UUID, $sequence: Sequence, $size: Sequence, $old: Sequence) {
    auditProof(commit: $commit, sequence: $sequence, treeSize: $size, consistentWith: $old) {
        sequence leafHash treeSize rootHash inclusion
        consistency { treeSize rootHash path } treeHead { note } } }";
const HEADS: &str = "query($first: Int!, $before: Sequence) {
    treeHead { size } treeHeads(first: $first, before: $before) { size signers note } }";
const REGISTER_ADA: &str = "mutation {
    registerPrincipal(input: { handle: \"ada\", kind: USER, displayName: \"Ada Lovelace\",
                               email: \"ada@example.org\" }) { sequence } }";
const ERASE_ADA: &str = "mutation { erasePrincipal(input: { handle: \"ada\" }) {
    principal { displayName email erasedAt } } }";

fn hash(value: &Value) -> TreeHash {
    let bytes = BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap();
    TreeHash::from_slice(&bytes).unwrap()
}

fn hashes(value: &Value) -> Vec<TreeHash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

#[tokio::test]
async fn a_commit_is_proved_against_a_signed_head() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let first = sign(&installation).await;
    fill(&installation, "acme-two").await;
    let second = sign(&installation).await;
    let auditor = auditor(&installation).await;
    let (old, new) = (first.head(), second.head());
    let entry = installation
        .app
        .state
        .log
        .entry_at(old.size)
        .await
        .unwrap()
        .unwrap();
    let commit = entry.commit().unwrap();

    // By id, without a size: in the first head that covers it.
    let proof = auditor
        .data(PROOF, json!({ "commit": commit.commit_id }))
        .await;
    let proof = &proof["auditProof"];
    assert_eq!(proof["sequence"], old.size);
    assert_eq!(proof["treeSize"], old.size);
    let signed = SignedHead::parse(proof["treeHead"]["note"].as_str().unwrap()).unwrap();
    assert_eq!(signed.head(), old);
    let leaf = leaf_hash(&entry.body);
    assert_eq!(hash(&proof["leafHash"]), leaf);
    let path = hashes(&proof["inclusion"]);
    assert!(verify_inclusion(
        leaf,
        old.size - 1,
        old.size,
        &path,
        old.root
    ));

    // By position, in the later head, which continues the earlier one.
    let variables = json!({ "sequence": old.size, "size": new.size, "old": old.size });
    let proof = auditor.data(PROOF, variables).await;
    let proof = &proof["auditProof"];
    assert_eq!(hash(&proof["rootHash"]), new.root);
    let path = hashes(&proof["inclusion"]);
    assert!(verify_inclusion(
        leaf,
        old.size - 1,
        new.size,
        &path,
        new.root
    ));
    let path = hashes(&proof["consistency"]["path"]);
    assert!(verify_consistency(
        (old.size, old.root),
        (new.size, new.root),
        &path
    ));

    let heads = auditor.data(HEADS, json!({ "first": 1 })).await;
    assert_eq!(heads["treeHead"]["size"], new.size);
    assert_eq!(heads["treeHeads"][0]["note"], second.note());
    let heads = auditor
        .data(HEADS, json!({ "first": 10, "before": new.size }))
        .await;
    assert_eq!(heads["treeHeads"].as_array().unwrap().len(), 1);
    assert_eq!(heads["treeHeads"][0]["size"], old.size);
}

#[tokio::test]
async fn a_proof_is_for_auditors_and_for_commits_of_their_tenant() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let mine = installation.settle().await;
    fill(&installation, "other").await;
    let theirs = installation.settle().await;
    sign(&installation).await;
    let auditor = auditor(&installation).await;
    assert!(auditor.data(PROOF, json!({ "sequence": mine })).await["auditProof"].is_object());
    assert_eq!(
        auditor.code(PROOF, json!({ "sequence": theirs })).await,
        "NOT_FOUND"
    );
    assert_eq!(
        auditor.code(PROOF, json!({ "sequence": 1_000_000 })).await,
        "NOT_FOUND"
    );
    for wrong in [json!({}), json!({ "sequence": mine, "size": mine - 1 })] {
        assert_eq!(auditor.code(PROOF, wrong).await, "INVALID_PROOF_REQUEST");
    }
    let beyond = json!({ "sequence": mine, "size": 1_000_000 });
    assert_eq!(auditor.code(PROOF, beyond).await, "INVALID_ARGUMENT");
    for role in [Role::Publisher, Role::Agent] {
        let client = installation.client("acme", role.as_str(), &[role]).await;
        for query in [PROOF, SIGN] {
            assert_eq!(
                client.code(query, json!({ "sequence": mine })).await,
                "FORBIDDEN"
            );
        }
    }
}

/// An erasure destroys a key and touches no byte of the log: what was proved before is proved after it.
#[tokio::test]
async fn a_commit_whose_sealed_fields_were_erased_is_still_proved() {
    let installation = installation().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let registered = owner.data(REGISTER_ADA, json!({})).await;
    let at = registered["registerPrincipal"]["sequence"]
        .as_u64()
        .unwrap();
    installation.settle().await;
    let before = sign(&installation).await;
    let log = &installation.app.state.log;
    let entry = log.entry_at(at).await.unwrap().unwrap();
    let body = String::from_utf8(entry.body.to_vec()).unwrap();
    assert!(body.contains("\"display_name\":{\"sealed\":"), "{body}");
    assert!(!body.contains("Lovelace"), "{body}");

    let mut erased = owner.data(ERASE_ADA, json!({})).await;
    let erased = erased["erasePrincipal"]["principal"].take();
    assert!(erased["erasedAt"].is_string(), "{erased}");
    assert_eq!(
        (&erased["displayName"], &erased["email"]),
        (&Value::Null, &Value::Null)
    );
    let end = installation.settle().await;
    let after = sign(&installation).await;
    assert!(before.head().size < after.head().size);
    let kept = log.entry_at(at).await.unwrap().unwrap();
    assert_eq!(kept.body, entry.body);

    let auditor = auditor(&installation).await;
    let leaf = leaf_hash(&entry.body);
    let commit = entry.commit().unwrap().commit_id;
    for head in [before.head(), after.head()] {
        let variables = json!({ "commit": commit, "size": head.size });
        let proof = auditor.data(PROOF, variables).await;
        let proof = &proof["auditProof"];
        assert_eq!(hash(&proof["leafHash"]), leaf);
        let path = hashes(&proof["inclusion"]);
        assert!(verify_inclusion(leaf, at - 1, head.size, &path, head.root));
    }

    let signed = after.head().size;
    let export = Export::of(&installation, Bounds::default()).await;
    let verified = export.verify_with(vec![before]).unwrap();
    assert_eq!((verified.heads, verified.signed_to), (2, signed));
    assert_eq!((verified.kept.heads, verified.unreadable), (1, 0));
    assert!(verified.to >= end);
    if let Some(python) = python() {
        let theirs = export.verify_in_python(&python).unwrap();
        assert_eq!(theirs["signed_to"], signed);
        assert_eq!(theirs["root"], verified.tree.root().to_string());
    }
}
