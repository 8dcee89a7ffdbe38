//! The GraphQL surface against real servers.

mod bad_input;
mod compatibility;
mod graphiql;
mod idempotency;
mod parked;
mod reads;
mod refusals;
mod repeated;
mod statements;
mod tenants;
mod undo;
mod undo_of_denials;
mod writes;
mod writes_together;

use crate::support::Client;
use serde_json::{Value, json};

const REGISTER_SERVER: &str = "mutation($input: RegisterServerInput!, $id: UUID) {
    registerServer(input: $input, commandId: $id) { server { id slug } sequence notice } }";
const REGISTER_TOOL: &str = "mutation($input: RegisterToolInput!, $id: UUID) {
    registerTool(input: $input, commandId: $id) { tool { id name version } sequence notice } }";

/// Registers a server and answers its payload.
pub(crate) async fn register_server(client: &Client, slug: &str) -> Value {
    let input = json!({ "slug": slug, "name": format!("The {slug} server") });
    client
        .data(REGISTER_SERVER, json!({ "input": input }))
        .await["registerServer"]
        .take()
}

/// Registers a tool and answers its payload. `more` adds to the input.
pub(crate) async fn register_tool(client: &Client, server: &str, name: &str, more: Value) -> Value {
    let mut input =
        json!({ "server": server, "name": name, "description": format!("Does {name}") });
    for (field, value) in more.as_object().cloned().unwrap_or_default() {
        input[field] = value;
    }
    client.data(REGISTER_TOOL, json!({ "input": input })).await["registerTool"].take()
}

fn names(nodes: &Value) -> Vec<&str> {
    nodes
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect()
}
