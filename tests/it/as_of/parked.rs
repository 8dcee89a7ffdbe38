//! Moments of which the catalogue lacks a commit: lists name it, and a right is not guessed.

use super::{sequence, server, tool};
use crate::support::{Client, Installation};
use chrono::Utc;
use domain::principal::Role;
use projections::dead_letter;
use projections::search::SearchProjector;
use serde_json::{Value, json};
use sqlx::{Executor, PgConnection};
use std::sync::Arc;

const TOOLS: &str =
    "query($asOf: AsOf) { tools(asOf: $asOf) { totalCount nodes { name visibility } } }";
const TOOL: &str =
    "query($asOf: AsOf) { tool(server: \"git\", name: \"absent\", asOf: $asOf) { name } }";
const ACCESS: &str = "query($at: AsOf, $tool: String! = \"commit\", $action: ToolAction! = READ, $publisher: String) {
    accessAt(principal: \"ada\", publisher: $publisher, server: \"git\", tool: $tool, at: $at, action: $action) {
        obstacles } }";

/// The code of the refusal.
const REFUSED: &str = "AS_OF_PARKED";

fn at(position: u64) -> Value {
    json!({ "sequence": position })
}

async fn change(client: &Client, mutation: &str) -> u64 {
    let mutation = format!("mutation {{ done: {mutation} {{ sequence }} }}");
    sequence(client, &mutation, json!({})).await
}

/// Changes who sees `git/commit`.
async fn show(client: &Client, visibility: &str) -> u64 {
    let input = format!("server: \"git\", name: \"commit\", visibility: {visibility}");
    change(client, &format!("describeTool(input: {{ {input} }})")).await
}

/// The database refuses what the domain has accepted, as a defect in the projector would: what hides a tool, and what
/// takes a server out of use.
async fn break_catalog(installation: &Installation) -> PgConnection {
    let mut database = installation.app.database.connect().await.unwrap();
    let defects = "ALTER TABLE catalog.tools ADD CONSTRAINT defect CHECK (visibility <> 'private');
         ALTER TABLE catalog.servers ADD CONSTRAINT defect CHECK (status <> 'retired')";
    database.execute(defects).await.unwrap();
    database
}

/// Removes the causes and applies what was parked.
async fn mend_catalog(installation: &Installation, mut database: PgConnection) {
    let mended = "ALTER TABLE catalog.tools DROP CONSTRAINT defect;
                  ALTER TABLE catalog.servers DROP CONSTRAINT defect";
    database.execute(mended).await.unwrap();
    let app = &installation.app;
    let search = SearchProjector::new(app.index.clone(), Arc::new(|_| {}));
    let retried = dead_letter::retry(&search, &app.state.log, &app.database).await;
    let remaining = retried.unwrap().remaining;
    assert!(remaining.is_empty(), "{remaining:#?}");
}

/// What an answer about a moment tells beside its data.
async fn told(client: &Client, as_of: Value) -> Value {
    let (_, mut answer) = client.graphql(TOOLS, json!({ "asOf": as_of })).await;
    assert!(answer["data"]["tools"]["nodes"].is_array(), "{answer:#}");
    answer["extensions"].take()
}

async fn obstacles(client: &Client, variables: Value) -> Value {
    client.data(ACCESS, variables).await["accessAt"]["obstacles"].take()
}

#[tokio::test]
async fn a_look_back_names_the_commits_that_the_catalogue_lacks() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    server(&owner, "git").await;
    let before = tool(&owner, "git", "commit").await;
    let database = break_catalog(&installation).await;
    let hidden = show(&owner, "PRIVATE").await;
    let after = tool(&owner, "git", "push").await;

    let now = json!({ "time": Utc::now() });
    for moment in [at(hidden), at(after), now] {
        let told = told(&owner, moment.clone()).await;
        assert_eq!(told["parked"], json!([hidden]), "{moment}: {told:#}");
        assert!(told["notice"].is_string(), "{told:#}");
    }
    // What is not there may be what is parked.
    let (_, absent) = owner.graphql(TOOL, json!({ "asOf": at(after) })).await;
    assert_eq!(absent["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(absent["extensions"]["parked"], json!([hidden]));
    // What comes later is not missing, and nobody hears of what another tenant lacks.
    assert_eq!(told(&owner, at(before)).await, Value::Null);
    assert_eq!(told(&other, at(after)).await, Value::Null);

    let folder = tempfile::tempdir().unwrap();
    let locked = installation
        .program(folder.path(), &["lock", "--tenant", "acme"])
        .await;
    let said = String::from_utf8(locked.stderr).unwrap();
    let expected = format!("the commits at [{hidden}]");
    assert!(
        locked.status.success() && said.contains(&expected),
        "{said}"
    );
    let url = ["--url", installation.base.as_str()];
    let locked = super::lock::lock_over_http(owner.token.as_deref(), folder.path(), &url).await;
    let said = String::from_utf8(locked.stderr).unwrap();
    assert!(
        locked.status.success() && said.contains(&expected),
        "{said}"
    );

    mend_catalog(&installation, database).await;
    assert_eq!(told(&owner, at(after)).await, Value::Null);
    let shown = owner.data(TOOLS, json!({ "asOf": at(after) })).await;
    assert_eq!(shown["tools"]["nodes"][0]["visibility"], "PRIVATE");
}

#[tokio::test]
async fn a_right_is_not_guessed_where_a_commit_about_the_tool_or_its_server_is_parked() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    installation.client("acme", "ada", &[Role::Agent]).await;
    server(&owner, "git").await;
    tool(&owner, "git", "push").await;
    let before = tool(&owner, "git", "commit").await;
    let database = break_catalog(&installation).await;
    let hidden = show(&owner, "PRIVATE").await;

    let of_commit = |position: u64| json!({ "at": at(position) });
    let of_push = |position: u64| json!({ "at": at(position), "tool": "push", "action": "SEARCH" });
    let none = json!([]);
    assert_eq!(owner.code(ACCESS, of_commit(hidden)).await, REFUSED);
    assert_eq!(owner.code(ACCESS, json!({})).await, REFUSED);
    assert_eq!(obstacles(&owner, of_commit(before)).await, none);
    assert_eq!(obstacles(&owner, of_push(hidden)).await, none);
    // A server that goes out of use takes its tools with it.
    let retired = change(&owner, "retireServer(input: { slug: \"git\" })").await;
    assert_eq!(owner.code(ACCESS, of_push(retired)).await, REFUSED);
    assert_eq!(obstacles(&owner, of_push(hidden)).await, none);

    mend_catalog(&installation, database).await;
    let now_known = obstacles(&owner, of_commit(hidden)).await;
    assert_eq!(now_known, json!(["NOT_PERMITTED"]));
    let now_known = obstacles(&owner, of_push(retired)).await;
    assert_eq!(now_known, json!(["TOOL_RETIRED"]));
    assert_eq!(obstacles(&owner, of_commit(before)).await, none);
}

#[tokio::test]
async fn of_an_installed_tool_it_is_the_publishers_commits_that_count() {
    let installation = Installation::start().await;
    let maker = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    installation.client("beta", "ada", &[Role::Agent]).await;
    let gamma = installation.client("gamma", "owner", &[Role::Owner]).await;
    server(&maker, "git").await;
    tool(&maker, "git", "commit").await;
    show(&maker, "PUBLIC").await;
    installation.settle().await;
    let install = "installTool(input: { publisher: \"acme\", server: \"git\", tool: \"commit\" })";
    let installed = change(&beta, install).await;
    let database = break_catalog(&installation).await;
    let hidden = show(&maker, "PRIVATE").await;

    let of = |position: u64| json!({ "at": at(position), "publisher": "acme" });
    assert_eq!(beta.code(ACCESS, of(hidden)).await, REFUSED);
    assert_eq!(obstacles(&beta, of(installed)).await, json!([]));
    // Who has not installed it hears nothing of it.
    let stranger = json!(["PRINCIPAL_ABSENT", "TOOL_NOT_INSTALLED"]);
    assert_eq!(obstacles(&gamma, of(hidden)).await, stranger);

    mend_catalog(&installation, database).await;
    let now_known = obstacles(&beta, of(hidden)).await;
    assert_eq!(now_known, json!(["TOOL_UNAVAILABLE"]));
}

/// A position shows each tool once, and the past that is applied late does not take back what came after it.
#[tokio::test]
async fn a_server_that_goes_out_of_use_late_leaves_one_row_of_its_tools_at_every_moment() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    installation.client("acme", "ada", &[Role::Agent]).await;
    server(&owner, "git").await;
    let before = tool(&owner, "git", "commit").await;
    let database = break_catalog(&installation).await;
    let retired = change(&owner, "retireServer(input: { slug: \"git\" })").await;
    let input = "server: \"git\", name: \"commit\", title: \"Commit\"";
    let later = change(&owner, &format!("describeTool(input: {{ {input} }})")).await;

    mend_catalog(&installation, database).await;
    for position in [before, retired, later] {
        let shown = owner.data(TOOLS, json!({ "asOf": at(position) })).await;
        assert_eq!(shown["tools"]["totalCount"], 1, "{position}: {shown:#}");
    }
    let found = json!({ "at": at(later), "action": "SEARCH" });
    assert_eq!(obstacles(&owner, found).await, json!(["TOOL_RETIRED"]));
}
