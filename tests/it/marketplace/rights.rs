//! Offering a tool to every tenant takes a right of its own, by whichever way it is offered.

use super::{OFFER, SHOW, errors, server, show, tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::json;

/// An installation where publishers may not offer, with an owner and a publisher of one tenant.
async fn publishers_may_not_offer() -> (Installation, Client, Client) {
    let folder = tempfile::tempdir().unwrap();
    let built_in = include_str!("../../../api/policy/registry.polar");
    let stricter = built_in.replace("\"publish_publicly\", ", "");
    assert_ne!(built_in, stricter);
    std::fs::write(folder.path().join("registry.polar"), stricter).unwrap();
    // The policy is read while the installation starts.
    let path = folder.path().to_owned();
    let installation = Installation::start_with(|config| config.auth.policy_dir = Some(path)).await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let maker = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    (installation, owner, maker)
}

#[tokio::test]
async fn who_may_not_offer_a_tool_cannot_by_registering_describing_or_undoing() {
    let (installation, owner, maker) = publishers_may_not_offer().await;
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

/// Sends a mutation of an object of the tenant and answers its position.
async fn done(client: &Client, mutation: &str) -> u64 {
    let mutation = format!("mutation {{ done: {mutation} {{ sequence }} }}");
    let answer = client.data(&mutation, json!({})).await;
    answer["done"]["sequence"].as_u64().unwrap()
}

/// That neither a mutation nor undoing a commit brings something back for a client who may not offer it.
async fn stays_away(client: &Client, mutation: &str, commit: u64) {
    for mutation in [
        format!("mutation {{ {mutation} {{ sequence }} }}"),
        format!("mutation {{ undo(commit: \"{commit}\") {{ event }} }}"),
    ] {
        let (_, refused) = client.graphql(&mutation, json!({})).await;
        let said = errors(&refused).to_string();
        assert!(
            said.contains("publish_publicly") && said.contains("FORBIDDEN"),
            "{mutation}: {refused:#}"
        );
    }
}

#[tokio::test]
async fn who_may_not_offer_a_tool_cannot_by_restoring_it_or_its_server() {
    let (installation, owner, maker) = publishers_may_not_offer().await;
    let other = installation.client("beta", "ada", &[Role::Owner]).await;
    server(&maker, "maps").await;
    tool(&owner, "maps", "route", "Plans a route", "PUBLIC").await;
    tool(&maker, "maps", "walk", "Plans a walk", "TENANT").await;
    let route = "(input: { server: \"maps\", name: \"route\" })";
    let walk = "(input: { server: \"maps\", name: \"walk\" })";
    let maps = "(input: { slug: \"maps\" })";
    let (retire_route, restore_route) =
        (format!("retireTool{route}"), format!("restoreTool{route}"));
    let (retire_maps, restore_maps) = (
        format!("retireServer{maps}"),
        format!("restoreServer{maps}"),
    );

    let retired = done(&maker, &retire_route).await;
    stays_away(&maker, &restore_route, retired).await;
    // What nobody else sees, he brings back as ever.
    done(&maker, &format!("retireTool{walk}")).await;
    done(&maker, &format!("restoreTool{walk}")).await;
    // With its server a tool that was retired by itself does not come back.
    done(&maker, &retire_maps).await;
    done(&maker, &restore_maps).await;
    done(&owner, &restore_route).await;

    let retired = done(&maker, &retire_maps).await;
    stays_away(&maker, &restore_maps, retired).await;
    let offers = "{ marketplace { nodes { name } } }";
    let listed = other.data(offers, json!({})).await;
    assert_eq!(listed["marketplace"]["nodes"], json!([]));
    done(&owner, &restore_maps).await;
    let listed = other.data(offers, json!({})).await;
    assert_eq!(listed["marketplace"]["nodes"], json!([{ "name": "route" }]));
    // Offered no more, nothing of the server is for others.
    show(&maker, "maps", "route", "TENANT").await;
    done(&maker, &retire_maps).await;
    done(&maker, &restore_maps).await;
}
