//! The MCP endpoint: both revisions by hand and through the official SDK, what a caller may see, and the
//! log as somebody else reads it.

mod choosing;
mod compare;
mod strangers;
use crate::support::{Client, Installation, PATIENCE, python};
use domain::principal::Role;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::path::Path;

const REGISTER_SERVER: &str = "mutation($input: RegisterServerInput!) {
    registerServer(input: $input) { sequence } }";
const REGISTER_TOOL: &str = "mutation($input: RegisterToolInput!) {
    registerTool(input: $input) { sequence } }";

/// A tenant with one server, two tools for everybody and one for maintainers.
async fn fill(installation: &Installation, tenant: &str) {
    let publisher = installation
        .client(tenant, "publisher", &[Role::Publisher])
        .await;
    let server = json!({ "slug": "git", "name": "Git", "description": "Version control" });
    publisher
        .data(REGISTER_SERVER, json!({ "input": server }))
        .await;
    let schema = json!({ "type": "object", "properties": { "path": { "type": "string" } } });
    for (name, description, visibility) in [
        (
            "git_log",
            "Shows the commit history of a repository.",
            "TENANT",
        ),
        (
            "git_diff",
            "Shows what has changed between two commits.",
            "TENANT",
        ),
        (
            "git_purge",
            "Rewrites the commit history of a repository.",
            "PRIVATE",
        ),
    ] {
        let tool = json!({
            "server": "git", "name": name, "title": name.replace('_', " "), "tags": ["vcs"],
            "description": description, "visibility": visibility, "inputSchema": schema,
        });
        publisher
            .data(REGISTER_TOOL, json!({ "input": tool }))
            .await;
    }
    installation.settle().await;
}

/// Sends one message as the stateless revision has it: nothing went before.
async fn stateless(client: &Client, method: &str, mut params: Value) -> Response {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut headers = vec![
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
    ];
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    if !name.is_empty() {
        headers.push(("mcp-name", &name));
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    post(client, &headers, &message).await
}

async fn post(client: &Client, headers: &[(&str, &str)], message: &Value) -> Response {
    let mut request = client
        .http
        .post(format!("{}/mcp", client.base))
        .json(message);
    request = request.header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.authorize(request).send().await.unwrap()
}

/// The result of a tool.
pub(crate) async fn call(client: &Client, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    let response = stateless(client, "tools/call", params).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut answer: Value = response.json().await.unwrap();
    assert!(answer.get("error").is_none(), "{answer:#}");
    answer["result"].take()
}

pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

pub(crate) fn names(result: &Value) -> Vec<&str> {
    let tools = result["structuredContent"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

pub(crate) fn code(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result:#}");
    assert_eq!(result.get("structuredContent"), None);
    let code = result["_meta"]["metamcp/error"]["code"].as_str().unwrap();
    assert!(text(result).starts_with(code), "{result:#}");
    code
}

#[tokio::test]
async fn the_stateless_revision_is_spoken_without_a_handshake() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let discovered = stateless(&agent, "server/discover", json!({})).await;
    assert_eq!(discovered.headers().get("mcp-session-id"), None);
    let discovered: Value = discovered.json().await.unwrap();
    let versions = discovered["result"]["supportedVersions"]
        .as_array()
        .unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")));
    assert!(
        discovered["result"]["instructions"]
            .as_str()
            .unwrap()
            .contains("search_tools")
    );

    let listed: Value = stateless(&agent, "tools/list", json!({}))
        .await
        .json()
        .await
        .unwrap();
    let listed = listed["result"]["tools"].as_array().unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    let expected = [
        "search_tools",
        "describe_tool",
        "recommend_tools",
        "compare_tools",
    ];
    assert_eq!(listed, expected);

    let found = call(&agent, "search_tools", json!({ "query": "commit history" })).await;
    assert_eq!(names(&found)[0], "git_log");
    assert_eq!(found["structuredContent"]["semantic"], false);
    assert!(
        text(&found).contains("semantic search is off"),
        "{}",
        text(&found)
    );
    assert!(
        text(&found).contains("1. git/git_log@1.0.0 — git log: Shows"),
        "{}",
        text(&found)
    );

    let described = call(&agent, "describe_tool", json!({ "tool": "git/git_log" })).await;
    let described = &described["structuredContent"];
    assert_eq!(described["version"], "1.0.0");
    assert_eq!(described["input_schema"]["type"], "object");
    assert_eq!(described["definition_hash"].as_str().unwrap().len(), 64);
    assert_eq!(described["tags"], json!(["vcs"]));
}

#[tokio::test]
async fn search_is_narrowed_and_counted() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let search = async |arguments| call(&agent, "search_tools", arguments).await;
    let all = search(json!({ "query": "commit" })).await;
    assert_eq!(names(&all).len(), 2);
    assert_eq!(
        names(&search(json!({ "query": "commit", "limit": 1 })).await).len(),
        1
    );
    assert!(names(&search(json!({ "query": "commit", "server": "other" })).await).is_empty());
    assert!(names(&search(json!({ "query": "commit", "tags": ["mail"] })).await).is_empty());
    assert_eq!(
        names(&search(json!({ "query": "commit", "tags": ["vcs"] })).await).len(),
        2
    );
    for wrong in [
        json!({}),
        json!({ "query": "" }),
        json!({ "query": "x", "limit": 51 }),
    ] {
        let refused = search(wrong.clone()).await;
        assert_eq!(code(&refused), "INVALID_ARGUMENTS", "{wrong}");
        assert!(text(&refused).contains("search_tools takes"));
    }
}

#[tokio::test]
async fn a_hidden_tool_is_as_absent_as_none() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    fill(&installation, "other").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    let query = json!({ "query": "rewrite commit history" });

    let seen = call(&publisher, "search_tools", query.clone()).await;
    assert!(names(&seen).contains(&"git_purge"), "{seen:#}");
    let seen = call(&agent, "search_tools", query).await;
    assert!(!seen.to_string().contains("git_purge"), "{seen:#}");

    let hidden = call(&agent, "describe_tool", json!({ "tool": "git/git_purge" })).await;
    let absent = call(
        &agent,
        "describe_tool",
        json!({ "tool": "git/git_nothing" }),
    )
    .await;
    assert_eq!((code(&hidden), code(&absent)), ("NOT_FOUND", "NOT_FOUND"));
    assert_eq!(
        text(&hidden).replace("git_purge", "git_nothing"),
        text(&absent)
    );
    let seen = call(
        &publisher,
        "describe_tool",
        json!({ "tool": "git/git_purge" }),
    )
    .await;
    assert_eq!(seen["structuredContent"]["name"], "git_purge");
}

#[tokio::test]
async fn nothing_of_another_tenant_is_found() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let stranger = installation.client("other", "admin", &[Role::Admin]).await;
    let found = call(
        &stranger,
        "search_tools",
        json!({ "query": "commit history" }),
    )
    .await;
    assert!(names(&found).is_empty());
    let absent = call(&stranger, "describe_tool", json!({ "tool": "git/git_log" })).await;
    assert_eq!(code(&absent), "NOT_FOUND");
}

#[tokio::test]
async fn a_principal_without_a_role_may_not_search() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let nobody = installation.client("acme", "nobody", &[]).await;
    let refused = call(&nobody, "search_tools", json!({ "query": "commit" })).await;
    assert!(
        ["FORBIDDEN", "NOT_FOUND"].contains(&code(&refused)),
        "{refused:#}"
    );
    let refused = call(&nobody, "describe_tool", json!({ "tool": "git/git_log" })).await;
    assert_eq!(code(&refused), "NOT_FOUND");
}

fn initialize() -> Value {
    let client = json!({ "name": "test", "version": "1" });
    let params =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

#[tokio::test]
async fn a_session_belongs_to_the_principal_that_opened_it() {
    let installation = Installation::start().await;
    let anna = installation.client("acme", "anna", &[Role::Agent]).await;
    let ben = installation.client("acme", "ben", &[Role::Agent]).await;
    let opened = post(&anna, &[], &initialize()).await;
    assert_eq!(opened.status(), StatusCode::OK);
    let session = opened.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let headers = [
        ("mcp-session-id", session.as_str()),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(
        post(&anna, &headers, &ready).await.status(),
        StatusCode::ACCEPTED
    );
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    assert_eq!(
        post(&ben, &headers, &list).await.status(),
        StatusCode::NOT_FOUND
    );
    let listed = post(&anna, &headers, &list).await;
    assert_eq!(listed.status(), StatusCode::OK);
    assert!(listed.text().await.unwrap().contains("search_tools"));
}

/// Runs one of the clients of others; its one line of JSON.
pub(crate) async fn run(python: &Path, script: &str, arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/clients")
        .join(script);
    let mut command = tokio::process::Command::new(python);
    command
        .arg("-B")
        .arg(script)
        .args(arguments)
        .kill_on_drop(true);
    let output = tokio::time::timeout(3 * PATIENCE, command.output())
        .await
        .unwrap()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_official_sdk_finds_and_reads_a_tool_in_both_revisions() {
    let Some(python) = python() else { return };
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let url = format!("{}/mcp", installation.base);
    let token = installation.token("acme", "agent", &[Role::Agent]).await;
    for (mode, protocol) in [
        ("auto", "2026-07-28"),
        ("2026-07-28", "2026-07-28"),
        ("legacy", "2025-11-25"),
    ] {
        let arguments = [url.as_str(), &token, "show the commit history", mode];
        let answer = run(&python, "mcp_search.py", &arguments).await;
        assert_eq!(answer["protocol"], protocol, "{mode}");
        assert_eq!(answer["found"][0], "git/git_log", "{mode}");
        assert_eq!(answer["described"]["name"], "git_log", "{mode}");
        assert_eq!(answer["ranged"]["version"], "1.0.0", "{mode}");
        assert_eq!(answer["beside"]["tools"][0]["tool"], "git/git_log");
        assert_eq!(answer["absent"]["is_error"], true, "{mode}");
        assert_eq!(answer["wrong"]["is_error"], true, "{mode}");
    }
}

#[tokio::test]
async fn an_independent_reader_sees_every_registration_in_the_log() {
    let Some(python) = python() else { return };
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    fill(&installation, "other").await;
    let log = &installation.config.nats;
    let password = installation.servers.embedded.nats.password();
    let user = log.user.as_deref().unwrap();
    let arguments = [
        log.url.as_str(),
        user,
        password,
        "acme",
        log.stream.as_str(),
        &log.subject_root,
    ];
    let read = run(&python, "nats_log.py", &arguments).await;
    assert_eq!(read["tools"], 3);
    assert_eq!(read["by_type"]["server.registered"], 1);
    let head = installation.app.state.log.head().await.unwrap();
    let tenants = read["tenants"].as_object().unwrap();
    assert_eq!(
        tenants.values().filter_map(Value::as_u64).sum::<u64>(),
        head
    );
}
