//! Teams: what is private to one is there for those who are in it and for those who see everything, and is for all
//! others as what never was, whichever way they ask.

mod files;
mod hidden;
mod input;
mod law;
mod members;
mod past;
mod rebuilt;
mod strangers;
mod yours;

use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const REGISTER: &str =
    "mutation($input: RegisterToolInput!) { done: registerTool(input: $input) { sequence } }";
const DESCRIBE: &str = "mutation($input: DescribeToolInput!) {
    done: describeTool(input: $input) { sequence tool { visibility team } } }";
const TOOL: &str = "query($name: String!) { tool(server: \"till\", name: $name) { name } }";
const UNDO: &str = "mutation($commit: ID!) { undo(commit: $commit) { event sequence
    node { ... on Tool { visibility team } ... on Principal { teams } } } }";

/// An owner of a tenant with one server.
async fn begin() -> (Installation, Client) {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let server = "registerServer(input: { slug: \"till\", name: \"Till\" })";
    change(&owner, server).await;
    (installation, owner)
}

/// Sends one mutation and answers the position of its commit.
async fn change(client: &Client, mutation: &str) -> u64 {
    let mutation = format!("mutation {{ done: {mutation} {{ sequence }} }}");
    position(&client.data(&mutation, json!({})).await)
}

/// Sends one mutation that must be refused, and answers the code.
async fn refused(client: &Client, mutation: &str) -> String {
    let mutation = format!("mutation {{ done: {mutation} {{ sequence }} }}");
    client.code(&mutation, json!({})).await
}

/// The position of a mutation that is called `done`.
fn position(data: &Value) -> u64 {
    data["done"]["sequence"].as_u64().unwrap()
}

/// The input of a mutation on a tool of the one server.
fn on(name: &str, more: &Value) -> Value {
    let mut input = json!({ "server": "till", "name": name });
    for (field, value) in more.as_object().unwrap() {
        input[field] = value.clone();
    }
    json!({ "input": input })
}

/// Registers a tool, whose name is its tag and stands in its description; the position of the commit.
async fn tool(client: &Client, name: &str, visibility: &str, team: Option<&str>) -> u64 {
    let description = format!("Counts the money of a till: {name}");
    let more = json!({ "description": description, "tags": [name], "visibility": visibility,
                       "team": team });
    position(&client.data(REGISTER, on(name, &more)).await)
}

/// Says something else around a tool; the position of the commit.
async fn describe(client: &Client, name: &str, more: &Value) -> u64 {
    position(&client.data(DESCRIBE, on(name, more)).await)
}

fn joining(handle: &str, team: &str) -> String {
    format!("joinTeam(input: {{ handle: \"{handle}\", team: \"{team}\" }})")
}

fn leaving(handle: &str, team: &str) -> String {
    format!("leaveTeam(input: {{ handle: \"{handle}\", team: \"{team}\" }})")
}

/// A client with a principal of its own that holds the role and is in the teams. It has asked for nothing yet, so the
/// first that is known of it is all of that.
async fn member(
    installation: &Installation,
    owner: &Client,
    handle: &str,
    role: Role,
    teams: &[&str],
) -> Client {
    let client = installation.client("acme", handle, &[role]).await;
    for team in teams {
        change(owner, &joining(handle, team)).await;
    }
    client
}

/// Waits until a client is known to be in these teams, and in no others. Five seconds later it has to be.
async fn known_in(client: &Client, teams: &[&str]) {
    let begun = Instant::now();
    loop {
        let asked = begun.elapsed();
        let known = client.data("{ viewer { teams } }", json!({})).await;
        if known["viewer"]["teams"] == json!(teams) {
            return;
        }
        assert!(
            asked < Duration::from_secs(5),
            "not in {teams:?} yet: {known}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
