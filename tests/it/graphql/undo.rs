//! Undo: what it takes back, what it refuses, and who may.

use super::{register_server, register_tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const UNDO: &str = "mutation($commit: ID!, $id: UUID) { undo(commit: $commit, commandId: $id) {
    event sequence notice node { ... on Server { name description } ... on Tool { title visibility }
        ... on Principal { handle roles active } ... on Tenant { displayName } } } }";

async fn change(client: &Client, mutation: &str) -> Value {
    let mutation = format!("mutation {{ change: {mutation} {{ sequence }} }}");
    client.data(&mutation, json!({})).await["change"]["sequence"].take()
}

async fn undo(client: &Client, commit: &Value) -> Value {
    client.data(UNDO, json!({ "commit": commit })).await["undo"].take()
}

#[tokio::test]
async fn a_change_is_taken_back_unless_it_was_changed_again() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    installation.client("acme", "ada", &[Role::Agent]).await;
    let grant = change(&owner, "grantRole(input: { handle: \"ada\", role: ADMIN })").await;
    let back = undo(&owner, &grant).await;
    assert_eq!(back["event"], "principal.role_revoked");
    assert_eq!(
        back["node"],
        json!({ "handle": "ada", "roles": ["AGENT"], "active": true })
    );
    assert_eq!(
        owner.code(UNDO, json!({ "commit": grant })).await,
        "CHANGED_SINCE"
    );
    let forth = undo(&owner, &back["sequence"]).await;
    assert_eq!(
        forth["node"]["roles"],
        json!(["ADMIN", "AGENT"]),
        "an undo is undone"
    );

    let off = change(&owner, "deactivatePrincipal(input: { handle: \"ada\" })").await;
    assert_eq!(undo(&owner, &off).await["node"]["active"], true);
    let name = change(&owner, "renameTenant(input: { displayName: \"New\" })").await;
    assert_eq!(undo(&owner, &name).await["node"]["displayName"], "acme");

    register_server(&owner, "git").await;
    let first = change(
        &owner,
        "describeServer(input: { slug: \"git\", description: \"One\" })",
    )
    .await;
    let second = change(
        &owner,
        "describeServer(input: { slug: \"git\", description: \"Two\" })",
    )
    .await;
    assert_eq!(
        owner.code(UNDO, json!({ "commit": first })).await,
        "CHANGED_SINCE"
    );
    assert_eq!(undo(&owner, &second).await["node"]["description"], "One");
    register_tool(&owner, "git", "log", json!({ "title": "Log" })).await;
    let hide = "describeTool(input: { server: \"git\", name: \"log\", visibility: PRIVATE })";
    let hide = change(&owner, hide).await;
    assert_eq!(
        undo(&owner, &hide).await["node"],
        json!({ "title": "Log", "visibility": "TENANT" })
    );
}

#[tokio::test]
async fn a_commit_is_named_by_position_or_id_and_a_repetition_is_safe() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    installation.client("acme", "ada", &[Role::Agent]).await;
    let grant = change(&owner, "grantRole(input: { handle: \"ada\", role: ADMIN })").await;
    let entry = installation
        .app
        .state
        .log
        .entry_at(grant.as_u64().unwrap())
        .await;
    let commit = entry
        .unwrap()
        .unwrap()
        .commit()
        .unwrap()
        .commit_id
        .to_string();
    let variables = json!({ "commit": commit, "id": "0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e" });
    let first = owner.data(UNDO, variables.clone()).await["undo"]["sequence"].take();
    assert!(first.as_u64() > grant.as_u64());
    let again = owner.data(UNDO, variables).await["undo"]["sequence"].take();
    assert_eq!(first, again);
    for absent in ["0", "999999", "0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e"] {
        assert_eq!(
            owner.code(UNDO, json!({ "commit": absent })).await,
            "NOT_FOUND"
        );
    }
    let nonsense = json!({ "commit": "nonsense" });
    assert_eq!(owner.code(UNDO, nonsense).await, "INVALID_ARGUMENT");
}

#[tokio::test]
async fn what_is_final_is_refused_and_rights_are_those_of_the_change() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    let grant = change(
        &owner,
        "grantRole(input: { handle: \"bot\", role: AUDITOR })",
    )
    .await;
    let commit = |commit: &Value| json!({ "commit": commit });
    assert_eq!(publisher.code(UNDO, commit(&grant)).await, "NOT_FOUND");
    assert_eq!(other.code(UNDO, commit(&grant)).await, "NOT_FOUND");
    let server = register_server(&publisher, "git").await["sequence"].take();
    assert_eq!(publisher.code(UNDO, commit(&server)).await, "NOT_UNDOABLE");
    let describe = "describeServer(input: { slug: \"git\", description: \"New\" })";
    let describe = change(&publisher, describe).await;
    assert_eq!(agent.code(UNDO, commit(&describe)).await, "FORBIDDEN");
    assert_eq!(
        undo(&publisher, &describe).await["event"],
        "server.described"
    );
    let erase = change(&owner, "erasePrincipal(input: { handle: \"bot\" })").await;
    assert_eq!(owner.code(UNDO, commit(&erase)).await, "NOT_UNDOABLE");

    // The last owner is kept, whichever way it would lose the role.
    let second = change(&owner, "grantRole(input: { handle: \"pub\", role: OWNER })").await;
    // As long as an API process keeps roles in memory.
    tokio::time::sleep(installation.config.auth.access_cache_ttl * 2).await;
    for other in ["founder", "owner"] {
        let revoke = format!("revokeRole(input: {{ handle: \"{other}\", role: OWNER }})");
        change(&publisher, &revoke).await;
    }
    assert_eq!(publisher.code(UNDO, commit(&second)).await, "LAST_OWNER");
}
