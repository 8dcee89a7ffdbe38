//! The law of teams: one function says who sees which tool, and every surface agrees with it.

use super::{TOOL, begin, describe, member, tool};
use crate::mcp::{call, code, names};
use crate::support::Client;
use domain::principal::Role;
use serde_json::{Value, json};

/// A visibility and a team.
type Setting = (&'static str, Option<&'static str>);

const SETTINGS: [Setting; 6] = [
    ("PRIVATE", Some("payments")),
    ("PRIVATE", Some("search")),
    ("PRIVATE", None),
    ("TENANT", None),
    ("TENANT", Some("search")),
    ("PUBLIC", Some("search")),
];
const ROLES: [Role; 5] = [
    Role::Owner,
    Role::Admin,
    Role::Publisher,
    Role::Agent,
    Role::Auditor,
];
const TEAMS: [&[&str]; 2] = [&[], &["payments"]];
const LISTS: &str =
    "{ tools(first: 100) { totalCount nodes { name } } toolFacets { tags { value } }
    server(slug: \"till\") { toolCount tools { totalCount nodes { name } } }
    searchTools(query: \"count the money of a till\", first: 50) {
        totalCount hits { tool { name } } facets { counted tags { value } } } }";

fn sees(role: Role, teams: &[&str], (visibility, team): Setting) -> bool {
    match (visibility, team) {
        ("PRIVATE", Some(team)) => {
            matches!(role, Role::Owner | Role::Admin | Role::Auditor) || teams.contains(&team)
        }
        ("PRIVATE", None) => role != Role::Agent,
        _ => true,
    }
}

fn name(n: usize) -> String {
    format!("tool_{n}")
}

/// What stands at a place of each member of a list, in order.
fn all(list: &Value, path: &str) -> Vec<String> {
    let each = list.as_array().unwrap().iter();
    let mut found: Vec<String> = each
        .map(|one| one.pointer(path).unwrap().as_str().unwrap().to_owned())
        .collect();
    found.sort_unstable();
    found
}

/// Every surface shows a client these tools, and no others.
async fn is_shown(client: &Client, expected: &[String], who: &str) {
    let seen = client.data(LISTS, json!({})).await;
    let (tools, server, search) = (&seen["tools"], &seen["server"], &seen["searchTools"]);
    for (list, path) in [
        (&tools["nodes"], "/name"),
        (&seen["toolFacets"]["tags"], "/value"),
        (&server["tools"]["nodes"], "/name"),
        (&search["hits"], "/tool/name"),
        (&search["facets"]["tags"], "/value"),
    ] {
        assert_eq!(all(list, path), expected, "{who}: {list:#} of {seen:#}");
    }
    for count in [
        &tools["totalCount"],
        &server["toolCount"],
        &server["tools"]["totalCount"],
        &search["totalCount"],
        &search["facets"]["counted"],
    ] {
        assert_eq!(*count, json!(expected.len()), "{who}: {seen:#}");
    }
    let search =
        json!({ "query": "count the money of a till", "limit": 50, "token_budget": 10_000 });
    let answer = call(client, "search_tools", search).await;
    let mut found = names(&answer);
    found.sort_unstable();
    assert_eq!(found, expected, "{who}: {answer:#}");
    for name in (0..SETTINGS.len()).map(name) {
        let (_, looked) = client.graphql(TOOL, json!({ "name": name })).await;
        let tool = json!({ "tool": format!("till/{name}") });
        let read = call(client, "describe_tool", tool).await;
        if expected.contains(&name) {
            assert_eq!(looked["data"]["tool"]["name"], json!(name), "{who}");
            assert_eq!(read["structuredContent"]["name"], json!(name), "{who}");
        } else {
            let told = &looked["errors"][0]["extensions"]["code"];
            assert_eq!(*told, json!("NOT_FOUND"), "{who}: {name}: {looked:#}");
            assert_eq!(code(&read), "NOT_FOUND", "{who}: {name}");
        }
    }
}

/// A filter by team finds those of the expected tools that belong to it, whichever way it is given.
async fn is_narrowed(client: &Client, team: &str, expected: &[String], who: &str) {
    let search = "query($line: String!, $team: String!) {
        list: tools(first: 100, filter: { team: $team }) { nodes { name } }
        line: searchTools(query: $line, first: 50) { hits { tool { name } } }
        field: searchTools(query: \"count the money of a till\", first: 50, filter: { teams: [$team] }) {
            hits { tool { name } } }
        others: searchTools(query: \"count the money of a till\", first: 50, filter: { withoutTeams: [$team] }) {
            totalCount }
        all: searchTools(query: \"count the money of a till\", first: 50) { totalCount } }";
    let line = format!("money team:{team}");
    let seen = client
        .data(search, json!({ "line": line, "team": team }))
        .await;
    for (list, path) in [
        (&seen["list"]["nodes"], "/name"),
        (&seen["line"]["hits"], "/tool/name"),
        (&seen["field"]["hits"], "/tool/name"),
    ] {
        assert_eq!(all(list, path), expected, "{who}: {seen:#}");
    }
    let count = |of: &str| seen[of]["totalCount"].as_u64().unwrap();
    assert_eq!(
        count("others") + expected.len() as u64,
        count("all"),
        "{who}"
    );
    let answer = call(
        client,
        "search_tools",
        json!({ "query": line, "limit": 50 }),
    )
    .await;
    let mut found = names(&answer);
    found.sort_unstable();
    assert_eq!(found, expected, "{who}: {answer:#}");
}

#[tokio::test]
async fn every_surface_shows_what_role_and_teams_let_a_principal_see() {
    let (installation, owner) = begin().await;
    for (n, (visibility, team)) in SETTINGS.into_iter().enumerate() {
        tool(&owner, &name(n), visibility, team).await;
    }
    let mut callers = Vec::new();
    for role in ROLES {
        for teams in TEAMS {
            let handle = format!("{role}-of-{}", teams.len());
            let client = member(&installation, &owner, &handle, role, teams).await;
            callers.push((role, teams, handle, client));
        }
    }
    // In the second round each tool is as its neighbour was before: of some, only the team is another.
    for round in 0..2 {
        let setting = |n: usize| SETTINGS[(n + round) % SETTINGS.len()];
        if round > 0 {
            for n in 0..SETTINGS.len() {
                let (visibility, team) = setting(n);
                let more = json!({ "visibility": visibility, "team": team });
                describe(&owner, &name(n), &more).await;
            }
        }
        installation.settle().await;
        for (role, teams, handle, client) in &callers {
            let who = format!("{handle}, round {round}");
            let seen = (0..SETTINGS.len()).filter(|n| sees(*role, teams, setting(*n)));
            let seen: Vec<usize> = seen.collect();
            let expected: Vec<String> = seen.iter().copied().map(name).collect();
            is_shown(client, &expected, &who).await;
            for team in ["payments", "search", "nobody"] {
                let its = seen.iter().filter(|n| setting(**n).1 == Some(team));
                let its: Vec<String> = its.copied().map(name).collect();
                is_narrowed(client, team, &its, &who).await;
            }
        }
    }
}
