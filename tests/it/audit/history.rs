//! Histories: each event of an object with what it changed.

use super::register_server;
use crate::support::{Installation, Servers};
use domain::principal::Role;
use serde_json::{Value, json};
use sqlx::Executor;
use std::sync::Arc;

const TOOL_HISTORY: &str =
    "query($first: Int = 20, $after: String, $direction: Direction = DESC, $at: Sequence) {
    tool(server: \"git\", name: \"log\") {
        history(first: $first, after: $after, direction: $direction, minSequence: $at) {
            nodes { sequence type at actor { kind id } aggregateSequence
                    change { path kind before after } }
            pageInfo { hasNextPage endCursor } } } }";

/// A tool with four events; answers the position of the last.
async fn tool_with_a_life(publisher: &crate::support::Client) -> u64 {
    register_server(publisher, "git").await;
    let mutation = "mutation {
        registerTool(input: { server: \"git\", name: \"log\", description: \"Shows commits\", tags: [\"vcs\"],
            inputSchema: { type: \"object\", properties: { path: { type: \"string\" } } } }) { sequence }
        describeTool(input: { server: \"git\", name: \"log\", title: \"The log\" }) { sequence }
        publishToolVersion(input: { server: \"git\", name: \"log\", version: \"2.0.0\",
            description: \"Shows the commits of a branch\",
            inputSchema: { type: \"object\", properties: { path: { type: \"number\" },
                                                          branch: { type: \"string\" } } } }) { sequence }
        retireTool(input: { server: \"git\", name: \"log\", reason: \"old\" }) { sequence } }";
    let done = publisher.data(mutation, json!({})).await;
    done["retireTool"]["sequence"].as_u64().unwrap()
}

fn paths(entry: &Value) -> Vec<(&str, &str)> {
    let changes = entry["change"].as_array().unwrap().iter();
    changes
        .map(|change| {
            (
                change["path"].as_str().unwrap(),
                change["kind"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn each_event_of_a_tool_tells_what_it_changed_by_whom() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let at = tool_with_a_life(&publisher).await;
    let variables = json!({ "direction": "ASC", "at": at });
    let found = publisher.data(TOOL_HISTORY, variables).await;
    let entries = found["tool"]["history"]["nodes"].as_array().unwrap();
    assert_eq!(
        super::all(entries, "type"),
        [
            "tool.registered",
            "tool.described",
            "tool.version_published",
            "tool.retired"
        ]
    );
    let me = publisher.data("{ viewer { handle id } }", json!({})).await;
    assert_eq!(me["viewer"]["handle"], "pub");
    for entry in entries {
        assert_eq!(entry["actor"]["kind"], "USER");
        assert_eq!(entry["actor"]["id"], entries[0]["actor"]["id"]);
    }
    assert_eq!(entries[3]["aggregateSequence"], 4);
    assert!(paths(&entries[0]).contains(&("/description", "ADDED")));
    let title = json!({ "path": "/title", "kind": "ADDED", "before": null, "after": "The log" });
    assert_eq!(entries[1]["change"], json!([title]));
    assert_eq!(
        paths(&entries[2]),
        [
            ("/definition_hash", "CHANGED"),
            ("/description", "CHANGED"),
            ("/input_schema/properties/branch", "ADDED"),
            ("/input_schema/properties/path/type", "CHANGED"),
            ("/tool_version", "CHANGED"),
            ("/versions/2.0.0", "ADDED"),
        ]
    );
    let kind = &entries[2]["change"][3];
    assert_eq!(
        (&kind["before"], &kind["after"]),
        (&json!("string"), &json!("number"))
    );
    assert_eq!(
        paths(&entries[3]),
        [("/retired_reason", "ADDED"), ("/status", "CHANGED")]
    );
}

#[tokio::test]
async fn a_history_as_of_a_moment_ends_there() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let at = tool_with_a_life(&owner).await;
    let later = "mutation {
        describeServer(input: { slug: \"git\", name: \"Git!\" }) { sequence }
        grantRole(input: { handle: \"owner\", role: AUDITOR }) { sequence } }";
    owner.data(later, json!({})).await;
    let query = "query($at: AsOf) {
        tool(server: \"git\", name: \"log\", asOf: $at) { history(direction: ASC) { nodes { type } }
            server { history { nodes { type } } } }
        principal(handle: \"owner\", asOf: $at) { history { nodes { type } } } }";
    let then = json!({ "at": { "sequence": at - 1 } });
    let mut then = owner.data(query, then).await;
    let types = |mut of: Value| {
        let nodes = of["history"]["nodes"].take();
        super::all(nodes.as_array().unwrap(), "type")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let server = types(then["tool"]["server"].take());
    assert_eq!(server, ["server.registered"]);
    let principal = types(then["principal"].take());
    assert!(
        !principal.contains(&"principal.role_granted".to_owned()),
        "{principal:?}"
    );
    let tool = types(then["tool"].take());
    let until = [
        "tool.registered",
        "tool.described",
        "tool.version_published",
    ];
    assert_eq!(tool, until);
    let now = owner.data(query, json!({ "at": null })).await["tool"].take();
    assert_eq!(types(now).len(), 4);
}

#[tokio::test]
async fn pages_of_a_history_tell_the_same_in_both_directions() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let at = tool_with_a_life(&publisher).await;
    let mut told = Vec::new();
    for direction in ["ASC", "DESC"] {
        let (mut after, mut entries) = (Value::Null, Vec::new());
        loop {
            let variables = json!({ "first": 3, "after": after, "direction": direction, "at": at });
            let mut found = publisher.data(TOOL_HISTORY, variables).await;
            let mut page = found["tool"]["history"].take();
            let Value::Array(nodes) = page["nodes"].take() else {
                panic!("{page}");
            };
            entries.extend(nodes);
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        told.push(entries);
    }
    assert_eq!(told[0].len(), 4);
    told[1].reverse();
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn servers_principals_and_the_tenant_have_histories_too() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&owner, "git").await;
    installation.client("acme", "bob", &[Role::Agent]).await;
    owner
        .data(
            "mutation {
                describeServer(input: { slug: \"git\", name: \"Git\" }) { sequence }
                grantRole(input: { handle: \"bob\", role: PUBLISHER }) { sequence }
                renameTenant(input: { displayName: \"Acme Tools\" }) { sequence } }",
            json!({}),
        )
        .await;
    let at = installation.settle().await;
    let query = "query($at: Sequence) {
        server(slug: \"git\") { history(first: 1, minSequence: $at) { nodes { ...entry } } }
        principal(handle: \"bob\") { history(first: 1) { nodes { ...entry } } }
        viewer { tenant { history(first: 1) { nodes { ...entry } } } } }
        fragment entry on HistoryEntry { type change { path before after } }";
    let found = owner.data(query, json!({ "at": at })).await;
    let newest = |object: &Value| object["history"]["nodes"][0].clone();
    assert_eq!(
        newest(&found["server"]),
        json!({ "type": "server.described",
                "change": [{ "path": "/name", "before": "git", "after": "Git" }] })
    );
    assert_eq!(
        newest(&found["principal"]),
        json!({ "type": "principal.role_granted", "change": [
            { "path": "/roles", "before": ["agent"], "after": ["agent", "publisher"] }] })
    );
    let tenant = newest(&found["viewer"]["tenant"]);
    assert_eq!(tenant["type"], "tenant.renamed");
    assert_eq!(tenant["change"][0]["after"], "Acme Tools");
}

const OTHERS: &str = "query($review: ID!) {
    taxonomy { history(direction: ASC) { nodes { ...entry } } }
    node(id: $review) { ... on Review { history(direction: ASC) { nodes { ...entry } } } }
    publishers(first: 1) { nodes { history(first: 5, direction: ASC) { nodes { ...entry } } } }
    installations(first: 1) { nodes { history(first: 5, direction: ASC) { nodes { ...entry } } } } }
    fragment entry on HistoryEntry { type actor { id } change { path before after } }";

#[tokio::test]
async fn taxonomies_reviews_publishers_and_installations_have_histories_too() {
    let installation = Installation::start().await;
    let maker = installation.client("maker", "owner", &[Role::Owner]).await;
    let offer = "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence }
        registerTool(input: { server: \"git\", name: \"log\", description: \"Shows commits\",
                              version: \"1.0.0\", visibility: PUBLIC }) { sequence } }";
    maker.data(offer, json!({})).await;
    installation.settle().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let name = "publisher: \"maker\", server: \"git\", tool: \"log\"";
    let change = format!(
        "mutation {{
            addCategory(input: {{ slug: \"vcs\", title: \"Versions\" }}) {{ sequence }}
            describeCategory(input: {{ slug: \"vcs\", title: \"Version control\" }}) {{ sequence }}
            claimNamespace(input: {{ namespace: \"com.example\" }}) {{ sequence }}
            revokeNamespace(input: {{ namespace: \"com.example\", reason: \"sold\" }}) {{ sequence }}
            installTool(input: {{ {name}, range: \"^1\" }}) {{ sequence }}
            repinTool(input: {{ {name}, range: \"=1.0.0\" }}) {{ sequence }}
            registerServer(input: {{ slug: \"git\", name: \"Git\" }}) {{ sequence }}
            registerTool(input: {{ server: \"git\", name: \"log\", description: \"Shows\" }}) {{ sequence }}
            reviewTool(input: {{ server: \"git\", name: \"log\", rating: 2 }}) {{ review {{ id }} }} }}"
    );
    let mut done = owner.data(&change, json!({})).await;
    let review = done["reviewTool"]["review"]["id"].take();
    let hide = "mutation($review: ID!) { moderateReview(input: { review: $review, action: HIDE,
        reason: \"rude\" }) { sequence } }";
    let moderator = installation
        .client("acme", "moderator", &[Role::Admin])
        .await;
    moderator.data(hide, json!({ "review": review })).await;
    installation.settle().await;

    let found = owner.data(OTHERS, json!({ "review": review })).await;
    let last = |object: &Value, types: [&str; 2]| -> Value {
        let entries = object["history"]["nodes"].as_array().unwrap();
        assert_eq!(super::all(entries, "type"), types);
        entries[1]["change"].clone()
    };
    let change = |path: &str, before: Value, after: Value| json!({ "path": path, "before": before, "after": after });
    assert_eq!(
        last(
            &found["taxonomy"],
            ["taxonomy.category_added", "taxonomy.category_described"]
        ),
        json!([change(
            "/vcs/title",
            json!("Versions"),
            json!("Version control")
        )])
    );
    let hidden = last(&found["node"], ["review.written", "review.hidden"]);
    assert_eq!(
        hidden[0],
        change("/moderation", Value::Null, json!("hidden"))
    );
    let revoked = ["publisher.claimed", "publisher.revoked"];
    let revoked = last(&found["publishers"]["nodes"][0], revoked);
    assert_eq!(
        revoked[1],
        change("/status", json!("claimed"), json!("revoked"))
    );
    let repinned = ["installation.installed", "installation.repinned"];
    let repinned = last(&found["installations"]["nodes"][0], repinned);
    assert_eq!(repinned[0]["before"], "^1");

    // As those of principals and tenants: for owners, administrators and auditors. A hidden review would be out of
    // sight altogether.
    let shown = hide.replace("HIDE", "RESTORE");
    moderator.data(&shown, json!({ "review": review })).await;
    installation.settle().await;
    for (role, may) in [
        (Role::Auditor, true),
        (Role::Admin, true),
        (Role::Publisher, false),
        (Role::Agent, false),
    ] {
        let client = installation.client("acme", role.as_str(), &[role]).await;
        let (_, answer) = client.graphql(OTHERS, json!({ "review": review })).await;
        let no_errors = Vec::new();
        let errors = answer["errors"].as_array().unwrap_or(&no_errors);
        let codes: Vec<&Value> = errors
            .iter()
            .map(|one| &one["extensions"]["code"])
            .collect();
        match may {
            true => assert!(codes.is_empty(), "{role:?}: {answer:#}"),
            false => {
                assert!(
                    codes.len() == 4 && codes.iter().all(|code| *code == "FORBIDDEN"),
                    "{answer:#}"
                );
                assert_eq!(answer["data"]["taxonomy"], json!({ "history": null }));
            }
        }
    }
}

#[tokio::test]
async fn a_history_is_for_those_who_keep_or_audit_the_registry() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    tool_with_a_life(&publisher).await;
    installation.settle().await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let query = "{ tool(server: \"git\", name: \"log\") { name history { nodes { type } } } }";
    let (_, answer) = agent.graphql(query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(
        answer["data"]["tool"],
        json!({ "name": "log", "history": null })
    );
    let tenant = "{ viewer { tenant { history { nodes { type } } } } }";
    assert_eq!(publisher.code(tenant, json!({})).await, "FORBIDDEN");
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    auditor.data(query, json!({})).await;
    auditor.data(tenant, json!({})).await;
}

/// How often PostgreSQL has read the archive for a query, as its own log says.
fn reads_of_the_archive(installation: &Installation) -> usize {
    let log = std::fs::read_to_string(installation.servers.postgres_log()).unwrap();
    // The lines of one record begin with a time, all but the first one with a tab.
    let log = log.replace("\n\t", " ");
    let ours = |record: &&str| record.contains("LOG:  execute") && record.contains("FROM archive.");
    log.lines().filter(ours).count()
}

#[tokio::test]
async fn the_histories_of_a_list_cost_one_statement() {
    let servers = Arc::new(Servers::start_with(true).await);
    let installation = Installation::start_on(servers, |_| {}).await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&publisher, "git").await;
    for name in ["a", "b", "c"] {
        let query = "mutation($name: String!) { registerTool(input: { server: \"git\", name: $name,
            description: $name }) { sequence } }";
        publisher.data(query, json!({ "name": name })).await;
    }
    let at = installation.settle().await;
    let query = "query($at: Sequence) { tools { nodes { name
        history(minSequence: $at) { nodes { type data } } } } }";
    let before = reads_of_the_archive(&installation);
    let found = publisher.data(query, json!({ "at": at })).await;
    assert_eq!(reads_of_the_archive(&installation), before + 1);
    let tools = found["tools"]["nodes"].as_array().unwrap();
    assert_eq!(tools.len(), 3);
    for tool in tools {
        let entries = tool["history"]["nodes"].as_array().unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["data"]["name"], tool["name"]);
    }
}

#[tokio::test]
async fn a_history_says_which_commits_it_lacks() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let other = installation
        .client("other", "pub", &[Role::Publisher])
        .await;
    let mut database = installation.app.database.connect().await.unwrap();
    // The database refuses a value that the domain has accepted, as a defect in a projector would.
    let defect = "ALTER TABLE archive.events ADD CONSTRAINT defect
                  CHECK (tenant <> 'acme' OR event_type <> 'tool.described')";
    database.execute(defect).await.unwrap();
    tool_with_a_life(&other).await;
    let last = tool_with_a_life(&publisher).await;
    let history = "query($at: Sequence) { tool(server: \"git\", name: \"log\") {
        history(direction: ASC, minSequence: $at) { nodes { type sequence } parked { sequence parkedAt } }
        server { history { parked { sequence } } } } }";
    let at = json!({ "at": last });
    let found = publisher.data(history, at.clone()).await["tool"].take();
    let entries = found["history"]["nodes"].as_array().unwrap();
    assert_eq!(super::all(entries, "type"), ["tool.registered"]);
    // The one that was refused, and those that wait behind it.
    let parked = found["history"]["parked"].as_array().unwrap();
    let positions: Vec<_> = parked.iter().map(|one| one["sequence"].clone()).collect();
    assert_eq!(json!(positions), json!([last - 2, last - 1, last]));
    assert!(parked.iter().all(|one| one["parkedAt"].is_string()));
    assert_eq!(found["server"]["history"]["parked"], json!([]));
    // A tool of the same name in another tenant is whole.
    let whole = other.data(history, at).await["tool"].take();
    assert_eq!(whole["history"]["parked"], json!([]));
    assert_eq!(whole["history"]["nodes"].as_array().unwrap().len(), 4);
}
