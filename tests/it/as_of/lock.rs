//! `metamcp lock` as a pipeline runs it.

use super::{sequence, server, tool};
use crate::support::{Client, Installation, PATIENCE, said};
use domain::principal::Role;
use serde_json::{Value, json};
use sqlx::Executor;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::process::Command;

/// `metamcp lock` in a folder.
async fn lock(installation: &Installation, folder: &Path, arguments: &[&str]) -> Output {
    let arguments = [&["lock"], arguments].concat();
    installation.program(folder, &arguments).await
}

/// `metamcp lock` where there is an address and perhaps a token, and nothing else: no installation, no configuration.
pub(super) async fn lock_over_http(
    token: Option<&str>,
    folder: &Path,
    arguments: &[&str],
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metamcp"));
    command.arg("lock").args(arguments).current_dir(folder);
    command.env_clear().env("HOME", folder);
    // Of no concern where there is an address.
    command.env("METAMCP_CONFIG", folder.join("none.yaml"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    if let Some(token) = token {
        command.env("METAMCP_TOKEN", token);
    }
    let done = tokio::time::timeout(3 * PATIENCE, command.output()).await;
    done.unwrap().unwrap()
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

#[tokio::test]
async fn with_a_token_the_lockfile_is_the_same_as_far_as_its_principal_sees() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let agent = installation.token("acme", "ann", &[Role::Agent]).await;
    for slug in ["git", "mail", "else"] {
        server(&publisher, slug).await;
        tool(&publisher, slug, "add").await;
    }
    // More than a page.
    for number in 0..100 {
        tool(&publisher, "git", &format!("add_{number}")).await;
    }
    change(
        &publisher,
        "retireTool(input: { server: \"git\", name: \"add_7\" })",
    )
    .await;
    change(
        &publisher,
        "registerTool(input: { server: \"mail\", name: \"hidden\", description: \"Ours\", visibility: PRIVATE })",
    )
    .await;
    tool(&publisher, "else", "later").await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let url = installation.base.as_str();
    let graphql = format!("{url}/graphql");
    let as_publisher = publisher.token.as_deref();
    for servers in [
        &["--server", "mail", "--server", "git", "--server", " mail"][..],
        &[],
    ] {
        let arguments = [servers, &["--tenant", "acme"]].concat();
        let (operators, code) = said(&lock(&installation, folder, &arguments).await);
        assert_eq!(code, Some(0), "{operators}");
        let arguments = [servers, &["--url", &graphql]].concat();
        let read = lock_over_http(as_publisher, folder, &arguments).await;
        assert_eq!(said(&read), (operators, Some(0)));
    }

    let arguments = ["--url", url, "--server", "git", "--server", "mail"];
    let (text, code) = said(&lock_over_http(Some(&agent), folder, &arguments).await);
    assert_eq!(code, Some(0), "{text}");
    let file: Value = serde_json::from_str(&text).unwrap();
    let tools = file["tools"].as_object().unwrap();
    assert_eq!((&file["tenant"], tools.len()), (&json!("acme"), 101));
    assert!(
        !text.contains("hidden") && !text.contains("add_7\""),
        "{text}"
    );
    std::fs::write(folder.join("metamcp.lock"), &text).unwrap();
    let check = ["--check", "--url", url];
    let (same, code) = said(&lock_over_http(Some(&agent), folder, &check).await);
    assert_eq!(code, Some(0), "{same}");
    assert!(same.contains("tools pinned: 101"), "{same}");

    tool(&publisher, "mail", "send").await;
    change(
        &publisher,
        "retireTool(input: { server: \"git\", name: \"add_8\" })",
    )
    .await;
    let (differences, code) = said(&lock_over_http(Some(&agent), folder, &check).await);
    assert_eq!(code, Some(1), "{differences}");
    let lines: Vec<&str> = differences.lines().collect();
    assert_eq!(lines.len(), 2, "{differences}");
    assert_eq!(lines[0], "retired     git/add_8");
    assert!(
        lines[1].starts_with("added       mail/send "),
        "{differences}"
    );
    let position = file["sequence"].to_string();
    let then = [&check[..], &["--at", &position]].concat();
    let (then, code) = said(&lock_over_http(Some(&agent), folder, &then).await);
    assert_eq!(code, Some(0), "{then}");
}

#[tokio::test]
async fn what_an_address_and_a_token_do_not_lead_to_is_told() {
    let installation = Installation::start().await;
    let token = installation.token("acme", "ann", &[Role::Agent]).await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    server(&publisher, "git").await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (file, tenant, sequence) in [("elsewhere", "other", 0), ("ahead", "acme", 999_999)] {
        let file_of = json!({ "metamcpLock": 1, "tenant": tenant, "sequence": sequence, "servers": ["git"], "tools": {} });
        std::fs::write(folder.join(file), file_of.to_string()).unwrap();
    }
    let url = installation.base.as_str();
    let nowhere = format!("{url}/nowhere");
    let secret = url.replace("http://", "http://me:secret@");
    let roleless = installation.token("acme", "nobody", &[]).await;
    let token = Some(token.as_str());
    for (token, arguments, expected) in [
        (None, vec!["--url", url], "METAMCP_TOKEN"),
        (Some(" "), vec!["--url", url], "METAMCP_TOKEN"),
        (Some("nonsense"), vec!["--url", url], "refuses the token"),
        (token, vec!["--url", "acme"], "is no address"),
        (token, vec!["--url", &secret], "is no address"),
        (
            token,
            vec!["--url", "http://127.0.0.1:1"],
            "there is no answer",
        ),
        (token, vec!["--url", &nowhere], "404"),
        (
            token,
            vec!["--url", url, "--server", "absent"],
            "server absent",
        ),
        (
            token,
            vec!["--url", url, "--at", "999999"],
            "has not come yet",
        ),
        (token, vec!["--url", url, "--tenant", "acme"], "--tenant"),
        (
            Some("two\nlines"),
            vec!["--url", url],
            "characters that no token has",
        ),
        (Some(&roleless), vec!["--url", url], "a role"),
        (
            token,
            vec!["--url", url, "--check", "ahead"],
            "is of another registry, or was changed",
        ),
        (
            token,
            vec!["--url", url, "--check", "elsewhere"],
            "use one of other",
        ),
    ] {
        let (text, code) = said(&lock_over_http(token, folder, &arguments).await);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
        assert!(!text.contains("secret"), "{arguments:?}: {text}");
    }
    // A registry of nothing is no failure.
    let (text, code) = said(&lock_over_http(token, folder, &["--url", url]).await);
    assert_eq!(
        (text.contains("\"tools\": {}"), code),
        (true, Some(0)),
        "{text}"
    );
}

#[tokio::test]
async fn what_was_hidden_at_a_position_is_not_read_there() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let agent = installation.token("acme", "ann", &[Role::Agent]).await;
    server(&publisher, "git").await;
    let show = async |visibility: &str| {
        let mutation = format!(
            "mutation {{ done: describeTool(input: {{ server: \"git\", name: \"move\", visibility: {visibility} }}) {{ sequence }} }}"
        );
        sequence(&publisher, &mutation, json!({})).await
    };
    tool(&publisher, "git", "move").await;
    // While the other one is hidden, this is the last change of all that the agent sees; then it was there.
    let last = tool(&publisher, "git", "add").await;
    let hidden = show("PRIVATE").await;
    let shown = show("TENANT").await;
    let folder = tempfile::tempdir().unwrap();
    let read = async |at: u64| {
        let at = at.to_string();
        let arguments = ["--url", installation.base.as_str(), "--at", &at];
        let read = lock_over_http(Some(&agent), folder.path(), &arguments).await;
        let (text, code) = said(&read);
        assert_eq!(code, Some(0), "{text}");
        let file: Value = serde_json::from_str(&text).unwrap();
        let tools = file["tools"].as_object().unwrap();
        let is_there = tools.contains_key("git/move");
        (is_there, file["sequence"].as_u64().unwrap())
    };
    assert_eq!(read(last).await, (true, last));
    assert_eq!(read(hidden).await, (false, last));
    assert_eq!(read(shown).await, (true, shown));
}

#[tokio::test]
async fn what_the_catalogue_has_not_come_to_is_not_left_out_in_silence() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    server(&publisher, "git").await;
    tool(&publisher, "git", "add").await;
    let folder = tempfile::tempdir().unwrap();
    let url = ["--url", installation.base.as_str()];
    let read =
        async || said(&lock_over_http(publisher.token.as_deref(), folder.path(), &url).await);
    // Whoever reads is let through; the projector waits, and with it what was acknowledged.
    let mut database = installation.app.database.connect().await.unwrap();
    let hold = "BEGIN; LOCK TABLE catalog.tools IN SHARE ROW EXCLUSIVE MODE";
    database.execute(hold).await.unwrap();
    let last = tool(&publisher, "git", "later").await;
    let (text, code) = read().await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("UNAVAILABLE"), "{text}");
    database.execute("ROLLBACK").await.unwrap();
    let (text, code) = read().await;
    assert_eq!(code, Some(0), "{text}");
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["sequence"], last, "{text}");
}
