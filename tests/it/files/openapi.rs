//! `metamcp import openapi`, on two documents of the size that one meets, and a small one of the latest version.

use super::World;
use crate::support::said;
use axum::Router;
use axum::routing::get;
use domain::id::TenantId;
use metamcp::openapi::{Options, Translation, translate};
use metamcp::plan::ToolSpec;
use serde_json::Value;
use std::path::Path;

/// OpenAPI 3.0 as YAML: `allOf`, `oneOf`, shared parameters and responses, two recursive schemas.
const LIBRARY: &str = include_str!("fixtures/library.yaml");
/// OpenAPI 3.1 as JSON: mutual recursion, references with siblings, path items by reference, no operation ids on
/// some.
const DEPOT: &str = include_str!("fixtures/depot.json");
/// OpenAPI 3.2: the method `QUERY`, one that has no field, a whole query string, content by its items.
const STARS: &str = include_str!("fixtures/stars.yaml");

fn read(text: &str) -> Translation {
    translate(text, &Options::default()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Every reference of a schema, and whether it stays inside.
fn check_references(root: &Value, value: &Value) {
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(root.pointer(pointer).is_some(), "{reference} in {root:#}");
    }
    match value {
        Value::Object(members) => members
            .values()
            .for_each(|value| check_references(root, value)),
        Value::Array(items) => items.iter().for_each(|item| check_references(root, item)),
        _ => {}
    }
}

fn check(tools: impl Iterator<Item = ToolSpec>) {
    for tool in tools {
        for schema in [&tool.input_schema, &tool.output_schema]
            .into_iter()
            .flatten()
        {
            check_references(schema, schema);
            assert_eq!(schema["type"], "object");
            let text = schema.to_string();
            for word in [
                "\"nullable\"",
                "\"xml\"",
                "\"discriminator\"",
                "#/components",
            ] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
        let properties = tool.input_schema.unwrap()["properties"].clone();
        for (name, property) in properties.as_object().unwrap() {
            assert!(property["x-in"].is_string(), "{name}");
        }
    }
}

#[test]
fn every_operation_of_a_document_becomes_a_tool_with_schemas_of_its_own() {
    let library = read(LIBRARY);
    assert_eq!(
        (library.slug.as_str(), library.server.tools.len()),
        ("municipal-library", 58)
    );
    assert_eq!(library.warnings, []);
    check(library.server.tools.values().cloned());
    let tool = |name: &str| &library.server.tools[name];
    // Two operations are called the same: the one that is so word for word has the name.
    assert_eq!(tool("renew_loan").title.as_deref(), Some("Add a subject"));
    let others: Vec<_> = library
        .server
        .tools
        .keys()
        .filter(|name| name.starts_with("renew_loan_"))
        .collect();
    assert_eq!(others.len(), 1);
    let book = tool("createBook").input_schema.as_ref().unwrap();
    assert_eq!(
        book["properties"]["subtitle"]["type"],
        serde_json::json!(["string", "null"])
    );
    assert_eq!(book["properties"]["pages"]["exclusiveMinimum"], 0);
    assert_eq!(
        book["properties"]["subject"],
        serde_json::json!({ "$ref": "#/$defs/Subject", "x-in": "body" })
    );
    assert_eq!(
        book["x-request"]["server"],
        "https://lisbon.library.example.org/api"
    );
    assert!(
        tool("delete_books_id")
            .description
            .ends_with("Authentication: OAuth 2 with scopes write.")
    );
    let copy = tool("getCopy").output_schema.as_ref().unwrap();
    assert_eq!(
        copy["required"],
        serde_json::json!(["book", "branch", "condition", "id"])
    );

    let depot = read(DEPOT);
    assert_eq!(
        (depot.slug.as_str(), depot.server.tools.len()),
        ("depot-delivery", 49)
    );
    check(depot.server.tools.values().cloned());
    let parcel = depot.server.tools["parcel.change"]
        .input_schema
        .as_ref()
        .unwrap();
    assert_eq!(
        parcel["x-request"]["contentType"],
        "application/merge-patch+json"
    );
    assert_eq!(parcel["properties"]["comment"]["x-in"], "body");
    // Of 3.1, all means the same in 3.2.
    let later = DEPOT.replacen("\"3.1.0\"", "\"3.2.0\"", 1);
    assert_ne!(later, DEPOT);
    assert_eq!(read(&later), depot);
    check(read(STARS).server.tools.into_values());
}

async fn import(world: &World, folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let arguments = [&["import", "openapi", "--tenant", "acme"], arguments].concat();
    said(&world.installation.program(folder, &arguments).await)
}

#[tokio::test]
async fn a_document_is_imported_once_and_a_changed_one_publishes_what_changed() {
    let world = World::start().await;
    let acme: TenantId = world.tenant("acme").await;
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("library.yaml"), text).unwrap();
    write(LIBRARY);
    let head = world.head().await;
    let (text, code) = import(&world, folder.path(), &["library.yaml", "--dry-run"]).await;
    assert_eq!((code, world.head().await), (Some(0), head), "{text}");
    assert!(text.contains("59 to create"), "{text}");
    let (text, code) = import(&world, folder.path(), &["library.yaml", "--tag", "city"]).await;
    assert_eq!((code, world.head().await), (Some(0), head + 59), "{text}");
    let (text, code) = import(&world, folder.path(), &["library.yaml", "--tag", "city"]).await;
    assert_eq!((code, world.head().await), (Some(0), head + 59), "{text}");
    assert!(text.contains("59 unchanged"), "{text}");

    // The document's version, where it is above; else the next patch version. What is the same stays.
    let version = async |name: &str| {
        let observed = world.observe(&acme).await;
        let key = ("municipal-library".to_owned(), name.to_owned());
        let tool = &observed.tools[&key].spec;
        assert!(tool.tags.contains("city"));
        tool.version.to_string()
    };
    let changed = LIBRARY.replace("Words that the books hold.", "Words in title or subject.");
    write(&changed);
    let (text, code) = import(&world, folder.path(), &["library.yaml", "--tag", "city"]).await;
    assert_eq!((code, world.head().await), (Some(0), head + 60), "{text}");
    assert_eq!(
        (version("listBooks").await, version("getBook").await),
        ("2.4.1".to_owned(), "2.4.0".to_owned())
    );
    write(
        &changed
            .replace("'2.4.0'", "'3.0.0'")
            .replace("Words in title", "Words of title"),
    );
    let (text, code) = import(&world, folder.path(), &["library.yaml", "--tag", "city"]).await;
    assert_eq!((code, world.head().await), (Some(0), head + 61), "{text}");
    assert_eq!(
        (version("listBooks").await, version("getBook").await),
        ("3.0.0".to_owned(), "2.4.0".to_owned())
    );

    // One operation is refused, and nothing is registered.
    write(&changed.replacen(
        "#/components/schemas/BookPage",
        "#/components/schemas/BookPages",
        1,
    ));
    let (text, code) = import(
        &world,
        folder.path(),
        &["library.yaml", "--server", "second"],
    )
    .await;
    assert_eq!((code, world.head().await), (Some(3), head + 61), "{text}");
    assert!(
        text.contains("/paths/~1books/get/responses/200/content/application~1json/schema"),
        "{text}"
    );
    assert!(text.contains("BROKEN_REF"), "{text}");
}

#[tokio::test]
async fn a_document_is_read_from_an_address_and_its_own_addresses_begin_there() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let router = Router::new()
        .route("/specs/depot.json", get(|| async { DEPOT }))
        .route("/specs/stars.yaml", get(|| async { STARS }))
        .route("/large.json", get(|| async { " ".repeat((32 << 20) + 1) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let (address, head) = (format!("{base}/specs/depot.json"), world.head().await);
    let (text, code) = import(
        &world,
        folder.path(),
        &[&address, "--server", "depot", "--name", "Depot"],
    )
    .await;
    assert_eq!((code, world.head().await), (Some(0), head + 50), "{text}");
    let observed = world.observe(&acme).await;
    assert_eq!(observed.servers["depot"].name, "Depot");
    let tool = &observed.tools[&("depot".to_owned(), "track".to_owned())].spec;
    let schema = tool.input_schema.as_ref().unwrap();
    assert_eq!(schema["x-request"]["server"], format!("{base}/api"));
    // Its own version is none, so that of the tools is the first.
    assert_eq!(tool.version.to_string(), "1.0.0");

    let address = format!("{base}/specs/stars.yaml");
    let (text, code) = import(&world, folder.path(), &[&address]).await;
    assert_eq!((code, world.head().await), (Some(0), head + 54), "{text}");
    let observed = world.observe(&acme).await;
    let schema = |name: &str| {
        let tool = &observed.tools[&("star-catalogue".to_owned(), name.to_owned())];
        tool.spec.input_schema.clone().unwrap()
    };
    let request = &schema("searchStars")["x-request"];
    assert_eq!(request["method"], "QUERY");
    assert_eq!(request["server"], format!("{base}/stars/v1"));
    assert_eq!(schema("linkStars")["x-request"]["method"], "LINK");
    let selection = &schema("listStars")["properties"]["selection"];
    assert_eq!(selection["x-in"], "querystring");

    for (path, code) in [
        ("/none", "SOURCE_UNREADABLE"),
        ("/large.json", "DOCUMENT_TOO_LARGE"),
    ] {
        let (text, exit) = import(&world, folder.path(), &[&format!("{base}{path}")]).await;
        assert_eq!(exit, Some(3), "{text}");
        assert!(text.contains(code), "{text}");
    }
    serving.abort();
}

#[tokio::test]
async fn a_reference_out_of_the_document_is_not_followed_and_nothing_is_half_registered() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = elsewhere.local_addr().unwrap();
    let remote = format!("http://{address}/schemas.yaml#/BookPage");
    let document = LIBRARY.replacen("#/components/schemas/BookPage", &remote, 1);
    assert_ne!(document, LIBRARY);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("library.yaml"), document).unwrap();
    let head = world.head().await;
    let (text, code) = import(&world, folder.path(), &["library.yaml"]).await;
    assert_eq!((code, world.head().await), (Some(3), head), "{text}");
    assert!(text.contains("REMOTE_REF"), "{text}");
    let observed = world.observe(&acme).await;
    assert!(observed.servers.is_empty() && observed.tools.is_empty());
    let asked = elsewhere.accept();
    assert!(asked.is_err(), "{asked:?}");
}
