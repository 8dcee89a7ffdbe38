//! What a publisher says of versions reaches those who have installed them: deprecations, sunsets, yanked
//! versions; and references lead to versions within the range that is installed.

use super::life::{ROUTE, World, world};
use super::{show, tool};
use crate::mcp::{call, code, text};
use chrono::{Days, Utc};
use serde_json::{Value, json};

const WARNED: &str = "{ installations { nodes { version status notice warnings
    deprecation { message successor sunset } } } }";
const RESOLVE: &str = "query($reference: String!) { resolveTool(reference: $reference) {
    exact warnings deprecation { successor } tool { name } version { version }
    listing { version description warnings } } }";
const LISTING: &str = "query($version: String) { listing(publisher: \"acme\", server: \"maps\",
    tool: \"route\", version: $version) { version description yankedReason warnings
        aliases { name version } deprecation { message successor }
        versions { nodes { version yanked deprecation { message } } } } }";

impl World {
    /// The publisher says something of the tool.
    async fn said(&self, mutation: &str, arguments: &str) {
        let mutation = format!(
            "mutation {{ {mutation}(input: {{ server: \"maps\", name: \"route\", {arguments} }}) {{ sequence }} }}"
        );
        self.acme.data(&mutation, json!({})).await;
        self.installation.settle().await;
    }

    async fn installs(&self, range: &str) {
        self.done("installTool", &format!("{ROUTE}, range: \"{range}\""))
            .await;
    }

    /// How the first installation is warned of.
    async fn warned(&self) -> Value {
        self.beta.data(WARNED, json!({})).await["installations"]["nodes"][0].take()
    }

    async fn resolved(&self, reference: &str) -> Value {
        let variables = json!({ "reference": reference });
        self.beta.data(RESOLVE, variables).await["resolveTool"].take()
    }

    async fn unresolved(&self, reference: &str) -> String {
        let variables = json!({ "reference": reference });
        self.beta.code(RESOLVE, variables).await
    }

    async fn describes(&self, reference: &str) -> Value {
        call(&self.agent, "describe_tool", json!({ "tool": reference })).await
    }
}

#[tokio::test]
async fn who_has_installed_what_is_deprecated_is_told_message_successor_and_sunset() {
    let world = world().await;
    world.installs("^1").await;
    let sunset = Utc::now().date_naive() + Days::new(30);
    let said = format!(
        "version: \"1.2.0\", message: \"Flat earth\", successor: \"maps/route@^2\", sunset: \"{sunset}\""
    );
    world.said("deprecateTool", &said).await;

    let told = json!({ "message": "Flat earth", "successor": "@acme/maps/route@^2",
                       "sunset": sunset.to_string() });
    let warned = world.warned().await;
    assert_eq!(warned["deprecation"], told);
    assert_eq!(
        (&warned["status"], &warned["notice"]),
        (&json!("AVAILABLE"), &Value::Null)
    );
    let described = world.described().await;
    assert_eq!(described["structuredContent"]["deprecated"], told);
    let warning = "Warning: @acme/maps/route@1.2.0 is deprecated: Flat earth; use @acme/maps/route@^2 instead";
    assert!(text(&described).contains(warning), "{described:#}");
    let versions = described["structuredContent"]["versions"].as_array();
    let versions: Vec<_> = versions
        .unwrap()
        .iter()
        .map(|one| (&one["version"], &one["deprecated"], &one["outside_range"]))
        .collect();
    let expected = [
        (&json!("2.0.0"), &Value::Null, &json!(true)),
        (&json!("1.2.0"), &json!(true), &Value::Null),
        (&json!("1.0.0"), &Value::Null, &Value::Null),
    ];
    assert_eq!(versions, expected, "newest first");
    let task = json!({ "query": "plan a bicycle route" });
    let found = call(&world.agent, "search_tools", task).await;
    let receipt = &found["structuredContent"]["tools"][0];
    assert!(
        receipt["warning"]
            .as_str()
            .unwrap()
            .contains("@acme/maps/route@^2")
    );
    let search = "{ searchTools(query: \"bicycle\") { hits { deprecation { successor } } } }";
    let hits = world.beta.data(search, json!({})).await;
    let hit = &hits["searchTools"]["hits"][0];
    assert_eq!(hit["deprecation"]["successor"], "@acme/maps/route@^2");
    let old = world.beta.data(LISTING, json!({ "version": "^1" })).await;
    assert_eq!(old["listing"]["deprecation"]["message"], "Flat earth");

    // It is about one version: another range is not warned of, until the whole tool is deprecated.
    world
        .done("repinTool", &format!("{ROUTE}, range: \"^2\""))
        .await;
    assert_eq!(world.warned().await["deprecation"], Value::Null);
    // A successor that is not offered is not named.
    let described = "Knows secret paths";
    tool(&world.acme, "maps", "secret", described, "PRIVATE").await;
    let said = "message: \"All of it\", successor: \"maps/secret\"";
    world.said("deprecateTool", said).await;
    let warned = world.warned().await;
    assert_eq!(warned["deprecation"]["message"], "All of it");
    assert_eq!(warned["deprecation"]["successor"], Value::Null);
    let listing = world.beta.data(LISTING, json!({})).await;
    for answer in [&warned, &listing, &world.described().await] {
        assert!(!answer.to_string().contains("secret"), "{answer:#}");
    }
    show(&world.acme, "maps", "secret", "PUBLIC").await;
    world.installation.settle().await;
    let warned = world.warned().await;
    assert_eq!(warned["deprecation"]["successor"], "@acme/maps/secret");
}

#[tokio::test]
async fn after_the_sunset_an_installed_tool_is_refused_or_let_through_by_the_same_rule_as_ones_own()
{
    let world = world().await;
    world.installs("^1").await;
    let today = Utc::now().date_naive();
    let said = format!("version: \"1.2.0\", message: \"Over\", sunset: \"{today}\"");
    world.said("deprecateTool", &said).await;
    assert_eq!(code(&world.described().await), "TOOL_SUNSET");
    assert_eq!(world.unresolved("@acme/maps/route").await, "TOOL_SUNSET");
    let warned = world.warned().await;
    assert_eq!(warned["status"], "UNAVAILABLE");
    assert!(
        warned["notice"]
            .as_str()
            .unwrap()
            .contains("its sunset was on")
    );
    // A version before it goes on, and the listing stays readable.
    let before = world.resolved("@acme/maps/route@1.0.0").await;
    assert_eq!(before["exact"], "@acme/maps/route@1.0.0");
    let listing = world
        .beta
        .data(LISTING, json!({ "version": "1.2.0" }))
        .await;
    assert_eq!(listing["listing"]["version"], "1.2.0");

    // The rule is that of the tenant that uses the tool, whatever its publisher says.
    let warn = "mutation { setAfterSunset(input: { afterSunset: WARN }) { sequence } }";
    let owner = world
        .installation
        .client("acme", "owner", &[domain::principal::Role::Owner])
        .await;
    owner.data(warn, json!({})).await;
    assert_eq!(code(&world.described().await), "TOOL_SUNSET");
    let warned = world.beta.data(warn, json!({})).await;
    assert_eq!(world.warned().await["status"], "AVAILABLE");
    assert!(world.described().await["structuredContent"]["warnings"][0].is_string());
    let undo = format!(
        "mutation {{ undo(commit: \"{}\") {{ event }} }}",
        warned["setAfterSunset"]["sequence"]
    );
    world.beta.data(&undo, json!({})).await;
    assert_eq!(world.warned().await["status"], "UNAVAILABLE");

    let World { installation, .. } = world;
    let installation = installation
        .restart_with(|config| config.registry.after_sunset = api::config::AfterSunset::Warn)
        .await;
    let beta = installation
        .client("beta", "owner", &[domain::principal::Role::Owner])
        .await;
    let reference = json!({ "reference": "@acme/maps/route" });
    let found = beta.data(RESOLVE, reference).await["resolveTool"].take();
    let warning = found["warnings"][0].as_str().unwrap();
    assert!(warning.contains("its sunset was on"), "{found:#}");
    let listed = beta.data(WARNED, json!({})).await;
    assert_eq!(listed["installations"]["nodes"][0]["status"], "AVAILABLE");
}

#[tokio::test]
async fn who_has_pinned_exactly_a_version_that_is_yanked_goes_on_and_nobody_begins_with_it() {
    let world = world().await;
    world.installs("=1.2.0").await;
    let yank = "version: \"1.2.0\", reason: \"Through the lake\"";
    world.said("yankToolVersion", yank).await;
    let told = "@acme/maps/route@1.2.0 is yanked: Through the lake";
    let warned = world.warned().await;
    assert_eq!(
        (&warned["version"], &warned["status"], &warned["warnings"]),
        (&json!("1.2.0"), &json!("AVAILABLE"), &json!([told]))
    );
    let described = world.described().await;
    let definition = &described["structuredContent"];
    assert_eq!(definition["version"], "1.2.0");
    assert_eq!(definition["warnings"], json!([told]));
    // History stays readable, and says so.
    let listing = world.beta.data(LISTING, json!({})).await["listing"].take();
    assert_eq!(
        listing["versions"]["nodes"][1],
        json!({ "version": "1.2.0", "yanked": true, "deprecation": null })
    );

    let range = |range: &str| format!("{ROUTE}, range: \"{range}\"");
    world.done("repinTool", &range("^1")).await;
    assert_eq!(world.warned().await["version"], "1.0.0");
    // As with one's own tools, the exact number still leads to it.
    let exact = world.resolved("@acme/maps/route@1.2.0").await;
    assert_eq!(exact["warnings"], json!([told]));
    for mutation in ["repinTool", "installTool"] {
        let refused = world.refused(&world.beta, mutation, &range("=1.2.0")).await;
        let expected = match mutation {
            "repinTool" => "NO_VERSION_IN_RANGE",
            _ => "ALREADY_INSTALLED",
        };
        assert_eq!(refused, expected);
    }
    world.done("uninstallTool", ROUTE).await;
    let exact = range("=1.2.0");
    let refused = world.refused(&world.beta, "installTool", &exact).await;
    assert_eq!(refused, "NO_VERSION_IN_RANGE");
}

#[tokio::test]
async fn a_reference_to_an_installed_tool_leads_to_a_version_within_its_range() {
    let world = world().await;
    let not_installed = "@acme/maps/route@1.0.0";
    assert_eq!(world.unresolved(not_installed).await, "NOT_FOUND");
    world.installs("^1").await;
    world
        .said("moveToolAlias", "alias: \"stable\", version: \"1.0.0\"")
        .await;
    world
        .said("moveToolAlias", "alias: \"next\", version: \"2.0.0\"")
        .await;
    for (reference, version) in [
        ("@acme/maps/route", "1.2.0"),
        ("@acme/maps/route@latest", "1.2.0"),
        ("@acme/maps/route@1.0.0", "1.0.0"),
        ("@acme/maps/route@^1.2", "1.2.0"),
        ("@acme/maps/route@>=1", "1.2.0"),
        ("@acme/maps/route@stable", "1.0.0"),
    ] {
        let found = world.resolved(reference).await;
        assert_eq!(found["exact"], format!("@acme/maps/route@{version}"));
        assert_eq!(found["listing"]["version"], version, "{reference}");
        assert_eq!(
            (&found["tool"], &found["version"]),
            (&Value::Null, &Value::Null)
        );
        let described = world.describes(reference).await;
        let definition = &described["structuredContent"];
        assert_eq!(definition["version"], version, "{reference}");
    }
    let stable = world.describes("@acme/maps/route@stable").await;
    assert_eq!(stable["structuredContent"]["aliases"], json!(["stable"]));
    for (reference, expected) in [
        ("@acme/maps/route@2.0.0", "OUTSIDE_RANGE"),
        ("@acme/maps/route@^2", "OUTSIDE_RANGE"),
        ("@acme/maps/route@next", "OUTSIDE_RANGE"),
        ("@acme/maps/route@9.9.9", "VERSION_NOT_FOUND"),
        ("@acme/maps/route@beta", "VERSION_NOT_FOUND"),
        ("@acme/maps/route@", "INVALID_REFERENCE"),
        ("@acme/maps/absent@1.0.0", "NOT_FOUND"),
    ] {
        assert_eq!(world.unresolved(reference).await, expected, "{reference}");
        assert_eq!(code(&world.describes(reference).await), expected);
    }
    let (_, outside) = world
        .beta
        .graphql(RESOLVE, json!({ "reference": "@acme/maps/route@next" }))
        .await;
    let told = &outside["errors"][0]["extensions"];
    assert_eq!(
        (&told["range"], &told["version"]),
        (&json!("^1"), &json!("2.0.0")),
        "{outside:#}"
    );
    let back = "{ resolveTool(reference: \"@acme/maps/route\", asOf: { sequence: 1 }) { exact } }";
    assert_eq!(world.beta.code(back, json!({})).await, "INVALID_ARGUMENT");
    // Who only looks sees any version, and where the aliases stand.
    let next = world.beta.data(LISTING, json!({ "version": "next" })).await;
    assert_eq!(next["listing"]["version"], "2.0.0");
    let aliases =
        json!([{ "name": "next", "version": "2.0.0" }, { "name": "stable", "version": "1.0.0" }]);
    assert_eq!(next["listing"]["aliases"], aliases);
    let absent = json!({ "version": "beta" });
    assert_eq!(world.beta.code(LISTING, absent).await, "VERSION_NOT_FOUND");
}
