//! Sessions through rmcp itself, without a listener: whose they are, and when they end.

use super::*;
use crate::context::Caller;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use domain::id::{PrincipalId, TenantId};
use domain::principal::PrincipalKind;
use rmcp::model::{ServerCapabilities, ServerConfig};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tower::ServiceExt;

/// A server without any tool.
struct Bare;

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

struct Endpoint(Router);

impl Endpoint {
    fn new() -> Self {
        let transport = transport(&Config::default(), &CancellationToken::new());
        Self(mount(|| Bare, transport))
    }

    /// Sends a message as `tenant/handle`, or as nobody.
    async fn send(
        &self,
        who: &str,
        method: Method,
        headers: &[(&str, &str)],
        message: Value,
    ) -> Response<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri("/")
            .header("host", "127.0.0.1:8080")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((tenant, handle)) = who.split_once('/') {
            request = request.extension(caller(tenant, handle));
        }
        let request = request.body(Body::from(message.to_string())).unwrap();
        self.0.clone().oneshot(request).await.unwrap()
    }

    async fn open(&self, who: &str) -> String {
        let response = self.send(who, Method::POST, &[], initialize()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let id = response.headers()[guard::SESSION_ID]
            .to_str()
            .unwrap()
            .to_owned();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16)
            .await
            .unwrap();
        assert!(String::from_utf8_lossy(&body).contains("2025-11-25"));
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let headers = [(guard::SESSION_ID, id.as_str())];
        let response = self.send(who, Method::POST, &headers, ready).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        id
    }

    async fn status(&self, who: &str, method: Method, session: &str) -> StatusCode {
        let headers = [(guard::SESSION_ID, session)];
        self.send(who, method, &headers, list_tools())
            .await
            .status()
    }
}

fn caller(tenant: &str, handle: &str) -> Caller {
    let tenant = TenantId::new(tenant).unwrap();
    let principal = PrincipalId::derive(&tenant, handle);
    let roles = BTreeSet::new();
    Caller {
        tenant,
        principal,
        handle: handle.into(),
        kind: PrincipalKind::Agent,
        roles,
        teams: [].into(),
        correlation_id: domain::id::CorrelationId(uuid::Uuid::nil()),
    }
}

fn initialize() -> Value {
    let client = json!({"name": "test", "version": "1"});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}})
}

fn list_tools() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}})
}

#[tokio::test]
async fn a_session_is_unknown_to_everybody_else() {
    let endpoint = Endpoint::new();
    let session = endpoint.open("acme/anna").await;
    for who in ["acme/ben", "other/anna"] {
        for method in [Method::POST, Method::GET, Method::DELETE] {
            let status = endpoint.status(who, method.clone(), &session).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{who} {method}");
        }
    }
    let invented = endpoint.status("acme/anna", Method::POST, "invented").await;
    assert_eq!(invented, StatusCode::NOT_FOUND);
    let headers = [("origin", "https://elsewhere.example")];
    let foreign = endpoint.send("acme/anna", Method::POST, &headers, initialize());
    let foreign = foreign.await;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let body = axum::body::to_bytes(foreign.into_body(), 1 << 16).await;
    assert!(String::from_utf8_lossy(&body.unwrap()).contains("ORIGIN_NOT_ALLOWED"));
    let own = endpoint.status("acme/anna", Method::POST, &session).await;
    assert_eq!(own, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_for_good() {
    let endpoint = Endpoint::new();
    let session = endpoint.open("acme/anna").await;
    let ended = endpoint.status("acme/anna", Method::DELETE, &session).await;
    assert_eq!(ended, StatusCode::NO_CONTENT);
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let status = endpoint.status("acme/anna", method.clone(), &session).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method}");
    }
}

#[tokio::test]
async fn nobody_opens_no_session() {
    let response = Endpoint::new()
        .send("", Method::POST, &[], initialize())
        .await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_stateless_revision_takes_no_notice_of_a_session_id() {
    let endpoint = Endpoint::new();
    let session = endpoint.open("acme/anna").await;
    let headers = [
        (guard::SESSION_ID, session.as_str()),
        (guard::PROTOCOL_VERSION, "2026-07-28"),
        ("mcp-method", "tools/list"),
    ];
    let mut message = list_tools();
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}});
    let response = endpoint
        .send("acme/ben", Method::POST, &headers, message)
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/json");
    let bare = endpoint
        .send("acme/ben", Method::POST, &headers, list_tools())
        .await;
    assert_eq!(bare.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let endpoint = Endpoint::new();
    for header in [("origin", "https://evil.example"), ("origin", "null")] {
        let response = endpoint
            .send("acme/anna", Method::POST, &[header], initialize())
            .await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{header:?}");
    }
    let own = [("origin", "http://127.0.0.1:8080")];
    let response = endpoint
        .send("acme/anna", Method::POST, &own, initialize())
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut request = Request::builder().method(Method::POST).uri("/");
    request = request
        .header("host", "evil.example")
        .extension(caller("acme", "anna"));
    let request = request.body(Body::from(initialize().to_string())).unwrap();
    let response = endpoint.0.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
