//! Compatibility from the outside in: between published versions, and of a proposal.

use super::{REGISTER_TOOL, register_server, register_tool};
use crate::support::Installation;
use domain::principal::Role;
use serde_json::{Value, json};

const FIELDS: &str = "verdict suggestedVersion changes { part path kind reason message }";

fn schema(required: &[&str]) -> Value {
    json!({ "type": "object", "required": required, "properties": {
        "repo": { "type": "string" }, "limit": { "type": "integer" } } })
}

#[tokio::test]
async fn versions_are_compared_and_a_proposal_is_judged_before_it_is_published() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    let more = json!({ "inputSchema": schema(&["repo"]), "description": "Lists" });
    register_tool(&client, "git", "log", more).await;
    let publish = "mutation($input: PublishToolVersionInput!) { publishToolVersion(input: $input) { sequence } }";
    let input = json!({ "server": "git", "name": "log", "version": "2.0.0", "description": "Lists",
                        "inputSchema": schema(&["repo", "limit"]) });
    client.data(publish, json!({ "input": input })).await;

    let between = format!(
        "query($from: String!, $to: String!) {{ compatibility(server: \"git\", tool: \"log\", from: $from, to: $to) {{ {FIELDS} }} }}"
    );
    let found = client
        .data(&between, json!({ "from": "1.0.0", "to": "2.0.0" }))
        .await;
    assert_eq!(
        found["compatibility"],
        json!({ "verdict": "BREAKING", "suggestedVersion": "2.0.0", "changes": [{
            "part": "INPUT_SCHEMA", "path": "/required", "kind": "BREAKING",
            "reason": "required_added", "message": "`limit` must be given now" }] })
    );
    let back = client
        .data(&between, json!({ "from": "2.0.0", "to": "1.0.0" }))
        .await;
    assert_eq!(back["compatibility"]["verdict"], "COMPATIBLE");
    for (to, code) in [("3.0.0", "VERSION_NOT_FOUND"), ("two", "INVALID_VERSION")] {
        assert_eq!(
            client
                .code(&between, json!({ "from": "1.0.0", "to": to }))
                .await,
            code
        );
    }

    let dry_run = format!(
        "query($proposed: ProposedDefinitionInput!) {{ proposedCompatibility(server: \"git\", tool: \"log\", proposed: $proposed) {{ from {FIELDS} }} }}"
    );
    let proposed =
        json!({ "description": "Lists commits", "inputSchema": schema(&["repo", "limit"]) });
    let found =
        client.data(&dry_run, json!({ "proposed": proposed })).await["proposedCompatibility"]
            .take();
    assert_eq!(
        (
            &found["from"],
            &found["verdict"],
            &found["suggestedVersion"]
        ),
        (&json!("2.0.0"), &json!("COSMETIC"), &json!("2.0.1"))
    );
    let proposed = json!({ "description": "Lists", "inputSchema": { "required": "repo" } });
    assert_eq!(
        client.code(&dry_run, json!({ "proposed": proposed })).await,
        "INVALID_SCHEMA"
    );

    // What another tenant has is not there, and nobody learns of its versions.
    let other = installation
        .client("other", "pub", &[Role::Publisher])
        .await;
    assert_eq!(
        other
            .code(&between, json!({ "from": "1.0.0", "to": "9.9.9" }))
            .await,
        "NOT_FOUND"
    );
}

/// What is proposed under a number is told what publishing it answers.
#[tokio::test]
async fn a_proposal_is_compared_with_what_publishing_compares_with() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    let first = json!({ "inputSchema": schema(&["repo"]), "description": "Lists" });
    register_tool(&client, "git", "log", first).await;
    let publish = async |version: &str, description: &str, required: &[&str]| {
        let mutation = "mutation($input: PublishToolVersionInput!) {
            publishToolVersion(input: $input) { sequence } }";
        let input = json!({ "server": "git", "name": "log", "version": version,
                            "description": description, "inputSchema": schema(required) });
        let (_, answer) = client.graphql(mutation, json!({ "input": input })).await;
        answer["errors"][0]["extensions"].clone()
    };
    for (version, required) in [
        ("2.0.0+b", vec!["repo", "limit"]),
        ("3.0.0-rc.1", vec![]),
        ("1.0.1", vec!["repo"]),
    ] {
        let refused = publish(version, "Lists all", &required).await;
        assert_eq!(refused, Value::Null, "{version}");
    }

    let dry_run = "query($version: String, $from: String, $proposed: ProposedDefinitionInput!) {
        proposedCompatibility(server: \"git\", tool: \"log\", version: $version, from: $from, proposed: $proposed) {
            from to verdict permitted suggestedVersion } }";
    let proposed = async |version: Option<&str>, from: Option<&str>, required: &[&str]| {
        let proposed = json!({ "description": "Lists more", "inputSchema": schema(required) });
        let variables = json!({ "version": version, "from": from, "proposed": proposed });
        client.data(dry_run, variables).await["proposedCompatibility"].take()
    };
    // 1.0.1 was published last, and 3.0.0-rc.1 promises nothing.
    let found = proposed(None, None, &["repo", "limit"]).await;
    assert_eq!(
        found,
        json!({ "from": "2.0.0+b", "to": null, "verdict": "COSMETIC", "permitted": null,
                "suggestedVersion": "2.0.1" })
    );
    let named = proposed(None, Some("2.0.0"), &["repo", "limit"]).await;
    assert_eq!(named["from"], "2.0.0+b");
    assert_eq!(proposed(Some("2.1.0-rc.1"), None, &[]).await, Value::Null);
    for (version, required) in [
        ("1.1.0", vec!["repo", "limit"]),
        ("1.1.0", vec!["repo"]),
        ("1.0.5", vec![]),
        ("0.9.0", vec!["repo"]),
        ("2.0.1", vec!["repo", "limit"]),
    ] {
        let told = proposed(Some(version), None, &required).await;
        let refused = publish(version, "Lists more", &required).await;
        let expected = match refused["code"].as_str() {
            None => json!(true),
            Some(code) => {
                assert_eq!(code, "BREAKING_CHANGE", "{version}");
                assert_eq!(told["suggestedVersion"], refused["suggestedVersion"]);
                let compared = [&told["from"], &told["to"]];
                assert!(compared.contains(&&refused["comparedWith"]), "{told}");
                json!(false)
            }
        };
        assert_eq!(
            told["permitted"], expected,
            "{version} {required:?}: {told}"
        );
    }
    let taken = json!({ "version": "2.0.0", "proposed": { "description": "Another" } });
    assert_eq!(client.code(dry_run, taken).await, "VERSION_TAKEN");
    // Exactly this is published: to publish it again does nothing, and build metadata makes no other number.
    let same = json!({ "description": "Lists all", "inputSchema": schema(&["repo"]) });
    for number in ["1.0.1", "1.0.1+other"] {
        assert_eq!(publish(number, "Lists all", &["repo"]).await, Value::Null);
        let again = json!({ "version": number, "proposed": same });
        let again = client.data(dry_run, again).await["proposedCompatibility"].take();
        assert_eq!(
            again,
            json!({ "from": "1.0.1", "to": number, "verdict": "IDENTICAL", "permitted": true,
                    "suggestedVersion": "1.0.1" })
        );
    }

    // Whatever it is compared with, what publishing refuses is refused.
    let refused = async |version: &str, description: &str, code: &str| {
        let proposed = json!({ "description": description, "inputSchema": schema(&["repo"]) });
        for from in [None, Some("1.0.0")] {
            let variables = json!({ "version": version, "from": from, "proposed": proposed });
            let told = client.code(dry_run, variables).await;
            assert_eq!(told, code, "{version} beside {from:?}");
        }
        let answer = publish(version, description, &["repo"]).await;
        assert_eq!(answer["code"], code, "{version}");
    };
    let long = format!("9.0.0-{}", "a".repeat(128));
    for (version, description, code) in [
        ("1.0.1", "Lists another", "VERSION_TAKEN"),
        ("1.0.1+other", "Lists another", "VERSION_TAKEN"),
        ("1.0.2", "Lists all", "DEFINITION_UNCHANGED"),
        (long.as_str(), "Lists another", "VERSION_TOO_LONG"),
        (
            "9007199254740992.0.0",
            "Lists another",
            "VERSION_NUMBER_TOO_LARGE",
        ),
    ] {
        refused(version, description, code).await;
    }
    let retire = "mutation { retireTool(input: { server: \"git\", name: \"log\" }) { sequence } }";
    client.data(retire, json!({})).await;
    refused("9.0.0", "Lists another", "TOOL_RETIRED").await;
    let restore =
        "mutation { restoreTool(input: { server: \"git\", name: \"log\" }) { sequence } }";
    client.data(restore, json!({})).await;
    let retire = "mutation { retireServer(input: { slug: \"git\" }) { sequence } }";
    client.data(retire, json!({})).await;
    refused("9.0.0", "Lists another", "SERVER_RETIRED").await;
}

#[tokio::test]
async fn a_document_that_is_no_schema_is_not_registered() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    for (schema, code) in [
        (
            json!({ "properties": { "a": { "type": "text" } } }),
            "INVALID_SCHEMA",
        ),
        (
            json!({ "properties": { "a": { "$ref": "#/$defs/a" } } }),
            "INVALID_SCHEMA",
        ),
        (
            json!({ "properties": { "a": { "$ref": "https://example.com/a" } } }),
            "REMOTE_REFERENCE",
        ),
        (json!({ "$ref": "#" }), "INVALID_SCHEMA"),
        (
            json!({ "properties": { "a": { "pattern": "(" } } }),
            "INVALID_SCHEMA",
        ),
    ] {
        let input =
            json!({ "server": "git", "name": "log", "description": "x", "inputSchema": schema });
        assert_eq!(
            client.code(REGISTER_TOOL, json!({ "input": input })).await,
            code
        );
    }
    let tools = client.data("{ tools { totalCount } }", json!({})).await;
    assert_eq!(tools["tools"]["totalCount"], 0);
}
