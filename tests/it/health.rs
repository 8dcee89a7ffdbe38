//! Liveness, readiness and metrics.

use crate::support::{Client, Installation, serve};
use metamcp::app::Role;
use serde_json::Value;

#[tokio::test]
async fn a_running_installation_is_ready_and_says_where_its_projectors_stand() {
    let installation = Installation::start().await;
    installation.token("acme", "admin", &[]).await;
    installation.settle().await;
    let stranger = installation.stranger();
    assert_eq!(stranger.get("/healthz").await.status(), 200);
    let ready = stranger.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    let body: Value = ready.json().await.unwrap();
    assert!(body.to_string().contains("catalog"), "{body:#}");
    let metrics = stranger.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("metamcp_projector_lag"), "{metrics}");
    assert!(metrics.contains("metamcp_commands_total"), "{metrics}");
}

#[tokio::test]
async fn a_process_without_the_api_answers_probes_and_nothing_else() {
    let installation = Installation::start().await;
    let (projector, base) = serve(&installation.config, &[Role::Projector]).await;
    let client = Client::new(&base, None);
    assert_eq!(client.get("/healthz").await.status(), 200);
    assert_eq!(client.get("/metrics").await.status(), 200);
    let body: Value = client.get("/readyz").await.json().await.unwrap();
    assert!(body.to_string().contains("catalog"), "{body:#}");
    assert_eq!(client.get("/graphql").await.status(), 404);
    assert_eq!(client.get("/.well-known/jwks.json").await.status(), 404);
    projector.stop().await;
}

#[tokio::test]
async fn an_unknown_route_is_a_json_404() {
    let installation = Installation::start().await;
    let answer = installation.stranger().get("/nothing-here").await;
    assert_eq!(answer.status(), 404);
    assert!(answer.json::<Value>().await.is_ok());
}
