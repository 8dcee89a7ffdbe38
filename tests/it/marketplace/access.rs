//! `accessAt` for an installed tool: judged by the installation and the offer of then.

use super::life::{ROUTE, World, world};
use super::tool;
use crate::support::Client;
use domain::principal::Role;
use serde_json::{Value, json};

const ACCESS: &str = "query($tool: String!, $principal: String!, $at: AsOf, $action: ToolAction! = READ) {
    accessAt(principal: $principal, publisher: \"acme\", server: \"maps\", tool: $tool, at: $at, action: $action) {
        allowed obstacles sequence grants { role } tool { name } policyVersion
        installation { reference range version sequence eventType pinnedBy { kind } } } }";

async fn access(client: &Client, tool: &str, at: Value, action: &str) -> Value {
    let principal = "agent";
    let variables = json!({ "tool": tool, "principal": principal, "at": at, "action": action });
    client.data(ACCESS, variables).await["accessAt"].take()
}

async fn change(world: &World, client: &Client, mutation: &str, arguments: &str) -> u64 {
    let mutation =
        format!("mutation {{ done: {mutation}(input: {{ {arguments} }}) {{ sequence }} }}");
    let answer = client.data(&mutation, json!({})).await;
    world.installation.settle().await;
    answer["done"]["sequence"].as_u64().unwrap()
}

#[tokio::test]
async fn access_at_judges_an_installed_tool_by_the_installation_and_the_offer_of_then() {
    let world = world().await;
    let (acme, beta) = (&world.acme, &world.beta);
    let shown = |visibility| format!("server: \"maps\", name: \"route\", visibility: {visibility}");
    let version = "server: \"maps\", name: \"route\", version: \"1.3.0\", description: \"Plans a bicycle route, again\"";
    let pin = |range| format!("{ROUTE}, range: \"{range}\"");
    let installed = change(&world, beta, "installTool", &pin("^1")).await;
    let published = change(&world, acme, "publishToolVersion", version).await;
    let repinned = change(&world, beta, "repinTool", &pin("=2.0.0")).await;
    let while_pinned = chrono::Utc::now();
    let hidden = change(&world, acme, "describeTool", &shown("PRIVATE")).await;
    let offered = change(&world, acme, "describeTool", &shown("PUBLIC")).await;
    let retired = change(&world, acme, "retireServer", "slug: \"maps\"").await;
    let restored = change(&world, acme, "restoreServer", "slug: \"maps\"").await;
    let uninstalled = change(&world, beta, "uninstallTool", ROUTE).await;
    // What is hidden today was there all the same.
    change(&world, acme, "describeTool", &shown("PRIVATE")).await;

    let none = json!([]);
    let (absent, away) = (json!(["TOOL_NOT_INSTALLED"]), json!(["TOOL_UNAVAILABLE"]));
    for (position, obstacles, range, meant, event) in [
        (installed - 1, &absent, None, None, None),
        (installed, &none, Some("^1"), Some("1.2.0"), Some(installed)),
        (published, &none, Some("^1"), Some("1.3.0"), Some(installed)),
        (
            repinned,
            &none,
            Some("=2.0.0"),
            Some("2.0.0"),
            Some(repinned),
        ),
        (hidden, &away, Some("=2.0.0"), None, Some(repinned)),
        (
            offered,
            &none,
            Some("=2.0.0"),
            Some("2.0.0"),
            Some(repinned),
        ),
        (retired, &away, Some("=2.0.0"), None, Some(repinned)),
        (
            restored,
            &none,
            Some("=2.0.0"),
            Some("2.0.0"),
            Some(repinned),
        ),
        (uninstalled, &absent, None, None, None),
    ] {
        let found = access(beta, "route", json!({ "sequence": position }), "READ").await;
        let by = &found["installation"];
        let said = (
            &found["obstacles"],
            by["range"].as_str(),
            by["version"].as_str(),
        );
        assert_eq!(said, (obstacles, range, meant), "{position}: {found:#}");
        assert_eq!(by["sequence"].as_u64(), event, "{position}: {found:#}");
        assert_eq!(found["allowed"], json!(*obstacles == none));
        assert_eq!(
            found["tool"],
            Value::Null,
            "of a tool of others nothing is shown"
        );
    }
    // A time lies before the publisher's next change, although no commit of one's own stands between.
    let found = access(beta, "route", json!({ "time": while_pinned }), "READ").await;
    assert_eq!(found["installation"]["version"], "2.0.0", "{found:#}");
    let sequence = found["sequence"].as_u64().unwrap();
    assert!((repinned..hidden).contains(&sequence), "{found:#}");
    let at = |position: u64| json!({ "sequence": position });
    let found = access(beta, "route", at(repinned), "SEARCH").await;
    assert_eq!(found["grants"], json!([{ "role": "AGENT" }]));
    let by = &found["installation"];
    assert_eq!(by["reference"], "@acme/maps/route");
    assert_eq!(
        (&by["eventType"], &by["pinnedBy"]["kind"]),
        (&json!("installation.repinned"), &json!("USER"))
    );
    // To change it is its publisher's alone.
    for action in ["DESCRIBE", "PUBLISH_VERSION", "RETIRE"] {
        let found = access(beta, "route", at(repinned), action).await;
        assert_eq!(
            (&found["obstacles"], &found["grants"]),
            (&json!(["NOT_PERMITTED"]), &none),
            "{action}"
        );
    }
}

#[tokio::test]
async fn access_at_says_nothing_of_tools_that_were_not_installed() {
    let world = world().await;
    let (acme, beta) = (&world.acme, &world.beta);
    tool(acme, "maps", "secret", "For ourselves", "PRIVATE").await;
    let installed = change(&world, beta, "installTool", ROUTE).await;
    let at = json!({ "sequence": installed });
    let nothing = access(beta, "nothing", at.clone(), "READ").await;
    assert_eq!(nothing["obstacles"], json!(["TOOL_NOT_INSTALLED"]));
    assert_eq!(access(beta, "secret", at.clone(), "READ").await, nothing);
    // Another tenant's installation is not one's own, and the publisher asks for its own tools in the same way.
    let gamma = world
        .installation
        .client("gamma", "owner", &[Role::Owner])
        .await;
    let found = access(&gamma, "route", at, "READ").await;
    assert_eq!(
        found["obstacles"],
        json!(["PRINCIPAL_ABSENT", "TOOL_NOT_INSTALLED"])
    );
    assert_eq!(found["installation"], Value::Null);
    let owner = world
        .installation
        .client("acme", "owner", &[Role::Owner])
        .await;
    let variables = json!({ "tool": "secret", "principal": "maker" });
    let own = owner.data(ACCESS, variables).await["accessAt"].take();
    assert_eq!(
        (&own["allowed"], &own["tool"]["name"]),
        (&json!(true), &json!("secret"))
    );
    let variables = json!({ "tool": "route", "principal": "agent" });
    assert_eq!(world.agent.code(ACCESS, variables).await, "FORBIDDEN");
}
