//! Recommendations as agents get them: all kinds, each with its reason, for several tools at once.

use super::{ask, fill, session};
use crate::mcp::{call, code, text};
use crate::support::{Client, Installation, PATIENCE};
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn recommended(client: &Client, arguments: Value) -> Value {
    call(client, "recommend_tools", arguments).await
}

/// The names of one list of one tool.
fn names<'a>(beside: &'a Value, kind: &str) -> Vec<&'a str> {
    let lines = beside[kind].as_array().unwrap().iter();
    lines.map(|line| line["tool"].as_str().unwrap()).collect()
}

/// Waits until `pay` was counted behind `find` in two sessions.
async fn counted(reader: &Client) {
    let begun = Instant::now();
    loop {
        let seen = ask(reader, "find").await;
        if seen["usedTogether"].as_array().unwrap().len() == 2 {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{seen:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn agents_get_all_kinds_with_reasons_for_several_tools_and_nothing_hidden() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    for agent in ["agent-1", "agent-2"] {
        let tools = ["find", "cart", "pay"];
        session(&installation, agent, Role::Agent, &tools).await;
    }
    let agent = installation.client("acme", "reader", &[Role::Agent]).await;
    counted(&agent).await;
    let tools = json!([
        "shop/find",
        "shop/cart@1.0.0",
        "shop/refund",
        "shop/nothing",
        "shop"
    ]);
    let answer = recommended(&agent, json!({ "tools": tools })).await;
    let beside = &answer["structuredContent"];
    let (find, cart) = (&beside["tools"][0], &beside["tools"][1]);
    assert_eq!(
        (&find["tool"], &cart["tool"]),
        (&json!("shop/find"), &json!("shop/cart"))
    );
    // The same in the same order as over the other surface.
    let seen = ask(&agent, "find").await;
    let told = |node: &Value| format!("shop/{}", node["tool"]["name"].as_str().unwrap());
    let together = seen["usedTogether"].as_array().unwrap().iter();
    let together: Vec<String> = together.map(told).collect();
    assert_eq!(names(find, "used_together"), together);
    assert_eq!(together.len(), 2);
    let (line, node) = (&find["used_together"][0], &seen["usedTogether"][0]);
    assert_eq!(line["reason"], node["reason"]);
    assert_eq!(names(find, "comes_next"), ["shop/cart"]);
    assert_eq!(names(cart, "comes_next"), ["shop/pay"]);
    let mut similar = names(find, "similar");
    similar.sort_unstable();
    assert_eq!(similar, ["shop/cart", "shop/pay"], "`refund` is hidden");
    for kind in ["similar", "used_together", "comes_next"] {
        let reason = find[kind][0]["reason"].as_str().unwrap();
        assert!(
            !reason.is_empty() && text(&answer).contains(reason),
            "{reason}"
        );
    }
    let reason = "came next after this tool 2 of 2 times";
    assert_eq!(find["comes_next"][0]["reason"], reason);
    // What is hidden answers as what is absent.
    let errors: Vec<_> = beside["errors"].as_array().unwrap().iter().collect();
    let codes: Vec<_> = errors.iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, ["NOT_FOUND", "NOT_FOUND", "INVALID_ARGUMENTS"]);
    let hidden = errors[0]["message"].as_str().unwrap();
    let absent = errors[1]["message"].as_str().unwrap();
    assert_eq!(hidden.replace("refund", "nothing"), absent);
}

#[tokio::test]
async fn kinds_lengths_and_the_budget_are_kept_to_and_wrong_arguments_refused() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let agent = installation.client("acme", "reader", &[Role::Agent]).await;
    let one = json!({ "tools": ["shop/find"], "kinds": ["similar"], "limit": 1 });
    let answer = recommended(&agent, one).await;
    let find = &answer["structuredContent"]["tools"][0];
    assert_eq!(names(find, "similar").len(), 1);
    assert_eq!(
        (find.get("used_together"), find.get("comes_next")),
        (None, None)
    );
    let many = json!({ "tools": ["shop/find", "shop/cart", "shop/pay"], "token_budget": 100 });
    let answer = recommended(&agent, many).await;
    let told = &answer["structuredContent"];
    assert_eq!(told["tools"].as_array().unwrap().len(), 1);
    assert_eq!(told["left_out"], json!(["shop/cart", "shop/pay"]));
    for wrong in [
        json!({}),
        json!({ "tools": [] }),
        json!({ "tools": vec!["shop/find"; 11] }),
        json!({ "tools": ["shop/find"], "kinds": ["popular"] }),
        json!({ "tools": ["shop/find"], "limit": 21 }),
        json!({ "tools": ["shop/find"], "token_budget": 1 }),
    ] {
        let refused = recommended(&agent, wrong.clone()).await;
        assert_eq!(code(&refused), "INVALID_ARGUMENTS", "{wrong}");
    }
    let nobody = installation.client("acme", "nobody", &[]).await;
    let refused = recommended(&nobody, json!({ "tools": ["shop/find"] })).await;
    assert_ne!(code(&refused), "INTERNAL");
}

#[tokio::test]
async fn what_is_deprecated_is_marked_and_what_is_refused_after_its_sunset_is_left_out() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let today = chrono::Utc::now().date_naive();
    for (name, sunset) in [("cart", today + chrono::Days::new(30)), ("pay", today)] {
        let deprecate = format!(
            "mutation {{ deprecateTool(input: {{ server: \"shop\", name: \"{name}\",
                message: \"It moves\", sunset: \"{sunset}\" }}) {{ sequence }} }}"
        );
        owner.data(&deprecate, json!({})).await;
    }
    installation.settle().await;
    let agent = installation.client("acme", "reader", &[Role::Agent]).await;
    let similar = json!({ "tools": ["shop/find"], "kinds": ["similar"] });
    let answer = recommended(&agent, similar.clone()).await;
    let find = &answer["structuredContent"]["tools"][0];
    assert_eq!(names(find, "similar"), ["shop/cart"], "{answer:#}");
    let warning = find["similar"][0]["warning"].as_str().unwrap();
    assert!(warning.contains("It moves"), "{warning}");
    assert!(text(&answer).contains(warning), "{answer:#}");
    let query = "{ tool(server: \"shop\", name: \"find\") { similar { reference } } }";
    let seen = agent.data(query, json!({})).await;
    assert_eq!(
        seen["tool"]["similar"],
        json!([{ "reference": "shop/cart" }])
    );

    let warn = "mutation { setAfterSunset(input: { afterSunset: WARN }) { sequence } }";
    owner.data(warn, json!({})).await;
    installation.settle().await;
    let answer = recommended(&agent, similar).await;
    let find = &answer["structuredContent"]["tools"][0];
    let mut all = names(find, "similar");
    all.sort_unstable();
    assert_eq!(all, ["shop/cart", "shop/pay"]);
}
