//! Members of tenants that have installed a tool review it in public: it counts for everybody, and says of the
//! author the tenant and no more.

use super::life::{ROUTE, World, world};
use super::show;
use crate::support::{Client, Installation};
use domain::id::TenantId;
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild};
use projections::reviews::ReviewsProjector;
use serde_json::{Value, json};
use std::sync::Arc;

const REVIEW: &str = "mutation($version: String, $rating: Int!, $text: String) {
    reviewTool(input: { publisher: \"acme\", server: \"maps\", name: \"route\", version: $version,
        rating: $rating, text: $text }) { review { id version rating text mine } sequence } }";
const PUBLIC: &str = "{ listing(publisher: \"acme\", server: \"maps\", tool: \"route\") {
    rating { average count histogram byVersion { version count } }
    reviews(first: 10) { nodes { version rating text author { tenant name } } } } }";
const OWN: &str = "query($hidden: Boolean!) { installations { nodes {
    reviews(first: 10, includeHidden: $hidden) { nodes { id rating text mine moderation } } } } }";
const WORDS: &str = "The canary found its way";

async fn review(client: &Client, rating: i32, text: &str) -> Value {
    let variables = json!({ "rating": rating, "text": text });
    client.data(REVIEW, variables).await["reviewTool"]["review"].take()
}

async fn listing(client: &Client) -> Value {
    client.data(PUBLIC, json!({})).await["listing"].take()
}

impl World {
    async fn reviews_of_its_own(&self, client: &Client, hidden: bool) -> Value {
        let variables = json!({ "hidden": hidden });
        let mut found = client.data(OWN, variables).await;
        found["installations"]["nodes"][0]["reviews"]["nodes"].take()
    }

    async fn changes(&self, client: &Client, mutation: &str, review: &Value, input: &str) {
        let change = change(mutation, review, input);
        client.data(&change, json!({})).await;
        self.installation.settle().await;
    }
}

fn change(mutation: &str, review: &Value, input: &str) -> String {
    format!("mutation {{ {mutation}(input: {{ review: {review} {input} }}) {{ sequence }} }}")
}

#[tokio::test]
async fn a_member_of_an_installing_tenant_reviews_in_public_and_without_a_name() {
    let world = world().await;
    let (beta, agent) = (&world.beta, &world.agent);
    let gamma = world
        .installation
        .client("gamma", "bob", &[Role::Owner])
        .await;
    let input = json!({ "rating": 4 });
    assert_eq!(
        agent.code(REVIEW, input.clone()).await,
        "NOT_FOUND",
        "not installed"
    );
    world
        .done("installTool", &format!("{ROUTE}, range: \"^1\""))
        .await;
    let version = |version: &str| json!({ "rating": 4, "version": version });
    assert_eq!(agent.code(REVIEW, version("2.0.0")).await, "OUTSIDE_RANGE");
    assert_eq!(
        agent.code(REVIEW, version("9.0.0")).await,
        "VERSION_NOT_FOUND"
    );
    assert_eq!(
        agent.code(REVIEW, json!({ "rating": 6 })).await,
        "RATING_OUT_OF_RANGE"
    );
    let made = review(agent, 4, WORDS).await;
    assert_eq!(
        (&made["version"], &made["text"], &made["mine"]),
        (&json!("1.2.0"), &json!(WORDS), &json!(true))
    );
    assert_eq!(agent.code(REVIEW, input.clone()).await, "REVIEW_EXISTS");
    agent.data(REVIEW, version("1.0.0")).await;
    review(beta, 1, "").await;
    assert_eq!(
        gamma.code(REVIEW, input).await,
        "NOT_FOUND",
        "not installed there"
    );
    world.installation.settle().await;

    // Everybody sees the same, the publisher included.
    for reader in [&gamma, &world.acme, beta] {
        let seen = listing(reader).await;
        let rating = &seen["rating"];
        assert_eq!(
            (&rating["count"], &rating["average"]),
            (&json!(3), &json!(3.0))
        );
        assert_eq!(rating["histogram"], json!([1, 0, 0, 2, 0]));
        assert_eq!(
            rating["byVersion"],
            json!([{ "version": "1.2.0", "count": 2 }, { "version": "1.0.0", "count": 1 }])
        );
        let reviews = seen["reviews"]["nodes"].as_array().unwrap();
        assert_eq!(reviews.len(), 3);
        let written = reviews.iter().find(|one| one["text"] == WORDS).unwrap();
        assert_eq!(
            written["author"],
            json!({ "tenant": "beta", "name": "a member of beta" })
        );
    }
    let own =
        "{ tool(server: \"maps\", name: \"route\") { rating { count } reviews { nodes { text } }
        publicReviews { nodes { text } } } }";
    let own = world.acme.data(own, json!({})).await["tool"].take();
    assert_eq!(own["rating"]["count"], 3);
    assert_eq!(own["reviews"]["nodes"], json!([]));
    assert_eq!(own["publicReviews"]["nodes"].as_array().unwrap().len(), 3);
    let described = world.described().await;
    assert_eq!(
        described["structuredContent"]["rating"],
        json!({ "average": 3.0, "count": 3, "bayesian": 3.0, "histogram": [1, 0, 0, 2, 0] })
    );
    for (least, found) in [(3.0, 1), (3.1, 0)] {
        let filter =
            format!("{{ marketplace(filter: {{ minRating: {least} }}) {{ totalCount }} }}");
        let page = gamma.data(&filter, json!({})).await;
        assert_eq!(page["marketplace"]["totalCount"], found, "{least}");
        let query = format!(
            "{{ marketplace(query: \"bicycle\", filter: {{ minRating: {least} }}) {{ nodes {{ name }} }} }}"
        );
        let page = gamma.data(&query, json!({})).await;
        assert_eq!(
            page["marketplace"]["nodes"].as_array().unwrap().len(),
            found
        );
    }
    let out_of_range = "{ marketplace(filter: { minRating: 9 }) { totalCount } }";
    assert_eq!(
        gamma.code(out_of_range, json!({})).await,
        "RATING_OUT_OF_RANGE"
    );

    // Revised and withdrawn, as a review of a tool of one's own; by the author alone.
    let id = &made["id"];
    for stranger in [beta, &gamma, &world.acme] {
        let revise = change("reviseReview", id, "rating: 1");
        assert_eq!(stranger.code(&revise, json!({})).await, "NOT_FOUND");
    }
    world.changes(agent, "reviseReview", id, "rating: 5").await;
    assert_eq!(
        listing(&gamma).await["rating"]["histogram"],
        json!([1, 0, 0, 1, 1])
    );
    world.changes(agent, "withdrawReview", id, "").await;
    assert_eq!(listing(&gamma).await["rating"]["count"], 2);
}

#[tokio::test]
async fn the_authors_tenant_moderates_and_the_publisher_does_not() {
    let world = world().await;
    world.done("installTool", ROUTE).await;
    let id = review(&world.agent, 1, "Buy mine instead").await["id"].take();
    world.installation.settle().await;
    let hide = change(
        "moderateReview",
        &id,
        "action: HIDE, reason: \"An advertisement\"",
    );
    let rival = world
        .installation
        .client("acme", "boss", &[Role::Owner])
        .await;
    assert_eq!(rival.code(&hide, json!({})).await, "NOT_FOUND");
    let node = "query($id: ID!) { node(id: $id) { ... on Review { rating } } }";
    let named = json!({ "id": id });
    assert_eq!(rival.code(node, named.clone()).await, "NOT_FOUND");
    assert_eq!(world.beta.data(node, named).await["node"]["rating"], 1);

    world.beta.data(&hide, json!({})).await;
    world.installation.settle().await;
    let seen = listing(&rival).await;
    assert_eq!(
        (&seen["rating"]["count"], &seen["reviews"]["nodes"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(
        world.reviews_of_its_own(&world.beta, false).await,
        json!([])
    );
    let hidden = world.reviews_of_its_own(&world.beta, true).await;
    assert_eq!(hidden[0]["moderation"], "HIDDEN");
    let appeal = "text: \"It is not\"";
    world
        .changes(&world.agent, "appealReview", &id, appeal)
        .await;
    let restored = "decision: RESTORED, reason: \"True\"";
    world
        .changes(&world.beta, "decideAppeal", &id, restored)
        .await;
    assert_eq!(listing(&rival).await["rating"]["count"], 1);
}

/// The rows of a table that a tenant's queries see.
async fn rows(installation: &Installation, tenant: &str, table: &str) -> i64 {
    let tenant = TenantId::new(tenant).unwrap();
    let mut reads = installation.app.state.reads.tenant(&tenant).await.unwrap();
    sqlx::query_scalar(&format!("SELECT count(*) FROM reviews.{table}"))
        .fetch_one(&mut *reads)
        .await
        .unwrap()
}

#[tokio::test]
async fn reviews_of_a_tool_that_is_not_offered_any_more_are_shown_to_nobody() {
    let world = world().await;
    world.done("installTool", ROUTE).await;
    let id = review(&world.agent, 2, WORDS).await["id"].take();
    // What the publisher's own members think of it stays among them.
    let inside = "mutation { reviewTool(input: { server: \"maps\", name: \"route\", rating: 5,
        text: \"Ours\" }) { sequence } }";
    world.acme.data(inside, json!({})).await;
    let installation = &world.installation;
    installation.settle().await;
    let tables = ["public_reviews", "public_ratings", "public_totals"];
    for (tenant, ratings) in [("beta", 0), ("gamma", 0), ("acme", 1)] {
        assert_eq!(
            rows(installation, tenant, "ratings").await,
            ratings,
            "{tenant}"
        );
        for table in tables {
            assert_eq!(
                rows(installation, tenant, table).await,
                1,
                "{tenant} {table}"
            );
        }
    }
    assert_eq!(rows(installation, "gamma", "reviews").await, 0);
    let database = &installation.app.database;
    let log = &installation.app.state.log;
    let rebuilt = async || {
        let rebuilt = rebuild(
            Arc::new(ReviewsProjector),
            log,
            database,
            Finish::SwapIfEqual,
            &|_, _| {},
        );
        assert!(rebuilt.await.unwrap().swapped);
    };
    rebuilt().await;
    show(&world.acme, "maps", "route", "TENANT").await;
    installation.settle().await;
    for tenant in ["beta", "gamma", "acme"] {
        for table in tables {
            assert_eq!(
                rows(installation, tenant, table).await,
                0,
                "{tenant} {table}"
            );
        }
    }
    let own = "{ tool(server: \"maps\", name: \"route\") { rating { count } publicReviews { nodes { text } } } }";
    let own = world.acme.data(own, json!({})).await["tool"].take();
    assert_eq!(
        own,
        json!({ "rating": { "count": 1 }, "publicReviews": { "nodes": [] } })
    );
    let node = "query($id: ID!) { node(id: $id) { ... on Review { text } } }";
    let named = json!({ "id": id });
    assert_eq!(world.beta.code(node, named.clone()).await, "NOT_FOUND");
    assert_eq!(
        world.agent.data(node, named).await["node"]["text"],
        WORDS,
        "one's own"
    );
    assert_eq!(world.reviews_of_its_own(&world.beta, true).await, json!([]));

    // A retired server takes them away, too, and everything comes back with it.
    show(&world.acme, "maps", "route", "PUBLIC").await;
    installation.settle().await;
    assert_eq!(listing(&world.beta).await["rating"]["count"], 1);
    for (mutation, shown) in [("retireServer", 0), ("restoreServer", 1)] {
        let mutation =
            format!("mutation {{ {mutation}(input: {{ slug: \"maps\" }}) {{ sequence }} }}");
        world.acme.data(&mutation, json!({})).await;
        installation.settle().await;
        assert_eq!(rows(installation, "gamma", "public_reviews").await, shown);
    }
    rebuilt().await;
}

#[tokio::test]
async fn what_an_erased_person_wrote_in_public_is_gone_and_the_rating_stays() {
    let world = world().await;
    world.done("installTool", ROUTE).await;
    review(&world.agent, 2, WORDS).await;
    let installation = &world.installation;
    installation.settle().await;
    let (database, log) = (&installation.app.database, &installation.app.state.log);
    let projector = || Arc::new(ReviewsProjector);
    // What the rebuild replaces is wiped together with the live rows.
    let rebuilt = rebuild(projector(), log, database, Finish::SwapIfEqual, &|_, _| {}).await;
    assert!(rebuilt.unwrap().swapped);
    assert_eq!(
        listing(&world.acme).await["reviews"]["nodes"][0]["text"],
        WORDS
    );
    let erase = "mutation { erasePrincipal(input: { handle: \"agent\" }) { sequence } }";
    world.beta.data(erase, json!({})).await;
    installation.settle().await;
    let seen = listing(&world.acme).await;
    assert_eq!(
        (
            &seen["rating"]["count"],
            &seen["reviews"]["nodes"][0]["text"]
        ),
        (&json!(1), &Value::Null)
    );
    let mut connection = database.connect().await.unwrap();
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT to_jsonb(rows)::text FROM reviews.public_reviews AS rows
         UNION ALL SELECT to_jsonb(rows)::text FROM reviews_old.public_reviews AS rows
         UNION ALL SELECT to_jsonb(rows)::text FROM reviews_old.reviews AS rows",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|row| !row.contains("canary")), "{left:?}");
}
