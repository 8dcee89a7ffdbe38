//! Versions of tools from the outside in: published once, named, deprecated, yanked, restored, and found by
//! reference through GraphQL and MCP.

mod aliases;
mod deprecation;
mod publish;
mod references;
mod restore;
mod yank;

use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const PUBLISH: &str = "mutation($input: PublishToolVersionInput!, $id: UUID) {
    publishToolVersion(input: $input, commandId: $id) { sequence tool { version description } } }";

/// An installation with a publisher and the tool `git/log` at 1.0.0.
async fn begin() -> (Installation, Client) {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    change(
        &publisher,
        "registerServer(input: { slug: \"git\", name: \"Git\" })",
    )
    .await;
    change(
        &publisher,
        "registerTool(input: { server: \"git\", name: \"log\", description: \"Shows 1.0.0\" })",
    )
    .await;
    (installation, publisher)
}

/// Sends one mutation and answers the position of its commit.
async fn change(client: &Client, mutation: &str) -> u64 {
    let mutation = format!("mutation {{ change: {mutation} {{ sequence }} }}");
    let data = client.data(&mutation, json!({})).await;
    data["change"]["sequence"].as_u64().unwrap()
}

/// Sends one mutation that must be refused, and answers the code.
async fn refused(client: &Client, mutation: &str) -> String {
    let mutation = format!("mutation {{ change: {mutation} {{ sequence }} }}");
    client.code(&mutation, json!({})).await
}

/// The arguments of a mutation on `git/log`.
fn on_log(mutation: &str, more: &str) -> String {
    format!("{mutation}(input: {{ server: \"git\", name: \"log\", {more} }})")
}

/// The variables of a publication, whose definition tells its version unless another text is given.
fn publication(version: &str, description: Option<&str>) -> Value {
    let description = description.map_or_else(|| format!("Shows {version}"), str::to_owned);
    json!({ "input": { "server": "git", "name": "log", "version": version,
                       "description": description } })
}

async fn publish(client: &Client, version: &str) -> Value {
    let variables = publication(version, None);
    client.data(PUBLISH, variables).await["publishToolVersion"].take()
}

/// What is asked of the tool now.
async fn log(client: &Client, fields: &str) -> Value {
    let query = format!("{{ tool(server: \"git\", name: \"log\") {{ {fields} }} }}");
    client.data(&query, json!({})).await["tool"].take()
}

const RESOLVE: &str = "query($reference: String!) { resolveTool(reference: $reference) {
    exact warnings deprecation { message successor sunset }
    version { version yanked description } tool { name version } } }";

async fn resolve(client: &Client, reference: &str) -> Value {
    let variables = json!({ "reference": reference });
    client.data(RESOLVE, variables).await["resolveTool"].take()
}

async fn unresolved(client: &Client, reference: &str) -> String {
    client
        .code(RESOLVE, json!({ "reference": reference }))
        .await
}
