//! What an auditor asks: histories, the audit log, denials, and events as they happen.

mod denials;
mod history;
mod live;
mod log;
mod parked;

use crate::support::Client;
use serde_json::{Value, json};

const AUDIT_LOG: &str = "query($first: Int = 20, $after: String, $filter: AuditFilter, $direction: Direction = DESC,
                               $at: Sequence) {
    auditLog(first: $first, after: $after, filter: $filter, direction: $direction, minSequence: $at) {
        nodes { sequence index at actor { kind id } type version aggregate aggregateId aggregateSequence
                commitId commandId correlationId data cursor }
        pageInfo { hasNextPage endCursor } searchedTo } }";

/// Registers a server and answers where in the log.
async fn register_server(client: &Client, slug: &str) -> u64 {
    let query = "mutation($slug: String!) {
        registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";
    let done = client.data(query, json!({ "slug": slug })).await;
    done["registerServer"]["sequence"].as_u64().unwrap()
}

/// The events that a filter finds, oldest first, once the archive has come to a position.
async fn audit(client: &Client, filter: Value, at: u64) -> Vec<Value> {
    let variables = json!({ "first": 100, "filter": filter, "direction": "ASC", "at": at });
    let mut found = client.data(AUDIT_LOG, variables).await;
    match found["auditLog"]["nodes"].take() {
        Value::Array(nodes) => nodes,
        other => panic!("{other}"),
    }
}

fn all<'a>(events: &'a [Value], field: &str) -> Vec<&'a str> {
    let text = |event: &'a Value| event[field].as_str().unwrap();
    events.iter().map(text).collect()
}
