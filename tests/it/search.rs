//! Search by meaning, with the real embedding model over the sample catalogue.

mod opening;
mod standing;
mod surfaces;
mod uses;

use crate::support::{Installation, PATIENCE, model};
use api::config::EmbedderKind;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::Role;
use metamcp::import;
use serde_json::json;

const SERVERS: &str = include_str!("../../api/bin/metamcp/sample/servers.jsonl");
const TOOLS: &str = include_str!("../../api/bin/metamcp/sample/tools.jsonl");
const SEARCH: &str = "query($query: String!) { searchTools(query: $query, first: 5) {
    semantic notice hits { tool { name } why { vectorRank similarity } } } }";

#[tokio::test]
async fn a_task_in_plain_words_finds_the_tool_that_does_it() {
    let Some(folder) = model() else { return };
    let installation = Installation::start_with(|config| {
        config.search.embedder = EmbedderKind::MiniLm;
        config.search.model_dir = Some(folder);
    })
    .await;
    let client = installation.client("acme", "bot", &[Role::Agent]).await;
    let tenant = TenantId::new("acme").unwrap();
    let summary = import::run(
        &installation.app.state.dispatcher,
        &tenant,
        &Actor::system("test"),
        SERVERS.as_bytes(),
        TOOLS.as_bytes(),
        &import::Options::default(),
        &import::Silent,
        &tokio_util::sync::CancellationToken::new(),
    )
    .await
    .unwrap();
    // The model reads 199 tools, on a slow machine for longer than anything else takes.
    let at = summary.last_stream_sequence.unwrap();
    let positions = &installation.app.state.positions;
    positions
        .wait_for("search", at, 3 * PATIENCE)
        .await
        .unwrap();
    installation.reached("search", at).await;
    for (query, expected) in [
        ("what is the present hour in Tokyo", "time"),
        (
            "tell my colleagues in the chat that the release is out",
            "message",
        ),
        ("which documents are in this folder", "list_directory"),
    ] {
        let found = client.data(SEARCH, json!({ "query": query })).await;
        let found = &found["searchTools"];
        assert_eq!(found["semantic"], true);
        assert!(
            found["hits"][0]["why"]["similarity"].is_number(),
            "{found:#}"
        );
        let hits = found["hits"].as_array().unwrap();
        let named =
            |hit: &serde_json::Value| hit["tool"]["name"].as_str().unwrap().contains(expected);
        assert!(hits.iter().any(named), "{query}: {found:#}");
    }
}
