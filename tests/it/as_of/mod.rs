//! Travel in time: what was, over GraphQL and as a lockfile, and the law that both rest on.

mod law;
mod lock;
mod moments;
mod parked;
mod policies;
mod rights;
mod upgrade;

use crate::support::Client;
use serde_json::{Value, json};

/// Registers a server; the position of the commit.
async fn server(client: &Client, slug: &str) -> u64 {
    let mutation = "mutation($slug: String!) {
        done: registerServer(input: { slug: $slug, name: $slug }) { sequence } }";
    sequence(client, mutation, json!({ "slug": slug })).await
}

/// Registers a tool of version 1.0.0; the position of the commit.
async fn tool(client: &Client, server: &str, name: &str) -> u64 {
    let mutation = "mutation($server: String!, $name: String!) { done: registerTool(input: {
        server: $server, name: $name, version: \"1.0.0\", description: \"The first\" }) { sequence } }";
    sequence(client, mutation, json!({ "server": server, "name": name })).await
}

/// The position of a mutation that is called `done`.
async fn sequence(client: &Client, mutation: &str, variables: Value) -> u64 {
    let answer = client.data(mutation, variables).await;
    answer["done"]["sequence"].as_u64().unwrap()
}
