//! However many reviews come from one tenant, few of them count.

use super::life::{ROUTE, World, world};
use super::tool;
use crate::support::Client;
use data_encoding::BASE64URL_NOPAD;
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild};
use projections::reviews::ReviewsProjector;
use projections::{Projector, Recorded};
use serde_json::{Value, json};
use sqlx::{Executor, PgConnection};
use std::collections::BTreeSet;
use std::sync::Arc;

const REVIEW: &str = "mutation($tool: String!, $rating: Int!) { reviewTool(input: {
    publisher: \"acme\", server: \"maps\", name: $tool, rating: $rating }) { review { id } } }";
const REVISE: &str = "mutation($review: ID!, $rating: Int! = 5) {
    reviseReview(input: { review: $review, rating: $rating }) { sequence } }";
const HIDE: &str = "mutation($review: ID!) { moderateReview(input: { review: $review, action: HIDE,
    reason: \"One person\" }) { sequence } }";
const PUBLIC: &str = "{ listing(publisher: \"acme\", server: \"maps\", tool: \"route\") {
    rating { average bayesian count histogram byVersion { count } }
    reviews(first: 50) { nodes { rating counts author { tenant } } } } }";

async fn review(client: &Client, rating: i32) -> Value {
    review_of(client, "route", rating).await
}

/// The same about another tool.
async fn review_of(client: &Client, tool: &str, rating: i32) -> Value {
    let review = client.data(REVIEW, json!({ "tool": tool, "rating": rating }));
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
        world.beta.data(HIDE, json!({ "review": id })).await;
    }
    let after = seen(&world).await;
    assert_eq!(counting(&after), [1, 1, 1, 3, 3, 4, 5]);
    assert_eq!(after["rating"]["histogram"], json!([3, 0, 2, 1, 1]));
    // A revised one keeps its place, which counts or does not.
    for (n, counts) in [(0, false), (6, true)] {
        let author = member(&world, "beta", n).await;
        let before = seen(&world).await;
        author.data(REVISE, json!({ "review": flood[n] })).await;
        let changed = seen(&world).await["rating"] != before["rating"];
        assert_eq!(changed, counts, "{n}");
    }
}

/// The public sums after an abuser was removed are those of a log in which the abuser never was: of the honest members
/// of the same tenant, whose reviews the abuser's had pushed out, the last five count again.
#[tokio::test]
async fn public_ratings_are_recomputable_after_removing_an_abuser() {
    let world = world().await;
    let tools = ["route", "stops"];
    tool(&world.acme, "maps", "stops", "Lists stops", "PUBLIC").await;
    world.installation.settle().await;
    let gamma = world
        .installation
        .client("gamma", "owner", &[Role::Owner])
        .await;
    for client in [&world.beta, &gamma] {
        for tool in tools {
            let install = format!(
                "mutation {{ installTool(input: {{ publisher: \"acme\", server: \"maps\",
                    tool: \"{tool}\" }}) {{ sequence }} }}"
            );
            client.data(&install, json!({})).await;
        }
    }
    world.installation.settle().await;
    let mut honest = vec![(gamma.clone(), 3)];
    for n in 0..6 {
        honest.push((member(&world, "beta", n).await, 4 + i32::from(n > 2)));
    }
    for (client, rating) in &honest {
        for tool in tools {
            review_of(client, tool, *rating).await;
        }
    }
    let before = seen(&world).await;
    assert_eq!(counting(&before), [5, 5, 5, 4, 4, 3]);

    let mut abusive = Vec::new();
    for n in 6..10 {
        let puppet = member(&world, "beta", n).await;
        for tool in tools {
            let id = review_of(&puppet, tool, 1).await;
            // One of them changes its mind, so that sums go up and down on the way.
            if n == 6 {
                let revised = json!({ "review": id, "rating": 2 });
                puppet.data(REVISE, revised).await;
            }
            abusive.push(id);
        }
    }
    assert_eq!(counting(&seen(&world).await), [1, 1, 1, 2, 5, 3]);
    let mut removed = BTreeSet::new();
    for id in &abusive {
        world.beta.data(HIDE, json!({ "review": id })).await;
        removed.insert(aggregate(id));
    }
    assert_eq!(seen(&world).await, before, "the prior mean included");
    let mut connection = replayed_without(&world, &removed).await;
    for table in ["public_ratings", "public_totals"] {
        let live = rows(&mut connection, &format!("reviews.{table}")).await;
        let replayed = rows(&mut connection, &format!("reviews_replay.{table}")).await;
        assert!(!live.is_empty(), "{table}");
        assert_eq!(live, replayed, "{table}");
    }
}

/// The id that the log knows a review by.
fn aggregate(review: &Value) -> String {
    let named = BASE64URL_NOPAD.decode(review.as_str().unwrap().as_bytes());
    let named = String::from_utf8(named.unwrap()).unwrap();
    named.strip_prefix("Review:").unwrap().to_owned()
}

/// The model made once more, in `reviews_replay`, of a log in which some aggregates never were.
async fn replayed_without(world: &World, removed: &BTreeSet<String>) -> PgConnection {
    let installation = &world.installation;
    let head = installation.settle().await;
    let mut connection = installation.app.database.connect().await.unwrap();
    for statement in [
        "SELECT metamcp.clone_schema('reviews', 'reviews_replay')",
        "SET search_path TO reviews_replay, public",
    ] {
        connection.execute(statement).await.unwrap();
    }
    let mut reader = installation.app.state.log.read_from(1).await.unwrap();
    let mut at = 0;
    while at < head {
        let batch = reader.next_batch(7).await.unwrap();
        at = batch.last().map_or(at, |entry| entry.stream_sequence);
        let batch = batch.iter().map(|entry| Recorded::decode(entry).unwrap());
        let honest = |one: &Recorded| !removed.contains(&one.commit.aggregate_id);
        let batch: Vec<_> = batch.filter(honest).collect();
        ReviewsProjector
            .apply(&mut connection, &batch)
            .await
            .unwrap();
    }
    connection
}

async fn rows(connection: &mut PgConnection, table: &str) -> Vec<String> {
    let statement = format!("SELECT to_jsonb(rows)::text FROM {table} AS rows ORDER BY 1");
    sqlx::query_scalar(&statement)
        .fetch_all(connection)
        .await
        .unwrap()
}
