//! Bad input about teams is refused with a stable code and with words that say what to do, and nothing of it comes into
//! the log.

use super::{begin, change, joining, leaving, tool};
use domain::principal::Role;
use serde_json::json;

/// Most teams of one principal.
const MOST: usize = 32;
/// What follows the name that is none.
const RULE: &str = "` is not a valid team: use 1 to 64 lower-case letters, digits and hyphens, beginning and ending \
    with a letter or digit";

#[tokio::test]
async fn what_is_no_team_or_no_change_is_refused_with_a_code() {
    let (installation, owner) = begin().await;
    for handle in ["bot", "busy", "gone"] {
        installation.client("acme", handle, &[Role::Agent]).await;
    }
    tool(&owner, "count", "TENANT", None).await;
    // What stands around a name is not part of it.
    change(&owner, &joining("bot", " payments ")).await;
    change(&owner, &joining("gone", "payments")).await;
    change(&owner, "deactivatePrincipal(input: { handle: \"gone\" })").await;
    for n in 0..MOST {
        change(&owner, &joining("busy", &format!("team-{n}"))).await;
    }
    let long = "a".repeat(200);
    let register = "registerTool(input: { server: \"till\", name: \"new\", description: \"Counts\",
        team: \"No Slug\" })";
    let describe = "describeTool(input: { server: \"till\", name: \"count\", team: \"no_slug\" })";
    let none = |name: &str| format!("`{name}{RULE}");
    let already = |team: &str| format!("the principal is in the team `{team}` already");
    let outside = |team: &str| {
        format!("the principal is not in the team `{team}`; its `teams` lists those that it is in")
    };
    let too_many = format!("a principal is in {MOST} teams at most; take it out of one first");
    let absent = || "there is no such object".to_owned();
    let head = installation.settle().await;
    for (mutation, code, advice) in [
        (joining("bot", "No Slug"), "INVALID_TEAM", none("No Slug")),
        (joining("bot", ""), "INVALID_TEAM", none("")),
        // Of what is too long the beginning is told.
        (joining("bot", &long), "INVALID_TEAM", none(&long[..80])),
        (
            leaving("bot", "pay_ments"),
            "INVALID_TEAM",
            none("pay_ments"),
        ),
        (register.to_owned(), "INVALID_TEAM", none("No Slug")),
        (describe.to_owned(), "INVALID_TEAM", none("no_slug")),
        (
            joining("bot", "payments"),
            "ALREADY_IN_TEAM",
            already("payments"),
        ),
        (leaving("bot", "search"), "NOT_IN_TEAM", outside("search")),
        (
            leaving("owner", "payments"),
            "NOT_IN_TEAM",
            outside("payments"),
        ),
        (joining("busy", "one-more"), "TOO_MANY_TEAMS", too_many),
        (
            joining("busy", "team-0"),
            "ALREADY_IN_TEAM",
            already("team-0"),
        ),
        (
            joining("gone", "search"),
            "PRINCIPAL_DEACTIVATED",
            "the principal is deactivated".to_owned(),
        ),
        (joining("nobody", "payments"), "NOT_FOUND", absent()),
        (leaving("nobody", "payments"), "NOT_FOUND", absent()),
    ] {
        let asked = format!("mutation {{ {mutation} {{ sequence }} }}");
        let (_, answer) = owner.graphql(&asked, json!({})).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], code, "{mutation}: {answer:#}");
        let message = error["message"].as_str().unwrap();
        assert_eq!(message, advice, "{mutation}");
        assert_eq!(installation.settle().await, head, "{mutation}");
    }
    // Room is made by leaving, which who is deactivated can do as well.
    change(&owner, &leaving("busy", "team-0")).await;
    change(&owner, &joining("busy", "one-more")).await;
    change(&owner, &leaving("gone", "payments")).await;
}
