//! Who uses what is on its way out is told so, and after the sunset refused.

use super::{begin, change, log, on_log, publish, refused, resolve, unresolved};
use crate::mcp::call;
use chrono::{Days, Utc};
use domain::principal::Role;
use serde_json::json;

fn deprecate(more: &str) -> String {
    on_log("deprecateTool", &format!("message: \"It moves\", {more}"))
}

#[tokio::test]
async fn a_version_or_a_whole_tool_warns_who_resolves_or_finds_it() {
    let (installation, publisher) = begin().await;
    publish(&publisher, "2.0.0").await;
    change(&publisher, &deprecate("version: \"1.0.0\"")).await;
    let old = resolve(&publisher, "git/log@1.0.0").await;
    assert_eq!(old["deprecation"]["message"], "It moves");
    assert_eq!(
        old["warnings"],
        json!(["git/log@1.0.0 is deprecated: It moves"])
    );
    let new = resolve(&publisher, "git/log").await;
    assert_eq!(
        (&new["deprecation"], &new["warnings"]),
        (&json!(null), &json!([]))
    );

    let sunset = Utc::now().date_naive() + Days::new(30);
    change(
        &publisher,
        &deprecate(&format!(
            "successor: \"git/history@^2\", sunset: \"{sunset}\""
        )),
    )
    .await;
    let new = resolve(&publisher, "git/log").await;
    assert_eq!(
        new["deprecation"],
        json!({ "message": "It moves", "successor": "git/history@^2",
                "sunset": sunset.to_string() })
    );
    installation.settle().await;
    let search = "{ searchTools(query: \"shows\") { hits { deprecation { successor } } } }";
    let found = publisher.data(search, json!({})).await;
    let hit = &found["searchTools"]["hits"][0];
    assert_eq!(hit["deprecation"]["successor"], "git/history@^2");
    change(&publisher, &on_log("undeprecateTool", "")).await;
    let tool = log(
        &publisher,
        "deprecation { message } versions { nodes { version deprecation { message } } }",
    )
    .await;
    assert_eq!(tool["deprecation"], json!(null));
    assert_eq!(
        tool["versions"]["nodes"],
        json!([{ "version": "2.0.0", "deprecation": null },
               { "version": "1.0.0", "deprecation": { "message": "It moves" } }])
    );
}

#[tokio::test]
async fn a_deprecation_that_helps_nobody_is_refused() {
    let (_installation, publisher) = begin().await;
    for (more, code) in [
        ("version: \"9.9.9\"", "VERSION_NOT_FOUND"),
        ("version: \"one\"", "INVALID_VERSION"),
        ("successor: \"history\"", "INVALID_SUCCESSOR"),
        ("successor: \"git/log\"", "INVALID_SUCCESSOR"),
        ("sunset: \"soon\"", "INVALID_ARGUMENT"),
        ("sunset: \"0001-01-01\"", "SUNSET_OUT_OF_RANGE"),
        ("sunset: \"+10000-01-01\"", "SUNSET_OUT_OF_RANGE"),
    ] {
        assert_eq!(refused(&publisher, &deprecate(more)).await, code, "{more}");
    }
    let soon = deprecate("sunset: \"yesterday\"");
    let soon = format!("mutation {{ {soon} {{ sequence }} }}");
    let (_, answer) = publisher.graphql(&soon, json!({})).await;
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("YYYY-MM-DD"), "{message}");
    for (message, code) in [(" ", "FIELD_MISSING"), ("a\u{200b}b", "HIDDEN_CHARACTERS")] {
        let mutation = on_log("deprecateTool", &format!("message: \"{message}\""));
        assert_eq!(refused(&publisher, &mutation).await, code);
    }
    let nothing = refused(&publisher, &on_log("undeprecateTool", "")).await;
    assert_eq!(nothing, "NOT_DEPRECATED");
}

#[tokio::test]
async fn a_successor_is_told_to_those_who_may_see_it() {
    let (installation, publisher) = begin().await;
    let register =
        "registerTool(input: { server: \"git\", name: \"secret\", description: \"Keeps it\",
        visibility: PRIVATE })";
    change(&publisher, register).await;
    let successor = "successor: \"git/secret@^1\"";
    let of_version = format!("version: \"1.0.0\", {successor}");
    for more in [successor, &of_version] {
        change(&publisher, &deprecate(more)).await;
    }
    installation.settle().await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let search = "{ searchTools(query: \"shows\") { hits { deprecation { message successor } } } }";
    let fields = "deprecation { message successor }
        versions { nodes { deprecation { message successor } } }";
    for (client, told) in [(&publisher, json!("git/secret@^1")), (&agent, json!(null))] {
        let told = json!({ "message": "It moves", "successor": told });
        let hits = client.data(search, json!({})).await;
        assert_eq!(hits["searchTools"]["hits"][0]["deprecation"], told);
        let tool = log(client, fields).await;
        assert_eq!(tool["deprecation"], told);
        assert_eq!(tool["versions"]["nodes"][0]["deprecation"], told);
        let resolved = resolve(client, "git/log").await;
        assert_eq!(resolved["deprecation"]["message"], "It moves");
        assert_eq!(resolved["deprecation"]["successor"], told["successor"]);
    }
    let resolved = resolve(&agent, "git/log").await;
    let described = call(&agent, "describe_tool", json!({ "tool": "git/log" })).await;
    let found = call(&agent, "search_tools", json!({ "query": "shows" })).await;
    for answer in [&resolved, &described, &found] {
        let answer = answer.to_string();
        assert!(answer.contains("It moves"), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }
}

#[tokio::test]
async fn after_the_sunset_resolution_is_refused_or_warned_by_configuration() {
    let (installation, publisher) = begin().await;
    let today = Utc::now().date_naive();
    let deprecated = change(
        &publisher,
        &deprecate(&format!("successor: \"git/history\", sunset: \"{today}\"")),
    )
    .await;
    assert_eq!(unresolved(&publisher, "git/log").await, "TOOL_SUNSET");
    // History stays readable.
    let tool = log(&publisher, "versions { nodes { version } }").await;
    assert_eq!(tool["versions"]["nodes"], json!([{ "version": "1.0.0" }]));
    let then = format!(
        "{{ resolveTool(reference: \"git/log\", asOf: {{ sequence: {deprecated} }}) {{ exact }} }}"
    );
    let then = publisher.data(&then, json!({})).await;
    assert_eq!(then["resolveTool"]["exact"], "git/log@1.0.0");

    let installation = installation
        .restart_with(|config| config.registry.after_sunset = api::config::AfterSunset::Warn)
        .await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let warned = resolve(&publisher, "git/log").await;
    let warning = warned["warnings"][0].as_str().unwrap();
    assert!(warning.contains("its sunset was on"), "{warning}");
}

#[tokio::test]
async fn a_tenant_says_what_happens_after_a_sunset_and_the_log_tells_since_when() {
    let (installation, publisher) = begin().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let today = Utc::now().date_naive();
    change(&publisher, &deprecate(&format!("sunset: \"{today}\""))).await;
    assert_eq!(unresolved(&publisher, "git/log").await, "TOOL_SUNSET");
    let set = |rule: &str| {
        format!(
            "mutation {{ done: setAfterSunset(input: {{ afterSunset: {rule} }}) {{ sequence tenant {{ afterSunset }} }} }}"
        )
    };
    let auditor = installation
        .client("acme", "auditor", &[Role::Auditor])
        .await;
    for client in [&publisher, &auditor] {
        assert_eq!(client.code(&set("WARN"), json!({})).await, "FORBIDDEN");
    }
    assert_eq!(owner.code(&set("null"), json!({})).await, "UNCHANGED");
    let warned = owner.data(&set("WARN"), json!({})).await["done"].take();
    assert_eq!(warned["tenant"]["afterSunset"], "WARN");
    let found = resolve(&publisher, "git/log").await;
    let warning = found["warnings"][0].as_str().unwrap();
    assert!(warning.contains("its sunset was on"), "{warning}");
    // It is that tenant's alone; the installation says what holds for those that say nothing.
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    let rules = "{ viewer { tenant { afterSunset } } registry { afterSunset } }";
    let said = json!({ "viewer": { "tenant": { "afterSunset": null } }, "registry": { "afterSunset": "REFUSE" } });
    assert_eq!(other.data(rules, json!({})).await, said);
    let refused = owner.data(&set("REFUSE"), json!({})).await["done"].take();
    assert_eq!(unresolved(&publisher, "git/log").await, "TOOL_SUNSET");

    let then = "query($at: AsOf) { viewer { tenant { afterSunset(asOf: $at) } } }";
    let sequence = |of: &serde_json::Value| of["sequence"].as_u64().unwrap();
    for (position, rule) in [
        (sequence(&warned) - 1, json!(null)),
        (sequence(&warned), json!("WARN")),
        (sequence(&refused), json!("REFUSE")),
    ] {
        let at = json!({ "at": { "sequence": position } });
        assert_eq!(
            owner.data(then, at).await["viewer"]["tenant"]["afterSunset"],
            rule,
            "{position}"
        );
    }
    let undo = |of: &serde_json::Value| {
        format!(
            "mutation {{ undo(commit: \"{}\") {{ event }} }}",
            of["sequence"]
        )
    };
    assert_eq!(owner.code(&undo(&warned), json!({})).await, "CHANGED_SINCE");
    let undone = owner.data(&undo(&refused), json!({})).await;
    assert_eq!(undone["undo"]["event"], "tenant.after_sunset_set");
    resolve(&publisher, "git/log").await;
    installation.settle().await;
    let history = "{ viewer { tenant { history(first: 1) { nodes { type change { path before after } } } } } }";
    let told = owner.data(history, json!({})).await["viewer"]["tenant"]["history"]["nodes"].take();
    let change = json!([{ "path": "/after_sunset", "before": "refuse", "after": "warn" }]);
    assert_eq!(
        told,
        json!([{ "type": "tenant.after_sunset_set", "change": change }])
    );

    // What a tenant says holds whatever the configuration is; one that says nothing goes by that.
    owner.data(&set("REFUSE"), json!({})).await;
    let installation = installation
        .restart_with(|config| config.registry.after_sunset = api::config::AfterSunset::Warn)
        .await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    assert_eq!(unresolved(&publisher, "git/log").await, "TOOL_SUNSET");
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let silent = owner.data(&set("null"), json!({})).await["done"].take();
    assert_eq!(silent["tenant"]["afterSunset"], json!(null));
    resolve(&publisher, "git/log").await;
}
