//! Another embedding model over an index that is there: searches are answered all the time.

use crate::support::{Installation, PATIENCE};
use api::config::{EmbedderKind, OpenAiConfig};
use axum::routing::post;
use axum::{Json, Router};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const REGISTER_SERVER: &str = "mutation { registerServer(input: {
    slug: \"post\", name: \"Post\", description: \"Letters\" }) { sequence } }";
const REGISTER_TOOL: &str = "mutation { registerTool(input: {
    server: \"post\", name: \"weigh_parcel\", description: \"Weighs a parcel\" }) { sequence } }";
const SEARCH: &str = "{ searchTools(query: \"weigh a parcel\") {
    semantic notice hits { tool { name } } } }";

/// An OpenAI-compatible endpoint that answers when it is opened.
async fn endpoint() -> (OpenAiConfig, watch::Sender<bool>) {
    let (open, opened) = watch::channel(false);
    let answer = move |Json(request): Json<Value>| {
        let mut opened = opened.clone();
        async move {
            opened.wait_for(|open| *open).await.unwrap();
            let texts = request["input"].as_array().unwrap().len();
            let entry = |index| json!({ "index": index, "embedding": [1.0, 0.5] });
            Json(json!({ "data": (0..texts).map(entry).collect::<Vec<_>>() }))
        }
    };
    let app = Router::new().route("/embeddings", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = json!({
        "endpoint": format!("http://{address}/embeddings"), "model": "gated", "dimensions": 2,
        "timeout": "60s",
    });
    (serde_json::from_value(config).unwrap(), open)
}

#[tokio::test]
async fn the_old_index_answers_until_the_new_one_is_filled() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "maker", &[Role::Publisher]);
    let publisher = publisher.await;
    publisher.data(REGISTER_SERVER, json!({})).await;
    publisher.data(REGISTER_TOOL, json!({})).await;
    installation.settle().await;

    let (openai, open) = endpoint().await;
    let installation = installation
        .restart_with(|config| {
            config.search.embedder = EmbedderKind::OpenAi;
            config.search.openai = Some(openai);
        })
        .await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let found = &agent.data(SEARCH, json!({})).await["searchTools"];
    assert_eq!(found["hits"][0]["tool"]["name"], "weigh_parcel");
    assert_eq!(found["semantic"], false);
    let notice = found["notice"].as_str().unwrap();
    assert!(notice.contains("another embedding model"), "{notice}");

    open.send(true).unwrap();
    let begun = Instant::now();
    loop {
        let found = &agent.data(SEARCH, json!({})).await["searchTools"];
        assert_eq!(found["hits"][0]["tool"]["name"], "weigh_parcel");
        if found["semantic"] == true && found["notice"].is_null() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
