//! The marketplace: what one tenant offers and another installs, and that nothing else is seen.

mod access;
mod browse;
mod compatibility;
mod filters;
mod hidden;
mod installed_filters;
mod life;
mod refusals;
mod reviews;
mod rights;
mod versions;
mod votes;

use crate::support::Client;
use serde_json::{Value, json};

const OFFER: &str =
    "mutation($input: RegisterToolInput!) { registerTool(input: $input) { sequence } }";
const SHOW: &str =
    "mutation($input: DescribeToolInput!) { describeTool(input: $input) { sequence } }";

/// Registers the one server of a tenant.
async fn server(client: &Client, slug: &str) {
    let mutation = "mutation($slug: String!) { registerServer(input: { slug: $slug, name: $slug }) { sequence } }";
    client.data(mutation, json!({ "slug": slug })).await;
}

/// Registers a tool of version 1.0.0.
async fn tool(client: &Client, server: &str, name: &str, description: &str, visibility: &str) {
    let input = json!({ "server": server, "name": name, "description": description,
                        "visibility": visibility, "version": "1.0.0" });
    client.data(OFFER, json!({ "input": input })).await;
}

/// Publishes a version with another description.
async fn publish(client: &Client, server: &str, name: &str, version: &str, description: &str) {
    let mutation = "mutation($input: PublishToolVersionInput!) {
        publishToolVersion(input: $input) { sequence } }";
    let input = json!({ "server": server, "name": name, "version": version,
                        "description": description });
    client.data(mutation, json!({ "input": input })).await;
}

/// Lets a tool be seen by others.
async fn show(client: &Client, server: &str, name: &str, visibility: &str) {
    let input = json!({ "server": server, "name": name, "visibility": visibility });
    client.data(SHOW, json!({ "input": input })).await;
}

/// What an answer says is wrong.
fn errors(answer: &Value) -> Value {
    let of = |error: &Value| json!([error["message"], error["extensions"]]);
    let errors = answer["errors"].as_array();
    errors
        .unwrap_or_else(|| panic!("no errors in {answer:#}"))
        .iter()
        .map(of)
        .collect()
}
