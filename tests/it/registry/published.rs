//! What a server has published, read over GraphQL beside the server itself.

use super::*;
use crate::support::Installation;
use bus::CommandContext;
use domain::envelope::Actor;
use domain::id::{ServerId, TenantId};
use domain::principal::Role;
use domain::server::{Mirrored, PublishManifest, Server, ServerCommand};

const WEATHER: &str = "io.github.acme/weather";
const NOTES: &str = "io.github.acme/notes";
const READ: &str =
    "query($slug: String!, $first: Int! = 20, $after: String) { server(slug: $slug) {
    manifests(first: $first, after: $after) {
        nodes { version status statusMessage publishedAt updatedAt document mirroredFrom }
        pageInfo { hasNextPage hasPreviousPage endCursor } } } }";

async fn read(client: &Client, variables: Value) -> Value {
    client.data(READ, variables).await["server"]["manifests"].take()
}

fn numbers(page: &Value) -> Vec<&str> {
    let nodes = page["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| node["version"].as_str().unwrap())
        .collect()
}

/// Publishes a version as the mirror of a registry does.
async fn mirror(installation: &Installation, slug: &str, manifest: Value, registry: &str) {
    let tenant = TenantId::new("acme").unwrap();
    let id = ServerId::derive(&tenant, slug);
    let context = CommandContext::new(tenant, Actor::system("test"));
    let command = ServerCommand::PublishManifest(Box::new(PublishManifest {
        manifest,
        status: None,
        status_message: None,
        mirrored: Some(Mirrored {
            registry: registry.to_owned(),
            updated_at: context.now,
            began_at: context.now,
            since: None,
            cursor: None,
        }),
    }));
    let dispatcher = &installation.app.state.dispatcher;
    let sent = dispatcher.dispatch::<Server>(&context, id.as_str(), command);
    sent.await.unwrap();
}

#[tokio::test]
async fn published_versions_are_read_beside_the_server_the_last_published_first() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    register(&publisher, "weather", Some(WEATHER)).await;
    register(&publisher, "plain", None).await;
    // By time and not by number, and nothing that only a profile makes.
    for version in ["1.0.0", "2.0.0", "1.0.1"] {
        publish(&publisher, "weather", manifest(WEATHER, version)).await;
    }
    set_status(&publisher, "weather", "1.0.0", "DEPRECATED").await;
    set_status(&publisher, "weather", "2.0.0", "DELETED").await;
    installation.settle().await;

    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let all = read(&agent, json!({ "slug": "weather" })).await;
    assert_eq!(numbers(&all), ["1.0.1", "2.0.0", "1.0.0"]);
    let said = |node: &Value| (node["status"].clone(), node["statusMessage"].clone());
    let nodes = all["nodes"].as_array().unwrap();
    let said: Vec<_> = nodes.iter().map(said).collect();
    let expected = [
        (json!("ACTIVE"), Value::Null),
        (json!("DELETED"), json!("Use 2")),
        (json!("DEPRECATED"), json!("Use 2")),
    ];
    assert_eq!(said, expected);
    for node in nodes {
        let version = node["version"].as_str().unwrap();
        assert_eq!(node["document"], manifest(WEATHER, version));
        assert_eq!(node["mirroredFrom"], Value::Null);
        let changed = node["publishedAt"] != node["updatedAt"];
        assert_eq!(changed, version != "1.0.1", "{node:#}");
    }
    let plain = read(&agent, json!({ "slug": "plain" })).await;
    assert_eq!(numbers(&plain), [""; 0]);

    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let part = json!({ "slug": "weather", "first": 2, "after": after });
        let page = read(&agent, part).await;
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        seen.extend(numbers(&page).into_iter().map(str::to_owned));
        assert!(seen.len() <= 3, "{seen:?}");
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, ["1.0.1", "2.0.0", "1.0.0"]);
    let wrong = json!({ "slug": "weather", "after": "nowhere" });
    assert_eq!(agent.code(READ, wrong).await, "INVALID_CURSOR");
}

#[tokio::test]
async fn what_each_of_several_servers_has_published_is_its_own_and_its_tenants() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let rival = installation
        .client("rival", "pub", &[Role::Publisher])
        .await;
    for (client, slug, name, version) in [
        (&publisher, "weather", WEATHER, "1.0.0"),
        (&publisher, "notes", NOTES, "3.0.0"),
        (&rival, "weather", WEATHER, "6.6.6"),
    ] {
        register(client, slug, Some(name)).await;
        publish(client, slug, manifest(name, version)).await;
    }
    let registry = "https://registry.example.org";
    let mirrored = manifest(NOTES, "3.1.0");
    mirror(&installation, "notes", mirrored, registry).await;
    installation.settle().await;

    let list =
        "{ servers { nodes { slug manifests(first: 5) { nodes { version mirroredFrom } } } } }";
    let listed = publisher.data(list, json!({})).await["servers"]["nodes"].take();
    let node = |version: &str, from: Value| json!({ "version": version, "mirroredFrom": from });
    let of = |slug: &str, nodes: &[Value]| json!({ "slug": slug, "manifests": { "nodes": nodes } });
    let mut found = listed.as_array().unwrap().clone();
    found.sort_by_key(|server| server["slug"].to_string());
    let notes = [node("3.1.0", json!(registry)), node("3.0.0", Value::Null)];
    let weather = [node("1.0.0", Value::Null)];
    assert_eq!(found, [of("notes", &notes), of("weather", &weather)]);
    // Another tenant's server of the same name has its own, and one that it does not have is not there.
    let theirs = read(&rival, json!({ "slug": "weather" })).await;
    assert_eq!(numbers(&theirs), ["6.6.6"]);
    let hidden = json!({ "slug": "notes" });
    assert_eq!(rival.code(READ, hidden).await, "NOT_FOUND");
}
