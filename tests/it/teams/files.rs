//! Teams as files: a tool's `team` and a principal's `teams`, exported, applied and taken away again.

use super::{TOOL, begin};
use crate::support::said;
use domain::principal::Role;
use metamcp::files::read;
use serde_json::json;
use std::fs;

const TILL: &str = "name: Till\ntools:\n  count:\n    version: 1.0.0\n    description: Counts the money.\n    \
    visibility: private\n    team: payments\n";
const PLAN: &str = "apply config --dry-run --detailed-exitcode";

#[tokio::test]
async fn teams_are_applied_and_exported_and_what_files_say_no_more_is_left() {
    let (installation, owner) = begin().await;
    let place = tempfile::tempdir().unwrap();
    let config = place.path().join("config");
    let run = async |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        said(&installation.program(place.path(), &arguments).await)
    };
    let write = |file: &str, text: &str| fs::write(config.join(file), text).unwrap();
    let (text, code) = run("export --tenant acme --out config").await;
    assert_eq!(code, Some(0), "{text}");
    write("servers/till.yaml", TILL);
    let bot = |teams: &str| format!("bot:\n  kind: agent\n  roles: [agent]\n{teams}");
    write("principals.yaml", &bot("  teams: [payments, search]\n"));
    let (text, code) = run("apply config --yes").await;
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = run(PLAN).await;
    assert_eq!(code, Some(0), "nothing is left to do: {text}");
    let wanted = read(&config).unwrap().registry;
    let (text, code) = run("export --tenant acme --out config").await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(read(&config).unwrap().registry, wanted);
    let exported = |file: &str| fs::read_to_string(config.join(file)).unwrap();
    assert!(exported("servers/till.yaml").contains("team: payments"));
    assert!(exported("principals.yaml").contains("teams:"));

    installation.settle().await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    agent.data(TOOL, json!({ "name": "count" })).await;
    let teams = "{ principal(handle: \"bot\") { teams } }";
    for (line, then) in [
        ("  teams: [payments]\n", json!(["payments"])),
        ("", json!([])),
    ] {
        write("principals.yaml", &bot(line));
        let (text, code) = run(PLAN).await;
        assert_eq!(code, Some(2), "{text}");
        let is_planned = text.contains("~ update  principal bot") && text.contains("/teams");
        assert!(is_planned, "{text}");
        let (text, code) = run("apply config --yes").await;
        assert_eq!(code, Some(0), "{text}");
        installation.settle().await;
        let found = owner.data(teams, json!({})).await;
        assert_eq!(found["principal"]["teams"], then, "{text}");
    }

    // A private tool of no team is every publisher's.
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let count = json!({ "name": "count" });
    assert_eq!(publisher.code(TOOL, count.clone()).await, "NOT_FOUND");
    write(
        "servers/till.yaml",
        &TILL.replace("    team: payments\n", ""),
    );
    let (text, code) = run(PLAN).await;
    assert_eq!(code, Some(2), "{text}");
    for line in ["~ update  tool till/count", "    - /team: \"payments\""] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let (text, code) = run("apply config --yes").await;
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = run(PLAN).await;
    assert_eq!(code, Some(0), "nothing is left to do: {text}");
    installation.settle().await;
    publisher.data(TOOL, count).await;
    let kept = "{ tool(server: \"till\", name: \"count\") { visibility team } }";
    let found = owner.data(kept, json!({})).await;
    let expected = json!({ "visibility": "PRIVATE", "team": null });
    assert_eq!(found["tool"], expected, "{text}");
    let (text, code) = run("export --tenant acme --out config").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(!exported("servers/till.yaml").contains("team"));

    let head = installation.settle().await;
    write("principals.yaml", &bot("  teams: [No Slug]\n"));
    let (text, code) = run("apply config --yes").await;
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("principals.yaml"), "{text}");
    assert_eq!(installation.settle().await, head);
}
