//! Retired is not gone: tools and servers come back as they were.

use super::{begin, change, log, on_log, refused, unresolved};
use serde_json::{Value, json};

const RETIRE_SERVER: &str = "retireServer(input: { slug: \"git\", reason: \"moved\" })";
const RESTORE_SERVER: &str = "restoreServer(input: { slug: \"git\" })";
const UNDO: &str = "mutation($commit: ID!) { undo(commit: $commit) { event } }";

#[tokio::test]
async fn a_tool_comes_back_with_its_aliases() {
    let (installation, publisher) = begin().await;
    change(
        &publisher,
        &on_log("moveToolAlias", "alias: \"stable\", version: \"1.0.0\""),
    )
    .await;
    let retired = change(&publisher, &on_log("retireTool", "reason: \"x\"")).await;
    assert_eq!(unresolved(&publisher, "git/log").await, "TOOL_RETIRED");
    change(&publisher, &on_log("restoreTool", "")).await;
    let tool = log(&publisher, "status retiredReason aliases { name }").await;
    assert_eq!(
        tool,
        json!({ "status": "ACTIVE", "retiredReason": null,
                "aliases": [{ "name": "latest" }, { "name": "stable" }] })
    );
    let again = refused(&publisher, &on_log("restoreTool", "")).await;
    assert_eq!(again, "NOT_RETIRED");
    let since = json!({ "commit": retired.to_string() });
    assert_eq!(publisher.code(UNDO, since).await, "CHANGED_SINCE");
    installation.settle().await;
    let found = "{ searchTools(query: \"shows\") { hits { tool { name } } } }";
    let found = publisher.data(found, json!({})).await;
    assert_eq!(found["searchTools"]["hits"][0]["tool"]["name"], "log");
}

#[tokio::test]
async fn a_server_comes_back_with_the_tools_that_went_with_it() {
    let (installation, publisher) = begin().await;
    change(
        &publisher,
        "registerTool(input: { server: \"git\", name: \"blame\", description: \"Blames\" })",
    )
    .await;
    change(
        &publisher,
        "retireTool(input: { server: \"git\", name: \"blame\", reason: \"rude\" })",
    )
    .await;
    let retired = change(&publisher, RETIRE_SERVER).await;
    let statuses = async |at: Option<u64>| -> Value {
        let as_of = at.map_or(String::new(), |at| format!(", asOf: {{ sequence: {at} }}"));
        let query =
            format!("{{ tools(first: 10{as_of}) {{ nodes {{ name status retiredReason }} }} }}");
        publisher.data(&query, json!({})).await["tools"]["nodes"].take()
    };
    let blame = json!({ "name": "blame", "status": "RETIRED", "retiredReason": "rude" });
    let gone = json!([blame, { "name": "log", "status": "RETIRED", "retiredReason": "moved" }]);
    assert_eq!(statuses(None).await, gone);
    assert_eq!(
        refused(&publisher, &on_log("restoreTool", "")).await,
        "SERVER_RETIRED"
    );
    change(&publisher, RESTORE_SERVER).await;
    let back = json!([blame, { "name": "log", "status": "ACTIVE", "retiredReason": null }]);
    assert_eq!(statuses(None).await, back);
    assert_eq!(statuses(Some(retired)).await, gone);
    assert_eq!(refused(&publisher, RESTORE_SERVER).await, "NOT_RETIRED");
    installation.settle().await;
    let found = "{ searchTools(query: \"shows\") { hits { tool { name } } } }";
    let found = publisher.data(found, json!({})).await;
    assert_eq!(found["searchTools"]["hits"][0]["tool"]["name"], "log");

    let retired = change(&publisher, RETIRE_SERVER).await;
    let undone = json!({ "commit": retired.to_string() });
    let undone = publisher.data(UNDO, undone).await["undo"]["event"].take();
    assert_eq!(undone, "server.restored");
    assert_eq!(statuses(None).await, back);
}
