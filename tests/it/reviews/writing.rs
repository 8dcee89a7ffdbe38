//! What authors do, and what comes of it in numbers.

use super::{RATING, REVIEW, REVIEWS, changed, rating, refused, review, reviews, with_tools};
use domain::principal::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn a_review_is_counted_until_it_is_withdrawn() {
    let (installation, owner) = with_tools(&["log", "diff"]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let none = rating(&ada, "log").await;
    assert_eq!(
        none,
        json!({ "average": null, "bayesian": 3.0, "count": 0, "histogram": [0, 0, 0, 0, 0],
                "byVersion": [] })
    );
    let made = review(&ada, "log", 5, " Does what it says ").await["review"].take();
    assert_eq!(
        (&made["version"], &made["text"], &made["mine"]),
        (&json!("1.0.0"), &json!("Does what it says"), &json!(true))
    );
    review(&owner, "log", 2, "").await;
    let both = rating(&ada, "log").await;
    assert_eq!((&both["count"], &both["average"]), (&json!(2), &json!(3.5)));
    assert_eq!(both["histogram"], json!([0, 1, 0, 0, 1]));
    // m is 3.5, the mean of the tenant: (5 · 3.5 + 7) / (5 + 2).
    assert_eq!(both["bayesian"], json!(3.5));
    assert_eq!(rating(&ada, "diff").await["bayesian"], json!(3.5));

    let id = &made["id"];
    let revised = changed(&ada, "reviseReview", id, "rating: 4").await;
    assert_eq!(
        (&revised["rating"], &revised["text"]),
        (&json!(4), &Value::Null)
    );
    assert_eq!(rating(&ada, "log").await["average"], json!(3.0));
    let gone = changed(&ada, "withdrawReview", id, "").await;
    assert_eq!(gone["withdrawn"], json!(true));
    assert_eq!(
        rating(&ada, "log").await["histogram"],
        json!([0, 1, 0, 0, 0])
    );
    assert_eq!(reviews(&owner, "log", true).await.len(), 1, "hers is gone");
    assert_eq!(
        reviews(&ada, "log", false).await.len(),
        2,
        "not for herself"
    );
    assert_eq!(
        refused(&ada, "reviseReview", id, "rating: 4").await,
        "REVIEW_WITHDRAWN"
    );
    let again = review(&ada, "log", 3, "On second thought").await["review"].take();
    assert_eq!(&again["id"], id);
    assert_eq!(rating(&ada, "log").await["count"], json!(2));
}

#[tokio::test]
async fn versions_are_rated_apart_and_together() {
    let (installation, owner) = with_tools(&["log"]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    review(&ada, "log", 1, "Broken").await;
    let publish = "mutation { publishToolVersion(input: { server: \"git\", name: \"log\",
        version: \"1.10.0\", description: \"Does it well\" }) { sequence } }";
    owner.data(publish, json!({})).await;
    let second = review(&ada, "log", 5, "Mended").await["review"].take();
    assert_eq!(
        second["version"], "1.10.0",
        "the latest, when none is named"
    );
    let old = json!({ "name": "log", "version": "1.0.0", "rating": 2 });
    owner.data(REVIEW, old).await;
    assert_eq!(
        rating(&owner, "log").await["byVersion"],
        json!([{ "version": "1.10.0", "average": 5.0, "count": 1 },
               { "version": "1.0.0", "average": 1.5, "count": 2 }])
    );
    assert_eq!(rating(&owner, "log").await["count"], json!(3));
}

#[tokio::test]
async fn what_cannot_be_reviewed_is_refused_by_code() {
    let (installation, owner) = with_tools(&["log"]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let auditor = installation.client("acme", "eve", &[Role::Auditor]).await;
    let other = installation.client("other", "bob", &[Role::Owner]).await;
    let input = |rating: i64| json!({ "name": "log", "rating": rating });
    for stars in [0, 6, -1] {
        assert_eq!(ada.code(REVIEW, input(stars)).await, "RATING_OUT_OF_RANGE");
    }
    let text = |text: String| json!({ "name": "log", "rating": 4, "text": text });
    assert_eq!(
        ada.code(REVIEW, text("x".repeat(4_001))).await,
        "FIELD_TOO_LONG"
    );
    assert_eq!(
        ada.code(REVIEW, text("a\u{202e}b".into())).await,
        "HIDDEN_CHARACTERS"
    );
    let version = |version: &str| json!({ "name": "log", "rating": 4, "version": version });
    assert_eq!(
        ada.code(REVIEW, version("9.0.0")).await,
        "VERSION_NOT_FOUND"
    );
    assert_eq!(ada.code(REVIEW, version("nine")).await, "INVALID_VERSION");
    assert_eq!(other.code(REVIEW, input(4)).await, "NOT_FOUND");
    assert_eq!(auditor.code(REVIEW, input(4)).await, "FORBIDDEN");

    let made = review(&ada, "log", 4, "Good").await["review"].take();
    assert_eq!(ada.code(REVIEW, input(4)).await, "REVIEW_EXISTS");
    for stranger in [&owner, &other] {
        let code = refused(stranger, "reviseReview", &made["id"], "rating: 1").await;
        assert_eq!(code, "NOT_FOUND", "a review is its author's");
    }
    let node = "query($id: ID!) { node(id: $id) { ... on Review { rating } } }";
    let named = json!({ "id": made["id"] });
    assert_eq!(owner.data(node, named.clone()).await["node"]["rating"], 4);
    assert_eq!(other.code(node, named.clone()).await, "NOT_FOUND");

    let hide = "mutation { describeTool(input: { server: \"git\", name: \"log\",
        visibility: PRIVATE }) { sequence } }";
    owner.data(hide, json!({})).await;
    let bob = installation.client("acme", "bob", &[Role::Agent]).await;
    assert_eq!(bob.code(REVIEW, input(4)).await, "NOT_FOUND");
    assert_eq!(bob.code(node, named).await, "NOT_FOUND");
    assert_eq!(
        bob.code(RATING, json!({ "name": "log" })).await,
        "NOT_FOUND"
    );
    let gone = changed(&ada, "withdrawReview", &made["id"], "").await;
    assert_eq!(
        gone["withdrawn"],
        json!(true),
        "one's own, whatever became of the tool"
    );
}

#[tokio::test]
async fn reviews_come_in_pages_newest_first() {
    let (installation, owner) = with_tools(&["log"]).await;
    for stars in 1..=5 {
        let handle = format!("agent-{stars}");
        let agent = installation.client("acme", &handle, &[Role::Agent]).await;
        review(&agent, "log", stars, "").await;
    }
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = json!({ "name": "log", "hidden": false, "first": 2, "after": after });
        let page = owner.data(REVIEWS, page).await["tool"]["reviews"].take();
        let nodes = page["nodes"].as_array().unwrap();
        seen.extend(nodes.iter().map(|node| node["rating"].as_i64().unwrap()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}
