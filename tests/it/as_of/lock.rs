//! `metamcp lock` as a pipeline runs it.

use super::{sequence, server, tool};
use crate::support::{Client, Installation, PATIENCE};
use domain::principal::Role;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

/// The program, on the installation of the test.
async fn lock(installation: &Installation, folder: &Path, arguments: &[&str]) -> Output {
    let (nats, servers) = (&installation.config.nats, &installation.servers);
    let address = installation.config.postgres.address().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_metamcp"));
    command
        .arg("lock")
        .args(arguments)
        .current_dir(folder)
        .kill_on_drop(true);
    command.arg("--data-dir").arg(folder.join("none"));
    command.env("METAMCP__POSTGRES__URL", address.expose_secret());
    let keys = &installation.config.privacy.keys_dir;
    command.env("METAMCP__PRIVACY__KEYS_DIR", keys);
    command.env("METAMCP__NATS__URL", &nats.url);
    command.env("METAMCP__NATS__USER", nats.user.as_deref().unwrap());
    command.env("METAMCP__NATS__PASSWORD", servers.embedded.nats.password());
    command.env("METAMCP__NATS__STREAM", &nats.stream);
    command.env("METAMCP__NATS__SUBJECT_ROOT", &nats.subject_root);
    let done = tokio::time::timeout(3 * PATIENCE, command.output()).await;
    done.unwrap().unwrap()
}

/// What it printed, and its exit code.
fn said(output: &Output) -> (String, Option<i32>) {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    (String::from_utf8(both).unwrap(), output.status.code())
}

async fn change(client: &Client, mutation: &str) {
    let mutation = format!("mutation {{ done: {mutation} {{ sequence }} }}");
    sequence(client, &mutation, json!({})).await;
}

#[tokio::test]
async fn a_lockfile_holds_until_a_tool_comes_goes_or_changes() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    for slug in ["git", "mail"] {
        server(&client, slug).await;
        for name in ["add", "end", "move"] {
            tool(&client, slug, name).await;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| said(&lock(&installation, folder.path(), arguments).await);
    let (text, code) = run(&["--tenant", "acme", "--server", "git"]).await;
    assert_eq!(code, Some(0), "{text}");
    std::fs::write(folder.path().join("metamcp.lock"), &text).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let tools = file["tools"].as_object().unwrap();
    assert_eq!(
        tools.keys().collect::<Vec<_>>(),
        ["git/add", "git/end", "git/move"]
    );
    let hash = client
        .data(
            "{ tool(server: \"git\", name: \"add\") { definitionHash } }",
            json!({}),
        )
        .await;
    assert_eq!(
        file["tools"]["git/add"]["definition"],
        hash["tool"]["definitionHash"]
    );
    assert_eq!(file["tools"]["git/add"]["version"], "1.0.0");

    // What happens elsewhere is no difference, and not even the file changes.
    tool(&client, "mail", "send").await;
    let (again, _) = run(&["--tenant", "acme", "--server", "git"]).await;
    assert_eq!(again, text);
    let (same, code) = run(&["--check"]).await;
    assert_eq!(code, Some(0), "{same}");
    assert!(same.contains("tools pinned: 3"), "{same}");

    tool(&client, "git", "new").await;
    change(
        &client,
        "retireTool(input: { server: \"git\", name: \"end\" })",
    )
    .await;
    change(
        &client,
        "publishToolVersion(input: { server: \"git\", name: \"move\", version: \"1.1.0\", \
        description: \"Other words\" })",
    )
    .await;
    let (differences, code) = run(&["--check", "metamcp.lock"]).await;
    assert_eq!(code, Some(1), "{differences}");
    let words: Vec<Vec<&str>> = differences
        .lines()
        .map(|line| line.split_whitespace().take(2).collect())
        .collect();
    assert_eq!(
        words,
        [
            ["retired", "git/end"],
            ["version", "git/move"],
            ["added", "git/new"]
        ]
    );
    // As of the position that the file names, nothing differs.
    let position = file["sequence"].to_string();
    let (then, code) = run(&["--check", "--at", &position]).await;
    assert_eq!(code, Some(0), "{then}");
}

#[tokio::test]
async fn what_cannot_be_found_out_is_not_a_difference() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    server(&client, "git").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken"), "{ \"metamcpLock\": 1 }").unwrap();
    std::fs::write(folder.path().join("newer"), "{ \"metamcpLock\": 9 }").unwrap();
    for (arguments, expected) in [
        (vec!["--check"], "metamcp.lock"),
        (vec!["--check", "broken"], "no lockfile"),
        (vec!["--check", "newer"], "format 9"),
        (
            vec!["--tenant", "acme", "--server", "absent"],
            "no server absent",
        ),
        (
            vec!["--tenant", "acme", "--at", "999999"],
            "has not come yet",
        ),
        (vec!["--check", "--server", "git"], "--server"),
    ] {
        let (text, code) = said(&lock(&installation, folder.path(), &arguments).await);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    let (text, code) = said(&lock(&installation, folder.path(), &["--tenant", "acme"]).await);
    assert_eq!(
        (text.contains("\"tools\": {}"), code),
        (true, Some(0)),
        "{text}"
    );
}
