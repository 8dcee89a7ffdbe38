//! Teams as they were: rights of then are judged by them, and what is hidden today is hidden in the past, too.

use super::{begin, change, describe, joining, known_in, leaving, member, tool};
use domain::principal::Role;
use serde_json::json;

const ACCESS: &str = "query($at: AsOf) {
    accessAt(principal: \"bot\", server: \"till\", tool: \"count\", at: $at) {
        allowed obstacles grants { role } principal { teams } tool { visibility team } }
    principal(handle: \"bot\", asOf: $at) { teams }
    principals(team: \"payments\", asOf: $at) { nodes { handle teams } }
    tools(filter: { team: \"payments\" }, asOf: $at) { totalCount } }";
const TOOL_AT: &str =
    "query($at: AsOf) { tool(server: \"till\", name: \"count\", asOf: $at) { team } }";
const TOOLS_AT: &str =
    "query($at: AsOf) { tools(asOf: $at) { totalCount } toolFacets(asOf: $at) { tags { value } }
    server(slug: \"till\", asOf: $at) { toolCount tools { nodes { name } } } }";
const RESOLVED_AT: &str =
    "query($at: AsOf) { resolveTool(reference: \"till/count\", asOf: $at) { exact } }";

#[tokio::test]
async fn rights_of_then_are_judged_by_the_teams_of_then() {
    let (installation, owner) = begin().await;
    let bot = installation.client("acme", "bot", &[Role::Agent]).await;
    let listed = tool(&owner, "count", "TENANT", None).await;
    let private = json!({ "visibility": "PRIVATE", "team": "payments" });
    let kept = describe(&owner, "count", &private).await;
    let joined = change(&owner, &joining("bot", "payments")).await;
    let moved = describe(&owner, "count", &json!({ "team": "search" })).await;
    let back = describe(&owner, "count", &json!({ "team": "payments" })).await;
    let left = change(&owner, &leaving("bot", "payments")).await;
    let payments = Some("payments");
    for (position, allowed, teams, visibility, team) in [
        (listed, true, json!([]), "TENANT", None),
        (kept, false, json!([]), "PRIVATE", payments),
        (joined, true, json!(["payments"]), "PRIVATE", payments),
        (moved, false, json!(["payments"]), "PRIVATE", Some("search")),
        (back, true, json!(["payments"]), "PRIVATE", payments),
        (left, false, json!([]), "PRIVATE", payments),
    ] {
        let at = json!({ "at": { "sequence": position } });
        let then = owner.data(ACCESS, at).await;
        let (obstacles, grants) = match allowed {
            true => (json!([]), json!([{ "role": "AGENT" }])),
            false => (json!(["NOT_PERMITTED"]), json!([])),
        };
        let access = json!({ "allowed": allowed, "obstacles": obstacles, "grants": grants,
            "principal": { "teams": teams }, "tool": { "visibility": visibility, "team": team } });
        assert_eq!(then["accessAt"], access, "{position}");
        assert_eq!(then["principal"]["teams"], teams, "{position}");
        let members = match teams == json!([]) {
            true => json!([]),
            false => json!([{ "handle": "bot", "teams": teams }]),
        };
        assert_eq!(then["principals"]["nodes"], members, "{position}");
        let count = usize::from(team == payments);
        assert_eq!(then["tools"]["totalCount"], json!(count), "{position}");
    }
    let now = owner.data(ACCESS, json!({ "at": null })).await;
    assert_eq!(now["accessAt"]["obstacles"], json!(["NOT_PERMITTED"]));

    // Today's teams decide who may look back; what was another team's then is still that team's.
    let nothing = json!({ "tools": { "totalCount": 0 }, "toolFacets": { "tags": [] },
                          "server": { "toolCount": 0, "tools": { "nodes": [] } } });
    let it = json!({ "tools": { "totalCount": 1 }, "toolFacets": { "tags": [{ "value": "count" }] },
                     "server": { "toolCount": 1, "tools": { "nodes": [{ "name": "count" }] } } });
    let publisher = member(&installation, &owner, "pub", Role::Publisher, &["search"]).await;
    for position in [listed, kept, joined, moved, back, left] {
        let at = json!({ "at": { "sequence": position } });
        for client in [&bot, &publisher] {
            for read in [TOOL_AT, RESOLVED_AT] {
                assert_eq!(client.code(read, at.clone()).await, "NOT_FOUND");
            }
            let seen = client.data(TOOLS_AT, at.clone()).await;
            assert_eq!(seen, nothing, "{position}");
        }
    }
    change(&owner, &joining("bot", "payments")).await;
    known_in(&bot, &["payments"]).await;
    for (position, team) in [
        (listed, None),
        (kept, payments),
        (joined, payments),
        (back, payments),
        (left, payments),
    ] {
        let at = json!({ "at": { "sequence": position } });
        let then = bot.data(TOOL_AT, at.clone()).await;
        assert_eq!(then["tool"]["team"], json!(team), "{position}");
        let then = bot.data(RESOLVED_AT, at.clone()).await;
        let exact = json!({ "exact": "till/count@1.0.0" });
        assert_eq!(then["resolveTool"], exact, "{position}");
        assert_eq!(bot.data(TOOLS_AT, at).await, it, "{position}");
    }
    let at = json!({ "at": { "sequence": moved } });
    for read in [TOOL_AT, RESOLVED_AT] {
        assert_eq!(bot.code(read, at.clone()).await, "NOT_FOUND");
    }
    assert_eq!(bot.data(TOOLS_AT, at).await, nothing);
}
