//! Documents of a file, good and bad, and the read model that they make.

use super::*;
use crate::support::{Installation, PATIENCE};
use bus::Dispatcher;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::Role;
use metamcp::import::registry::{Summary, Target, mirror_documents, read_documents};
use projections::manifests::ManifestsProjector;
use projections::rebuild::{Finish, rebuild};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

async fn import(installation: &Installation, text: &str) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("servers.jsonl");
    std::fs::write(&file, text).unwrap();
    let dispatcher = Dispatcher::new(installation.app.state.log.clone());
    let (tenant, actor) = (TenantId::new("acme").unwrap(), Actor::operator("test"));
    let stop = CancellationToken::new();
    let target = Target {
        dispatcher: &dispatcher,
        tenant: &tenant,
        actor: &actor,
        patience: PATIENCE,
        stop: &stop,
    };
    let documents = read_documents(&file).await.unwrap();
    let summary = mirror_documents(&target, documents, &|_| {}).await.unwrap();
    installation.settle().await;
    summary
}

fn with(mut document: Value, member: &str, value: Value) -> Value {
    document[member] = value;
    document
}

#[tokio::test]
async fn a_bad_document_is_refused_with_its_reason_and_the_rest_goes_on() {
    let installation = Installation::start().await;
    let reader = installation.client("acme", "agent", &[Role::Agent]).await;
    let good = manifest("io.github.acme/good", "1.0.0");
    let future = "https://static.modelcontextprotocol.io/schemas/2099-01-01/server.schema.json";
    let wrapped = |document: Value, status: &str| {
        json!({ "server": document, "_meta": {
            "io.modelcontextprotocol.registry/official": { "status": status } } })
    };
    let lines = [
        good.to_string(),
        "not json".to_owned(),
        with(good.clone(), "$schema", json!(future)).to_string(),
        with(good.clone(), "description", json!("x".repeat(101))).to_string(),
        with(good.clone(), "title", json!("Go\u{202e}od")).to_string(),
        with(good.clone(), "version", json!("^1.0.0")).to_string(),
        with(good.clone(), "description", json!("Another")).to_string(),
        with(good.clone(), "name", json!("nodots/good")).to_string(),
        wrapped(good.clone(), "frozen").to_string(),
        wrapped(manifest("io.github.acme/gone", "1.0.0"), "deleted").to_string(),
        json!({ "servers": [wrapped(manifest("io.github.acme/last", "1.0.0"), "deprecated")] })
            .to_string(),
    ];
    let head = installation.settle().await;
    let summary = import(&installation, &lines.join("\n")).await;
    let reasons = [
        ("HIDDEN_CHARACTERS", 1),
        ("INVALID_REGISTRY_NAME", 1),
        ("MANIFEST_INVALID", 2),
        ("MANIFEST_SCHEMA_UNKNOWN", 1),
        ("NOT_JSON", 1),
        ("STATUS_UNKNOWN", 1),
        ("VERSION_TAKEN", 1),
    ];
    assert_eq!(summary.reasons, reasons.into(), "{summary}");
    assert_eq!(
        (summary.published, summary.skipped, summary.refused),
        (2, 1, 8),
        "{summary}"
    );
    // Two servers and their documents: nothing of the refused ones is left half done.
    assert_eq!(installation.settle().await, head + 4);
    assert_eq!(
        versions(&list(&reader, "/v0.1/servers").await),
        ["io.github.acme/good@1.0.0", "io.github.acme/last@1.0.0"]
    );
    let again = import(&installation, &lines.join("\n")).await;
    assert_eq!(
        (again.unchanged, again.last_stream_sequence),
        (2, None),
        "{again}"
    );
}

#[tokio::test]
async fn a_document_of_a_future_schema_is_refused_and_nothing_is_recorded() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let name = "io.github.acme/weather";
    register(&publisher, "weather", Some(name)).await;
    let head = installation.settle().await;
    let future = "https://static.modelcontextprotocol.io/schemas/2099-01-01/server.schema.json";
    let document = with(manifest(name, "1.0.0"), "$schema", json!(future));
    let variables = json!({ "server": "weather", "manifest": document });
    assert_eq!(
        publisher.code(PUBLISH, variables).await,
        "MANIFEST_SCHEMA_UNKNOWN"
    );
    assert_eq!(installation.app.state.log.head().await.unwrap(), head);
    // The same in a revision that is read is let in: the schema alone was wrong.
    let at = publish(&publisher, "weather", manifest(name, "1.0.0")).await;
    assert_eq!(at, head + 1);
}

#[tokio::test]
async fn the_rebuilt_versions_equal_the_live_ones() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let name = "io.github.acme/weather";
    register(&publisher, "weather", Some(name)).await;
    // The version that the row of its profile had, too.
    publish(&publisher, "weather", manifest(name, "0.0.1")).await;
    publish(&publisher, "weather", manifest(name, "1.0.0")).await;
    set_status(&publisher, "weather", "1.0.0", "DELETED").await;
    register(&publisher, "plain", None).await;
    publisher.data(RETIRE, json!({ "slug": "plain" })).await;
    installation.settle().await;
    let all = list(&publisher, "/v0.1/servers?include_deleted=true").await;
    assert_eq!(versions(&all).len(), 3, "{all:#}");
    let latest = list(&publisher, "/v0.1/servers?version=latest").await;
    assert_eq!(versions(&latest), [format!("{name}@0.0.1")]);
    let rebuilt = rebuild(
        Arc::new(ManifestsProjector),
        &installation.app.state.log,
        &installation.app.database,
        Finish::Check,
        &|_, _| {},
    );
    let rebuilt = rebuilt.await.unwrap();
    assert!(rebuilt.is_equal(), "{rebuilt:#?}");
    assert_eq!(rebuilt.tables[0].live.rows, 3);
}
