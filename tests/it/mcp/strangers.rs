//! What is refused before any tool is reached: no token, a wrong host, a body that is too large or no message.

use super::{initialize, post, stateless};
use crate::support::{Client, Installation};
use domain::principal::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn strangers_and_strange_requests_stay_outside() {
    let installation =
        Installation::start_with(|config| config.limits.mcp_body_bytes = 10_000).await;
    let answer = post(&installation.stranger(), &[], &initialize()).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer") && challenge.contains("resource_metadata="));

    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    for header in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let answer = post(&agent, &[header], &initialize()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{header:?}");
    }
    let large = json!({ "query": "x".repeat(20_000) });
    let params = json!({ "name": "search_tools", "arguments": large });
    let answer = stateless(&agent, "tools/call", params).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let (status, problem) = send(&agent, "text/plain", "{}").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(problem["code"], "UNSUPPORTED_MEDIA_TYPE", "{problem}");

    let mut future = initialize();
    future["method"] = json!("tools/list");
    let version = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
    ];
    let answer = post(&agent, &version, &future).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "no `_meta`");
}

/// Sends a body as it is.
async fn send(client: &Client, kind: &str, body: &str) -> (StatusCode, Value) {
    let request = client.http.post(format!("{}/mcp", client.base));
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("content-type", kind).body(body.to_owned());
    let answer = client.authorize(request).send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap())
}

#[tokio::test]
async fn a_body_that_is_no_message_is_answered_with_an_error_of_json_rpc() {
    const NO_JSON: i64 = -32700;
    const NO_MESSAGE: i64 = -32600;
    let installation = Installation::start().await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let (sound, deep) = (nested(100), nested(200));
    let within = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": [] });
    let within = within.to_string().replace("[]", &deep);
    let (batch, more) = (
        format!("[{}]", initialize()),
        format!("{} more", initialize()),
    );
    for (body, code) in [
        ("", NO_JSON),
        ("{\"jsonrpc\": ", NO_JSON),
        (more.as_str(), NO_JSON),
        (deep.as_str(), NO_JSON),
        (within.as_str(), NO_JSON),
        (sound.as_str(), NO_MESSAGE),
        (batch.as_str(), NO_MESSAGE),
        ("{}", NO_MESSAGE),
        (r#"{"jsonrpc": "2.0", "id": 1}"#, NO_MESSAGE),
    ] {
        let (status, answer) = send(&agent, "application/json", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer["jsonrpc"], "2.0", "{body}: {answer}");
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
        assert_eq!(answer["error"]["data"]["code"], "INVALID_REQUEST");
        assert_eq!(answer.get("id"), None, "{body}: {answer}");
    }
}
