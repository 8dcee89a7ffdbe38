//! Who is in a team: put into it and taken out of it by owners and administrators, with effect on what is seen.

use super::{
    TOOL, UNDO, begin, change, describe, joining, known_in, leaving, member, refused, tool,
};
use crate::mcp::{call, names};
use crate::support::Client;
use domain::principal::Role;
use serde_json::{Value, json};

const MEMBERS: &str = "{ principals(team: \"payments\") { nodes { handle teams } } }";

/// Whether a client sees the tool `count`, by name and by search: both have to agree.
async fn sees(client: &Client) -> bool {
    let (_, answer) = client.graphql(TOOL, json!({ "name": "count" })).await;
    let sees = answer["data"]["tool"]["name"] == json!("count");
    let search = json!({ "query": "count the money of a till" });
    let found = call(client, "search_tools", search).await;
    assert_eq!(names(&found).contains(&"count"), sees, "{answer:#}");
    sees
}

async fn undo(client: &Client, commit: u64) -> Value {
    client.data(UNDO, json!({ "commit": commit })).await["undo"].take()
}

#[tokio::test]
async fn who_joins_a_team_sees_its_tools_and_who_leaves_it_does_not() {
    let (installation, owner) = begin().await;
    tool(&owner, "count", "PRIVATE", Some("payments")).await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    installation.settle().await;
    let count = "describeTool(input: { server: \"till\", name: \"count\", title: \"Count\" })";
    assert!(!sees(&agent).await && !sees(&publisher).await);
    assert_eq!(refused(&publisher, count).await, "NOT_FOUND");

    let join =
        "mutation($handle: String!) { joinTeam(input: { handle: $handle, team: \"payments\" }) {
        principal { handle teams } notice } }";
    for handle in ["bot", "pub"] {
        let joined = owner.data(join, json!({ "handle": handle })).await;
        let expected =
            json!({ "principal": { "handle": handle, "teams": ["payments"] }, "notice": null });
        assert_eq!(joined["joinTeam"], expected);
    }
    known_in(&agent, &["payments"]).await;
    known_in(&publisher, &["payments"]).await;
    assert!(sees(&agent).await && sees(&publisher).await);
    // A publisher keeps what it sees, an agent says what it thinks of it.
    change(&publisher, count).await;
    change(
        &agent,
        "reviewTool(input: { server: \"till\", name: \"count\", rating: 5 })",
    )
    .await;
    assert_eq!(refused(&agent, count).await, "FORBIDDEN");
    let found = owner.data(MEMBERS, json!({})).await;
    let expected = json!([{ "handle": "bot", "teams": ["payments"] },
                          { "handle": "pub", "teams": ["payments"] }]);
    assert_eq!(found["principals"]["nodes"], expected);

    change(&owner, &leaving("bot", "payments")).await;
    known_in(&agent, &[]).await;
    assert!(!sees(&agent).await && sees(&publisher).await);
    // Whoever is erased is in no team any more.
    change(&owner, "erasePrincipal(input: { handle: \"pub\" })").await;
    let found = owner.data(MEMBERS, json!({})).await;
    assert_eq!(found["principals"]["nodes"], json!([]));
}

#[tokio::test]
async fn joining_and_leaving_are_undone_and_stand_in_the_history() {
    let (installation, owner) = begin().await;
    installation.client("acme", "bot", &[Role::Agent]).await;
    let joined = change(&owner, &joining("bot", "payments")).await;
    // Another team is another matter, and hinders nothing.
    change(&owner, &joining("bot", "search")).await;
    let back = undo(&owner, joined).await;
    assert_eq!(back["event"], "principal.team_left");
    assert_eq!(back["node"]["teams"], json!(["search"]));
    assert_eq!(
        owner.code(UNDO, json!({ "commit": joined })).await,
        "CHANGED_SINCE"
    );
    let left = change(&owner, &leaving("bot", "search")).await;
    let back = undo(&owner, left).await;
    assert_eq!(back["event"], "principal.team_joined");
    assert_eq!(back["node"]["teams"], json!(["search"]));
    let at = back["sequence"].clone();

    let history = "query($at: Sequence) { principal(handle: \"bot\") {
        history(direction: ASC, minSequence: $at) { nodes { type change { path before after } } } } }";
    let told =
        owner.data(history, json!({ "at": at })).await["principal"]["history"]["nodes"].take();
    let steps = [
        ("joined", json!(null), json!(["payments"])),
        ("joined", json!(["payments"]), json!(["payments", "search"])),
        ("left", json!(["payments", "search"]), json!(["search"])),
        ("left", json!(["search"]), json!([])),
        ("joined", json!([]), json!(["search"])),
    ];
    // The registration comes first.
    for (n, (verb, before, after)) in steps.into_iter().enumerate() {
        let entry = &told[n + 1];
        assert_eq!(entry["type"], format!("principal.team_{verb}"), "{told:#}");
        let change = json!([{ "path": "/teams", "before": before, "after": after }]);
        assert_eq!(entry["change"], change, "{told:#}");
    }
}

#[tokio::test]
async fn the_team_of_a_tool_is_undone_and_stands_in_its_history() {
    let (_installation, owner) = begin().await;
    tool(&owner, "count", "PRIVATE", None).await;
    describe(&owner, "count", &json!({ "team": "payments" })).await;
    let moved = describe(&owner, "count", &json!({ "team": "search" })).await;
    let back = undo(&owner, moved).await;
    let expected = json!({ "visibility": "PRIVATE", "team": "payments" });
    assert_eq!(
        (&back["event"], &back["node"]),
        (&json!("tool.described"), &expected)
    );
    let history = "query($at: Sequence) { tool(server: \"till\", name: \"count\") {
        history(direction: ASC, minSequence: $at) { nodes { change { path before after } } } } }";
    let told = owner.data(history, json!({ "at": back["sequence"] })).await;
    let told = &told["tool"]["history"]["nodes"];
    for (n, before, after) in [
        (1_usize, json!(null), "payments"),
        (2, json!("payments"), "search"),
        (3, json!("search"), "payments"),
    ] {
        let change = json!([{ "path": "/team", "before": before, "after": after }]);
        assert_eq!(told[n]["change"], change, "{told:#}");
    }
}

#[tokio::test]
async fn owners_and_administrators_say_who_is_in_a_team_and_nobody_else() {
    let (installation, owner) = begin().await;
    change(&owner, &joining("owner", "payments")).await;
    for (role, of_others) in [
        (Role::Publisher, "NOT_FOUND"),
        (Role::Agent, "NOT_FOUND"),
        (Role::Auditor, "FORBIDDEN"),
    ] {
        let handle = role.as_str();
        let client = member(&installation, &owner, handle, role, &["search"]).await;
        // Not even of oneself, and whether it would come to anything is not told.
        for change in [joining(handle, "payments"), leaving(handle, "search")] {
            assert_eq!(refused(&client, &change).await, "FORBIDDEN", "{change}");
        }
        for change in [joining("owner", "search"), leaving("owner", "payments")] {
            assert_eq!(refused(&client, &change).await, of_others, "{change}");
        }
        let members = client.graphql(MEMBERS, json!({})).await.1;
        let is_shown = members["data"]["principals"].is_object();
        assert_eq!(is_shown, role == Role::Auditor, "{members:#}");
    }
    let admin = installation.client("acme", "boss", &[Role::Admin]).await;
    let joined = change(&admin, &joining("agent", "payments")).await;
    change(&admin, &leaving("agent", "search")).await;
    undo(&admin, joined).await;
    change(&admin, &joining("boss", "payments")).await;
    // What concerns owners is theirs.
    let of_owner = leaving("owner", "payments");
    assert_eq!(refused(&admin, &of_owner).await, "FORBIDDEN");
    change(&owner, &of_owner).await;
}
