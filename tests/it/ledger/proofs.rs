//! Proofs over GraphQL: whoever has a signed head checks a single commit against it, and learns nothing of
//! others.

use super::{Export, SIGN, auditor, fill, installation, sign};
use crate::support::python;
use data_encoding::{BASE64, Encoding, HEXLOWER};
use domain::merkle::{TreeHash, leaf_hash, verify_consistency, verify_inclusion};
use domain::principal::Role;
use metamcp::audit::Bounds;
use projections::ledger::{LedgerKeys, SignedHead, VerifyingKey};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

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
    let heads = heads["treeHeads"].as_array().unwrap();
    assert_eq!(heads[0]["size"], old.size);
    // On a slow machine, the signer finds commits already when it starts.
    let sizes = heads.iter().map(|head| head["size"].as_u64().unwrap());
    assert!(sizes.skip(1).all(|size| size < old.size));
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

/// A proof whose parts can be altered, in the two forms in which it is given.
#[derive(Clone)]
struct Proof {
    sequence: u64,
    leaf: TreeHash,
    tree: (u64, TreeHash),
    inclusion: Vec<TreeHash>,
    earlier: (u64, TreeHash),
    path: Vec<TreeHash>,
    note: String,
}

impl Proof {
    fn of(answer: &Value) -> Self {
        let proof = &answer["auditProof"];
        let tree = |tree: &Value| (tree["treeSize"].as_u64().unwrap(), hash(&tree["rootHash"]));
        Self {
            sequence: proof["sequence"].as_u64().unwrap(),
            leaf: hash(&proof["leafHash"]),
            tree: tree(proof),
            inclusion: hashes(&proof["inclusion"]),
            earlier: tree(&proof["consistency"]),
            path: hashes(&proof["consistency"]["path"]),
            note: proof["treeHead"]["note"].as_str().unwrap().to_owned(),
        }
    }

    /// Leaf, root, the path between them, the earlier root, and the path to both roots.
    fn encoded(&self, encoding: &Encoding) -> [Value; 5] {
        let one = |hash: &TreeHash| Value::from(encoding.encode(&hash.0));
        let all = |hashes: &[TreeHash]| hashes.iter().map(one).collect::<Value>();
        let [root, earlier] = [self.tree, self.earlier].map(|(_, root)| one(&root));
        let (inclusion, path) = (all(&self.inclusion), all(&self.path));
        [one(&self.leaf), root, inclusion, earlier, path]
    }

    /// As GraphQL answers.
    fn answered(&self) -> Value {
        let [leaf, root, inclusion, earlier, path] = self.encoded(&BASE64);
        let earlier = json!({ "treeSize": self.earlier.0, "rootHash": earlier, "path": path });
        json!({ "data": { "auditProof": {
            "sequence": self.sequence, "leafHash": leaf, "treeSize": self.tree.0, "rootHash": root,
            "inclusion": inclusion, "consistency": earlier, "treeHead": { "note": self.note },
        } } })
    }

    /// As `metamcp audit proof` prints.
    fn printed(&self) -> Value {
        let [leaf, root, inclusion, earlier, path] = self.encoded(&HEXLOWER);
        let earlier = json!({ "tree_size": self.earlier.0, "root_hash": earlier, "path": path });
        json!({
            "stream_sequence": self.sequence, "leaf_hash": leaf, "tree_size": self.tree.0, "root_hash": root,
            "inclusion": inclusion, "consistency": earlier, "tree_head": self.note,
        })
    }

    /// The first part that does not hold: by the domain's checks and, where it can be run, by the client in Python, to
    /// which both forms are given.
    fn fault(&self, body: &[u8], keys: &[VerifyingKey]) -> Option<&'static str> {
        let signed = SignedHead::parse(&self.note).unwrap();
        let head = (signed.head().size, signed.head().root);
        let good = signed.verify(keys).unwrap_or_default();
        let ((size, root), at) = (self.tree, self.sequence - 1);
        let fault = if leaf_hash(body) != self.leaf {
            Some("LEAF")
        } else if !verify_inclusion(self.leaf, at, size, &self.inclusion, root) {
            Some("INCLUSION")
        } else if !verify_consistency(self.earlier, self.tree, &self.path) {
            Some("CONSISTENCY")
        } else if good.is_empty() || head != self.tree {
            Some("HEAD")
        } else {
            None
        };
        if let Some(python) = python() {
            for form in [self.answered(), self.printed()] {
                let theirs = verify_in_python(&python, &form, body, keys, None);
                assert_eq!(theirs.err().as_deref(), fault, "{form:#}");
            }
        }
        fault
    }
}

/// What the client in Python says of a proof, and of a head that was kept: its summary, or the part that does not hold.
fn verify_in_python(
    python: &Path,
    proof: &Value,
    body: &[u8],
    keys: &[VerifyingKey],
    kept: Option<&SignedHead>,
) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let keys: String = keys.iter().map(|key| format!("{key}\n")).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/verify_proof.py");
    let mut client = Command::new(python);
    client
        .arg(script)
        .arg(file("proof.json", proof.to_string().as_bytes()))
        .arg(file("ledger.pub", keys.as_bytes()))
        .arg(file("commit.json", body));
    if let Some(kept) = kept {
        client.arg(file("head.txt", kept.note().as_bytes()));
    }
    let run = client.output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    match run.status.code() {
        Some(0) => Ok(serde_json::from_str(&said).unwrap()),
        Some(3) => Err(said.split(':').next().unwrap_or_default().to_owned()),
        other => panic!("{other:?}: {}", String::from_utf8_lossy(&run.stderr)),
    }
}

fn another() -> TreeHash {
    leaf_hash(b"another")
}

/// A note whose signature is off by a bit.
fn with_another_signature(note: &str) -> String {
    let (text, signature) = note.trim_end().rsplit_once(' ').unwrap();
    let mut signature = BASE64.decode(signature.as_bytes()).unwrap();
    *signature.last_mut().unwrap() ^= 1;
    format!("{text} {}\n", BASE64.encode(&signature))
}

/// The part of a proof that does not hold any more, and what was altered.
type Alteration = (&'static str, fn(&mut Proof));

const ALTERATIONS: [Alteration; 8] = [
    ("LEAF", |proof| proof.leaf = another()),
    ("INCLUSION", |proof| proof.sequence -= 1),
    ("INCLUSION", |proof| proof.tree.1 = another()),
    ("INCLUSION", |proof| proof.inclusion[0] = another()),
    ("INCLUSION", |proof| proof.inclusion.truncate(1)),
    ("CONSISTENCY", |proof| proof.earlier.1 = another()),
    ("CONSISTENCY", |proof| proof.path[0] = another()),
    ("HEAD", |proof| {
        proof.note = with_another_signature(&proof.note);
    }),
];

#[tokio::test]
async fn a_proof_is_checked_by_others_and_every_part_of_it_counts() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let first = sign(&installation).await;
    fill(&installation, "acme-two").await;
    let second = sign(&installation).await;
    let (at, size) = (first.head().size, second.head().size);
    let variables = json!({ "sequence": at, "size": size, "old": at });
    let answer = auditor(&installation).await.data(PROOF, variables).await;
    let proof = Proof::of(&answer);
    assert_eq!(json!({ "data": answer }), proof.answered());
    let folder = tempfile::tempdir().unwrap();
    let command = format!("audit proof {at} --tree-size {size} --consistent-with {at}");
    let command: Vec<&str> = command.split(' ').collect();
    let output = installation.program(folder.path(), &command).await;
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, proof.printed());

    let log = &installation.app.state.log;
    let body = log.entry_at(at).await.unwrap().unwrap().body.to_vec();
    let keys = LedgerKeys::new(&installation.config.ledger.keys_dir);
    let keys = keys.all().unwrap();
    let keys: Vec<VerifyingKey> = keys.iter().map(|key| key.verifying().clone()).collect();
    assert_eq!(proof.fault(&body, &keys), None);
    let others = LedgerKeys::new(&folder.path().join("keys"));
    let key = others.generate("test/log").unwrap();
    assert_eq!(proof.fault(&body, &[key]), Some("HEAD"));
    for (number, (part, alter)) in ALTERATIONS.into_iter().enumerate() {
        let mut altered = proof.clone();
        alter(&mut altered);
        assert_eq!(altered.fault(&body, &keys), Some(part), "{number}");
    }
    let mut altered = proof.clone();
    altered.leaf = another();
    assert_eq!(altered.fault(b"another", &keys), Some("INCLUSION"));
    // Trees of other sizes may have the same paths: then the signed head tells them apart.
    for size in [size - 1, size + 1] {
        let mut altered = proof.clone();
        altered.tree.0 = size;
        assert!(altered.fault(&body, &keys).is_some(), "{size}");
    }

    let Some(python) = python() else { return };
    let verify = |form: &Value, kept| verify_in_python(&python, form, &body, &keys, Some(kept));
    for kept in [&first, &second] {
        let told = verify(&printed, kept).unwrap();
        assert_eq!(told["tree_size"], size);
        assert_eq!(told["continues"], at);
        assert_eq!(told["signers"], json!(second.signers()));
    }
    let refused: Result<Value, String> = Err("HEAD".to_owned());
    let mut apart = printed.clone();
    apart["consistency"] = Value::Null;
    assert_eq!(verify(&apart, &first), refused);
    let mut unsigned = printed;
    unsigned["tree_head"] = Value::Null;
    assert!(verify(&unsigned, &second).is_ok());
    assert_eq!(verify(&unsigned, &first), refused);
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
