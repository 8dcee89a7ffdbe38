//! To those outside of its team a private tool answers as one that never was: the same bytes, and nothing that counts
//! or recommends says a word of it.

use super::{REGISTER, begin, change, describe, joining, member, on, refused, tool};
use crate::mcp::{call, names};
use crate::support::{Client, PATIENCE};
use data_encoding::BASE64URL_NOPAD;
use domain::id::{TenantId, ToolId};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const HIDDEN: &str = "hidden_tool";
const ABSENT: &str = "absent_tool";

/// Queries that a publisher in the team is answered.
const READS: &[&str] = &[
    r#"tool(server: "till", name: $name) { name }"#,
    r#"tool(server: "till", name: $name) { history { nodes { type } } reviews { nodes { text } } }"#,
    r#"compatibility(server: "till", tool: $name, from: "1.0.0", to: "1.1.0") { verdict }"#,
    r#"proposedCompatibility(server: "till", tool: $name, proposed: { description: "Mine" }) { verdict }"#,
];
const CHANGES: &[&str] = &[
    r#"describeTool(input: { server: "till", name: $name, title: "Mine" }) { sequence }"#,
    r#"describeTool(input: { server: "till", name: $name, team: null, visibility: TENANT }) { sequence }"#,
    r#"publishToolVersion(input: { server: "till", name: $name, version: "2.0.0", description: "Mine" })
        { sequence }"#,
    r#"retireTool(input: { server: "till", name: $name }) { sequence }"#,
    r#"restoreTool(input: { server: "till", name: $name }) { sequence }"#,
    r#"moveToolAlias(input: { server: "till", name: $name, alias: "stable", version: "1.0.0" })
        { sequence }"#,
    r#"rollbackToolAlias(input: { server: "till", name: $name, alias: "stable" }) { sequence }"#,
    r#"removeToolAlias(input: { server: "till", name: $name, alias: "stable" }) { sequence }"#,
    r#"deprecateTool(input: { server: "till", name: $name, message: "Mine" }) { sequence }"#,
    r#"undeprecateTool(input: { server: "till", name: $name }) { sequence }"#,
    r#"yankToolVersion(input: { server: "till", name: $name, version: "1.0.0" }) { sequence }"#,
    r#"unyankToolVersion(input: { server: "till", name: $name, version: "1.0.0" }) { sequence }"#,
    r#"reviewTool(input: { server: "till", name: $name, rating: 1 }) { sequence }"#,
];
const LISTS: &str = r#"{ tools { totalCount nodes { name } } toolFacets { tags { value } categories { value } }
    server(slug: "till") { toolCount tools { nodes { name } } }
    ofTeam: tools(filter: { team: "payments" }) { totalCount }
    facetsOfTeam: toolFacets(filter: { team: "payments" }) { servers { value } }
    taxonomy { categories { slug toolCount } }
    searchTools(query: "count the money of a till", first: 50) {
        hits { tool { name } } facets { categories { value } tags { value } visibilities { value } } }
    tool(server: "till", name: "shown_tool") {
        deprecation { message successor } similar(first: 20) { reference } } }"#;

/// What is recommended beside the tool that all see.
const BESIDE: &str = r#"{ tool(server: "till", name: "shown_tool") {
    similar { reference } usedTogether { reference } comesNext { reference } } }"#;

/// Who reads, in which team, and whether it is the one that the hidden tool is kept to.
const READERS: [(Role, &str, bool); 4] = [
    (Role::Publisher, "payments", true),
    (Role::Agent, "payments", true),
    (Role::Publisher, "search", false),
    (Role::Agent, "search", false),
];

/// The whole answer, when the operation names what is hidden and when it names what is absent.
async fn is_told_the_same(client: &Client, operation: &str, [hidden, absent]: [&str; 2]) -> Value {
    let (status, told) = client.graphql(operation, json!({ "name": hidden })).await;
    let (expected, of_absent) = client.graphql(operation, json!({ "name": absent })).await;
    assert_eq!((status, &told), (expected, &of_absent), "{operation}");
    told
}

/// The same, and what is told is that there is no such thing.
async fn is_refused(client: &Client, operation: &str, names: [&str; 2]) {
    let told = is_told_the_same(client, operation, names).await;
    let code = &told["errors"][0]["extensions"]["code"];
    assert_eq!(*code, json!("NOT_FOUND"), "{operation}: {told:#}");
}

fn global_id(name: &str) -> String {
    let id = ToolId::derive(&TenantId::new("acme").unwrap(), "till", name);
    BASE64URL_NOPAD.encode(format!("Tool:{}", id.as_str()).as_bytes())
}

#[tokio::test]
async fn a_tool_of_another_team_answers_as_one_that_never_was() {
    let (installation, owner) = begin().await;
    let registered = tool(&owner, HIDDEN, "PRIVATE", Some("payments")).await;
    for made in [
        format!(
            "publishToolVersion(input: {{ server: \"till\", name: \"{HIDDEN}\", version: \"1.1.0\",
                description: \"Counts the money twice\" }})"
        ),
        format!(
            "moveToolAlias(input: {{ server: \"till\", name: \"{HIDDEN}\", alias: \"stable\", version: \"1.0.0\" }})"
        ),
    ] {
        change(&owner, &made).await;
    }
    let review =
        format!("reviewTool(input: {{ server: \"till\", name: \"{HIDDEN}\", rating: 4 }})");
    let reviewed = change(&owner, &review).await;
    let described = describe(&owner, HIDDEN, &json!({ "title": "Count" })).await;
    let publisher = member(
        &installation,
        &owner,
        "pub",
        Role::Publisher,
        &["search", "pay"],
    );
    let publisher = publisher.await;
    let agent = member(&installation, &owner, "bot", Role::Agent, &["search"]).await;
    let within = member(
        &installation,
        &owner,
        "maker",
        Role::Publisher,
        &["payments"],
    );
    let within = within.await;
    installation.settle().await;
    let names = [HIDDEN, ABSENT];
    for read in READS {
        let read = format!("query($name: String!) {{ {read} }}");
        within.data(&read, json!({ "name": HIDDEN })).await;
        for client in [&publisher, &agent] {
            is_refused(client, &read, names).await;
        }
    }
    for client in [&publisher, &agent] {
        for change in CHANGES {
            let change = format!("mutation($name: String!) {{ {change} }}");
            is_refused(client, &change, names).await;
        }
        for position in [registered, described, reviewed].map(|position| position.to_string()) {
            let undo = "mutation($name: ID!) { undo(commit: $name) { sequence } }";
            is_refused(client, undo, [&position, "1000000"]).await;
        }
        let node = "query($name: ID!) { node(id: $name) { id } }";
        let ids = names.map(global_id);
        is_refused(client, node, [&ids[0], &ids[1]]).await;
        for version in ["", "@1.0.0", "@9.9.9", "@stable"] {
            let named = names.map(|name| format!("till/{name}{version}"));
            let resolve = "query($name: String!) { resolveTool(reference: $name) { exact } }";
            is_refused(client, resolve, [&named[0], &named[1]]).await;
            for (meta_tool, argument) in [
                ("describe_tool", "tool"),
                ("recommend_tools", "tools"),
                ("compare_tools", "from"),
            ] {
                let [hidden, absent] = named.each_ref().map(|name| match argument {
                    "tools" => json!({ "tools": [name] }),
                    _ => json!({ argument: name }),
                });
                let told = call(client, meta_tool, hidden).await.to_string();
                let of_absent = call(client, meta_tool, absent).await.to_string();
                assert_eq!(told.replace(HIDDEN, ABSENT), of_absent, "{meta_tool}");
            }
        }
    }
    // Whoever is in the team without a role has no more of it than anybody without a role.
    let nobody = installation.client("acme", "nobody", &[]).await;
    change(&owner, &joining("nobody", "payments")).await;
    for read in READS {
        let read = format!("query($name: String!) {{ {read} }}");
        let told = is_told_the_same(&nobody, &read, names).await;
        assert!(told.get("errors").is_some(), "{told:#}");
    }
    // A name is taken, whoever asks, and no more is told.
    let register = format!(
        "registerTool(input: {{ server: \"till\", name: \"{HIDDEN}\", description: \"Mine\" }})"
    );
    assert_eq!(
        refused(&publisher, &register).await,
        "TOOL_ALREADY_REGISTERED"
    );
    // All of this has changed nothing.
    let now =
        "query($name: String!) { tool(server: \"till\", name: $name) { title version status team
        visibility aliases { name } deprecation { message } } }";
    let now = owner.data(now, json!({ "name": HIDDEN })).await;
    let expected = json!({ "title": "Count", "version": "1.1.0", "status": "ACTIVE", "team": "payments",
        "visibility": "PRIVATE", "aliases": [{ "name": "latest" }, { "name": "stable" }], "deprecation": null });
    assert_eq!(now["tool"], expected);
    // Out of use, it is hidden as before, and its name is still taken.
    let retire = format!("retireTool(input: {{ server: \"till\", name: \"{HIDDEN}\" }})");
    change(&owner, &retire).await;
    for change in CHANGES {
        let change = format!("mutation($name: String!) {{ {change} }}");
        is_refused(&publisher, &change, names).await;
    }
    assert_eq!(refused(&publisher, &register).await, "TOOL_RETIRED");
}

#[tokio::test]
async fn nothing_that_lists_or_counts_or_recommends_says_a_word_of_it() {
    let (installation, owner) = begin().await;
    change(
        &owner,
        "addCategory(input: { slug: \"money\", title: \"Money\" })",
    )
    .await;
    tool(&owner, "shown_tool", "TENANT", None).await;
    let more = json!({ "description": "Counts the money of a till", "tags": [HIDDEN], "category": "money",
                       "visibility": "PRIVATE", "team": "payments" });
    owner.data(REGISTER, on(HIDDEN, &more)).await;
    let moves = format!("message: \"It moves\", successor: \"till/{HIDDEN}\"");
    let moves =
        format!("deprecateTool(input: {{ server: \"till\", name: \"shown_tool\", {moves} }})");
    change(&owner, &moves).await;
    let search = json!({ "query": "count the money of a till", "limit": 50, "token_budget": 10_000, "facets": true });
    for (role, team, is_within) in READERS {
        let handle = format!("{role}-of-{team}");
        let client = member(&installation, &owner, &handle, role, &[team]).await;
        installation.settle().await;
        let seen = client.data(LISTS, json!({})).await;
        for shown in [
            &seen["tools"]["nodes"],
            &seen["toolFacets"]["tags"],
            &seen["server"]["tools"]["nodes"],
            &seen["searchTools"]["hits"],
            &seen["searchTools"]["facets"]["tags"],
            &seen["tool"]["similar"],
        ] {
            let told = shown.to_string().contains(HIDDEN);
            assert_eq!(told, is_within, "{handle}: {shown:#} of {seen:#}");
        }
        for (facet, value) in [
            (&seen["toolFacets"]["categories"], "money"),
            (&seen["searchTools"]["facets"]["categories"], "money"),
            (&seen["searchTools"]["facets"]["visibilities"], "private"),
        ] {
            let told = facet.to_string().contains(value);
            assert_eq!(told, is_within, "{handle}: {facet:#} of {seen:#}");
        }
        assert!(is_within || !seen.to_string().contains(HIDDEN), "{seen:#}");
        let hidden = usize::from(is_within);
        for (count, expected) in [
            (&seen["tools"]["totalCount"], 1 + hidden),
            (&seen["server"]["toolCount"], 1 + hidden),
            (&seen["ofTeam"]["totalCount"], hidden),
            (&seen["taxonomy"]["categories"][0]["toolCount"], hidden),
        ] {
            assert_eq!(*count, json!(expected), "{handle}: {seen:#}");
        }
        let servers = seen["facetsOfTeam"]["servers"].as_array().unwrap();
        assert_eq!(servers.len(), hidden, "{handle}: {seen:#}");
        let successor = is_within.then(|| format!("till/{HIDDEN}"));
        let expected = json!({ "message": "It moves", "successor": successor });
        assert_eq!(seen["tool"]["deprecation"], expected, "{handle}");
        let found = call(&client, "search_tools", search.clone()).await;
        assert_eq!(names(&found).contains(&HIDDEN), is_within, "{found:#}");
        let read = call(
            &client,
            "describe_tool",
            json!({ "tool": "till/shown_tool" }),
        )
        .await;
        for shown in [
            &found["structuredContent"]["tools"],
            &found["structuredContent"]["facets"],
            &read["structuredContent"]["similar"],
            &found,
            &read,
        ] {
            let told = shown.to_string().contains(HIDDEN);
            assert_eq!(told, is_within, "{handle}: {shown:#}");
        }
    }
}

#[tokio::test]
async fn what_a_team_uses_is_recommended_to_nobody_else() {
    let (installation, owner) = begin().await;
    tool(&owner, "shown_tool", "TENANT", None).await;
    tool(&owner, HIDDEN, "PRIVATE", Some("payments")).await;
    // What one session did may be chance: it takes two.
    for handle in ["bot-1", "bot-2"] {
        let bot = member(&installation, &owner, handle, Role::Agent, &["payments"]).await;
        installation.settle().await;
        for name in ["shown_tool", HIDDEN] {
            let named = json!({ "tool": format!("till/{name}") });
            let read = call(&bot, "describe_tool", named).await;
            assert_ne!(read["isError"], true, "{read:#}");
        }
    }
    let kinds = ["similar", "usedTogether", "comesNext"];
    let begun = Instant::now();
    loop {
        let seen = owner.data(BESIDE, json!({})).await["tool"].take();
        if kinds.iter().all(|kind| seen[*kind] != json!([])) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{seen:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let hidden = format!("till/{HIDDEN}");
    for (role, team, is_within) in READERS {
        let handle = format!("{role}-of-{team}");
        let client = member(&installation, &owner, &handle, role, &[team]).await;
        installation.settle().await;
        let seen = client.data(BESIDE, json!({})).await["tool"].take();
        let expected = match is_within {
            true => json!([{ "reference": hidden }]),
            false => json!([]),
        };
        for kind in kinds {
            assert_eq!(seen[kind], expected, "{handle}, {kind}: {seen:#}");
        }
        let named = json!({ "tools": ["till/shown_tool"], "limit": 20 });
        let told = call(&client, "recommend_tools", named).await;
        let beside = &told["structuredContent"]["tools"][0];
        for kind in ["similar", "used_together", "comes_next"] {
            let lines = beside[kind].as_array().unwrap().iter();
            let names: Vec<_> = lines.map(|line| line["tool"].clone()).collect();
            let expected: Vec<_> = is_within.then(|| json!(hidden)).into_iter().collect();
            assert_eq!(names, expected, "{handle}, {kind}: {told:#}");
        }
        let whole = told.to_string();
        assert_eq!(whole.contains(HIDDEN), is_within, "{handle}: {told:#}");
    }
}
