//! The audit log names the commits that it lacks, because the archive has set them aside.

use super::register_server;
use crate::support::{Client, Installation};
use domain::id::{ServerId, TenantId};
use domain::principal::Role;
use serde_json::{Value, json};
use sqlx::Executor;

const LOG: &str = "query($first: Int = 100, $after: String, $filter: AuditFilter, $direction: Direction = DESC,
                         $at: Sequence) {
    auditLog(first: $first, after: $after, filter: $filter, direction: $direction, minSequence: $at) {
        nodes { sequence at } parked { sequence parkedAt } pageInfo { hasNextPage endCursor } } }";

async fn page(client: &Client, variables: Value) -> Value {
    client.data(LOG, variables).await["auditLog"].take()
}

/// The positions that a page names as parked.
fn parked(page: &Value) -> Vec<u64> {
    let parked = page["parked"].as_array().unwrap().iter();
    let position = |one: &Value| {
        assert!(one["parkedAt"].is_string(), "{one}");
        one["sequence"].as_u64().unwrap()
    };
    parked.map(position).collect()
}

/// An installation whose database refuses some commits that the domain has accepted, as a defect in a projector would.
async fn with_a_defect() -> Installation {
    let installation = Installation::start().await;
    let mut database = installation.app.database.connect().await.unwrap();
    let defect = "ALTER TABLE archive.events ADD CONSTRAINT defect
                  CHECK (payload::text NOT LIKE '%unreadable%')";
    database.execute(defect).await.unwrap();
    installation
}

#[tokio::test]
async fn every_page_names_the_parked_commits_of_its_part_of_the_log() {
    let installation = with_a_defect().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    register_server(&owner, "before").await;
    let first = register_server(&owner, "unreadable").await;
    register_server(&owner, "between").await;
    let theirs = register_server(&other, "unreadable").await;
    let second = register_server(&owner, "unreadable-too").await;
    let last = register_server(&owner, "after").await;

    let at = json!({ "at": last });
    let whole = page(&owner, at.clone()).await;
    assert_eq!(parked(&whole), [first, second]);
    let nodes = whole["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|node| node["sequence"] != json!(first)));
    // Nobody hears of what another tenant lacks.
    assert_eq!(parked(&page(&other, at).await), [theirs]);

    for (direction, expected) in [("ASC", [first, second]), ("DESC", [second, first])] {
        let (mut after, mut told) = (Value::Null, Vec::new());
        loop {
            let variables = json!({ "first": 1, "after": after, "direction": direction });
            let found = page(&owner, variables).await;
            told.extend(parked(&found));
            after = found["pageInfo"]["endCursor"].clone();
            if found["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        assert_eq!(told, expected, "{direction}");
    }
}

#[tokio::test]
async fn a_filter_narrows_what_is_named_by_object_and_time_only() {
    let installation = with_a_defect().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&owner, "before").await;
    let first = register_server(&owner, "unreadable").await;
    let between = register_server(&owner, "between").await;
    let second = register_server(&owner, "unreadable-too").await;
    let last = register_server(&owner, "after").await;
    let whole = page(&owner, json!({ "at": last })).await;
    let time_of = |position: u64| -> Value {
        let mut nodes = whole["nodes"].as_array().unwrap().iter();
        let node = nodes.find(|node| node["sequence"] == json!(position));
        node.unwrap()["at"].clone()
    };
    let tenant = TenantId::new("acme").unwrap();
    let id = ServerId::derive(&tenant, "unreadable");
    let both = vec![first, second];
    for (filter, expected) in [
        (json!({ "aggregate": "server" }), both.clone()),
        (json!({ "aggregate": "tool" }), vec![]),
        (
            json!({ "aggregate": "server", "aggregateId": id.as_str() }),
            vec![first],
        ),
        // Who caused it, and what it was, is in what nobody can read.
        (json!({ "actor": "nobody" }), both.clone()),
        (json!({ "type": "tool.retired" }), both.clone()),
        // It was recorded between the commits around it.
        (json!({ "from": time_of(last) }), vec![second]),
        (json!({ "to": time_of(between) }), vec![first]),
        (
            json!({ "from": time_of(between), "to": time_of(last) }),
            both,
        ),
    ] {
        let found = page(&owner, json!({ "filter": filter })).await;
        assert_eq!(parked(&found), expected, "{filter}");
    }
}
