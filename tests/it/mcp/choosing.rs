//! What helps an agent to choose: facets, ratings and the list of versions.

use super::{call, fill, names, text};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const FACETS: &str = "query($query: String!) { searchTools(query: $query) { facets { counted
    categories { value count } tags { value count } servers { value count } statuses { value count }
    hints { value count } visibilities { value count } publishers { value count }
    verified { value count } ratings { value count } } } }";
const REVIEW: &str = "mutation($rating: Int!) { reviewTool(input: {
    server: \"git\", name: \"git_log\", rating: $rating }) { sequence } }";
/// The schema of the arguments that all versions have.
const SCHEMA: &str =
    "inputSchema: { type: \"object\", properties: { path: { type: \"string\" } } }";

/// The facets of a search over MCP, or none.
fn facets(found: &Value) -> Option<&Value> {
    found["structuredContent"].get("facets")
}

#[tokio::test]
async fn facets_are_those_of_the_other_surface_and_counted_when_asked_for() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    for query in ["commit history", "tag:vcs"] {
        let mut told = agent.data(FACETS, json!({ "query": query })).await;
        let mut expected = told["searchTools"]["facets"].take();
        assert_eq!(expected["counted"], 2, "what is hidden is not counted");
        let kinds = expected.as_object_mut().unwrap();
        kinds.retain(|_, values| *values != json!([]));
        let arguments = json!({ "query": query, "facets": true, "token_budget": 5000 });
        let found = call(&agent, "search_tools", arguments).await;
        assert_eq!(facets(&found), Some(&expected), "{query}");
        assert!(text(&found).contains("tag: vcs (2)"), "{}", text(&found));
        let unasked = call(&agent, "search_tools", json!({ "query": query })).await;
        assert_eq!(facets(&unasked), None);
    }
    // The smallest budget has room for a tool at least, with or without facets, and pages go on.
    let small = json!({ "query": "commit", "facets": true, "token_budget": 100 });
    let found = call(&agent, "search_tools", small).await;
    assert_eq!(names(&found).len(), 1);
    let answer = &found["structuredContent"];
    assert!(answer["cursor"].is_string() && answer["more"] == 1);
    assert!(facets(&found).is_some() != answer["notice"].to_string().contains("facets"));
    let wrong = json!({ "query": "commit", "facets": "all" });
    let refused = call(&agent, "search_tools", wrong).await;
    assert_eq!(super::code(&refused), "INVALID_ARGUMENTS");
}

#[tokio::test]
async fn receipts_and_definitions_say_how_a_tool_is_rated_when_it_is() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    publisher.data(REVIEW, json!({ "rating": 5 })).await;
    agent.data(REVIEW, json!({ "rating": 4 })).await;
    installation.settle().await;
    let found = call(&agent, "search_tools", json!({ "query": "commit" })).await;
    let tools = found["structuredContent"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 2);
    for tool in tools {
        let expected = match tool["name"].as_str() {
            Some("git_log") => json!({ "average": 4.5, "count": 2 }),
            _ => Value::Null,
        };
        assert_eq!(tool["rating"], expected, "{tool:#}");
    }
    assert!(text(&found).contains("rated 4.5 of 5 (2 reviews)"));
    let described = call(&agent, "describe_tool", json!({ "tool": "git/git_log" })).await;
    // m = 4.5, so (5 · 4.5 + 9) / (5 + 2) = 4.5.
    let rating =
        json!({ "average": 4.5, "count": 2, "bayesian": 4.5, "histogram": [0, 0, 0, 1, 1] });
    assert_eq!(described["structuredContent"]["rating"], rating);
}

async fn change(publisher: &Client, mutation: &str, more: &str) {
    let mutation = format!(
        "mutation {{ {mutation}(input: {{ server: \"git\", name: \"git_log\", {more} }}) {{ sequence }} }}"
    );
    publisher.data(&mutation, json!({})).await;
}

#[tokio::test]
async fn a_definition_lists_the_versions_newest_first_with_aliases_and_marks() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    for version in ["1.1.0", "2.0.0", "1.1.1"] {
        let more = format!("version: \"{version}\", description: \"Shows {version}\", {SCHEMA}");
        change(&publisher, "publishToolVersion", &more).await;
    }
    let stable = "alias: \"stable\", version: \"1.1.0\"";
    change(&publisher, "moveToolAlias", stable).await;
    let old = "version: \"1.0.0\", message: \"Old\"";
    change(&publisher, "deprecateTool", old).await;
    let wrong = "version: \"2.0.0\", reason: \"Wrong\"";
    change(&publisher, "yankToolVersion", wrong).await;
    installation.settle().await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let described = call(&agent, "describe_tool", json!({ "tool": "git/git_log" })).await;
    let mut versions = described["structuredContent"]["versions"].clone();
    for version in versions.as_array_mut().unwrap() {
        let published = version.as_object_mut().unwrap().remove("published");
        assert_eq!(published.unwrap().as_str().unwrap().len(), 10);
    }
    let expected = json!([
        { "version": "1.1.1", "aliases": ["latest"] },
        { "version": "2.0.0", "yanked": true },
        { "version": "1.1.0", "aliases": ["stable"] },
        { "version": "1.0.0", "deprecated": true },
    ]);
    assert_eq!(versions, expected);
    let line = "versions 1.1.1 (latest), 2.0.0 (yanked), 1.1.0 (stable), 1.0.0 (deprecated)";
    assert!(text(&described).contains(line), "{}", text(&described));
    // The list is bounded, and says how many it leaves out.
    for patch in 2..10 {
        let more = format!("version: \"1.1.{patch}\", description: \"Shows it {patch}\", {SCHEMA}");
        change(&publisher, "publishToolVersion", &more).await;
    }
    installation.settle().await;
    let described = call(&agent, "describe_tool", json!({ "tools": ["git/git_log"] })).await;
    let tool = &described["structuredContent"]["tools"][0];
    assert_eq!(tool["versions"].as_array().unwrap().len(), 10);
    assert_eq!(tool["versions"][0]["version"], "1.1.9");
    assert_eq!(tool["more_versions"], 2);
}
