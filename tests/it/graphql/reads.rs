//! Lists, look-ups, versions and search.

use super::{names, register_server, register_tool};
use crate::support::Installation;
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::Instant;

const PAGE: &str = "query($first: Int!, $after: String, $orderBy: Order, $filter: ToolFilter) {
    tools(first: $first, after: $after, orderBy: $orderBy, filter: $filter) {
        nodes { name } totalCount pageInfo { hasNextPage hasPreviousPage endCursor } } }";

#[tokio::test]
async fn pages_cover_a_list_once_in_order() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    for name in ["d", "b", "e", "a", "c"] {
        register_tool(&client, "git", name, json!({})).await;
    }
    for (order, expected) in [
        (json!({ "field": "NAME" }), "abcde"),
        (json!({ "field": "NAME", "direction": "DESC" }), "edcba"),
        (json!({ "field": "REGISTERED_AT" }), "dbeac"),
        (
            json!({ "field": "UPDATED_AT", "direction": "DESC" }),
            "caebd",
        ),
    ] {
        let (mut after, mut seen) = (Value::Null, String::new());
        loop {
            let variables = json!({ "first": 2, "after": after, "orderBy": order });
            let page = client.data(PAGE, variables).await["tools"].take();
            assert_eq!(page["totalCount"], 5);
            assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
            seen.extend(names(&page["nodes"]));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        assert_eq!(seen, expected, "{order}");
    }
    for after in ["", "nonsense", "8J-Ys_-_"] {
        let variables = json!({ "first": 2, "after": after });
        assert_eq!(
            client.code(PAGE, variables).await,
            "INVALID_CURSOR",
            "{after}"
        );
    }
}

#[tokio::test]
async fn filters_narrow_and_hidden_characters_in_them_harm_nothing() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    register_server(&client, "mail").await;
    register_tool(
        &client,
        "git",
        "commit",
        json!({ "tags": ["vcs"], "category": "code" }),
    )
    .await;
    register_tool(&client, "git", "100_done", json!({}))
        .await
        .take();
    register_tool(&client, "mail", "send", json!({ "tags": ["vcs", "post"] })).await;
    for (filter, expected) in [
        (json!({ "server": "git", "tag": "vcs" }), vec!["commit"]),
        (json!({ "tag": "vcs" }), vec!["commit", "send"]),
        (json!({ "category": "code" }), vec!["commit"]),
        (json!({ "text": "SEND" }), vec!["send"]),
        (json!({ "text": "o\u{0}es comm" }), vec!["commit"]),
        (json!({ "status": "RETIRED" }), vec![]),
    ] {
        let page = client
            .data(PAGE, json!({ "first": 10, "filter": filter }))
            .await;
        assert_eq!(names(&page["tools"]["nodes"]), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_tool_is_the_same_by_name_by_id_and_below_its_server() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    let schema = json!({ "type": "object", "properties": { "message": { "type": "string" } } });
    let made = register_tool(&client, "git", "commit", json!({ "inputSchema": schema })).await;
    let answer = client
        .data(
            "query($id: ID!) {
                tool(server: \"git\", name: \"commit\") { id inputSchema definitionHash server { slug } }
                node(id: $id) { __typename id ... on Tool { name inputSchema definitionHash } }
                server(slug: \"git\") { toolCount tools(first: 1) { totalCount nodes { id } } }
                viewer { handle kind roles tenant { slug displayName } } }",
            json!({ "id": made["tool"]["id"] }),
        )
        .await;
    let (tool, node, server) = (&answer["tool"], &answer["node"], &answer["server"]);
    assert_eq!(tool["id"], made["tool"]["id"]);
    assert_eq!(tool["inputSchema"], schema);
    assert_eq!(tool["server"]["slug"], "git");
    assert_eq!(node["__typename"], "Tool");
    assert_eq!(node["definitionHash"], tool["definitionHash"]);
    assert_eq!(
        (&server["toolCount"], &server["tools"]["totalCount"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(server["tools"]["nodes"][0]["id"], tool["id"]);
    assert_eq!(answer["viewer"]["roles"], json!(["PUBLISHER"]));
    assert_eq!(answer["viewer"]["tenant"]["slug"], "acme");
}

#[tokio::test]
async fn a_search_says_why_and_that_meaning_was_not_searched() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    let more = json!({ "description": "Records staged changes in the repository history" });
    let made = register_tool(&client, "git", "commit", more).await;
    register_tool(&client, "git", "weather", json!({})).await;
    let answer = client
        .data(
            "query($at: Sequence) {
                searchTools(query: \"record the changes in history\", minSequence: $at) {
                    semantic notice
                    hits { score tool { name server { slug } } why { textRank matchedTerms similarity } } } }",
            json!({ "at": made["sequence"] }),
        )
        .await;
    let found = &answer["searchTools"];
    assert_eq!(found["semantic"], false);
    assert!(found["notice"].is_string());
    let best = &found["hits"][0];
    assert_eq!(
        (&best["tool"]["name"], &best["tool"]["server"]["slug"]),
        (&json!("commit"), &json!("git"))
    );
    assert_eq!(best["why"]["textRank"], 1);
    assert!(
        best["why"]["matchedTerms"]
            .as_array()
            .unwrap()
            .contains(&json!("history")),
        "{best:#}"
    );
    let empty = "{ searchTools(query: \" \") { semantic } }";
    assert_eq!(client.code(empty, json!({})).await, "EMPTY_QUERY");
}

#[tokio::test]
async fn a_position_that_is_not_reached_is_waited_for_and_then_unavailable() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let at = register_server(&client, "git").await["sequence"].clone();
    let query = "query($at: Sequence) { servers(minSequence: $at) { totalCount } }";
    assert_eq!(
        client.data(query, json!({ "at": at })).await["servers"]["totalCount"],
        1
    );
    let began = Instant::now();
    assert_eq!(
        client.code(query, json!({ "at": 1_000_000 })).await,
        "UNAVAILABLE"
    );
    let waited = began.elapsed();
    assert!(waited.as_secs() >= 4, "{waited:?}");
}

#[tokio::test]
async fn the_machinery_is_shown_to_those_who_look_after_it() {
    let installation = Installation::start().await;
    let query =
        "{ registry { version policyVersion head projectors { name position lag parked state } } }";
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    assert!(["FORBIDDEN", "NOT_FOUND"].contains(&agent.code(query, json!({})).await.as_str()));
    let auditor = installation
        .client("acme", "auditor", &[Role::Auditor])
        .await;
    let head = installation.settle().await;
    let registry = auditor.data(query, json!({})).await["registry"].take();
    assert_eq!(registry["head"], json!(head));
    let names: Vec<_> = registry["projectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["name"])
        .collect();
    assert!(
        names.contains(&&json!("catalog")) && names.contains(&&json!("search")),
        "{registry:#}"
    );
}
