//! What is another tenant's or hidden is not there.

mod cases;
mod crossing;

use super::{names, register_server, register_tool};
use crate::support::Installation;
use domain::principal::Role;
use serde_json::{Value, json};

const LOOK: &str = "query($server: String!, $name: String!) {
    tool(server: $server, name: $name) { id } }";

/// The errors of an answer, without what the question itself brought in.
fn errors(answer: &Value) -> Value {
    let strip = |error: &Value| json!([error["message"], error["extensions"]]);
    answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(strip)
        .collect()
}

#[tokio::test]
async fn nothing_of_another_tenant_is_seen_or_changed() {
    crossing::cross_every_operation().await;
}

#[tokio::test]
async fn a_hidden_tool_is_like_an_absent_one() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    register_server(&publisher, "lab").await;
    register_tool(&publisher, "lab", "shown", json!({})).await;
    let hidden = json!({ "visibility": "PRIVATE", "description": "Splits uranium atoms" });
    let made = register_tool(&publisher, "lab", "hidden", hidden).await;
    installation.settle().await;

    let (_, there) = agent
        .graphql(LOOK, json!({ "server": "lab", "name": "hidden" }))
        .await;
    let (_, absent) = agent
        .graphql(LOOK, json!({ "server": "lab", "name": "absent" }))
        .await;
    assert_eq!(errors(&there), errors(&absent));
    assert_eq!(there["errors"][0]["extensions"]["code"], "NOT_FOUND");
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(
        agent.code(node, json!({ "id": made["tool"]["id"] })).await,
        "NOT_FOUND"
    );
    let retire =
        "mutation { retireTool(input: { server: \"lab\", name: \"hidden\" }) { sequence } }";
    assert_eq!(agent.code(retire, json!({})).await, "NOT_FOUND");
    let lists = "{ tools { totalCount nodes { name } }
        server(slug: \"lab\") { toolCount tools { totalCount nodes { name } } }
        searchTools(query: \"split uranium atoms\") { hits { tool { name } } } }";
    let seen = agent.data(lists, json!({})).await;
    assert_eq!(
        (&seen["tools"]["totalCount"], names(&seen["tools"]["nodes"])),
        (&json!(1), vec!["shown"])
    );
    assert_eq!(seen["server"]["toolCount"], 1);
    assert_eq!(seen["server"]["tools"]["totalCount"], 1);
    assert_eq!(names(&seen["server"]["tools"]["nodes"]), ["shown"]);
    assert_eq!(seen["searchTools"]["hits"], json!([]));
    let found = publisher.data(lists, json!({})).await;
    assert_eq!(found["tools"]["totalCount"], 2);
    assert_eq!(found["searchTools"]["hits"][0]["tool"]["name"], "hidden");
}

#[tokio::test]
async fn a_search_never_shows_what_was_hidden_or_retired_a_moment_ago() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    register_server(&publisher, "lab").await;
    for name in ["alpha", "beta"] {
        register_tool(
            &publisher,
            "lab",
            name,
            json!({ "description": "Splits uranium atoms" }),
        )
        .await;
    }
    installation.settle().await;
    let search = "{ searchTools(query: \"split uranium atoms\") { hits { tool { name } } } }";
    let before = agent.data(search, json!({})).await;
    assert_eq!(before["searchTools"]["hits"].as_array().unwrap().len(), 2);
    // The mutations wait for the catalogue, not for the index.
    publisher
        .data(
            "mutation { describeTool(input: { server: \"lab\", name: \"alpha\", visibility: PRIVATE })
                { sequence } retireTool(input: { server: \"lab\", name: \"beta\" }) { sequence } }",
            json!({}),
        )
        .await;
    assert_eq!(
        agent.data(search, json!({})).await["searchTools"]["hits"],
        json!([])
    );
}
