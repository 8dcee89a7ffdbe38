//! Publishers' namespaces: proved with a real DNS server and a real web server on loopback.

mod certificate;
mod check;
mod contest;
mod listing;
mod proof;
mod receipts;
mod refusals;

use crate::support::{Client, DnsServer, Installation};
use api::config::Config;
use api::trust::SigningKey;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::get;
use chrono::Utc;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

const CLAIM: &str =
    "mutation($namespace: String!) { claimNamespace(input: { namespace: $namespace }) {
    publisher { namespace domain status challenge verifiedAt } sequence notice } }";
const VERIFY: &str = "mutation($input: VerifyNamespaceInput!) { verifyNamespace(input: $input) {
    publisher { namespace status method record verifiedAt } sequence notice } }";
const REVOKE: &str = "mutation($namespace: String!) {
    revokeNamespace(input: { namespace: $namespace, reason: \"sold\" }) {
        publisher { status reason } sequence } }";
const STATUS: &str =
    "query($namespace: String!) { publisher(namespace: $namespace) { status reason } }";

/// An installation that asks this DNS server, and fetches over http from this port.
pub(crate) async fn installation(
    dns: &DnsServer,
    change: impl FnOnce(&mut Config),
) -> Installation {
    let resolver = dns.address.to_string();
    Installation::start_with(|config| {
        config.publishers.resolver = vec![resolver];
        change(config);
    })
    .await
}

/// Claims a namespace and answers its challenge.
async fn claim(client: &Client, namespace: &str) -> String {
    let mut payload = client.data(CLAIM, json!({ "namespace": namespace })).await;
    let publisher = payload["claimNamespace"]["publisher"].take();
    assert_eq!(publisher["status"], "CLAIMED");
    publisher["challenge"].as_str().unwrap().to_owned()
}

/// What `verifyNamespace` takes, signed now.
fn proof(key: &SigningKey, namespace: &str, method: &str, challenge: &str) -> Value {
    let signed_at = Utc::now().to_rfc3339();
    let signature = key.sign(challenge, &signed_at);
    json!({ "input": { "namespace": namespace, "method": method, "signedAt": signed_at,
                       "signature": signature } })
}

/// Claims, publishes the key in DNS, and verifies; answers the status.
pub(crate) async fn prove(
    client: &Client,
    dns: &DnsServer,
    namespace: &str,
    key: &SigningKey,
) -> String {
    let challenge = claim(client, namespace).await;
    let domain = domain::publisher::Namespace::parse(namespace)
        .unwrap()
        .domain();
    dns.texts(&domain, &[&key.public_key().record()]);
    let input = proof(key, namespace, "DNS", &challenge);
    let payload = client.data(VERIFY, input).await;
    let status = &payload["verifyNamespace"]["publisher"]["status"];
    status.as_str().unwrap().to_owned()
}

async fn status(client: &Client, namespace: &str) -> String {
    let answer = client.data(STATUS, json!({ "namespace": namespace })).await;
    answer["publisher"]["status"].as_str().unwrap().to_owned()
}

/// A web server on loopback whose well-known file a test changes.
struct WebServer {
    port: u16,
    file: Arc<Mutex<(StatusCode, String)>>,
    task: tokio::task::JoinHandle<()>,
}

impl WebServer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let file = Arc::new(Mutex::new((StatusCode::NOT_FOUND, String::new())));
        let (served, moved) = (Arc::clone(&file), Arc::clone(&file));
        let well_known = move || async move {
            let (status, body) = served.lock().unwrap().clone();
            let mut headers = HeaderMap::new();
            if status.is_redirection() {
                headers.insert("location", HeaderValue::from_static("/moved"));
            }
            (status, headers, body)
        };
        let router = Router::new()
            .route("/.well-known/mcp-registry-auth", get(well_known))
            .route(
                "/moved",
                get(move || async move { moved.lock().unwrap().1.clone() }),
            );
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, file, task }
    }

    fn serve(&self, status: StatusCode, body: &str) {
        *self.file.lock().unwrap() = (status, body.to_owned());
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Fetches well-known files from a web server on loopback.
fn from_loopback(config: &mut Config, web: &WebServer) {
    config.publishers.allow_private_addresses = true;
    config.publishers.insecure_http = true;
    config.publishers.well_known_port = Some(web.port);
}
