//! A yanked version is hidden from resolution and from nothing else.

use super::{begin, change, log, on_log, publish, refused, resolve, unresolved};
use serde_json::json;

fn yank(version: &str) -> String {
    on_log(
        "yankToolVersion",
        &format!("version: \"{version}\", reason: \"Deletes the history\""),
    )
}

fn unyank(version: &str) -> String {
    on_log("unyankToolVersion", &format!("version: \"{version}\""))
}

#[tokio::test]
async fn yanking_the_current_version_shows_the_one_before_until_it_is_unyanked() {
    let (_installation, publisher) = begin().await;
    publish(&publisher, "1.1.0").await;
    let published = publish(&publisher, "2.0.0").await["sequence"].take();
    change(&publisher, &yank("2.0.0")).await;
    let tool = log(
        &publisher,
        "version description versions { nodes { version yanked yankedReason aliases } }",
    )
    .await;
    assert_eq!(
        (&tool["version"], &tool["description"]),
        (&json!("1.1.0"), &json!("Shows 1.1.0"))
    );
    assert_eq!(
        tool["versions"]["nodes"][0],
        json!({ "version": "2.0.0", "yanked": true, "yankedReason": "Deletes the history",
                "aliases": [] })
    );
    let exact = resolve(&publisher, "git/log@2.0.0").await;
    assert_eq!(exact["version"]["yanked"], true);
    assert_eq!(
        exact["warnings"],
        json!(["git/log@2.0.0 is yanked: Deletes the history"])
    );
    let range = resolve(&publisher, "git/log@>=1").await;
    assert_eq!(range["exact"], "git/log@1.1.0");
    assert_eq!(
        unresolved(&publisher, "git/log@^2").await,
        "VERSION_NOT_FOUND"
    );

    // What was, stays: the registry as of then had it as the current version.
    let then = format!(
        "{{ tool(server: \"git\", name: \"log\", asOf: {{ sequence: {published} }}) {{
            version versions {{ nodes {{ version yanked }} }} }} }}"
    );
    let then = publisher.data(&then, json!({})).await["tool"].take();
    assert_eq!(then["version"], "2.0.0");
    assert_eq!(
        then["versions"]["nodes"][0],
        json!({ "version": "2.0.0", "yanked": false })
    );
    change(&publisher, &unyank("2.0.0")).await;
    assert_eq!(log(&publisher, "version").await["version"], "2.0.0");
}

#[tokio::test]
async fn what_is_needed_is_not_yanked() {
    let (_installation, publisher) = begin().await;
    assert_eq!(refused(&publisher, &yank("1.0.0")).await, "LAST_VERSION");
    publish(&publisher, "2.0.0").await;
    change(
        &publisher,
        &on_log("moveToolAlias", "alias: \"stable\", version: \"1.0.0\""),
    )
    .await;
    assert_eq!(
        refused(&publisher, &yank("1.0.0")).await,
        "VERSION_HAS_ALIASES"
    );
    assert_eq!(
        refused(&publisher, &yank("9.9.9")).await,
        "VERSION_NOT_FOUND"
    );
    assert_eq!(
        refused(&publisher, &unyank("1.0.0")).await,
        "VERSION_NOT_YANKED"
    );
    change(&publisher, &yank("2.0.0")).await;
    assert_eq!(refused(&publisher, &yank("2.0.0")).await, "VERSION_YANKED");
}
