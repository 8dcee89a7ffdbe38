//! `compare_tools` over MCP: what another version of a tool, or another tool, changes for an agent.

use super::{call, code, text};
use crate::graphql::{register_server, register_tool};
use crate::support::{Client, Installation};
use chrono::Utc;
use domain::principal::Role;
use serde_json::{Value, json};

fn schema(required: &[&str]) -> Value {
    json!({ "type": "object", "required": required, "properties": {
        "repo": { "type": "string" }, "limit": { "type": "integer" } } })
}

/// A server with a tool of two versions, of which the second asks for more; the agent that looks at them.
async fn begin() -> (Installation, Client, Client) {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&publisher, "git").await;
    let first = json!({ "inputSchema": schema(&["repo"]), "description": "Lists" });
    register_tool(&publisher, "git", "log", first.clone()).await;
    register_tool(&publisher, "git", "history", first).await;
    let publish = "mutation($input: PublishToolVersionInput!) { publishToolVersion(input: $input) { sequence } }";
    let input = json!({ "server": "git", "name": "log", "version": "2.0.0", "description": "Lists",
                        "inputSchema": schema(&["repo", "limit"]) });
    publisher.data(publish, json!({ "input": input })).await;
    installation.settle().await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    (installation, publisher, agent)
}

#[tokio::test]
async fn an_agent_is_told_what_another_version_or_a_successor_changes() {
    let (installation, publisher, agent) = begin().await;
    let compare = async |arguments: Value| call(&agent, "compare_tools", arguments).await;
    let told = json!({
        "from": "git/log@1.0.0", "to": "git/log@2.0.0", "verdict": "breaking", "changes": [{
            "part": "input_schema", "path": "/required", "kind": "breaking",
            "reason": "required_added", "message": "`limit` must be given now" }] });
    for arguments in [
        json!({ "from": "git/log@1.0.0" }),
        json!({ "from": "git/log@^1", "to": "git/log" }),
        json!({ "from": "git/log@1", "to": "git/log@2.0.0" }),
    ] {
        let answer = compare(arguments).await;
        assert_eq!(answer["structuredContent"], told, "{answer:#}");
        let expected = "git/log@1.0.0 → git/log@2.0.0: breaking\n\
                        breaking: input_schema/required: `limit` must be given now\n";
        assert_eq!(text(&answer), expected);
    }
    let back = json!({ "from": "git/log@2.0.0", "to": "git/log@1.0.0" });
    let back = compare(back).await;
    assert_eq!(back["structuredContent"]["verdict"], "compatible");
    let successor = json!({ "from": "git/log@1.0.0", "to": "git/history" });
    let successor = compare(successor).await;
    assert_eq!(successor["structuredContent"]["verdict"], "identical");
    assert_eq!(successor["structuredContent"]["to"], "git/history@1.0.0");

    // Who compares uses nothing: what is past its sunset is read, and what is deprecated is told.
    let today = Utc::now().date_naive().to_string();
    for version in ["1.0.0", "2.0.0"] {
        let deprecate = "mutation($version: String!, $today: NaiveDate!) { deprecateTool(input: { server: \"git\", name: \"log\",
            version: $version, message: \"Too slow\", successor: \"git/history\", sunset: $today }) { sequence } }";
        publisher
            .data(deprecate, json!({ "version": version, "today": today }))
            .await;
    }
    installation.settle().await;
    let described = call(&agent, "describe_tool", json!({ "tool": "git/log" })).await;
    assert_eq!(code(&described), "TOOL_SUNSET");
    let answer = compare(json!({ "from": "git/log@1.0.0" })).await;
    let warnings = answer["structuredContent"]["warnings"].as_array().unwrap();
    for (warning, version) in warnings.iter().zip(["1.0.0", "2.0.0"]) {
        let told = format!("git/log@{version} is deprecated: Too slow");
        let warning = warning.as_str().unwrap();
        assert!(warning.starts_with(&told), "{warning}");
        assert!(warning.contains("git/history"), "{warning}");
    }
    assert_eq!(warnings.len(), 2, "{answer:#}");
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_by_code() {
    let (installation, publisher, agent) = begin().await;
    let hide =
        "mutation { describeTool(input: { server: \"git\", name: \"history\", visibility: PRIVATE,
        team: \"payments\" }) { sequence } }";
    let join = "mutation { joinTeam(input: { handle: \"pub\", team: \"payments\" }) { sequence } }";
    let owner = installation.client("acme", "boss", &[Role::Owner]).await;
    owner.data(join, json!({})).await;
    owner.data(hide, json!({})).await;
    installation.settle().await;
    drop(publisher);
    for (arguments, expected) in [
        (json!({}), "INVALID_ARGUMENTS"),
        (json!({ "from": "git" }), "INVALID_ARGUMENTS"),
        (
            json!({ "from": "git/log", "with": "git/log" }),
            "INVALID_ARGUMENTS",
        ),
        (
            json!({ "from": "git/log", "token_budget": 1 }),
            "INVALID_ARGUMENTS",
        ),
        (json!({ "from": "git/log@1.2.3.4" }), "INVALID_REFERENCE"),
        (json!({ "from": "git/log@9.9.9" }), "VERSION_NOT_FOUND"),
        (
            json!({ "from": "git/log", "to": "git/absent" }),
            "NOT_FOUND",
        ),
        (
            json!({ "from": "git/log", "to": "git/history" }),
            "NOT_FOUND",
        ),
        (json!({ "from": "@globex/git/log" }), "NOT_FOUND"),
        (json!({ "from": "@acme/git/history" }), "NOT_FOUND"),
    ] {
        let refused = call(&agent, "compare_tools", arguments.clone()).await;
        assert_eq!(code(&refused), expected, "{arguments}: {refused:#}");
        let usage = expected == "INVALID_ARGUMENTS";
        assert_eq!(
            text(&refused).contains("compare_tools takes"),
            usage,
            "{refused:#}"
        );
    }
    // A hidden tool and one that never was answer the same, on this side, too.
    let told = async |name: &str| {
        let to = json!({ "from": "git/log", "to": format!("git/{name}") });
        call(&agent, "compare_tools", to).await.to_string()
    };
    let hidden = told("history").await.replace("history", "absent");
    assert_eq!(hidden, told("absent").await);
    let nobody = installation.client("acme", "nobody", &[]).await;
    let refused = call(&nobody, "compare_tools", json!({ "from": "git/log" })).await;
    assert_eq!(code(&refused), "NOT_FOUND", "as `describe_tool` says it");
}
