//! A commit that cannot be applied.

use super::verify::read_models_equal_a_rebuild;
use super::world::{
    World, eventually, log, metamcp, owner, postgres, projector, readiness, ready, said,
};
use crate::support::Client;
use serde_json::json;
use sqlx::Executor;
use std::time::Instant;

const REGISTER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";
const DESCRIBE: &str = "mutation($slug: String!, $text: String!) {
    describeServer(input: { slug: $slug, description: $text }) { sequence } }";
const TOOL: &str = "mutation($slug: String!) {
    registerTool(input: { server: $slug, name: \"weigh_parcels\", description: \"Weighs parcels\" }) {
        sequence } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_commit_holds_back_its_object_alone_and_is_applied_in_order_by_a_retry() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let _metamcp = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    client.data(REGISTER, json!({ "slug": "other" })).await;
    // The database refuses a value that the domain has accepted, as a defect in a projector would.
    let mut database = postgres(&world.config).await;
    let constraint = "ALTER TABLE catalog.servers ADD CONSTRAINT defect CHECK (slug <> 'broken')";
    database.execute(constraint).await.unwrap();
    client.data(REGISTER, json!({ "slug": "broken" })).await;
    for (slug, text) in [("broken", "A"), ("other", "B"), ("broken", "C")] {
        client
            .data(DESCRIBE, json!({ "slug": slug, "text": text }))
            .await;
    }
    client.data(TOOL, json!({ "slug": "broken" })).await;
    eventually("three commits are parked, which is told", async || {
        let found = projector(&client, "catalog").await;
        found["parked"] == 3 && found["state"] == "degraded"
    })
    .await;
    assert!(
        readiness(&client).await.unwrap().0,
        "the rest still answers"
    );
    let other = "{ server(slug: \"other\") { description } }";
    let shown = client.data(other, json!({})).await;
    assert_eq!(shown["server"]["description"], "B");

    let list = metamcp(&world.config, &["dead-letter", "list"]).await;
    let text = said(&list);
    assert!(list.status.success() && text.lines().count() == 3, "{text}");
    assert!(
        text.contains("defect") && text.contains("waits for commit"),
        "{text}"
    );
    // The cause is still there: nothing changes.
    let early = metamcp(&world.config, &["dead-letter", "retry"]).await;
    assert!(!early.status.success(), "{}", said(&early));
    assert_eq!(projector(&client, "catalog").await["parked"], 3);

    // Once it is gone, they are applied in order, and the tool that waited for its server is found.
    database
        .execute("ALTER TABLE catalog.servers DROP CONSTRAINT defect")
        .await
        .unwrap();
    let begun = Instant::now();
    let retried = metamcp(&world.config, &["dead-letter", "retry"]).await;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{seconds:.2} s until `dead-letter retry` has applied three commits");
    let text = said(&retried);
    assert!(retried.status.success(), "{text}");
    assert_eq!(text.matches("is applied").count(), 3, "{text}");
    let broken = "{ server(slug: \"broken\") { description } }";
    let shown = client.data(broken, json!({})).await;
    assert_eq!(shown["server"]["description"], "C");
    found(&client).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    world.stop().await;
}

/// Another process has written the index just now: this one opens the new version in a moment.
async fn found(client: &Client) {
    let search = "{ searchTools(query: \"weigh parcels\") { hits { tool { name } } } }";
    eventually("the tool is found", async || {
        let (_, answer) = client.graphql(search, json!({})).await;
        let name = answer.pointer("/data/searchTools/hits/0/tool/name");
        name.is_some_and(|name| name == "weigh_parcels")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_too_large_for_an_index_does_not_stop_the_others() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let _metamcp = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    let mut database = postgres(&world.config).await;
    // A key of 9,600 digits that hardly compress: the index takes 2,704 bytes.
    let index = "CREATE FUNCTION catalog.defect(slug text) RETURNS text IMMUTABLE LANGUAGE sql AS
                     'SELECT string_agg(md5(slug || n), '''') FROM generate_series(1, 300) n';
                 CREATE INDEX defect ON catalog.servers (catalog.defect(slug))
                     WHERE slug = 'broken'";
    database.execute(index).await.unwrap();
    for slug in ["broken", "other"] {
        client.data(REGISTER, json!({ "slug": slug })).await;
    }
    eventually(
        "one commit is parked, and the next is applied",
        async || {
            let found = projector(&client, "catalog").await;
            let other = "{ server(slug: \"other\") { slug } }";
            let (_, shown) = client.graphql(other, json!({})).await;
            found["parked"] == 1 && shown["data"]["server"]["slug"] == "other"
        },
    )
    .await;
    let mended = "DROP FUNCTION catalog.defect CASCADE";
    database.execute(mended).await.unwrap();
    let retried = metamcp(&world.config, &["dead-letter", "retry"]).await;
    assert!(retried.status.success(), "{}", said(&retried));
    read_models_equal_a_rebuild(&world.config, &events).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_decides_permissions_stops_and_access_is_denied_until_it_is_mended() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let _metamcp = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    let mut database = postgres(&world.config).await;
    let constraint =
        "ALTER TABLE access.principals ADD CONSTRAINT defect CHECK (handle <> 'mallory')";
    database.execute(constraint).await.unwrap();
    let register = "mutation { registerPrincipal(
        input: { handle: \"mallory\", kind: USER, roles: [AUDITOR] }) { sequence } }";
    client.data(register, json!({})).await;
    let query = "{ servers(first: 1) { nodes { slug } } }";
    eventually("access is denied, and it is told why", async || {
        let access = projector(&client, "access").await;
        let told = access["reason"]
            .as_str()
            .is_some_and(|why| why.contains("defect"));
        let (status, answer) = client.graphql(query, json!({})).await;
        access["state"] == "halted" && told && status == 503 && answer["code"] == "UNAVAILABLE"
    })
    .await;
    let list = metamcp(&world.config, &["dead-letter", "list"]).await;
    assert!(!said(&list).contains("access:"), "nothing was passed over");
    // The mended release is played by the missing constraint: it goes on by itself.
    database
        .execute("ALTER TABLE access.principals DROP CONSTRAINT defect")
        .await
        .unwrap();
    ready(&client).await;
    client.data(query, json!({})).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    world.stop().await;
}

/// The process that answers is not the one that parks: it hears of that together with the position.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_says_that_another_process_has_parked_its_commit() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let _api = world.serve("api", "api").await;
    let _projector = world.serve("projector", "projector").await;
    ready(&client).await;
    let mut database = postgres(&world.config).await;
    let constraint =
        "ALTER TABLE catalog.servers ADD CONSTRAINT defect CHECK (slug NOT LIKE 'broken%')";
    database.execute(constraint).await.unwrap();
    let register = "mutation($slug: String!) {
        registerServer(input: { slug: $slug, name: $slug }) { server { slug } sequence notice } }";
    for slug in ["broken-one", "broken-two"] {
        let parked = client.data(register, json!({ "slug": slug })).await["registerServer"].take();
        assert!(parked["sequence"].is_u64(), "{parked}");
        let notice = parked["notice"].as_str().unwrap_or_default();
        assert!(notice.contains("metamcp dead-letter list"), "{parked}");
    }
    let sound = client.data(register, json!({ "slug": "sound" })).await["registerServer"].take();
    assert_eq!(
        (&sound["server"]["slug"], &sound["notice"]),
        (&json!("sound"), &json!(null))
    );
    world.stop().await;
}
