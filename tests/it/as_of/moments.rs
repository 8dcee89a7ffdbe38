//! `asOf` on the registry's root fields.

use super::{sequence, server, tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const TOOL: &str = "query($asOf: AsOf) { tool(server: \"git\", name: \"commit\", asOf: $asOf) {
    description version status versions { nodes { version } }
    server { name toolCount tools { totalCount nodes { name version server { name } } } } } }";
const LISTS: &str = "query($asOf: AsOf) {
    servers(asOf: $asOf) { totalCount nodes { name toolCount tools { nodes { name version } } } }
    server(slug: \"git\", asOf: $asOf) { name }
    tools(asOf: $asOf) { totalCount nodes { name version server { name } } } }";
const NAMES: &str = "query($asOf: AsOf) { tools(asOf: $asOf) { totalCount nodes { name } } }";

fn at(position: u64) -> Value {
    json!({ "asOf": { "sequence": position } })
}

fn names(answer: &Value) -> Vec<&str> {
    let nodes = answer["tools"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect()
}

/// One server and its tool, each changed once, and the positions before and after.
async fn changed(client: &Client) -> (u64, u64) {
    server(client, "git").await;
    let before = tool(client, "git", "commit").await;
    let describe =
        "mutation { done: describeServer(input: { slug: \"git\", name: \"Git!\" }) { sequence } }";
    sequence(client, describe, json!({})).await;
    let publish = "mutation { done: publishToolVersion(input: { server: \"git\", name: \"commit\",
        version: \"2.0.0\", description: \"The second\" }) { sequence } }";
    sequence(client, publish, json!({})).await;
    let after = tool(client, "git", "push").await;
    (before, after)
}

#[tokio::test]
async fn what_is_nested_is_of_the_same_moment() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let (before, after) = changed(&client).await;
    let was = client.data(TOOL, at(before)).await["tool"].take();
    let git = json!({ "name": "git", "toolCount": 1, "tools": { "totalCount": 1, "nodes": [
        { "name": "commit", "version": "1.0.0", "server": { "name": "git" } }] } });
    let expected = json!({ "description": "The first", "version": "1.0.0", "status": "ACTIVE",
        "versions": { "nodes": [{ "version": "1.0.0" }] }, "server": git });
    assert_eq!(was, expected);
    let was = client.data(LISTS, at(before)).await;
    assert_eq!(was["server"]["name"], "git");
    assert_eq!(was["tools"]["totalCount"], 1);
    assert_eq!(
        was["servers"]["nodes"][0]["tools"]["nodes"][0]["version"],
        "1.0.0"
    );

    let retire = "mutation { done: retireServer(input: { slug: \"git\" }) { sequence } }";
    sequence(&client, retire, json!({})).await;
    let then = client.data(TOOL, at(after)).await["tool"].take();
    assert_eq!(
        then["versions"]["nodes"],
        json!([{ "version": "2.0.0" }, { "version": "1.0.0" }])
    );
    assert_eq!(
        (&then["status"], &then["server"]["toolCount"]),
        (&json!("ACTIVE"), &json!(2))
    );
    // Both moments in one request, and the present beside them.
    let both = format!(
        "{{ a: tool(server: \"git\", name: \"commit\", asOf: {{ sequence: {before} }}) {{ version server {{ name }} }}
            b: tool(server: \"git\", name: \"commit\", asOf: {{ sequence: {after} }}) {{ version server {{ name }} }}
            now: tool(server: \"git\", name: \"commit\") {{ status server {{ status }} }} }}"
    );
    let both = client.data(&both, json!({})).await;
    assert_eq!(
        both["a"],
        json!({ "version": "1.0.0", "server": { "name": "git" } })
    );
    assert_eq!(
        both["b"],
        json!({ "version": "2.0.0", "server": { "name": "Git!" } })
    );
    assert_eq!(
        both["now"],
        json!({ "status": "RETIRED", "server": { "status": "RETIRED" } })
    );
}

#[tokio::test]
async fn a_time_is_the_last_commit_recorded_until_then() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    server(&client, "git").await;
    for name in ["add", "branch", "commit"] {
        tool(&client, "git", name).await;
    }
    let dates = client
        .data("{ tools { nodes { registeredAt } } }", json!({}))
        .await;
    for count in 0..3 {
        let time = &dates["tools"]["nodes"][count]["registeredAt"];
        let was = client
            .data(NAMES, json!({ "asOf": { "time": time } }))
            .await;
        assert_eq!(names(&was), ["add", "branch", "commit"][..=count], "{time}");
        assert_eq!(was["tools"]["totalCount"], json!(count + 1));
    }
    let long_ago = json!({ "asOf": { "time": "2001-01-01T00:00:00Z" } });
    // No database knows that year.
    let before_all = json!({ "asOf": { "time": "-5000-01-01T00:00:00Z" } });
    for before in [long_ago, before_all, at(0)] {
        assert!(names(&client.data(NAMES, before.clone()).await).is_empty());
        assert_eq!(client.code(TOOL, before).await, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_moment_that_has_not_come_is_refused_at_once() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let head = server(&client, "git").await;
    for later in [
        json!({ "sequence": head + 100 }),
        json!({ "time": "2999-01-01T00:00:00Z" }),
    ] {
        let code = client.code(NAMES, json!({ "asOf": later })).await;
        assert_eq!(code, "AS_OF_IN_THE_FUTURE", "{later}");
    }
    let both = json!({ "sequence": head, "time": "2026-01-01T00:00:00Z" });
    for unclear in [both, json!({})] {
        let code = client.code(NAMES, json!({ "asOf": unclear })).await;
        assert!(
            ["INVALID_ARGUMENT", "GRAPHQL_VALIDATION_FAILED"].contains(&code.as_str()),
            "{code}"
        );
    }
}

#[tokio::test]
async fn another_tenants_past_is_as_far_as_its_present() {
    let installation = Installation::start().await;
    let acme = installation.client("acme", "owner-a", &[Role::Owner]).await;
    let other = installation
        .client("other", "owner-b", &[Role::Owner])
        .await;
    let (before, after) = changed(&acme).await;
    let lists = "query($asOf: AsOf) { tools(asOf: $asOf) { totalCount nodes { name } }
        servers(asOf: $asOf) { totalCount } principals(asOf: $asOf) { nodes { handle } }
        grants(asOf: $asOf) { nodes { principal { handle } } } }";
    for position in [before, after, installation.settle().await] {
        let seen = other.data(lists, at(position)).await;
        assert_eq!(
            (&seen["tools"]["totalCount"], &seen["servers"]["totalCount"]),
            (&json!(0), &json!(0))
        );
        assert!(!seen.to_string().contains("owner-a"), "{seen:#}");
        assert!(seen.to_string().contains("owner-b"), "{seen:#}");
        assert_eq!(other.code(TOOL, at(position)).await, "NOT_FOUND");
        let principal =
            "query($asOf: AsOf) { principal(handle: \"owner-a\", asOf: $asOf) { handle } }";
        assert_eq!(other.code(principal, at(position)).await, "NOT_FOUND");
    }
    // A time is looked up among the commits of one's own tenant.
    let time = acme
        .data(
            "{ tool(server: \"git\", name: \"push\") { registeredAt } }",
            json!({}),
        )
        .await;
    let time = json!({ "asOf": { "time": time["tool"]["registeredAt"] } });
    assert_eq!(
        names(&acme.data(NAMES, time.clone()).await),
        ["commit", "push"]
    );
    assert!(names(&other.data(NAMES, time).await).is_empty());
}

#[tokio::test]
async fn hiding_a_tool_hides_its_past() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let (before, _) = changed(&publisher).await;
    assert_eq!(names(&agent.data(NAMES, at(before)).await), ["commit"]);
    let hide = "mutation { done: describeTool(input: { server: \"git\", name: \"commit\",
        visibility: PRIVATE }) { sequence } }";
    sequence(&publisher, hide, json!({})).await;
    assert!(names(&agent.data(NAMES, at(before)).await).is_empty());
    assert_eq!(agent.code(TOOL, at(before)).await, "NOT_FOUND");
    let below = agent.data(LISTS, at(before)).await["servers"]["nodes"][0].take();
    assert_eq!(
        below,
        json!({ "name": "git", "toolCount": 0, "tools": { "nodes": [] } })
    );
    assert_eq!(names(&publisher.data(NAMES, at(before)).await), ["commit"]);
}

#[tokio::test]
async fn a_look_back_has_the_limits_of_a_look() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "owner", &[Role::Owner]).await;
    for (query, expected) in [
        (
            "{ servers(first: 100, asOf: { sequence: 1 }) { nodes { tools(first: 100) { nodes { name } } } } }",
            "QUERY_TOO_COMPLEX",
        ),
        (
            "{ grants(first: 100) { nodes { role principal { handle } } edges { node { role principal { \
            handle kind roles active registeredAt updatedAt id tokensRevokedBefore } sequence eventType \
            grantedAt grantedBy { id kind } } cursor } pageInfo { endCursor } } \
           more: grants(first: 100) { nodes { role sequence eventType grantedAt grantedBy { id kind } \
            principal { handle kind roles active registeredAt updatedAt id tokensRevokedBefore } } } \
           most: grants(first: 100) { nodes { role sequence eventType grantedAt grantedBy { id kind } \
            principal { handle kind roles active registeredAt updatedAt id tokensRevokedBefore } } } }",
            "QUERY_TOO_COMPLEX",
        ),
        (
            "{ grants(first: 101) { nodes { role } } }",
            "INVALID_PAGE_SIZE",
        ),
        (
            "{ tools(first: 101, asOf: { sequence: 1 }) { totalCount } }",
            "INVALID_PAGE_SIZE",
        ),
        (
            "{ tools(first: 1, after: \"nonsense\", asOf: { sequence: 1 }) { totalCount } }",
            "INVALID_CURSOR",
        ),
        (
            "{ grants(first: 1, after: \"nonsense\") { nodes { role } } }",
            "INVALID_CURSOR",
        ),
    ] {
        assert_eq!(client.code(query, json!({})).await, expected, "{query}");
    }
}

#[tokio::test]
async fn an_object_is_met_by_its_id_as_it_was() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "owner", &[Role::Owner]).await;
    let (before, _) = changed(&client).await;
    let ids = client
        .data(
            "{ tool(server: \"git\", name: \"commit\") { id } server(slug: \"git\") { id }
               viewer { id tenant { id } } taxonomy { id } }",
            json!({}),
        )
        .await;
    let node = "query($id: ID!, $asOf: AsOf) { node(id: $id, asOf: $asOf) { id
        ... on Tool { version server { name } } ... on Server { name toolCount }
        ... on Principal { roles } } }";
    let of = |id: &Value, position: u64| json!({ "id": id, "asOf": { "sequence": position } });
    let found = client.data(node, of(&ids["tool"]["id"], before)).await;
    assert_eq!(found["node"]["version"], "1.0.0");
    assert_eq!(found["node"]["server"]["name"], "git");
    let found = client.data(node, of(&ids["server"]["id"], before)).await;
    assert_eq!(
        (&found["node"]["name"], &found["node"]["toolCount"]),
        (&json!("git"), &json!(1))
    );
    let found = client.data(node, of(&ids["viewer"]["id"], before)).await;
    assert_eq!(found["node"]["roles"], json!(["OWNER"]));
    // Without a moment it is the present; before its beginning there is nothing; the future has not come.
    let tool = json!({ "id": ids["tool"]["id"] });
    assert_eq!(client.data(node, tool).await["node"]["version"], "2.0.0");
    let absent = client.code(node, of(&ids["tool"]["id"], before - 1)).await;
    assert_eq!(absent, "NOT_FOUND");
    let future = client.code(node, of(&ids["server"]["id"], 1_000_000)).await;
    assert_eq!(future, "AS_OF_IN_THE_FUTURE");
    for id in [&ids["viewer"]["tenant"]["id"], &ids["taxonomy"]["id"]] {
        assert_eq!(client.code(node, of(id, before)).await, "AS_OF_NOT_KEPT");
    }
}
