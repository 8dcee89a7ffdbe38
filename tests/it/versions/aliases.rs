//! Aliases move, roll back and go.

use super::{begin, change, log, on_log, publish, refused, resolve, unresolved};
use domain::principal::Role;
use serde_json::{Value, json};

const UNDO: &str = "mutation($commit: ID!) { undo(commit: $commit) { event } }";

fn stable(mutation: &str) -> String {
    on_log(mutation, "alias: \"stable\"")
}

fn stable_to(version: &str) -> String {
    on_log(
        "moveToolAlias",
        &format!("alias: \"stable\", version: \"{version}\""),
    )
}

#[tokio::test]
async fn an_alias_moves_rolls_back_and_is_undone() {
    let (_installation, publisher) = begin().await;
    publish(&publisher, "2.0.0").await;
    let stands = async || {
        let found = resolve(&publisher, "git/log@stable").await;
        found["exact"].as_str().unwrap().to_owned()
    };
    let first = change(&publisher, &stable_to("1.0.0")).await;
    assert_eq!(stands().await, "git/log@1.0.0");
    change(&publisher, &stable_to("2.0.0")).await;
    assert_eq!(stands().await, "git/log@2.0.0");
    let back = change(&publisher, &stable("rollbackToolAlias")).await;
    assert_eq!(stands().await, "git/log@1.0.0");
    let undo = async |commit: u64| -> Value {
        let variables = json!({ "commit": commit.to_string() });
        publisher.data(UNDO, variables).await["undo"]["event"].take()
    };
    assert_eq!(undo(back).await, "tool.alias_moved");
    assert_eq!(stands().await, "git/log@2.0.0");
    let since = json!({ "commit": first.to_string() });
    assert_eq!(publisher.code(UNDO, since).await, "CHANGED_SINCE");

    let removed = change(&publisher, &stable("removeToolAlias")).await;
    let gone = unresolved(&publisher, "git/log@stable").await;
    assert_eq!(gone, "VERSION_NOT_FOUND");
    assert_eq!(undo(removed).await, "tool.alias_moved");
    assert_eq!(
        log(&publisher, "aliases { name version }").await["aliases"],
        json!([{ "name": "latest", "version": "2.0.0" }, { "name": "stable", "version": "2.0.0" }])
    );
}

#[tokio::test]
async fn an_alias_is_refused_where_it_would_lead_nowhere() {
    let (_installation, publisher) = begin().await;
    publish(&publisher, "2.0.0").await;
    change(
        &publisher,
        &on_log("yankToolVersion", "version: \"2.0.0\", reason: \"wrong\""),
    )
    .await;
    for (mutation, code) in [
        (stable_to("2.0.0"), "VERSION_YANKED"),
        (stable_to("9.9.9"), "VERSION_NOT_FOUND"),
        (stable_to("9.9"), "INVALID_VERSION"),
        (
            on_log("moveToolAlias", "alias: \"1.0.0\", version: \"1.0.0\""),
            "INVALID_ALIAS",
        ),
        (
            on_log("moveToolAlias", "alias: \"latest\", version: \"1.0.0\""),
            "AUTOMATIC_ALIAS",
        ),
        (stable("rollbackToolAlias"), "ALIAS_NOT_FOUND"),
        (stable("removeToolAlias"), "ALIAS_NOT_FOUND"),
    ] {
        assert_eq!(refused(&publisher, &mutation).await, code, "{mutation}");
    }
    change(&publisher, &stable_to("1.0.0")).await;
    assert_eq!(refused(&publisher, &stable_to("1.0.0")).await, "UNCHANGED");
    let nowhere = refused(&publisher, &stable("rollbackToolAlias")).await;
    assert_eq!(nowhere, "NOTHING_TO_ROLL_BACK");
}

#[tokio::test]
async fn agents_and_other_tenants_move_nothing() {
    let (installation, _publisher) = begin().await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    for mutation in [
        stable_to("1.0.0"),
        stable("rollbackToolAlias"),
        stable("removeToolAlias"),
        on_log("deprecateTool", "message: \"x\""),
        on_log("undeprecateTool", ""),
        on_log("yankToolVersion", "version: \"1.0.0\""),
        on_log("unyankToolVersion", "version: \"1.0.0\""),
        on_log("restoreTool", ""),
    ] {
        assert_eq!(refused(&agent, &mutation).await, "FORBIDDEN", "{mutation}");
        assert_eq!(refused(&other, &mutation).await, "NOT_FOUND", "{mutation}");
    }
    let restore = "restoreServer(input: { slug: \"git\" })";
    assert_eq!(refused(&agent, restore).await, "FORBIDDEN");
    assert_eq!(refused(&other, restore).await, "NOT_FOUND");
    assert_eq!(unresolved(&other, "git/log").await, "NOT_FOUND");
}
