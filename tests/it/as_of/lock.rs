//! `metamcp lock` as a pipeline runs it.

use super::{sequence, server, tool};
use crate::support::{Client, Installation, said};
use domain::principal::Role;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

/// `metamcp lock` in a folder.
async fn lock(installation: &Installation, folder: &Path, arguments: &[&str]) -> Output {
    let arguments = [&["lock"], arguments].concat();
    installation.program(folder, &arguments).await
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
    let ahead = json!({ "metamcpLock": 1, "tenant": "acme", "sequence": 999_999, "servers": [], "tools": {} });
    std::fs::write(folder.path().join("ahead"), ahead.to_string()).unwrap();
    let elsewhere =
        json!({ "metamcpLock": 1, "tenant": "nope", "sequence": 0, "servers": [], "tools": {} });
    std::fs::write(folder.path().join("elsewhere"), elsewhere.to_string()).unwrap();
    for (arguments, expected) in [
        (vec!["--check"], "metamcp.lock"),
        (vec!["--check", "ahead"], "the log ends at"),
        (vec!["--check", "elsewhere"], "no tenant `nope`"),
        (vec!["--tenant", "nope"], "metamcp tenant register"),
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
