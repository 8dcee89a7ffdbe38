//! A crash between PostgreSQL's commit and everything after, and late, cut and repeated delivery of the
//! log: no event is applied twice or skipped.

use super::load::Load;
use super::verify::{all_is_well, read_models_equal_a_rebuild};
use super::world::{Process, World, eventually, log, owner, ready};
use crate::support::Proxy;
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::time::Duration;

const ROUNDS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_heard_of_is_neither_repeated_nor_skipped() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    // The projector reaches both servers through proxies; the API does not.
    let (database, url) = (
        address_of(world.config.postgres.url.expose_secret()),
        world.config.postgres.url.expose_secret().to_owned(),
    );
    let to_postgres = Proxy::start(database).await;
    let to_nats = Proxy::start(address_of(&world.config.nats.url)).await;
    let mut apart = world.config.clone();
    apart.postgres.url = url
        .replace(&database.to_string(), &to_postgres.address.to_string())
        .into();
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
                let before = to_postgres.swallowed();
                // The second time it is the call that is a transaction in itself.
                let words = if round == 0 {
                    "COMMIT"
                } else {
                    "metamcp_write"
                };
                to_postgres.swallow_after(words);
                eventually("a commit is answered, and nobody hears it", async || {
                    to_postgres.swallowed() > before
                })
                .await;
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
        let shown = load.look(|seen| seen.acknowledged.len());
        eventually("the projector goes on", async || {
            load.look(|seen| {
                seen.acknowledged
                    .iter()
                    .skip(shown + 3)
                    .any(|one| one.visible)
            })
        })
        .await;
    }
    let seen = load.stop().await;
    all_is_well(&events, &seen).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(projecting);
    world.stop().await;
}

/// Host and port of an address.
fn address_of(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").unwrap();
    let host = rest.rsplit('@').next().unwrap();
    host.split('/').next().unwrap().parse().unwrap()
}
