//! One tool's life, from its publication to its recommendation, as three principals of two tenants live it.

use crate::mcp::call;
use crate::support::{Client, Installation, PATIENCE};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SERVER: &str =
    "mutation { registerServer(input: { slug: \"weather\", name: \"Weather\" }) { sequence } }";
const REGISTER: &str =
    "mutation($input: RegisterToolInput!) { registerTool(input: $input) { sequence } }";
const PUBLISH: &str =
    "mutation($input: PublishToolVersionInput!) { publishToolVersion(input: $input) { sequence } }";

/// The input schema with these properties, of which some are required.
fn schema(properties: &[&str], required: &[&str]) -> Value {
    let properties = properties
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "type": "string" })));
    let properties: serde_json::Map<_, _> = properties.collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn forecast(version: &str, schema: &Value) -> Value {
    json!({ "input": {
        "server": "weather", "name": "forecast", "version": version,
        "description": "Tells the weather of the next days at a place.", "inputSchema": schema,
    } })
}

/// What the reference leads to for somebody.
async fn resolve(client: &Client, reference: &str) -> Value {
    let query = "query($reference: String!) { resolveTool(reference: $reference) {
        exact warnings version { version } } }";
    client.data(query, json!({ "reference": reference })).await["resolveTool"].take()
}

#[tokio::test]
async fn a_tool_is_published_changed_deprecated_rated_installed_and_recommended() {
    let installation = Installation::start().await;
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let customer = installation.client("globex", "admin", &[Role::Admin]).await;

    // Published, for everybody.
    publisher.data(SERVER, json!({})).await;
    let mut first = forecast("1.0.0", &schema(&["place"], &["place"]));
    first["input"]["visibility"] = json!("PUBLIC");
    publisher.data(REGISTER, first).await;
    let neighbour = json!({ "input": { "server": "weather", "name": "alerts", "visibility": "PUBLIC",
        "description": "Warns of storms." } });
    publisher.data(REGISTER, neighbour).await;

    // A compatible minor version is let in; a breaking one is refused, with the list and a better number.
    publisher
        .data(
            PUBLISH,
            forecast("1.1.0", &schema(&["place", "days"], &["place"])),
        )
        .await;
    let breaking = schema(&["place", "days"], &["place", "days"]);
    let (_, refused) = publisher
        .graphql(PUBLISH, forecast("1.2.0", &breaking))
        .await;
    let extensions = &refused["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "BREAKING_CHANGE", "{refused:#}");
    assert_eq!(extensions["suggestedVersion"], "2.0.0");
    assert!(
        extensions.to_string().contains("/required"),
        "{extensions:#}"
    );
    publisher.data(PUBLISH, forecast("2.0.0", &breaking)).await;
    installation.settle().await;
    assert_eq!(
        resolve(&agent, "weather/forecast").await["version"]["version"],
        "2.0.0"
    );
    assert_eq!(
        resolve(&agent, "weather/forecast@^1").await["version"]["version"],
        "1.1.0"
    );

    // The old line is deprecated: whoever still uses it is told.
    let deprecate = "mutation { deprecateTool(input: { server: \"weather\", name: \"forecast\", version: \"1.1.0\",
        message: \"Say for how many days.\", successor: \"weather/forecast@2.0.0\" }) { sequence } }";
    publisher.data(deprecate, json!({})).await;
    installation.settle().await;
    let told = resolve(&agent, "weather/forecast@^1").await;
    assert!(
        told["warnings"]
            .to_string()
            .contains("weather/forecast@2.0.0"),
        "{told:#}"
    );

    // `stable` moves on, proves a mistake, and is rolled back.
    for version in ["1.1.0", "2.0.0"] {
        let moved = format!(
            "mutation {{ moveToolAlias(input: {{ server: \"weather\", name: \"forecast\", alias: \"stable\",
                version: \"{version}\" }}) {{ sequence }} }}"
        );
        publisher.data(&moved, json!({})).await;
    }
    let back = "mutation { rollbackToolAlias(input: { server: \"weather\", name: \"forecast\", alias: \"stable\" })
        { sequence } }";
    publisher.data(back, json!({})).await;
    installation.settle().await;
    assert_eq!(
        resolve(&agent, "weather/forecast@stable").await["version"]["version"],
        "1.1.0"
    );

    // Members rate it, once each and a version.
    let review =
        "mutation { reviewTool(input: { server: \"weather\", name: \"forecast\", rating: 4,
        text: \"Right more often than not.\" }) { sequence } }";
    agent.data(review, json!({})).await;
    assert_eq!(agent.code(review, json!({})).await, "REVIEW_EXISTS");
    installation.settle().await;
    let rating = "{ tool(server: \"weather\", name: \"forecast\") { rating { average count byVersion { version } } } }";
    let rating = publisher.data(rating, json!({})).await;
    let rating = &rating["tool"]["rating"];
    assert_eq!(
        (&rating["average"], &rating["count"]),
        (&json!(4.0), &json!(1)),
        "{rating:#}"
    );
    assert_eq!(rating["byVersion"][0]["version"], "2.0.0");

    // Another tenant installs it in the range that it can work with, and finds and reads it.
    let install = "mutation { installTool(input: { publisher: \"acme\", server: \"weather\", tool: \"forecast\",
        range: \"^2\" }) { sequence } }";
    customer.data(install, json!({})).await;
    installation.settle().await;
    let found = call(
        &customer,
        "search_tools",
        json!({ "query": "weather of the next days" }),
    )
    .await;
    let receipt = &found["structuredContent"]["tools"][0];
    assert_eq!(receipt["id"], "@acme/weather/forecast", "{found:#}");
    let read = call(
        &customer,
        "describe_tool",
        json!({ "tool": "@acme/weather/forecast" }),
    )
    .await;
    assert_eq!(read["structuredContent"]["version"], "2.0.0", "{read:#}");
    // It says in public what it thinks of that.
    let review = "mutation { reviewTool(input: { publisher: \"acme\", server: \"weather\", name: \"forecast\",
        rating: 2, text: \"It never rains there.\" }) { review { version } } }";
    let review = customer.data(review, json!({})).await;
    assert_eq!(review["reviewTool"]["review"]["version"], "2.0.0");
    installation.settle().await;
    let public = "{ tool(server: \"weather\", name: \"forecast\") { rating { count }
        publicReviews { nodes { author { tenant } } } } }";
    let public = publisher.data(public, json!({})).await["tool"].take();
    assert_eq!(public["rating"]["count"], 2);
    assert_eq!(
        public["publicReviews"]["nodes"][0]["author"]["tenant"],
        "globex"
    );
    let dependents = "{ tool(server: \"weather\", name: \"forecast\") { dependents { edges { node { tenant } } } } }";
    let dependents = publisher.data(dependents, json!({})).await;
    assert!(dependents.to_string().contains("globex"), "{dependents:#}");

    // Two that read both tools make each of them a recommendation beside the other.
    for reader in [&agent, &publisher] {
        for tool in ["weather/alerts", "weather/forecast"] {
            call(reader, "describe_tool", json!({ "tool": tool })).await;
        }
    }
    let next =
        "{ tool(server: \"weather\", name: \"alerts\") { comesNext { tool { name } reason } } }";
    let begun = Instant::now();
    loop {
        let seen = publisher.data(next, json!({})).await;
        if seen["tool"]["comesNext"][0]["tool"]["name"] == "forecast" {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{seen:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
