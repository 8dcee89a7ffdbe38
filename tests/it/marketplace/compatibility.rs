//! What another version of a tool of another tenant would break, asked before the range is changed.

use super::life::{ROUTE, World, world};
use super::{errors, show};
use crate::mcp::call;
use crate::support::Client;
use domain::principal::Role;
use serde_json::{Value, json};

const COMPARE: &str =
    "query($publisher: String, $tool: String! = \"route\", $from: String! = \"1.2.0\",
    $to: String! = \"2.0.0\") {
    compatibility(publisher: $publisher, server: \"maps\", tool: $tool, from: $from, to: $to) {
        from to verdict permitted suggestedVersion changes { part kind reason } } }";

async fn compared(client: &Client, variables: Value) -> Value {
    client.data(COMPARE, variables).await["compatibility"].take()
}

/// `acme` publishes a version that asks for more, beside those that differ in words.
async fn demanding(world: &World) {
    let mutation = "mutation($input: PublishToolVersionInput!) {
        publishToolVersion(input: $input) { sequence } }";
    let schema = json!({ "type": "object", "required": ["to"],
                         "properties": { "to": { "type": "string" } } });
    let input = json!({ "server": "maps", "name": "route", "version": "3.0.0",
                        "description": "Plans a bicycle route with views", "inputSchema": schema });
    world.acme.data(mutation, json!({ "input": input })).await;
    world.installation.settle().await;
}

#[tokio::test]
async fn what_another_range_would_break_is_told_before_it_is_pinned() {
    let world = world().await;
    demanding(&world).await;
    let range = |range: &str| format!("{ROUTE}, range: \"{range}\"");
    world.done("installTool", &range("^1")).await;
    let resolve = "{ resolveTool(reference: \"@acme/maps/route@3.0.0\") { exact } }";
    assert_eq!(world.beta.code(resolve, json!({})).await, "OUTSIDE_RANGE");

    let words = json!({
        "from": "1.2.0", "to": "2.0.0", "verdict": "COSMETIC", "permitted": true, "suggestedVersion": "1.2.1",
        "changes": [{ "part": "DESCRIPTION", "kind": "COSMETIC", "reason": "description_changed" }],
    });
    let more = json!({
        "from": "2.0.0", "to": "3.0.0", "verdict": "BREAKING", "permitted": true, "suggestedVersion": "3.0.0",
        "changes": [{ "part": "INPUT_SCHEMA", "kind": "BREAKING", "reason": "schema_added" }],
    });
    // Whoever looks is told, installed or not; and the publisher itself, as without its name.
    let gamma = world.installation.client("gamma", "agent", &[Role::Agent]);
    let gamma = gamma.await;
    for client in [&world.beta, &world.agent, &gamma, &world.acme] {
        let first = compared(client, json!({ "publisher": "acme" })).await;
        assert_eq!(first, words);
        let second = json!({ "publisher": " acme ", "from": "2.0.0", "to": "3.0.0" });
        assert_eq!(compared(client, second).await, more);
    }
    assert_eq!(compared(&world.acme, json!({})).await, words);
    let over_mcp = json!({ "from": "@acme/maps/route@^1", "to": "@acme/maps/route@3.0.0" });
    let over_mcp = call(&world.agent, "compare_tools", over_mcp).await;
    let told = &over_mcp["structuredContent"];
    assert_eq!(
        (&told["from"], &told["to"], &told["verdict"]),
        (
            &json!("@acme/maps/route@1.2.0"),
            &json!("@acme/maps/route@3.0.0"),
            &json!("breaking")
        )
    );
    for (wrong, code) in [
        (json!({ "to": "9.9.9" }), "VERSION_NOT_FOUND"),
        (json!({ "from": "one" }), "INVALID_VERSION"),
        (json!({ "tool": "absent" }), "NOT_FOUND"),
        (json!({ "publisher": "nobody" }), "NOT_FOUND"),
        (json!({ "publisher": "No Slug" }), "NOT_FOUND"),
        (json!({ "publisher": "beta" }), "NOT_FOUND"),
        (json!({ "publisher": null }), "NOT_FOUND"),
    ] {
        let mut variables = json!({ "publisher": "acme" });
        for (name, value) in wrong.as_object().unwrap() {
            variables[name] = value.clone();
        }
        assert_eq!(world.beta.code(COMPARE, variables).await, code, "{wrong}");
    }
    let pinned = world.done("repinTool", &range("^3")).await;
    assert_eq!(pinned["installation"]["version"], "3.0.0");
}

#[tokio::test]
async fn of_a_tool_that_is_not_offered_no_version_is_told() {
    let world = world().await;
    world.done("installTool", ROUTE).await;
    let told = async |tool: &str, to: &str| {
        let variables = json!({ "publisher": "acme", "tool": tool, "to": to });
        let (_, answer) = world.beta.graphql(COMPARE, variables).await;
        errors(&answer)
    };
    let retire =
        "mutation { retireTool(input: { server: \"maps\", name: \"route\" }) { sequence } }";
    for hidden in [true, false] {
        if hidden {
            show(&world.acme, "maps", "route", "TENANT").await;
        } else {
            show(&world.acme, "maps", "route", "PUBLIC").await;
            world.acme.data(retire, json!({})).await;
        }
        world.installation.settle().await;
        for to in ["2.0.0", "9.9.9", "two"] {
            let seen = told("route", to).await;
            assert_eq!(seen, told("absent", to).await, "{to}");
            assert_eq!(seen[0][1]["code"], "NOT_FOUND", "{to}");
        }
        // Its own tenant reads what was published as long as it may see the tool.
        let own = compared(&world.acme, json!({ "publisher": "acme" })).await;
        assert_eq!(own["verdict"], "COSMETIC");
    }
}
