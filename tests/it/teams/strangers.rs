//! A team is its tenant's own: another tenant sees none of it on what is public, and a team of the same name there
//! opens nothing here.

use super::{TOOL, begin, change, joining, tool};
use crate::mcp::{call, code};
use domain::principal::Role;
use serde_json::json;

#[tokio::test]
async fn another_tenant_sees_public_tools_without_their_team_and_nothing_private() {
    let (installation, acme) = begin().await;
    tool(&acme, "offered", "PUBLIC", Some("payments")).await;
    tool(&acme, "locked_up", "PRIVATE", Some("payments")).await;
    let beta = installation.client("beta", "boss", &[Role::Owner]).await;
    let agent = installation.client("beta", "bot", &[Role::Agent]).await;
    change(&beta, &joining("bot", "payments")).await;
    installation.settle().await;
    let install =
        "installTool(input: { publisher: \"acme\", server: \"till\", tool: \"offered\" })";
    change(&beta, install).await;
    installation.settle().await;

    let listing = "reference name title description tags category";
    let seen = format!(
        "{{ marketplace {{ totalCount nodes {{ {listing} }} facets {{ tags {{ value }} }} }}
            found: marketplace(query: \"count the money of a till\") {{ nodes {{ {listing} }} }}
            listing(publisher: \"acme\", server: \"till\", tool: \"offered\") {{ {listing} }}
            installations {{ nodes {{ reference listing {{ {listing} }} }} }}
            searchTools(query: \"count the money of a till\") {{ totalCount hits {{ reference }} }}
            tools {{ totalCount }} ofTeam: tools(filter: {{ team: \"payments\" }}) {{ totalCount }} }}"
    );
    let task = json!({ "query": "count the money of a till", "limit": 50, "facets": true });
    for client in [&beta, &agent] {
        let seen = client.data(&seen, json!({})).await;
        for count in ["marketplace", "searchTools"] {
            assert_eq!(seen[count]["totalCount"], 1, "{seen:#}");
        }
        for count in ["tools", "ofTeam"] {
            assert_eq!(seen[count]["totalCount"], 0, "{seen:#}");
        }
        let found = call(client, "search_tools", task.clone()).await;
        let named = json!({ "tool": "@acme/till/offered" });
        let read = call(client, "describe_tool", named).await;
        for answer in [seen, found, read] {
            let text = answer.to_string();
            assert!(text.contains("offered"), "{answer:#}");
            for word in ["payments", "locked_up"] {
                assert!(!text.contains(word), "{word}: {answer:#}");
            }
        }
        for hidden in ["till/locked_up", "@acme/till/locked_up"] {
            let read = call(client, "describe_tool", json!({ "tool": hidden })).await;
            assert_eq!(code(&read), "NOT_FOUND");
        }
        let kept = json!({ "name": "locked_up" });
        assert_eq!(client.code(TOOL, kept).await, "NOT_FOUND");
        let listed =
            "{ listing(publisher: \"acme\", server: \"till\", tool: \"locked_up\") { name } }";
        assert_eq!(client.code(listed, json!({})).await, "NOT_FOUND");
    }
    // Each tenant has members of its own in a team of that name.
    let members = "{ principals(team: \"payments\") { nodes { handle } } }";
    for (owner, expected) in [(&beta, json!([{ "handle": "bot" }])), (&acme, json!([]))] {
        let found = owner.data(members, json!({})).await;
        assert_eq!(found["principals"]["nodes"], expected);
    }
    let log = beta.data(
        "{ auditLog(first: 100) { nodes { type data } } }",
        json!({}),
    );
    let log = log.await.to_string();
    assert!(
        log.contains("payments") && !log.contains("locked_up"),
        "{log}"
    );
}
