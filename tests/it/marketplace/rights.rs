//! Offering a tool to every tenant takes a right of its own, by whichever way it is offered.

use super::{OFFER, SHOW, errors, server, show, tool};
use crate::support::Installation;
use domain::principal::Role;
use serde_json::json;

#[tokio::test]
async fn who_may_not_offer_a_tool_cannot_by_registering_describing_or_undoing() {
    let folder = tempfile::tempdir().unwrap();
    let built_in = include_str!("../../../api/policy/registry.polar");
    let stricter = built_in.replace("\"publish_publicly\", ", "");
    assert_ne!(built_in, stricter);
    std::fs::write(folder.path().join("registry.polar"), stricter).unwrap();
    let path = folder.path().to_owned();
    let installation = Installation::start_with(|config| config.auth.policy_dir = Some(path)).await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let maker = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    server(&maker, "maps").await;
    tool(&owner, "maps", "route", "Plans a route", "PUBLIC").await;
    show(&maker, "maps", "route", "TENANT").await;
    installation.settle().await;
    let taken_back = owner
        .data("{ tool(server: \"maps\", name: \"route\") { history(first: 1) { nodes { sequence } } } }", json!({}))
        .await;

    let offered =
        json!({ "server": "maps", "name": "walk", "description": "x", "visibility": "PUBLIC" });
    assert_eq!(
        maker.code(OFFER, json!({ "input": offered })).await,
        "FORBIDDEN"
    );
    let shown = json!({ "server": "maps", "name": "route", "visibility": "PUBLIC" });
    assert_eq!(
        maker.code(SHOW, json!({ "input": shown })).await,
        "FORBIDDEN"
    );
    let commit = &taken_back["tool"]["history"]["nodes"][0]["sequence"];
    let undo = format!("mutation {{ undo(commit: \"{commit}\") {{ event }} }}");
    let (_, refused) = maker.graphql(&undo, json!({})).await;
    assert!(
        errors(&refused).to_string().contains("publish_publicly"),
        "{refused:#}"
    );
    owner.data(&undo, json!({})).await;
    let seen = "{ tool(server: \"maps\", name: \"route\") { visibility } }";
    assert_eq!(
        owner.data(seen, json!({})).await["tool"]["visibility"],
        "PUBLIC"
    );
}
