//! However many reviews come from one tenant, few of them count.

use super::life::{ROUTE, World, world};
use crate::support::Client;
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild};
use projections::reviews::ReviewsProjector;
use serde_json::{Value, json};
use std::sync::Arc;

const REVIEW: &str = "mutation($rating: Int!) { reviewTool(input: {
    publisher: \"acme\", server: \"maps\", name: \"route\", rating: $rating }) { review { id } } }";
const PUBLIC: &str = "{ listing(publisher: \"acme\", server: \"maps\", tool: \"route\") {
    rating { average bayesian count histogram byVersion { count } }
    reviews(first: 50) { nodes { rating counts author { tenant } } } } }";

async fn review(client: &Client, rating: i32) -> Value {
    let review = client.data(REVIEW, json!({ "rating": rating }));
    review.await["reviewTool"]["review"]["id"].take()
}

/// A member of a tenant.
async fn member(world: &World, tenant: &str, n: usize) -> Client {
    let handle = format!("member-{n}");
    let roles = [Role::Agent];
    world.installation.client(tenant, &handle, &roles).await
}

/// What everybody sees; the same after a rebuild.
async fn seen(world: &World) -> Value {
    let installation = &world.installation;
    installation.settle().await;
    let (database, log) = (&installation.app.database, &installation.app.state.log);
    let projector = Arc::new(ReviewsProjector);
    let rebuilt = rebuild(projector, log, database, Finish::Check, &|_, _| {}).await;
    assert!(rebuilt.unwrap().is_equal());
    world.acme.data(PUBLIC, json!({})).await["listing"].take()
}

fn counting(seen: &Value) -> Vec<i64> {
    let reviews = seen["reviews"]["nodes"].as_array().unwrap().iter();
    let counting = reviews.filter(|review| review["counts"] == true);
    counting
        .map(|review| review["rating"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn of_a_flood_from_one_tenant_the_last_five_count_and_all_are_shown() {
    let world = world().await;
    world.done("installTool", ROUTE).await;
    let gamma = world
        .installation
        .client("gamma", "owner", &[Role::Owner])
        .await;
    let install = format!("mutation {{ installTool(input: {{ {ROUTE} }}) {{ sequence }} }}");
    gamma.data(&install, json!({})).await;
    world.installation.settle().await;
    review(&gamma, 5).await;
    review(&member(&world, "gamma", 0).await, 4).await;

    let mut flood = Vec::new();
    for n in 0..9 {
        let rating = if n < 4 { 3 } else { 1 };
        flood.push(review(&member(&world, "beta", n).await, rating).await);
    }
    let after = seen(&world).await;
    assert_eq!(after["reviews"]["nodes"].as_array().unwrap().len(), 11);
    assert_eq!(counting(&after), [1, 1, 1, 1, 1, 4, 5], "newest first");
    let rating = &after["rating"];
    assert_eq!(rating["count"], 7);
    assert_eq!(rating["histogram"], json!([5, 0, 0, 1, 1]));
    assert_eq!(rating["average"], 2.0);
    // m is the mean of what counts, 14 / 7.
    assert_eq!(rating["bayesian"], 2.0);
    assert_eq!(rating["byVersion"], json!([{ "count": 7 }]));
    let found = "{ marketplace(query: \"bicycle\", filter: { minRating: 2 }) { totalCount }
        all: marketplace(filter: { minRating: 2 }) { totalCount }
        none: marketplace(query: \"bicycle\", filter: { minRating: 2.1 }) { totalCount } }";
    let found = gamma.data(found, json!({})).await;
    assert_eq!(found["marketplace"]["totalCount"], 1);
    assert_eq!(found["all"]["totalCount"], 1);
    assert_eq!(found["none"]["totalCount"], 0);

    // The next older ones take the places of what is hidden.
    for id in &flood[7..] {
        let hide = "mutation($review: ID!) { moderateReview(input: { review: $review, action: HIDE,
            reason: \"One person\" }) { sequence } }";
        world.beta.data(hide, json!({ "review": id })).await;
    }
    let after = seen(&world).await;
    assert_eq!(counting(&after), [1, 1, 1, 3, 3, 4, 5]);
    assert_eq!(after["rating"]["histogram"], json!([3, 0, 2, 1, 1]));
    // A revised one keeps its place, which counts or does not.
    let revise = "mutation($review: ID!) { reviseReview(input: { review: $review, rating: 5 }) { sequence } }";
    for (n, counts) in [(0, false), (6, true)] {
        let author = member(&world, "beta", n).await;
        let before = seen(&world).await;
        author.data(revise, json!({ "review": flood[n] })).await;
        let changed = seen(&world).await["rating"] != before["rating"];
        assert_eq!(changed, counts, "{n}");
    }
}
