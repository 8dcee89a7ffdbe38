//! The official MCP registry's read API, and mirrors of it, against real servers.

mod access;
mod api;
mod documents;
mod front;
mod killed;
mod mirror;
mod published;

use crate::support::Client;
use reqwest::StatusCode;
use serde_json::{Value, json};

const REGISTER: &str = "mutation($input: RegisterServerInput!) {
    registerServer(input: $input) { sequence } }";
const RETIRE: &str = "mutation($slug: String!) {
    retireServer(input: { slug: $slug, reason: \"moved\" }) { sequence } }";
const PUBLISH: &str = "mutation($server: String!, $manifest: JSON!) {
    publishManifest(input: { server: $server, manifest: $manifest }) { sequence notice server { slug } } }";
const SET_STATUS: &str = "mutation($server: String!, $version: String!, $status: ManifestStatus!) {
    setManifestStatus(input: { server: $server, version: $version, status: $status, statusMessage: \"Use 2\" }) {
        sequence } }";

/// What the registry says of a version.
const OFFICIAL: &str = "/_meta/io.modelcontextprotocol.registry~1official";

/// Registers a server, with a registry name if there is one.
async fn register(client: &Client, slug: &str, registry_name: Option<&str>) {
    let input = json!({
        "slug": slug, "name": format!("The {slug} server"), "registryName": registry_name,
        "homepage": "https://example.org/a b",
    });
    client.data(REGISTER, json!({ "input": input })).await;
}

fn manifest(name: &str, version: &str) -> Value {
    json!({
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": name, "description": format!("Version {version}"), "version": version,
        "remotes": [{ "type": "streamable-http", "url": "https://example.org/mcp" }],
    })
}

/// Publishes a version, and answers the position of its commit, if there was one.
async fn publish(client: &Client, slug: &str, manifest: Value) -> Value {
    let variables = json!({ "server": slug, "manifest": manifest });
    client.data(PUBLISH, variables).await["publishManifest"]["sequence"].take()
}

async fn set_status(client: &Client, slug: &str, version: &str, status: &str) {
    let variables = json!({ "server": slug, "version": version, "status": status });
    client.data(SET_STATUS, variables).await;
}

/// A list that the API answers, which must be one.
async fn list(client: &Client, path: &str) -> Value {
    let response = client.get(path).await;
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {answer:#}");
    assert_eq!(
        answer["metadata"]["count"],
        answer["servers"].as_array().unwrap().len()
    );
    answer
}

/// Name and version of each item.
fn versions(list: &Value) -> Vec<String> {
    let item = |item: &Value| {
        let text = |member: &str| item["server"][member].as_str().unwrap().to_owned();
        format!("{}@{}", text("name"), text("version"))
    };
    list["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(item)
        .collect()
}
