//! What is used together and what comes next: counted from what agents do over MCP.

mod agents;
mod installed;

use crate::mcp::call;
use crate::support::{Client, Installation, PATIENCE};
use bus::usage::UsageBatch;
use domain::id::{PrincipalId, TenantId};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::Instant;

/// Tools of one server, one of them for maintainers only.
async fn fill(installation: &Installation, tenant: &str) {
    let publisher = installation
        .client(tenant, "publisher", &[Role::Publisher])
        .await;
    let server =
        "mutation { registerServer(input: { slug: \"shop\", name: \"Shop\" }) { sequence } }";
    publisher.data(server, json!({})).await;
    for (name, visibility) in [
        ("find", "TENANT"),
        ("cart", "TENANT"),
        ("pay", "TENANT"),
        ("refund", "PRIVATE"),
    ] {
        let input = json!({ "server": "shop", "name": name, "description": name, "visibility": visibility });
        let register =
            "mutation($input: RegisterToolInput!) { registerTool(input: $input) { sequence } }";
        publisher.data(register, json!({ "input": input })).await;
    }
    installation.settle().await;
}

/// An agent of its own reads these tools, one after the other.
async fn session(installation: &Installation, handle: &str, role: Role, tools: &[&str]) {
    let agent = installation.client("acme", handle, &[role]).await;
    for tool in tools {
        let answer = call(
            &agent,
            "describe_tool",
            json!({ "tool": format!("shop/{tool}") }),
        )
        .await;
        assert_ne!(answer["isError"], true, "{answer:#}");
    }
}

async fn ask(client: &Client, tool: &str) -> Value {
    let query = format!(
        "{{ tool(server: \"shop\", name: \"{tool}\") {{
            usedTogether {{ tool {{ name }} score reason }} comesNext {{ tool {{ name }} score reason }} }} }}"
    );
    client.data(&query, json!({})).await["tool"].take()
}

fn names(list: &Value) -> Vec<&str> {
    let tools = list.as_array().unwrap().iter();
    tools
        .map(|one| one["tool"]["name"].as_str().unwrap())
        .collect()
}

/// Usage outlives an erasure, so it must not say who.
#[tokio::test]
async fn a_use_without_a_session_does_not_name_the_principal() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    for agent in ["agent-1", "agent-2"] {
        session(&installation, agent, Role::Agent, &["find", "cart"]).await;
    }
    let usage = installation.app.state.log.usage().await.unwrap();
    let mut reader = usage.read_from(1).await.unwrap();
    let mut sessions = Vec::new();
    while sessions.len() < 4 {
        let batch = tokio::time::timeout(PATIENCE, reader.next_batch(10)).await;
        for entry in batch.unwrap().unwrap() {
            let batch: UsageBatch = serde_json::from_slice(&entry.body).unwrap();
            sessions.extend(batch.uses.into_iter().map(|one| one.session));
        }
    }
    for agent in ["agent-1", "agent-2"] {
        let id = PrincipalId::derive(&TenantId::new("acme").unwrap(), agent);
        let named = sessions.iter().any(|session| session.contains(id.as_str()));
        assert!(!named, "{sessions:?}");
    }
    sessions.dedup();
    assert_eq!(sessions.len(), 2, "one for each agent: {sessions:?}");
}

#[tokio::test]
async fn tools_that_agents_use_together_are_recommended_with_the_reason() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    session(
        &installation,
        "agent-1",
        Role::Agent,
        &["find", "cart", "pay"],
    )
    .await;
    session(&installation, "agent-2", Role::Agent, &["find", "cart"]).await;
    session(
        &installation,
        "agent-3",
        Role::Agent,
        &["find", "cart", "find", "pay"],
    )
    .await;
    for publisher in ["publisher-1", "publisher-2"] {
        session(
            &installation,
            publisher,
            Role::Publisher,
            &["find", "refund"],
        )
        .await;
    }
    let agent = installation.client("acme", "reader", &[Role::Agent]).await;
    let begun = Instant::now();
    let seen = loop {
        let seen = ask(&agent, "find").await;
        // The last step that the sessions above make.
        let counted = seen["comesNext"][0]["reason"].as_str();
        if counted == Some("came next after this tool 3 of 6 times") {
            break seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{seen:#}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(names(&seen["usedTogether"]), ["cart", "pay"]);
    let reason = seen["usedTogether"][0]["reason"].as_str().unwrap();
    assert_eq!(reason, "used in 3 of the 5 sessions that used this tool");
    // `pay` came behind `find` once only, and once says nothing.
    assert_eq!(names(&seen["comesNext"]), ["cart"]);

    // What an agent may not see is not recommended to it, and is to those who may.
    let maintainer = installation.client("acme", "admin", &[Role::Admin]).await;
    let seen = ask(&maintainer, "find").await;
    assert_eq!(names(&seen["comesNext"]), ["cart", "refund"]);

    // What one tenant's agents do is nothing to another tenant, whose tools have the same names.
    fill(&installation, "other").await;
    let stranger = installation.client("other", "admin", &[Role::Admin]).await;
    assert_eq!(
        ask(&stranger, "find").await,
        json!({ "usedTogether": [], "comesNext": [] })
    );
    let retire =
        "mutation { retireTool(input: { server: \"shop\", name: \"cart\" }) { sequence } }";
    maintainer.data(retire, json!({})).await;
    installation.settle().await;
    let seen = ask(&agent, "find").await;
    assert_eq!(
        names(&seen["usedTogether"]),
        ["pay"],
        "what is out of use is not recommended"
    );
}

#[tokio::test]
async fn usage_survives_a_restart_and_counts_once() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    for agent in ["agent-1", "agent-2"] {
        session(&installation, agent, Role::Agent, &["cart", "pay"]).await;
    }
    let counted = async |installation: &Installation, sessions: &str| {
        let reader = installation.client("acme", "reader", &[Role::Agent]).await;
        let begun = Instant::now();
        loop {
            let seen = ask(&reader, "cart").await;
            let reason = seen["usedTogether"][0]["reason"]
                .as_str()
                .unwrap_or_default();
            if reason.contains(sessions) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{seen:#}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    counted(&installation, "2 of the 2 sessions").await;
    let installation = installation.restart_with(|_| {}).await;
    session(&installation, "agent-3", Role::Agent, &["cart", "pay"]).await;
    counted(&installation, "3 of the 3 sessions").await;
}
