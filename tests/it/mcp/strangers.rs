//! What is refused before any tool is reached: no token, a wrong host, a body that is too large or no message.

use super::{initialize, post, stateless};
use crate::support::Installation;
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

    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (kind, body, expected) in [
        (
            "application/json",
            "{\"jsonrpc\": ",
            (StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
        ),
        (
            "application/json",
            deep.as_str(),
            (StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
        ),
        (
            "text/plain",
            "{}",
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
        ),
    ] {
        let request = agent.http.post(format!("{}/mcp", agent.base));
        let request = request.header("accept", "application/json, text/event-stream");
        let request = request.header("content-type", kind).body(body.to_owned());
        let answer = agent.authorize(request).send().await.unwrap();
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(
            (status, problem["code"].as_str().unwrap()),
            expected,
            "{problem}"
        );
    }

    let mut future = initialize();
    future["method"] = json!("tools/list");
    let version = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
    ];
    let answer = post(&agent, &version, &future).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "no `_meta`");
}
