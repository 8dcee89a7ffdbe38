//! Commands of an operator, as one runs them: the program itself, its output and its exit codes.

use crate::support::{Client, Installation, free_port, said};
use crate::up::{metamcp, printed, run, stop, up};
use domain::merkle::{TreeHash, verify_consistency, verify_inclusion};
use domain::principal::Role;
use projections::ledger::{SignedHead, VerifyingKey};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;

const REGISTER: &str = "mutation { registerPrincipal(input: { handle: \"ada\", kind: USER,
    displayName: \"Ada Lovelace\", email: \"ada@example.org\", roles: [AGENT] }) { sequence } }";

#[tokio::test]
async fn a_tenant_is_registered_and_a_person_in_it_told_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let running = up(&data, free_port(), &[]).await;
    let acme = ["--tenant", "acme"];
    let of = |command: &[&'static str]| [command, &acme].concat();

    // A tenant, its owner, and the owner's token.
    let register = of(&["tenant", "register", "--owner", "ann"]);
    for _ in 0..2 {
        assert!(printed(&data, &register).await.contains("`ann`"));
    }
    let token = printed(&data, &of(&["token", "issue", "--principal", "ann"])).await;
    let ann = Client::new(&running.base, Some(token.trim().to_owned()));
    let me = "{ viewer { handle roles tenant { slug } } }";
    let me = ann.data(me, json!({})).await["viewer"].take();
    let expected = json!({ "handle": "ann", "roles": ["OWNER"], "tenant": { "slug": "acme" } });
    assert_eq!(me, expected);

    ann.data(REGISTER, json!({})).await;
    let export = of(&["privacy", "export", "ada"]);
    let known: Value = serde_json::from_str(&printed(&data, &export).await).unwrap();
    assert_eq!(known["principal"]["handle"], "ada");
    assert_eq!(known["principal"]["email"], "ada@example.org");
    let id = known["principal"]["id"].as_str().unwrap().to_owned();

    // Asked again, it is brought to its end again.
    let erase = of(&["privacy", "erase", "ada"]);
    for _ in 0..2 {
        assert!(printed(&data, &erase).await.contains(&id));
    }
    let by_id = ["privacy", "export", &id, "--tenant", "acme"];
    let known = printed(&data, &by_id).await;
    assert!(!known.contains("ada@example.org") && !known.contains("Lovelace"));
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!(known["principal"]["email"], Value::Null);
    assert!(known["erased_at"].is_string(), "{known:#}");
    let gone = "{ principal(handle: \"ada\") { handle active } }";
    let gone = ann.data(gone, json!({})).await["principal"].take();
    let erased = json!({ "handle": format!("erased:{id}"), "active": false });
    assert_eq!(gone, erased);

    for (refused, code) in [
        (of(&["privacy", "erase", "nobody"]), 1),
        (of(&["privacy", "export", "nobody"]), 1),
        (of(&["token", "issue", "--principal", "nobody"]), 1),
        (of(&["token", "issue", "--hours", "0"]), 2),
        (vec!["tenant", "register", "--tenant", "Not a slug"], 1),
    ] {
        let (text, exit) = said(&run(&data, &refused).await);
        assert_eq!(exit, Some(code), "{refused:?}: {text}");
    }
    an_owner_stays(&data).await;
    stop(running).await;
}

/// The last owner is forgotten only when there is another one; then it holds no role any more.
async fn an_owner_stays(data: &Path) {
    let erase = ["privacy", "erase", "ann", "--tenant", "acme"];
    let (text, exit) = said(&run(data, &erase).await);
    assert_eq!(exit, Some(1), "{text}");
    assert!(text.contains("LAST_OWNER"), "{text}");
    let register = ["tenant", "register", "--owner", "eve", "--tenant", "acme"];
    printed(data, &register).await;
    printed(data, &erase).await;
    let known = printed(data, &["privacy", "export", "ann", "--tenant", "acme"]).await;
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!(known["principal"]["roles"], json!([]), "{known:#}");
}

#[tokio::test]
async fn a_command_whose_reader_is_gone_ends_without_a_word() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut schema = metamcp(&["schema"]);
    schema.stdout(writer).stderr(Stdio::piped());
    let ended = schema.spawn().unwrap().wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((text.as_ref(), ended.status.code()), ("", Some(141)));
}

/// What a command on an installation prints, which must succeed.
async fn output(installation: &Installation, folder: &Path, arguments: &str) -> String {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let output = installation.program(folder, &arguments).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

async fn exit_code(installation: &Installation, folder: &Path, arguments: &str) -> Option<i32> {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    installation.program(folder, &arguments).await.status.code()
}

/// An installation without a key, and some commits in its log.
async fn with_commits() -> (Installation, Client) {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    for slug in ["one", "two", "three"] {
        server(&owner, slug).await;
    }
    installation.settle().await;
    (installation, owner)
}

async fn server(owner: &Client, slug: &str) {
    let register = "mutation($slug: String!) {
        registerServer(input: { slug: $slug, name: $slug }) { sequence } }";
    owner.data(register, json!({ "slug": slug })).await;
}

#[tokio::test]
async fn keys_are_made_once_and_a_rotation_is_signed_by_both() {
    let (installation, owner) = with_commits().await;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let run = async |arguments: &str| output(&installation, folder, arguments).await;
    let fails = async |arguments: &str| exit_code(&installation, folder, arguments).await;
    assert_eq!(fails("audit rotate-key").await, Some(1));
    assert_eq!(fails("audit keygen --origin a+b").await, Some(1));
    let first = run("audit keygen --origin example.com/log").await;
    assert_eq!(
        fails("audit keygen --origin example.com/log").await,
        Some(1)
    );
    assert_eq!(run("audit keys").await, first);
    let signers = async || -> Vec<String> {
        let note = run("audit head --sign").await;
        SignedHead::parse(&note).unwrap().signers()
    };
    let name = |key: &str| {
        let key: VerifyingKey = key.trim().parse().unwrap();
        format!("{}+{}", key.name(), key.id())
    };
    assert_eq!(signers().await, [name(&first)]);

    let second = run("audit rotate-key").await;
    assert_eq!(run("audit keys").await, format!("{first}{second}"));
    server(&owner, "four").await;
    let mut both = signers().await;
    both.sort();
    let mut expected = [name(&first), name(&second)];
    expected.sort();
    assert_eq!(both, expected);
    server(&owner, "five").await;
    assert_eq!(signers().await, [name(&second)]);
}

#[tokio::test]
async fn a_part_of_the_log_and_a_proof_are_checked_by_others() {
    let (installation, owner) = with_commits().await;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let run = async |arguments: &str| output(&installation, folder, arguments).await;
    let fails = async |arguments: &str| exit_code(&installation, folder, arguments).await;
    let keep = async |name: &str, arguments: &str| {
        std::fs::write(folder.join(name), run(arguments).await).unwrap();
    };
    keep("ledger.pub", "audit keygen --origin example.com/log").await;
    let head = SignedHead::parse(&run("audit head --sign").await).unwrap();
    keep("early.jsonl", "audit export").await;
    server(&owner, "four").await;
    let later = SignedHead::parse(&run("audit head --sign").await).unwrap();
    keep("late.jsonl", "audit export").await;
    keep("part.jsonl", "audit export --from 3 --to 5").await;

    // The program verifies without an installation.
    let verify = async |arguments: &str| -> Option<i32> {
        let arguments = format!("audit verify {arguments} --key ledger.pub");
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let output = metamcp(&arguments).current_dir(folder).output().await;
        output.unwrap().status.code()
    };
    for (arguments, code) in [
        ("part.jsonl", 0),
        ("late.jsonl --heads early.jsonl", 0),
        // Heads that were kept say that there was more.
        ("early.jsonl --heads late.jsonl", 3),
        ("missing.jsonl", 1),
    ] {
        assert_eq!(verify(arguments).await, Some(code), "{arguments}");
    }
    let part = std::fs::read_to_string(folder.join("part.jsonl")).unwrap();
    let commits = part.lines().filter(|line| line.contains("{\"commit\":"));
    assert_eq!(commits.count(), 3);

    let (old, new) = (head.head(), later.head());
    let proof = format!(
        "audit proof 2 --tree-size {} --consistent-with {}",
        new.size, old.size
    );
    let proof: Value = serde_json::from_str(&run(&proof).await).unwrap();
    assert_eq!(proof["tree_head"], later.note());
    let leaf = hash(&proof["leaf_hash"]);
    assert!(verify_inclusion(
        leaf,
        1,
        new.size,
        &hashes(&proof["inclusion"]),
        new.root
    ));
    let path = hashes(&proof["consistency"]["path"]);
    assert!(verify_consistency(
        (old.size, old.root),
        (new.size, new.root),
        &path
    ));

    for refused in [
        "audit proof 999999",
        "audit proof 2 --consistent-with 999999",
        "audit export --from 5 --to 3",
        "audit export --to 999999",
    ] {
        assert_eq!(fails(refused).await, Some(1), "{refused}");
    }
}

fn hash(text: &Value) -> TreeHash {
    TreeHash::from_hex(text.as_str().unwrap()).unwrap()
}

fn hashes(list: &Value) -> Vec<TreeHash> {
    list.as_array().unwrap().iter().map(hash).collect()
}
