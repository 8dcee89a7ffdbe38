//! A crash between PostgreSQL's commit and everything after, and a log that comes late, is cut off, or is handed
//! in again because nobody heard that it was applied: no event is applied twice or skipped.

use super::load::Load;
use super::verify::{all_is_well, positions, read_models_equal_a_rebuild};
use super::world::{Process, World, eventually, log, owner, postgres, ready};
use crate::support::Proxy;
use api::config::Config;
use secrecy::ExposeSecret;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

const ROUNDS: u64 = 6;
const TOOLS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_heard_of_is_neither_repeated_nor_skipped() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    // The projector reaches both servers through proxies; the API does not.
    let mut apart = world.config.clone();
    let to_postgres = proxy_to_postgres(&mut apart).await;
    let to_nats = Proxy::start(address_of(&world.config.nats.url)).await;
    apart.nats.url = format!("nats://{}", to_nats.address);
    let _api = world.serve("api", "api").await;
    let path = world.folder.path().join("projector");
    let mut projecting = Process::start(path, "projector", &apart).await;
    ready(&client).await;
    let load = Load::start(&client, 3);
    for round in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(300 + 70 * round)).await;
        match round % 3 {
            // The database commits, the projector never hears of it and dies.
            0 => {
                // The second time it is the call that is a transaction in itself.
                let words = if round == 0 {
                    "COMMIT"
                } else {
                    "metamcp_write"
                };
                commit_unheard(&to_postgres, words).await;
                projecting.kill().await;
                to_postgres.cut();
                projecting.restart();
            }
            // The log arrives late, then the connection is cut in the middle of a delivery.
            1 => {
                to_nats.hold();
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                to_nats.release();
                tokio::time::sleep(Duration::from_millis(50)).await;
                to_nats.cut();
            }
            // A delivery is lost, and asked for again.
            _ => {
                to_nats.swallow();
                tokio::time::sleep(Duration::from_millis(300)).await;
                to_nats.cut();
            }
        }
        goes_on(&load).await;
    }
    let seen = load.stop().await;
    all_is_well(&events, &seen).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(projecting);
    world.stop().await;
}

/// The process lives on, and all that it remembers lies before the commit: it has to begin behind it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_did_not_hear_of_its_commit_and_lives_on_begins_behind_it() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let mut apart = world.config.clone();
    let to_postgres = proxy_to_postgres(&mut apart).await;
    let _api = world.serve("api", "api").await;
    let path = world.folder.path().join("projector");
    let projecting = Process::start(path, "projector", &apart).await;
    ready(&client).await;
    let load = Load::start(&client, 3);
    for words in ["COMMIT", "metamcp_write", "COMMIT", "metamcp_write"] {
        goes_on(&load).await;
        commit_unheard(&to_postgres, words).await;
        to_postgres.cut();
    }
    goes_on(&load).await;
    let said = projecting.said();
    assert!(said.contains("will try again"), "it heard of all: {said}");
    let seen = load.stop().await;
    all_is_well(&events, &seen).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(projecting);
    world.stop().await;
}

/// The index cannot join PostgreSQL's transaction: what a crash leaves is an index that is ahead of its checkpoint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_were_indexed_before_a_crash_are_handed_in_again_and_leave_the_same_rows() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let _api = world.serve("api", "api").await;
    let mut projecting = world.serve("projector", "projector").await;
    ready(&client).await;
    let server =
        "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";
    let server = client.data(server, json!({})).await;
    let from = server["registerServer"]["sequence"].as_u64().unwrap();
    let tool = "mutation($name: String!) { registerTool(input: { server: \"git\", name: $name,
        description: \"Counts commits\" }) { sequence } }";
    for number in 0..TOOLS {
        let name = json!({ "name": format!("count_{number}") });
        client.data(tool, name).await;
    }
    let head = events.head().await.unwrap();
    eventually("all tools are indexed", async || {
        positions(&world.config).await.get("search") == Some(&head)
    })
    .await;

    // The transaction that was to move the checkpoint ended with the process.
    projecting.kill().await;
    let before = events.entry_at(from).await.unwrap().unwrap();
    let wound_back = sqlx::query(
        "UPDATE metamcp.checkpoints SET stream_sequence = $1, commit_hash = $2
         WHERE projector = 'search'",
    )
    .bind(i64::try_from(from).unwrap())
    .bind(before.hash())
    .execute(&mut postgres(&world.config).await)
    .await;
    assert_eq!(wound_back.unwrap().rows_affected(), 1);
    projecting.restart();
    read_models_equal_a_rebuild(&world.config, &events).await;
    let search = "{ searchTools(query: \"count commits\", first: 20) { totalCount } }";
    eventually("each tool is found once", async || {
        let (_, found) = client.graphql(search, json!({})).await;
        found["data"]["searchTools"]["totalCount"] == TOOLS
    })
    .await;
    drop(projecting);
    world.stop().await;
}

/// Puts a proxy between a process and PostgreSQL.
async fn proxy_to_postgres(config: &mut Config) -> Proxy {
    let url = config.postgres.url.expose_secret().to_owned();
    let database = address_of(&url);
    let proxy = Proxy::start(database).await;
    let url = url.replace(&database.to_string(), &proxy.address.to_string());
    config.postgres.url = url.into();
    proxy
}

/// Lets the next thing with these words pass, and loses the answer. [`Proxy::cut`] lets others pass again.
async fn commit_unheard(to_postgres: &Proxy, words: &'static str) {
    let before = to_postgres.swallowed();
    to_postgres.swallow_after(words);
    eventually("a commit is answered, and nobody hears it", async || {
        to_postgres.swallowed() > before
    })
    .await;
}

/// Waits until something that is acknowledged from now on is shown.
async fn goes_on(load: &Load) {
    let shown = load.look(|seen| seen.acknowledged.len());
    eventually("the projector goes on", async || {
        load.look(|seen| {
            let mut later = seen.acknowledged.iter().skip(shown + 3);
            later.any(|one| one.visible)
        })
    })
    .await;
}

/// Host and port of an address.
fn address_of(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").unwrap();
    let host = rest.rsplit('@').next().unwrap();
    host.split('/').next().unwrap().parse().unwrap()
}
