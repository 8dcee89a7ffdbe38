//! A version is published once.

use super::{PUBLISH, begin, log, publication, publish};
use serde_json::json;

#[tokio::test]
async fn the_same_again_is_answered_as_the_first_time_and_recorded_once() {
    let (installation, publisher) = begin().await;
    let first = publish(&publisher, "2.0.0").await["sequence"].take();
    publish(&publisher, "3.0.0").await;
    let head = installation.app.state.log.head().await.unwrap();
    let again = publish(&publisher, "2.0.0").await;
    assert_eq!(again["sequence"], first);
    assert_eq!(again["tool"]["version"], "3.0.0", "the tool as it is now");
    // Build metadata makes no other number, and so no other publication.
    let built = publication("2.0.0+build.7", Some("Shows 2.0.0"));
    let built = publisher.data(PUBLISH, built).await;
    assert_eq!(built["publishToolVersion"]["sequence"], first);
    for number in ["1.0.0", "1.0.0+build.7"] {
        let registered = publication(number, Some("Shows 1.0.0"));
        let registered = publisher.data(PUBLISH, registered).await;
        assert!(registered["publishToolVersion"]["sequence"].as_u64() < first.as_u64());
    }
    assert_eq!(installation.app.state.log.head().await.unwrap(), head);
    let versions =
        log(&publisher, "versions { nodes { version } }").await["versions"]["nodes"].take();
    assert_eq!(
        versions,
        json!([{ "version": "3.0.0" }, { "version": "2.0.0" }, { "version": "1.0.0" }])
    );
}

#[tokio::test]
async fn another_definition_under_a_taken_number_is_refused() {
    let (_installation, publisher) = begin().await;
    publish(&publisher, "2.0.0").await;
    let too_long = format!("2.1.0-{}", "a".repeat(3_000));
    for (version, description, code) in [
        (too_long.as_str(), None, "VERSION_TOO_LONG"),
        ("9007199254740992.0.0", None, "VERSION_NUMBER_TOO_LARGE"),
        ("2.0.0", Some("Another"), "VERSION_TAKEN"),
        ("1.0.0", Some("Another"), "VERSION_TAKEN"),
        ("2.0.0+build.7", Some("Another"), "VERSION_TAKEN"),
        ("2.1.0", Some("Shows 2.0.0"), "DEFINITION_UNCHANGED"),
        ("2.1", None, "INVALID_VERSION"),
        ("latest", None, "INVALID_VERSION"),
        ("", None, "INVALID_VERSION"),
        ("2.2.0", Some("a\u{202e}b"), "HIDDEN_CHARACTERS"),
    ] {
        let code_found = publisher
            .code(PUBLISH, publication(version, description))
            .await;
        assert_eq!(code_found, code, "{version}");
    }
    let absent = json!({ "input": { "server": "git", "name": "absent", "version": "1.0.0",
                                    "description": "x" } });
    assert_eq!(publisher.code(PUBLISH, absent).await, "NOT_FOUND");
}

#[tokio::test]
async fn what_is_current_is_the_highest_release_however_late_it_came() {
    let (_installation, publisher) = begin().await;
    publish(&publisher, "2.0.0").await;
    let late = publish(&publisher, "1.2.4").await;
    assert_eq!(late["tool"]["version"], "2.0.0");
    assert_eq!(late["tool"]["description"], "Shows 2.0.0");
    let candidate = publish(&publisher, "3.0.0-rc.1").await;
    assert_eq!(candidate["tool"]["version"], "2.0.0");
    let tool = log(
        &publisher,
        "aliases { name version } versions { nodes { version aliases } }",
    )
    .await;
    assert_eq!(
        tool["aliases"],
        json!([{ "name": "latest", "version": "2.0.0" }])
    );
    assert_eq!(
        tool["versions"]["nodes"][2],
        json!({ "version": "2.0.0", "aliases": ["latest"] })
    );
}

#[tokio::test]
async fn a_breaking_change_under_a_minor_number_is_refused_with_its_list() {
    let (_installation, publisher) = begin().await;
    let with = |version: &str, required: &[&str]| {
        let mut input = publication(version, None);
        input["input"]["inputSchema"] = json!({
            "type": "object",
            "properties": { "path": { "type": "string" } },
            "required": required,
        });
        input
    };
    publisher.data(PUBLISH, with("2.0.0", &[])).await;
    let (_, refused) = publisher.graphql(PUBLISH, with("2.1.0", &["path"])).await;
    let told = &refused["errors"][0]["extensions"];
    assert_eq!(told["code"], "BREAKING_CHANGE", "{refused:#}");
    assert_eq!(told["suggestedVersion"], "3.0.0");
    assert_eq!(told["comparedWith"], "2.0.0");
    let changes = told["changes"].as_array().unwrap();
    assert_eq!(changes[0]["reason"], "required_added", "{told:#}");
    let suggested = with("3.0.0", &["path"]);
    let published = publisher.data(PUBLISH, suggested).await;
    let tool = &published["publishToolVersion"]["tool"];
    assert_eq!(tool["version"], "3.0.0");
    // Between 2.0.0 and what is above it, in the same line.
    publisher.data(PUBLISH, with("2.5.0", &[])).await;
    let code = publisher.code(PUBLISH, with("2.4.0", &["path"])).await;
    assert_eq!(code, "BREAKING_CHANGE");
}

/// What is deeper than its readers follow would stop every projector of every tenant.
#[tokio::test]
async fn what_nests_too_deep_is_refused_and_nothing_of_it_is_logged() {
    let (installation, publisher) = begin().await;
    let head = installation.app.state.log.head().await.unwrap();
    let schema = (0..61).fold(
        json!({ "type": "object" }),
        |inner, _| json!({ "type": "object", "properties": { "a": inner } }),
    );
    let annotations = (0..121).fold(json!([]), |inner, _| json!([inner]));
    for (member, value, code) in [
        ("inputSchema", schema, "SCHEMA_TOO_DEEP"),
        (
            "annotations",
            json!({ "x": annotations }),
            "ANNOTATIONS_TOO_DEEP",
        ),
    ] {
        let mut input = publication("2.0.0", None);
        input["input"][member] = value;
        assert_eq!(publisher.code(PUBLISH, input).await, code);
    }
    assert_eq!(installation.app.state.log.head().await.unwrap(), head);
}
