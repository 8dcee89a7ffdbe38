//! References lead to versions, for people and for agents.

use super::{RESOLVE, begin, change, log, on_log, publish, resolve, unresolved};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

/// 1.0.0, 1.2.0, 1.3.0 (yanked), 2.0.0 and 3.0.0-rc.1; `stable` at 1.2.0, which is deprecated.
async fn five() -> (Installation, Client) {
    let (installation, publisher) = begin().await;
    for version in ["1.2.0", "1.3.0", "2.0.0", "3.0.0-rc.1"] {
        publish(&publisher, version).await;
    }
    for mutation in [
        on_log("yankToolVersion", "version: \"1.3.0\", reason: \"wrong\""),
        on_log("moveToolAlias", "alias: \"stable\", version: \"1.2.0\""),
        on_log(
            "deprecateTool",
            "version: \"1.2.0\", message: \"Old\", successor: \"git/log@^2\"",
        ),
    ] {
        change(&publisher, &mutation).await;
    }
    (installation, publisher)
}

const LEADS: &[(&str, &str)] = &[
    ("git/log", "2.0.0"),
    ("git/log@latest", "2.0.0"),
    ("git/log@stable", "1.2.0"),
    ("git/log@1.3.0", "1.3.0"),
    ("git/log@^1", "1.2.0"),
    ("git/log@1", "1.2.0"),
    ("git/log@>=1, <3", "2.0.0"),
    ("git/log@3.0.0-rc.1", "3.0.0-rc.1"),
];

const LEADS_NOWHERE: &[(&str, &str)] = &[
    ("git/log@~1.3", "VERSION_NOT_FOUND"),
    ("git/log@^3", "VERSION_NOT_FOUND"),
    ("git/log@9.9.9", "VERSION_NOT_FOUND"),
    ("git/log@beta", "VERSION_NOT_FOUND"),
    ("git/log@", "INVALID_REFERENCE"),
    ("git/log@1.2.3.4", "INVALID_REFERENCE"),
    ("git/absent@1.0.0", "NOT_FOUND"),
];

#[tokio::test]
async fn a_reference_leads_to_one_version_and_says_which() {
    let (_installation, publisher) = five().await;
    for (reference, version) in LEADS {
        let found = resolve(&publisher, reference).await;
        assert_eq!(found["version"]["version"], *version, "{reference}");
        assert_eq!(found["exact"], format!("git/log@{version}"));
        assert_eq!(found["version"]["description"], format!("Shows {version}"));
    }
    for (reference, code) in LEADS_NOWHERE {
        assert_eq!(
            unresolved(&publisher, reference).await,
            *code,
            "{reference}"
        );
    }
    assert_eq!(unresolved(&publisher, "log").await, "INVALID_REFERENCE");
    // Who names an alias that is not there is told those that are.
    let unknown = json!({ "reference": "git/log@beta" });
    let (_, answer) = publisher.graphql(RESOLVE, unknown).await;
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("; aliases: latest, stable"), "{message}");
}

/// What is done to a version is said of it under the name that it was published by.
#[tokio::test]
async fn a_version_is_found_without_its_build_metadata_wherever_it_is_named() {
    let (installation, publisher) = begin().await;
    publish(&publisher, "2.0.0+b.7").await;
    publish(&publisher, "3.0.0").await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    for number in ["2.0.0", "2.0.0+b.7"] {
        let reference = format!("git/log@{number}");
        let found = resolve(&publisher, &reference).await;
        assert_eq!(found["exact"], "git/log@2.0.0+b.7");
        let described = describe(&agent, &reference).await;
        assert_eq!(described["structuredContent"]["version"], "2.0.0+b.7");
    }
    for (mutation, more) in [
        ("moveToolAlias", "alias: \"stable\", version: \"2.0.0\""),
        ("deprecateTool", "version: \"2.0.0\", message: \"Old\""),
        ("undeprecateTool", "version: \"2.0.0\""),
        ("removeToolAlias", "alias: \"stable\""),
        ("yankToolVersion", "version: \"2.0.0\", reason: \"wrong\""),
        (
            "reviewTool",
            "version: \"2.0.0\", rating: 4, text: \"Good\"",
        ),
    ] {
        change(&publisher, &on_log(mutation, more)).await;
    }
    installation.settle().await;
    let tool = log(
        &publisher,
        "versions { nodes { version yanked } } rating { byVersion { version count } }",
    )
    .await;
    assert_eq!(
        tool["versions"]["nodes"][1],
        json!({ "version": "2.0.0+b.7", "yanked": true })
    );
    assert_eq!(
        tool["rating"]["byVersion"],
        json!([{ "version": "2.0.0+b.7", "count": 1 }])
    );
}

/// The result of `describe_tool`, as the stateless revision of MCP has it.
async fn describe(agent: &Client, tool: &str) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "describe_tool", "arguments": { "tool": tool }, "_meta": meta } });
    let request = agent
        .http
        .post(format!("{}/mcp", agent.base))
        .json(&message);
    let request = request
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "describe_tool");
    let answer = agent.authorize(request).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["result"].take()
}

#[tokio::test]
async fn an_agent_reads_the_version_that_it_names() {
    let (installation, _publisher) = five().await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    for (reference, version) in LEADS {
        let described = describe(&agent, reference).await;
        let described = &described["structuredContent"];
        assert_eq!(described["version"], *version, "{reference}");
        assert_eq!(described["description"], format!("Shows {version}"));
    }
    for (reference, code) in LEADS_NOWHERE {
        let refused = describe(&agent, reference).await;
        assert_eq!(
            refused["_meta"]["metamcp/error"]["code"], *code,
            "{reference}"
        );
    }
    let stable = describe(&agent, "git/log@stable").await;
    let told = &stable["structuredContent"];
    assert_eq!(told["aliases"], json!(["stable"]));
    assert_eq!(
        told["deprecated"],
        json!({ "message": "Old", "successor": "git/log@^2" })
    );
    let text = stable["content"][0]["text"].as_str().unwrap();
    let warning = "Warning: git/log@1.2.0 is deprecated: Old; use git/log@^2 instead";
    assert!(text.contains(warning), "{text}");
    let yanked = describe(&agent, "git/log@1.3.0").await;
    assert_eq!(
        yanked["structuredContent"]["warnings"],
        json!(["git/log@1.3.0 is yanked: wrong"])
    );
}
