//! From a claim to a mark on servers and tools.

use super::{CLAIM, REVOKE, VERIFY, WebServer, claim, from_loopback, installation, proof, status};
use crate::support::{Client, DnsServer, Installation};
use api::trust::SigningKey;
use axum::http::StatusCode;
use domain::principal::Role;
use serde_json::json;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const REGISTER_SERVER: &str = "mutation($slug: String!, $registryName: String) {
    registerServer(input: { slug: $slug, name: $slug, registryName: $registryName }) { sequence } }";
const REGISTER_TOOL: &str = "mutation($server: String!) {
    registerTool(input: { server: $server, name: \"forecast\", description: \"Tells the weather\" }) {
        sequence } }";
const SERVERS: &str = "query($filter: ServerFilter) { servers(filter: $filter) { nodes {
    slug registryName publisher { namespace verified method verifiedAt } } } }";
const TOOLS: &str = "query($wanted: Boolean!) { tools(filter: { verifiedPublisher: $wanted }) {
    totalCount nodes { server { slug } } } }";

async fn register(client: &Client, servers: &[(&str, Option<&str>)]) {
    for (slug, registry_name) in servers {
        let variables = json!({ "slug": slug, "registryName": registry_name });
        client.data(REGISTER_SERVER, variables).await;
        client.data(REGISTER_TOOL, json!({ "server": slug })).await;
    }
}

/// The slugs of the servers that carry a verified mark.
async fn marked(client: &Client) -> Vec<String> {
    let answer = client.data(SERVERS, json!({})).await;
    let nodes = answer["servers"]["nodes"].as_array().unwrap();
    let marked = nodes
        .iter()
        .filter(|node| node["publisher"]["verified"] == true);
    marked
        .map(|node| node["slug"].as_str().unwrap().to_owned())
        .collect()
}

fn program(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_metamcp"))
        .args(["publishers"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The value of `name: "value"` in what the program printed.
fn value(text: &str, name: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim_matches([':', ' ', '"']).to_owned()
}

/// The publisher uses the program alone: key, record, signature.
#[tokio::test]
async fn a_namespace_proved_by_dns_marks_its_servers() {
    let dns = DnsServer::start().await;
    let installation = installation(&dns, |_| {}).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let names = [
        ("weather", Some("com.example/weather")),
        ("maps", Some("com.example.api/maps")),
        ("look-alike", Some("com.example-shop/maps")),
        ("foreign", Some("org.example/weather")),
        ("nameless", None),
    ];
    register(&client, &names).await;
    assert!(marked(&client).await.is_empty());

    let folder = tempfile::tempdir().unwrap();
    let (made, text) = program(folder.path(), &["keygen"]);
    assert!(made, "{text}");
    let key = folder.path().join("publisher.pem");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        !program(folder.path(), &["keygen"]).0,
        "a key is overwritten"
    );
    let record = text.lines().last().unwrap();
    dns.texts("example.com", &["v=spf1 -all", record]);

    let challenge = claim(&client, "com.example").await;
    let (signed, text) = program(folder.path(), &["sign", &challenge]);
    assert!(signed, "{text}");
    let input = json!({ "input": { "namespace": "com.example", "method": "DNS",
        "signedAt": value(&text, "signedAt"), "signature": value(&text, "signature") } });
    let verified = client.data(VERIFY, input).await["verifyNamespace"]["publisher"].take();
    assert_eq!(
        (&verified["status"], &verified["method"]),
        (&json!("VERIFIED"), &json!("DNS"))
    );
    assert_eq!(verified["record"], record);

    // DNS speaks for the domains below, and for nothing that only begins alike.
    assert_eq!(marked(&client).await, ["maps", "weather"]);
    let filter = json!({ "filter": { "text": "weather", "verifiedPublisher": true } });
    let answer = client.data(SERVERS, filter).await["servers"]["nodes"].take();
    assert_eq!(
        answer,
        json!([{ "slug": "weather", "registryName": "com.example/weather", "publisher": {
            "namespace": "com.example", "verified": true, "method": "DNS",
            "verifiedAt": verified["verifiedAt"] } }])
    );
    for (wanted, number) in [(true, 2), (false, 3)] {
        let tools = client.data(TOOLS, json!({ "wanted": wanted })).await["tools"].take();
        assert_eq!(tools["totalCount"], number, "{tools}");
    }
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let described = agent.describe("maps/forecast").await;
    assert!(
        described.contains("verified publisher com.example (dns)"),
        "{described}"
    );

    // The mark is the tenant's that proved it.
    let other = installation
        .client("other", "pub", &[Role::Publisher])
        .await;
    register(&other, &names[..1]).await;
    assert!(marked(&other).await.is_empty());

    client
        .data(REVOKE, json!({ "namespace": "com.example" }))
        .await;
    assert!(marked(&client).await.is_empty());
    let described = agent.describe("maps/forecast").await;
    assert!(!described.contains("verified"), "{described}");
}

#[tokio::test]
async fn a_namespace_proved_by_http_speaks_for_itself_alone() {
    let (dns, web) = (DnsServer::start().await, WebServer::start().await);
    let installation = installation(&dns, |config| from_loopback(config, &web)).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let names = [
        ("own", Some("io.github.acme/tools")),
        ("below", Some("io.github.acme.docs/tools")),
    ];
    register(&client, &names).await;
    let key = SigningKey::generate().unwrap();
    dns.address("acme.github.io", Ipv4Addr::LOCALHOST);
    web.serve(StatusCode::OK, &format!("{}\n", key.public_key().record()));
    let challenge = claim(&client, "io.github.acme").await;
    let input = proof(&key, "io.github.acme", "HTTP", &challenge);
    let verified = client.data(VERIFY, input).await["verifyNamespace"]["publisher"].take();
    assert_eq!(
        (&verified["status"], &verified["method"]),
        (&json!("VERIFIED"), &json!("HTTP"))
    );
    assert_eq!(marked(&client).await, ["own"]);
}

/// An answer that is too large for UDP is asked for again over TCP.
#[tokio::test]
async fn a_key_is_found_among_many_records() {
    let dns = DnsServer::start().await;
    let installation = installation(&dns, |_| {}).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let key = SigningKey::generate().unwrap();
    let filler = format!("other={}", "x".repeat(400));
    let record = key.public_key().record();
    dns.texts(
        "example.com",
        &[&filler, &filler, &filler, &filler, &record],
    );
    let challenge = claim(&client, "com.example").await;
    client
        .data(VERIFY, proof(&key, "com.example", "DNS", &challenge))
        .await;
    assert_eq!(status(&client, "com.example").await, "VERIFIED");
}

/// A retry of a claim gives the challenge of the first one.
#[tokio::test]
async fn a_claim_sent_twice_is_one_claim_and_is_found_in_the_history() {
    let dns = DnsServer::start().await;
    let installation: Installation = installation(&dns, |_| {}).await;
    let client = installation.client("acme", "pub", &[Role::Owner]).await;
    let claim = CLAIM.replacen(
        "{ namespace: $namespace })",
        "{ namespace: $namespace }, commandId: \"0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e\")",
        1,
    );
    let namespace = json!({ "namespace": " com.example " });
    let first = client.data(&claim, namespace.clone()).await;
    assert_eq!(client.data(&claim, namespace.clone()).await, first);
    assert_eq!(
        client.code(CLAIM, namespace).await,
        "NAMESPACE_ALREADY_CLAIMED"
    );
    let sequence = &first["claimNamespace"]["sequence"];
    let undo = "mutation($commit: ID!) { undo(commit: $commit) { sequence } }";
    let commit = json!({ "commit": sequence.to_string() });
    assert_eq!(client.code(undo, commit).await, "NOT_UNDOABLE");
    let list = "{ publishers(first: 1) { nodes { namespace domain status } } }";
    assert_eq!(
        client.data(list, json!({})).await["publishers"]["nodes"],
        json!([{ "namespace": "com.example", "domain": "example.com", "status": "CLAIMED" }])
    );
}
