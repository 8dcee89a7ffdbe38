use super::*;
use crate::error::TokenProblem;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use serde_json::Value;
use tower::ServiceExt;

fn app() -> Router {
    let sleep = || async {
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    let panic = || async {
        if std::hint::black_box(true) {
            panic!("a secret of ours");
        }
    };
    Router::new()
        .route("/sleep", get(sleep))
        .route("/panic", get(panic))
        .route(
            "/mcp",
            get(|| async { ApiError::from(TokenProblem::Missing) }),
        )
        .route(
            "/other",
            get(|| async { ApiError::from(TokenProblem::Invalid("it has expired")) }),
        )
        .layer(from_fn_with_state(Duration::from_millis(50), bound))
        .layer(from_fn_with_state(
            "https://a.example".to_owned(),
            challenge,
        ))
        .layer(from_fn(observe))
}

async fn send(request: Request) -> (StatusCode, String, Value) {
    let response = app().oneshot(request).await.unwrap();
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    let challenge = challenge
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let status = response.status();
    let body = to_bytes(response.into_body(), 4096).await.unwrap();
    (
        status,
        challenge,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

async fn fetch(path: &str) -> (StatusCode, String, Value) {
    send(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn what_takes_too_long_is_answered_unavailable() {
    let (status, _, problem) = fetch("/sleep").await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (503, Some("UNAVAILABLE"))
    );
}

#[tokio::test]
async fn a_panic_is_an_internal_error_without_its_words() {
    let (status, _, problem) = fetch("/panic").await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (500, Some("INTERNAL"))
    );
    assert!(!problem.to_string().contains("secret"));
}

#[tokio::test]
async fn a_refusal_names_the_metadata_of_its_resource() {
    let root = "resource_metadata=\"https://a.example/.well-known/oauth-protected-resource";
    let (status, challenge, _) = fetch("/mcp").await;
    assert_eq!(
        (status.as_u16(), challenge),
        (401, format!("Bearer {root}/mcp\""))
    );
    let (_, challenge, _) = fetch("/other").await;
    assert!(
        challenge.starts_with("Bearer error=\"invalid_token\", "),
        "{challenge}"
    );
    assert!(challenge.ends_with(&format!(", {root}\"")), "{challenge}");
}

#[test]
fn unknown_methods_share_a_label() {
    assert_eq!((known("POST"), known("BREW")), ("POST", "other"));
}
