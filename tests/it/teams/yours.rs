//! Nobody hides a tool from himself: who would not see it afterwards is told so, and nothing is changed.

use super::{DESCRIBE, REGISTER, TOOL, UNDO, begin, describe, member, on, tool};
use domain::principal::Role;
use serde_json::json;

/// What is told to whoever would not see the tool any more.
const ADVICE: &str = "you are not in the team `search`, and would not see the tool; name a team that you are in, or \
    ask an owner or administrator to put you into this one or to change the tool";

#[tokio::test]
async fn a_publisher_keeps_tools_to_teams_of_its_own_only() {
    let (installation, owner) = begin().await;
    let maker = member(
        &installation,
        &owner,
        "maker",
        Role::Publisher,
        &["payments"],
    );
    let maker = maker.await;
    let private = json!({ "description": "Counts", "visibility": "PRIVATE", "team": "search" });
    let (_, answer) = maker.graphql(REGISTER, on("count", &private)).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "NOT_YOUR_TEAM", "{answer:#}");
    let message = error["message"].as_str().unwrap();
    assert_eq!(message, ADVICE);
    let absent = json!({ "name": "count" });
    assert_eq!(owner.code(TOOL, absent).await, "NOT_FOUND");

    tool(&maker, "count", "PRIVATE", Some("payments")).await;
    // What is said in turn, and what the tool is then; nothing where it is refused.
    for (said, then) in [
        (json!({ "team": "search" }), None),
        (
            json!({ "visibility": "TENANT", "team": "search" }),
            Some(("TENANT", Some("search"))),
        ),
        (json!({ "visibility": "PRIVATE" }), None),
        (
            json!({ "title": "Count" }),
            Some(("TENANT", Some("search"))),
        ),
        (
            json!({ "visibility": "PRIVATE", "team": null }),
            Some(("PRIVATE", None)),
        ),
        (json!({ "team": "search" }), None),
        (
            json!({ "team": "payments" }),
            Some(("PRIVATE", Some("payments"))),
        ),
        (json!({ "team": "" }), Some(("PRIVATE", None))),
    ] {
        let Some((visibility, team)) = then else {
            let code = maker.code(DESCRIBE, on("count", &said)).await;
            assert_eq!(code, "NOT_YOUR_TEAM", "{said}");
            continue;
        };
        let done = maker.data(DESCRIBE, on("count", &said)).await;
        let expected = json!({ "visibility": visibility, "team": team });
        assert_eq!(done["done"]["tool"], expected, "{said}");
    }
    // Whoever sees everything needs to be in no team.
    describe(&owner, "count", &json!({ "team": "search" })).await;
    tool(&owner, "sort", "PRIVATE", Some("search")).await;
    let gone = maker.code(DESCRIBE, on("count", &json!({ "team": null })));
    assert_eq!(gone.await, "NOT_FOUND");
}

#[tokio::test]
async fn an_undo_hides_a_tool_from_nobody_who_asks_for_it() {
    let (installation, owner) = begin().await;
    let maker = member(&installation, &owner, "maker", Role::Publisher, &["search"]).await;
    let other = member(
        &installation,
        &owner,
        "other",
        Role::Publisher,
        &["payments"],
    );
    let other = other.await;
    tool(&maker, "sort", "PRIVATE", Some("search")).await;
    let shown = describe(&maker, "sort", &json!({ "visibility": "TENANT" })).await;
    let shown = json!({ "commit": shown });
    let (_, answer) = other.graphql(UNDO, shown.clone()).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "NOT_YOUR_TEAM", "{answer:#}");
    assert_eq!(error["message"], ADVICE);
    let back = maker.data(UNDO, shown.clone()).await["undo"].take();
    let private = json!({ "visibility": "PRIVATE", "team": "search" });
    assert_eq!(back["node"], private);
    // Now there is no such commit for the one outside.
    assert_eq!(other.code(UNDO, shown).await, "NOT_FOUND");
    let forth = json!({ "commit": back["sequence"] });
    assert_eq!(other.code(UNDO, forth.clone()).await, "NOT_FOUND");
    let forth = owner.data(UNDO, forth).await["undo"].take();
    let listed = json!({ "visibility": "TENANT", "team": "search" });
    assert_eq!(forth["node"], listed);
}
