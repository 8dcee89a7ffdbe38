//! The drill, as an operator does it with the program: export and verify, lose NATS, restore, go on; lose the database
//! and the index, rebuild, go on; lose all of it, and begin on a new machine with an export, the keys and the vault.

use crate::support::{Client, free_port};
use crate::up::{printed, run, stop, up};
use metamcp::embedded::PostgresPrograms;
use rustix::process::Signal;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Prints all that is known of the first owner.
const PERSON: [&str; 3] = ["privacy", "export", "admin"];

#[tokio::test]
async fn nats_is_lost_and_everything_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut first = up(&data, free_port(), &[]).await;
    let head = printed(&data, &["audit", "head", "--sign"]).await;
    let before = checksums(&data).await;
    for table in ["catalog.tools:", "archive.events:", "search.tools:"] {
        let listed = before.iter().any(|line| line.starts_with(table));
        assert!(listed, "{table} {before:?}");
    }
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (log, key) = (file("log.jsonl"), file("ledger.pub"));
    let export = printed(&data, &["audit", "export"]).await;
    std::fs::write(&log, &export).unwrap();
    std::fs::write(&key, printed(&data, &["audit", "keys"]).await).unwrap();
    first.signal(Signal::INT);
    assert!(first.ended().await.success());

    // Offline: nothing runs any more.
    let verify = ["audit", "verify", &log, "--key", &key];
    let verified = printed(&data, &verify).await;
    assert!(
        verified.starts_with("Verified") && !verified.contains("NOT SIGNED"),
        "{verified}"
    );
    std::fs::write(&log, export.replacen("GitHub", "GitLab", 1)).unwrap();
    let tampered = run(&data, &verify).await;
    assert_eq!(tampered.status.code(), Some(3));
    let verdict = String::from_utf8(tampered.stdout).unwrap();
    assert!(verdict.contains("was altered"), "{verdict}");

    std::fs::remove_dir_all(data.join("nats")).unwrap();
    let restore = ["restore", "--from", "archive", "--private-servers"];
    let restored = printed(&data, &restore).await;
    let lines: Vec<&str> = restored.lines().collect();
    assert!(lines[0].starts_with("before  0 commits"), "{restored}");
    let size = head.lines().nth(1).unwrap();
    assert!(
        lines[1].starts_with(&format!("after   {size} commits")),
        "{restored}"
    );
    assert!(
        lines[2].ends_with(&format!("up to {size} are those that were signed")),
        "{restored}"
    );
    assert_eq!(lines.len(), 3, "{restored}");

    let mut again = up(&data, free_port(), &[]).await;
    assert_eq!(printed(&data, &["audit", "head", "--sign"]).await, head);
    // The read models are what they were, and what the restored log says.
    assert_eq!(checksums(&data).await, before);
    again.signal(Signal::INT);
    assert!(again.ended().await.success());
}

#[tokio::test]
async fn an_export_and_the_keys_make_the_same_registry_on_a_new_machine() {
    let folder = tempfile::tempdir().unwrap();
    let (old, port) = (folder.path().join("old"), free_port());
    let first = up(&old, port, &[]).await;
    let head = printed(&old, &["audit", "head", "--sign"]).await;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (log, key) = (file("log.jsonl"), file("ledger.pub"));
    std::fs::write(&log, printed(&old, &["audit", "export"]).await).unwrap();
    std::fs::write(&key, printed(&old, &["audit", "keys"]).await).unwrap();
    let vault = client(&old, "pg_dump", &["--schema=vault", "--data-only"], "");
    let token = printed(&old, &["token", "issue"]).await;
    let person = printed(&old, &PERSON).await;
    let models = checksums(&old).await;
    stop(first).await;

    let new = folder.path().join("new");
    let restore = [
        "restore",
        "--from",
        &log,
        "--key",
        &key,
        "--private-servers",
    ];
    let restored = printed(&new, &restore).await;
    assert!(
        restored.starts_with("before  0 commits")
            && restored.contains("are those that were signed"),
        "{restored}"
    );
    let folders = ["keys", "ledger-keys", "vault-keys"].map(|name| old.join(name));
    let copied = Command::new("cp")
        .arg("-a")
        .args(&folders)
        .arg(&new)
        .status();
    assert!(copied.unwrap().success());
    // On the same address, which is what tokens are for.
    let second = up(&new, port, &[]).await;
    let vault = format!("BEGIN; TRUNCATE vault.data_keys;\n{vault}\nCOMMIT;\n");
    client(&new, "psql", &["-q", "-v", "ON_ERROR_STOP=1"], &vault);
    printed(&new, &["rebuild", "--force"]).await;
    assert_eq!(printed(&new, &["audit", "head", "--sign"]).await, head);
    assert_eq!(printed(&new, &PERSON).await, person);
    assert_eq!(checksums(&new).await, models);
    let token = Some(token.trim().to_owned());
    let owner = Client::new(&format!("http://127.0.0.1:{port}"), token);
    let viewer = owner.data("{ viewer { handle } }", json!({})).await["viewer"].take();
    assert_eq!(viewer, json!({ "handle": "admin" }));
    stop(second).await;
}

/// What a rebuild finds in each table, live and rebuilt.
async fn checksums(data: &Path) -> Vec<String> {
    let printed = printed(data, &["rebuild", "--check"]).await;
    let tables = printed.lines().filter(|line| line.contains(": equal;"));
    tables.map(str::to_owned).collect()
}

/// Runs a client of PostgreSQL with some input. Its output.
fn client(data: &Path, program: &str, arguments: &[&str], input: &str) -> String {
    let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap();
    let mut child = Command::new(PostgresPrograms::locate(None).unwrap().program(program))
        .args(["-h", "127.0.0.1", "-U", "metamcp", "-d", "metamcp"])
        .args(["-p", read("settings/postgres.port").trim()])
        .args(arguments)
        .env("PGPASSWORD", read("secrets/postgres-password").trim())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_database_and_the_index_are_lost_and_everything_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = up(&data, free_port(), &[]).await;
    let before = checksums(&data).await;
    assert!(before.iter().any(|line| line.starts_with("search.tools:")));
    // Somebody was erased: the projectors write this row as well when they find the event in the log.
    let erased = "INSERT INTO vault.data_keys (tenant, subject, destroyed_at)
                  VALUES ('default', 'erased', now())";
    let psql = ["-q", "-v", "ON_ERROR_STOP=1"];
    client(&data, "psql", &psql, erased);
    let vault = ["--schema=vault", "--data-only"];
    let vault = client(&data, "pg_dump", &vault, "");
    stop(first).await;

    for lost in ["postgres", "search"] {
        std::fs::remove_dir_all(data.join(lost)).unwrap();
    }
    let second = up(&data, free_port(), &[]).await;
    client(&data, "psql", &psql, erased);
    let vault = format!("BEGIN; TRUNCATE vault.data_keys;\n{vault}\nCOMMIT;\n");
    client(&data, "psql", &psql, &vault);
    printed(&data, &["rebuild", "--force"]).await;
    assert_eq!(checksums(&data).await, before);
    stop(second).await;

    // The index alone is filled by itself.
    std::fs::remove_dir_all(data.join("search")).unwrap();
    let third = up(&data, free_port(), &[]).await;
    let begun = Instant::now();
    while checksums(&data).await != before {
        assert!(
            begun.elapsed() < 3 * crate::support::PATIENCE,
            "the index stays empty"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop(third).await;
}
