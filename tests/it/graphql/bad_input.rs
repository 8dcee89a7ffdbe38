//! Bad input is refused with a stable code and with words that say what to do, and nothing of it comes into the log.

use super::{REGISTER_SERVER, REGISTER_TOOL, register_server, register_tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const PUBLISH: &str = "mutation($input: PublishToolVersionInput!) {
    publishToolVersion(input: $input) { sequence } }";
const MOVE_ALIAS: &str = "mutation($input: MoveToolAliasInput!) {
    moveToolAlias(input: $input) { sequence } }";
const REVIEW: &str =
    "mutation($input: ReviewToolInput!) { reviewTool(input: $input) { sequence } }";
const PROPOSED: &str = "query($server: String!, $name: String!) {
    proposedCompatibility(server: $server, tool: $name, proposed: { description: \"x\" }) { verdict } }";

/// A mutation, its input, the code that answers it, and words of the text that say what to do.
type Case = (&'static str, Value, &'static str, &'static str);

/// A tool to register on the server `git`, with other or more fields than a sound one has.
fn new_tool(more: &Value) -> Value {
    let sound = json!({ "server": "git", "name": "new", "description": "Does it" });
    with(sound, more)
}

/// A version of `git/log` to publish.
fn new_version(more: &Value) -> Value {
    let sound =
        json!({ "server": "git", "name": "log", "version": "3.0.0", "description": "Shows more" });
    with(sound, more)
}

fn with(mut input: Value, more: &Value) -> Value {
    for (field, value) in more.as_object().unwrap() {
        input[field] = value.clone();
    }
    input
}

/// An owner, and the tool `git/log`: 1.0.0, which is yanked, and 2.0.0, which is reviewed. The tenant has a taxonomy.
async fn begin() -> (Installation, Client) {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&owner, "git").await;
    register_tool(&owner, "git", "log", json!({})).await;
    for done in [
        r#"publishToolVersion(input: { server: "git", name: "log", version: "2.0.0",
            description: "Shows the history" }) { sequence }"#,
        r#"yankToolVersion(input: { server: "git", name: "log", version: "1.0.0" }) { sequence }"#,
        r#"reviewTool(input: { server: "git", name: "log", version: "2.0.0", rating: 4 }) { sequence }"#,
        r#"addCategory(input: { slug: "databases", title: "Databases" }) { sequence }"#,
    ] {
        owner
            .data(&format!("mutation {{ {done} }}"), json!({}))
            .await;
    }
    (installation, owner)
}

/// Sends what is to be refused, and looks that the log ends where it did.
async fn all_refused(cases: Vec<Case>) {
    let (installation, owner) = begin().await;
    let head = installation.settle().await;
    for (mutation, input, code, advice) in cases {
        let (_, answer) = owner.graphql(mutation, json!({ "input": input })).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], code, "{input}: {answer:#}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(advice), "{input}: {message}");
        assert_eq!(installation.settle().await, head, "{input}");
    }
}

#[tokio::test]
async fn a_schema_that_is_none_or_leads_elsewhere_is_refused_with_what_to_do() {
    let schema = |schema: Value| new_tool(&json!({ "inputSchema": schema }));
    let property = |schema: Value| json!({ "type": "object", "properties": { "a": schema } });
    let large = json!({ "type": "object", "title": "x".repeat(65_500) });
    let too_large = json!({ "inputSchema": large, "outputSchema": large });
    let larger = json!({ "type": "object", "title": "x".repeat(65_600) });
    all_refused(vec![
        (
            REGISTER_TOOL,
            schema(json!([])),
            "INVALID_SCHEMA",
            "give an object with \"type\": \"object\"",
        ),
        (
            REGISTER_TOOL,
            schema(property(json!({ "type": "text" }))),
            "INVALID_SCHEMA",
            "at \"/properties/a/type\"",
        ),
        (
            REGISTER_TOOL,
            schema(property(json!({ "$ref": "#/$defs/a" }))),
            "INVALID_SCHEMA",
            "at \"/properties/a/$ref\": the reference \"#/$defs/a\" leads to no schema",
        ),
        (
            REGISTER_TOOL,
            schema(property(json!({ "$ref": "https://example.com/a" }))),
            "REMOTE_REFERENCE",
            "copy that schema under `$defs`",
        ),
        (
            REGISTER_TOOL,
            schema(larger),
            "SCHEMA_TOO_LARGE",
            "the most is 65536: shorten its texts",
        ),
        (
            REGISTER_TOOL,
            new_tool(&too_large),
            "DEFINITION_TOO_LARGE",
            "the most is 131072: make the schemas smaller",
        ),
    ])
    .await;
}

#[tokio::test]
async fn hidden_characters_are_refused_with_what_to_do() {
    let server = |name: &str| json!({ "slug": "new", "name": name });
    let (allowed, remove) = ("out of letters, digits", "; remove them");
    let mut cases: Vec<Case> = Vec::new();
    for hidden in ['\u{7}', '\u{202e}'] {
        let text = format!("Does{hidden} it");
        cases.extend([
            (
                REGISTER_TOOL,
                new_tool(&json!({ "name": text })),
                "INVALID_TOOL_NAME",
                allowed,
            ),
            (
                REGISTER_TOOL,
                new_tool(&json!({ "title": text })),
                "HIDDEN_CHARACTERS",
                remove,
            ),
            (
                REGISTER_TOOL,
                new_tool(&json!({ "description": text })),
                "HIDDEN_CHARACTERS",
                remove,
            ),
            (
                PUBLISH,
                new_version(&json!({ "description": text })),
                "HIDDEN_CHARACTERS",
                remove,
            ),
            (REGISTER_SERVER, server(&text), "HIDDEN_CHARACTERS", remove),
        ]);
    }
    all_refused(cases).await;
}

#[tokio::test]
async fn what_is_not_there_or_out_of_range_is_refused_with_what_to_do() {
    let log = |more: &Value| with(json!({ "server": "git", "name": "log" }), more);
    let stars = |rating: i32| log(&json!({ "version": "2.0.0", "rating": rating }));
    let category = "add it to the taxonomy, or use one that is there";
    all_refused(vec![
        (
            PUBLISH,
            new_version(&json!({ "version": "3.0" })),
            "INVALID_VERSION",
            "`version` is not a semantic version such as 1.2.0",
        ),
        (
            PUBLISH,
            new_version(&json!({ "name": "absent" })),
            "NOT_FOUND",
            "check the server's slug and the tool's name, or register the tool first",
        ),
        (
            PUBLISH,
            new_version(&json!({ "server": "absent" })),
            "NOT_FOUND",
            "check the server's slug and the tool's name, or register the tool first",
        ),
        (
            REGISTER_TOOL,
            new_tool(&json!({ "server": "absent" })),
            "SERVER_NOT_FOUND",
            "there is no server `absent`; register it first",
        ),
        (
            MOVE_ALIAS,
            log(&json!({ "alias": "stable", "version": "1.0.0" })),
            "VERSION_YANKED",
            "choose a version in use, or unyank it",
        ),
        (
            MOVE_ALIAS,
            log(&json!({ "alias": "stable", "version": "9.0.0" })),
            "VERSION_NOT_FOUND",
            "its `versions` lists what there is",
        ),
        (
            REVIEW,
            stars(0),
            "RATING_OUT_OF_RANGE",
            "a rating is 1 to 5; 0 is not",
        ),
        (
            REVIEW,
            stars(6),
            "RATING_OUT_OF_RANGE",
            "a rating is 1 to 5; 6 is not",
        ),
        (
            REVIEW,
            stars(5),
            "REVIEW_EXISTS",
            "revise that review instead",
        ),
        (
            REGISTER_TOOL,
            new_tool(&json!({ "category": "database" })),
            "CATEGORY_NOT_FOUND",
            category,
        ),
        (
            REGISTER_SERVER,
            json!({ "slug": "new", "name": "New", "category": "database" }),
            "CATEGORY_NOT_FOUND",
            category,
        ),
    ])
    .await;
}

/// Whoever may not see a tool learns nothing of it from what a change of it is answered.
#[tokio::test]
async fn a_change_of_a_hidden_tool_is_refused_in_the_very_words_of_an_absent_one() {
    let (installation, owner) = begin().await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let hidden = json!({ "visibility": "PRIVATE" });
    register_tool(&owner, "git", "hidden", hidden).await;
    let input = "server: $server, name: $name";
    let changes = [
        format!("publishToolVersion(input: {{ {input}, version: \"2.0.0\", description: \"x\" }})"),
        format!("publishToolVersion(input: {{ {input}, version: \"two\", description: \"x\" }})"),
        format!("describeTool(input: {{ {input}, title: \"x\" }})"),
        format!("retireTool(input: {{ {input} }})"),
        format!("restoreTool(input: {{ {input} }})"),
        format!("deprecateTool(input: {{ {input}, message: \"x\" }})"),
        format!("yankToolVersion(input: {{ {input}, version: \"1.0.0\" }})"),
        format!("moveToolAlias(input: {{ {input}, alias: \"stable\", version: \"1.0.0\" }})"),
    ];
    let changes = changes.map(|change| {
        format!("mutation($server: String!, $name: String!) {{ {change} {{ sequence }} }}")
    });
    for asked in changes.iter().map(String::as_str).chain([PROPOSED]) {
        let answer = async |client: &Client, name: &str| {
            let named = json!({ "server": "git", "name": name });
            client.graphql(asked, named).await
        };
        let absent = answer(&agent, "absent").await;
        assert_eq!(answer(&agent, "hidden").await, absent, "{asked}");
        let error = &absent.1["errors"][0];
        assert_eq!(error["extensions"]["code"], "NOT_FOUND", "{absent:#?}");
        let message = error["message"].as_str().unwrap();
        assert!(message.ends_with("or register the tool first"), "{message}");
        // Who may see the others is told the same.
        let told = answer(&owner, "absent").await;
        assert_eq!(told.1["errors"][0]["message"], message, "{asked}");
    }
}
