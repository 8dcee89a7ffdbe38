//! Filters and facets of a search judge the version of an installed tool that its range means, whatever its
//! publisher's current one is. A publisher is filtered by under the name that references have. And the pages of a
//! search go on however much is installed.

use super::life::{ROUTE, World, world};
use super::{OFFER, server, tool};
use crate::mcp::{call, names};
use serde_json::{Value, json};

const PUBLISH: &str =
    "mutation($input: PublishToolVersionInput!) { publishToolVersion(input: $input) { sequence } }";
const SEARCH: &str =
    "query($query: String!, $filter: SearchToolsFilter, $first: Int! = 10, $after: String) {
    searchTools(query: $query, filter: $filter, first: $first, after: $after) {
        totalCount hits { reference listing { version } } facets { hints { value count } }
        pageInfo { hasNextPage endCursor } } }";
const STOPS: &str = "publisher: \"acme\", server: \"maps\", tool: \"stops\"";
/// More than can stand in the same order by chance.
const MANY: usize = 7;

/// `acme` offers a tool that is read-only up to version 1, and no longer since version 2.
async fn stops(world: &World) {
    let version = |version: &str, read_only: bool| {
        json!({ "server": "maps", "name": "stops", "version": version,
                "description": "Lists the stops of a bicycle route",
                "annotations": { "readOnlyHint": read_only } })
    };
    let mut first = version("1.0.0", true);
    first["visibility"] = json!("PUBLIC");
    world.acme.data(OFFER, json!({ "input": first })).await;
    let second = json!({ "input": version("2.0.0", false) });
    world.acme.data(PUBLISH, second).await;
    world.installation.settle().await;
}

async fn searched(world: &World, variables: Value) -> Value {
    world.beta.data(SEARCH, variables).await["searchTools"].take()
}

/// Whether GraphQL and MCP find the one tool that is installed, in this version; both say the same.
async fn is_found(world: &World, line: &str, version: &str) -> bool {
    let found = searched(world, json!({ "query": line })).await;
    let hit = json!([{ "reference": "@acme/maps/stops", "listing": { "version": version } }]);
    let is_found = found["hits"] == hit;
    assert_eq!(
        found["totalCount"],
        usize::from(is_found),
        "{line}: {found:#}"
    );
    let receipts = call(&world.agent, "search_tools", json!({ "query": line })).await;
    let expected: &[&str] = if is_found { &["stops"] } else { &[] };
    assert_eq!(names(&receipts), expected, "{line}: {receipts:#}");
    is_found
}

async fn hints(world: &World) -> Value {
    let mut found = searched(world, json!({ "query": "server:maps" })).await;
    found["facets"]["hints"].take()
}

#[tokio::test]
async fn filters_and_facets_judge_the_version_that_the_range_means() {
    let world = world().await;
    stops(&world).await;
    let range = |range: &str| format!("{STOPS}, range: \"{range}\"");
    world.done("installTool", &range("^1")).await;
    for (line, expected) in [
        ("version:^1", true),
        ("version:=1.0.0", true),
        ("version:^2", false),
        ("-version:^1", false),
        ("-version:^2", true),
        ("readonly:true", true),
        ("readonly:false", false),
        ("-readonly:true", false),
        ("destructive:false", true),
        ("destructive:true", false),
        ("idempotent:true", true),
        ("openworld:true", true),
        ("list bicycle stops version:^1 readonly:true", true),
        ("list bicycle stops version:^2", false),
        ("list bicycle stops readonly:false", false),
    ] {
        assert_eq!(is_found(&world, line, "1.0.0").await, expected, "{line}");
    }
    for (filter, count) in [
        (json!({ "version": "^1", "readOnly": true }), 1),
        (json!({ "version": "^2" }), 0),
        (json!({ "readOnly": false }), 0),
    ] {
        let wanted = json!({ "query": "bicycle", "filter": filter });
        let found = searched(&world, wanted).await;
        assert_eq!(found["totalCount"], count, "{filter}: {found:#}");
    }
    let counted = json!([{ "value": "idempotent", "count": 1 }, { "value": "openworld", "count": 1 },
                         { "value": "readonly", "count": 1 }]);
    assert_eq!(hints(&world).await, counted);

    // Another range means another version, although nothing in the index has changed.
    world.done("repinTool", &range("^2")).await;
    for (line, expected) in [
        ("version:^1", false),
        ("version:^2", true),
        ("readonly:true", false),
        ("readonly:false", true),
        ("destructive:true", true),
    ] {
        assert_eq!(is_found(&world, line, "2.0.0").await, expected, "{line}");
    }
    let counted =
        json!([{ "value": "destructive", "count": 1 }, { "value": "openworld", "count": 1 }]);
    assert_eq!(hints(&world).await, counted);
}

/// The references of one answer, in the order of their names.
fn references(hits: &Value) -> Vec<&str> {
    let hits = hits.as_array().unwrap().iter();
    let mut found: Vec<&str> = hits.map(|hit| hit["reference"].as_str().unwrap()).collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_publisher_is_named_as_in_references_and_shows_nothing_that_is_not_reached() {
    let world = world().await;
    for (name, visibility) in [("lane", "PUBLIC"), ("shortcut", "TENANT")] {
        tool(
            &world.acme,
            "maps",
            name,
            "Shows a bicycle lane",
            visibility,
        )
        .await;
    }
    server(&world.beta, "own").await;
    tool(
        &world.beta,
        "own",
        "bell",
        "Rings a bicycle bell",
        "PRIVATE",
    )
    .await;
    world.done("installTool", ROUTE).await;
    let (route, bell) = ("@acme/maps/route", "own/bell");
    for (line, expected) in [
        ("publisher:acme", vec![route]),
        ("bicycle publisher:acme", vec![route]),
        ("publisher:beta", vec![bell]),
        ("publisher:acme publisher:beta", vec![route, bell]),
        ("bicycle -publisher:acme", vec![bell]),
        ("publisher:acme visibility:tenant", vec![]),
        ("publisher:gamma", vec![]),
        // Nobody has proved it.
        ("publisher:com.acme", vec![]),
    ] {
        let found = searched(&world, json!({ "query": line })).await;
        assert_eq!(references(&found["hits"]), expected, "{line}");
        assert_eq!(found["totalCount"], expected.len(), "{line}");
    }
    for (filter, expected) in [
        (json!({ "publishers": ["acme"] }), vec![route]),
        (json!({ "publishers": ["acme", "beta"] }), vec![route, bell]),
        (json!({ "withoutPublishers": ["acme"] }), vec![bell]),
    ] {
        let wanted = json!({ "query": "bicycle", "filter": filter });
        let found = searched(&world, wanted).await;
        assert_eq!(references(&found["hits"]), expected, "{filter}");
    }
    // What is private in the own tenant stays so for its agents.
    for (publisher, expected) in [("acme", &["route"] as &[&str]), ("beta", &[])] {
        let wanted = json!({ "query": "bicycle", "publisher": publisher });
        let receipts = call(&world.agent, "search_tools", wanted).await;
        assert_eq!(names(&receipts), expected, "{publisher}: {receipts:#}");
    }
    let offered = "{ marketplace(query: \"publisher:acme\") { totalCount nodes { reference } } }";
    let offered = world.beta.data(offered, json!({})).await["marketplace"].take();
    assert_eq!(references(&offered["nodes"]), ["@acme/maps/lane", route]);
    assert_eq!(offered["totalCount"], 2);
    let wrong = json!({ "query": "bicycle", "filter": { "publishers": ["@acme"] } });
    assert_eq!(world.beta.code(SEARCH, wrong).await, "INVALID_SEARCH_QUERY");
}

#[tokio::test]
async fn pages_go_on_however_many_tools_are_installed() {
    let world = world().await;
    for number in 0..MANY {
        let name = format!("view_{number}");
        tool(
            &world.acme,
            "maps",
            &name,
            "Shows a bicycle route",
            "PUBLIC",
        )
        .await;
    }
    world.installation.settle().await;
    for number in 0..MANY {
        let tool = format!("publisher: \"acme\", server: \"maps\", tool: \"view_{number}\"");
        world.done("installTool", &tool).await;
    }
    for query in ["bicycle", "version:^1"] {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        for _ in 0..MANY {
            let wanted = json!({ "query": query, "first": 1, "after": after });
            let found = searched(&world, wanted).await;
            let reference = &found["hits"][0]["reference"];
            seen.push(reference.as_str().unwrap().to_owned());
            after = found["pageInfo"]["endCursor"].clone();
            let goes_on = seen.len() < MANY;
            assert_eq!(found["pageInfo"]["hasNextPage"], goes_on, "{found:#}");
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), MANY, "{query}");
    }
}
