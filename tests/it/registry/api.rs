//! The answers: their shape, their order, their filters, their price.

use super::*;
use crate::support::{Installation, Servers};
use domain::principal::Role;
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::sync::Arc;

const WEATHER: &str = "io.github.acme/weather";
const NOTES: &str = "org.example/notes";
const DESCRIBE: &str = "mutation($description: String!) {
    describeServer(input: { slug: \"server-10\", description: $description }) { sequence } }";

/// `ServerList` and `ServerResponse` of the official OpenAPI document (2025-12-01), over the published
/// schema of `server.json`.
fn schema(name: &str) -> jsonschema::Validator {
    let text = include_str!("../../../domain/schemas/server-2025-12-11.schema.json");
    let mut schema: Value = serde_json::from_str(text).unwrap();
    let (text, time) = (
        json!({ "type": "string" }),
        json!({ "type": "string", "format": "date-time" }),
    );
    let official = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "status": { "type": "string", "enum": ["active", "deprecated", "deleted"] },
            "statusMessage": { "type": "string", "maxLength": 500 },
            "statusChangedAt": time, "publishedAt": time, "updatedAt": time,
            "isLatest": { "type": "boolean" },
        },
    });
    schema["definitions"]["ServerResponse"] = json!({
        "type": "object", "required": ["server"],
        "properties": {
            "server": { "$ref": "#/definitions/ServerDetail" },
            "_meta": { "type": "object", "properties": {
                "io.modelcontextprotocol.registry/official": official } },
        },
    });
    schema["definitions"]["ServerList"] = json!({
        "type": "object", "required": ["servers"],
        "properties": {
            "servers": { "type": "array", "items": { "$ref": "#/definitions/ServerResponse" } },
            "metadata": { "type": "object", "properties": {
                "nextCursor": text, "count": { "type": "integer" } } },
        },
    });
    schema["$ref"] = json!(format!("#/definitions/{name}"));
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

fn assert_fits(name: &str, answer: &Value) {
    if let Err(error) = schema(name).validate(answer) {
        panic!("{error} at {}: {answer:#}", error.instance_path());
    }
}

/// One server that has published nothing, one with three versions, one of them deprecated, and one deleted.
async fn fill(installation: &Installation) -> Client {
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register(&client, "plain", None).await;
    register(&client, "weather", Some(WEATHER)).await;
    for version in ["1.9.0", "1.10.0", "0.1.0"] {
        publish(&client, "weather", manifest(WEATHER, version)).await;
    }
    set_status(&client, "weather", "0.1.0", "DEPRECATED").await;
    register(&client, "notes", Some(NOTES)).await;
    publish(&client, "notes", manifest(NOTES, "2026-01-31")).await;
    set_status(&client, "notes", "2026-01-31", "DELETED").await;
    client
}

#[tokio::test]
async fn every_answer_fits_the_official_schema() {
    let installation = Installation::start().await;
    let client = fill(&installation).await;
    let all = list(&client, "/v0.1/servers?include_deleted=true&limit=100").await;
    assert_fits("ServerList", &all);
    let expected = [
        "io.github.acme/weather@0.0.1",
        "io.github.acme/weather@0.1.0",
        "io.github.acme/weather@1.10.0",
        "io.github.acme/weather@1.9.0",
        "local.acme/plain@0.0.1",
        "org.example/notes@0.0.1",
        "org.example/notes@2026-01-31",
    ];
    let found: BTreeSet<_> = versions(&all).into_iter().collect();
    assert_eq!(found, expected.map(str::to_owned).into());
    for item in all["servers"].as_array().unwrap() {
        let text = |member: &str| item["server"][member].as_str().unwrap();
        let (name, version) = (text("name").replace('/', "%2F"), text("version"));
        let place = format!("/v0.1/servers/{name}/versions/{version}?include_deleted=true");
        let one: Value = client.get(&place).await.json().await.unwrap();
        assert_fits("ServerResponse", &one);
        assert_eq!(&one, item);
    }
    let weather = "/v0.1/servers/io.github.acme%2Fweather/versions";
    let published = list(&client, weather).await;
    assert_fits("ServerList", &published);
    let newest_first = ["0.1.0", "1.10.0", "1.9.0"].map(|version| format!("{WEATHER}@{version}"));
    assert_eq!(versions(&published), newest_first);
    let latest: Value = client
        .get(&format!("{weather}/latest"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(latest["server"], manifest(WEATHER, "1.10.0"));
    assert_eq!(latest.pointer(OFFICIAL).unwrap()["isLatest"], true);
    let deprecated = published["servers"][0].pointer(OFFICIAL).unwrap();
    assert_eq!(deprecated["status"], "deprecated");
    assert_eq!(deprecated["statusMessage"], "Use 2");
}

#[tokio::test]
async fn filters_are_those_of_the_official_api() {
    let installation = Installation::start().await;
    let client = fill(&installation).await;
    let found =
        async |query: &str| versions(&list(&client, &format!("/v0.1/servers?{query}")).await);
    assert_eq!(
        found("version=latest").await,
        ["io.github.acme/weather@1.10.0", "local.acme/plain@0.0.1"]
    );
    assert_eq!(
        found("version=1.9.0&search=WEATH").await,
        ["io.github.acme/weather@1.9.0"]
    );
    assert_eq!(found("search=%25").await, Vec::<String>::new());
    assert_eq!(
        found("version=latest&include_deleted=true&search=notes").await,
        ["org.example/notes@2026-01-31"]
    );
    // Whoever asks for changes hears of deletions.
    let whole = list(&client, "/v0.1/servers?include_deleted=true&search=notes").await;
    let deleted = whole["servers"][1].pointer(OFFICIAL).unwrap();
    let since = deleted["updatedAt"].as_str().unwrap();
    assert_eq!(
        found(&format!("updated_since={since}")).await,
        ["org.example/notes@2026-01-31"]
    );
    assert_eq!(
        found("updated_since=2100-01-01T00:00:00Z").await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_in_the_official_form() {
    let installation = Installation::start().await;
    let client = fill(&installation).await;
    for query in [
        "limit=0",
        "limit=101",
        "limit=many",
        "cursor=abc",
        "cursor=%00",
        "updated_since=yesterday",
        "include_deleted=maybe",
        "search=a%00b",
    ] {
        let response = client.get(&format!("/v0.1/servers?{query}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        let body: Value = response.json().await.unwrap();
        assert!(
            body["error"].is_string() && body["code"].is_string(),
            "{body}"
        );
    }
    for place in [
        "/v0.1/servers/io.github.acme%2Fnobody/versions",
        "/v0.1/servers/io.github.acme%2Fweather/versions/9.9.9",
        "/v0.1/servers/org.example%2Fnotes/versions/latest",
        "/v0.1/servers/%FF/versions",
        "/v0.1/servers/a%00b/versions",
        "/v0.1/servers/io.github.acme%2Fweather/versions/1.0%00",
    ] {
        let response = client.get(place).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{place}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"], "Server not found", "{place}");
    }
}

#[tokio::test]
async fn pages_miss_nothing_and_double_nothing_while_servers_come_and_change() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    for number in 10..35 {
        register(&client, &format!("server-{number}"), None).await;
    }
    installation.settle().await;
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    for round in 0.. {
        assert!(round < 10, "the list does not end");
        let after = cursor.map(|cursor| format!("&cursor={cursor}"));
        let path = format!("/v0.1/servers?limit=7{}", after.unwrap_or_default());
        let page = list(&client, &path).await;
        seen.extend(versions(&page));
        cursor = page["metadata"]["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
        // One that comes before the place of the reader, and one that has been seen and changes.
        register(&client, &format!("a-{round}"), None).await;
        let description = format!("Round {round}");
        client
            .data(DESCRIBE, json!({ "description": description }))
            .await;
        installation.settle().await;
    }
    let expected: Vec<_> = (10..35)
        .map(|number| format!("local.acme/server-{number}@0.0.1"))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_costs_the_same_statements_however_long_it_is() {
    let servers = Arc::new(Servers::start_with(true).await);
    let installation = Installation::start_on(servers, |_| {}).await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let url = installation.config.postgres.url.expose_secret();
    let ours = format!("@{} LOG:  execute", url.rsplit_once('/').unwrap().1);
    let reads = || {
        let log = std::fs::read_to_string(installation.servers.postgres_log()).unwrap();
        let log = log.replace("\n\t", " ");
        let ours = |record: &&str| record.contains(&ours) && record.contains("manifests.versions");
        log.lines().filter(ours).count()
    };
    let mut counted = Vec::new();
    for number in 0..12 {
        register(&client, &format!("server-{number}"), None).await;
        if [0, 11].contains(&number) {
            installation.settle().await;
            let before = reads();
            let page = list(&client, "/v0.1/servers?limit=50").await;
            assert_eq!(versions(&page).len(), number + 1);
            counted.push(reads() - before);
        }
    }
    assert_eq!(counted, [1, 1]);
}
