//! What a mutation answers whose commit was put aside by a projector that is to show it.

use super::{register_server, register_tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use projections::dead_letter;
use projections::search::SearchProjector;
use serde_json::{Value, json};
use sqlx::Executor;
use std::sync::Arc;

const DESCRIBE: &str = "mutation($text: String!) {
    describeServer(input: { slug: \"git\", description: $text }) {
        server { description } sequence notice } }";
const HIDE: &str = "mutation {
    describeTool(input: { server: \"git\", name: \"commit\", visibility: PRIVATE }) {
        tool { visibility } sequence notice } }";
const ERASE: &str = "mutation {
    erasePrincipal(input: { handle: \"ada\" }) { principal { handle } sequence notice } }";

async fn describe(client: &Client, text: &str) -> Value {
    client.data(DESCRIBE, json!({ "text": text })).await["describeServer"].take()
}

/// The database refuses a value that the domain has accepted, as a defect in a projector would.
async fn defect(installation: &Installation, table: &str, check: &str) {
    let mut database = installation.app.database.connect().await.unwrap();
    let defect = format!("ALTER TABLE {table} ADD CONSTRAINT defect CHECK ({check})");
    database.execute(defect.as_str()).await.unwrap();
}

/// The notice names the projector and where an operator looks.
fn is_told(payload: &Value, projector: &str) {
    assert!(payload["sequence"].is_u64(), "{payload}");
    let notice = payload["notice"].as_str().unwrap();
    let told = notice.contains(&format!("`{projector}`"));
    assert!(told && notice.contains("metamcp dead-letter"), "{notice}");
}

#[tokio::test]
async fn a_mutation_whose_commit_was_parked_says_so_instead_of_showing_what_was_before() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&client, "git").await;
    defect(&installation, "catalog.servers", "description <> 'broken'").await;
    // The second is sound, and waits behind the first.
    for text in ["broken", "sound"] {
        let parked = describe(&client, text).await;
        is_told(&parked, "catalog");
        assert_eq!(parked["server"], Value::Null, "{text}");
    }
    let other = register_server(&client, "other").await;
    assert_eq!(other["notice"], Value::Null);
    assert_eq!(other["server"]["slug"], "other");

    let mut database = installation.app.database.connect().await.unwrap();
    let mended = "ALTER TABLE catalog.servers DROP CONSTRAINT defect";
    database.execute(mended).await.unwrap();
    let app = &installation.app;
    let search = SearchProjector::new(app.index.clone(), Arc::new(|_| {}));
    let retried = dead_letter::retry(&search, &app.state.log, &app.database).await;
    assert!(retried.unwrap().remaining.is_empty());
    let mended = describe(&client, "mended").await;
    assert_eq!(mended["notice"], Value::Null);
    assert_eq!(mended["server"]["description"], "mended");
}

#[tokio::test]
async fn who_hides_a_tool_hears_that_the_marketplace_still_shows_it() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&client, "git").await;
    let public = json!({ "visibility": "PUBLIC" });
    register_tool(&client, "git", "commit", public).await;
    defect(
        &installation,
        "marketplace.listings",
        "visibility <> 'private'",
    )
    .await;
    let hidden = client.data(HIDE, json!({})).await["describeTool"].take();
    is_told(&hidden, "marketplace");
}

#[tokio::test]
async fn who_erases_a_person_hears_that_the_texts_are_still_there() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    installation.client("acme", "ada", &[Role::Agent]).await;
    defect(&installation, "reviews.erased", "false").await;
    let erased = owner.data(ERASE, json!({})).await["erasePrincipal"].take();
    is_told(&erased, "reviews");
    assert!(erased["principal"].is_object(), "`access` shows it");
}
