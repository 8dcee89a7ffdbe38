//! What a list of the marketplace refuses instead of being empty.

use super::life::world;
use serde_json::json;

const LIST: &str =
    "query($query: String, $sort: SearchSort, $publisher: String) { marketplace(query: $query, sort: $sort,
    filter: { publisher: $publisher }) { totalCount nodes { reference } } }";

#[tokio::test]
async fn a_publisher_that_is_no_slug_is_refused_with_the_rule() {
    let world = world().await;
    for asked in [
        json!({}),
        json!({ "sort": "RATING" }),
        json!({ "query": "bicycle" }),
    ] {
        let with = |publisher: &str| {
            let mut variables = asked.clone();
            variables["publisher"] = json!(publisher);
            variables
        };
        for wrong in ["Not A Slug", "com.acme", "@acme", "acme-"] {
            let (_, answer) = world.beta.graphql(LIST, with(wrong)).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "INVALID_SLUG", "{answer:#}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(wrong), "{message}");
            assert!(message.contains("lower-case letters"), "{message}");
        }
        // A slug that nobody has is no mistake, and none given filters nothing.
        for (publisher, count) in [("nobody", 0), (" acme ", 1), ("", 1)] {
            let found = world.beta.data(LIST, with(publisher)).await["marketplace"].take();
            assert_eq!(found["totalCount"], count, "{publisher}: {found:#}");
        }
    }
    // One listing is looked up by its whole name: what names nothing is not there.
    let listing =
        "{ listing(publisher: \"Not A Slug\", server: \"maps\", tool: \"route\") { name } }";
    assert_eq!(world.beta.code(listing, json!({})).await, "NOT_FOUND");
}
