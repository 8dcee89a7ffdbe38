//! A list of lists costs a constant number of statements, as PostgreSQL itself counts them in its log.

use super::{register_server, register_tool};
use crate::support::{Client, Installation, Servers};
use domain::principal::Role;
use secrecy::ExposeSecret;
use serde_json::json;
use std::sync::Arc;

const NESTED: &str = "{ servers(first: 50) { totalCount nodes { slug toolCount
    tools(first: 3) { totalCount nodes { name versions(first: 5) { nodes { version } } server { slug }
        usedTogether { reference } } } } } }";
const DEFINED: &str = "{ servers(first: 50) { nodes {
    tools(first: 3) { nodes { versions(first: 5) { nodes { version description inputSchema } } } } } } }";

/// The statements that read the catalogue, in the log of one database.
fn reads(installation: &Installation) -> usize {
    let log = std::fs::read_to_string(installation.servers.postgres_log()).unwrap();
    let url = installation.config.postgres.url.expose_secret();
    let database = url.rsplit_once('/').unwrap().1;
    let ours = format!("@{database} LOG:  execute");
    // The lines of one record begin with a time, all but the first one with a tab.
    log.replace("\n\t", " ")
        .lines()
        .filter(|record| record.contains(&ours) && record.contains("catalog."))
        .count()
}

async fn statements(installation: &Installation, client: &Client, query: &str) -> usize {
    installation.settle().await;
    let before = reads(installation);
    client.data(query, json!({})).await;
    reads(installation) - before
}

#[tokio::test]
async fn a_list_of_lists_costs_a_constant_number_of_statements() {
    let servers = Arc::new(Servers::start_with(true).await);
    let installation = Installation::start_on(servers, |_| {}).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let mut counted = Vec::new();
    for number in 0..12 {
        let slug = format!("server-{number}");
        register_server(&client, &slug).await;
        for name in ["one", "two"] {
            register_tool(&client, &slug, name, json!({})).await;
        }
        if [0, 11].contains(&number) {
            for query in [NESTED, DEFINED] {
                counted.push(statements(&installation, &client, query).await);
            }
        }
    }
    // Servers and their number; tools, and their numbers at two levels; versions; servers of the tools; and the tools
    // that are used together with them. Of the second: servers, tools, versions, and the definitions of these.
    assert_eq!(counted, [8, 4, 8, 4]);
}
