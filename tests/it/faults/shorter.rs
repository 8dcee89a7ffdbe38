//! The live end of the log, when another and shorter log takes its place, and when it holds what nobody can read.

use super::replaced::{OPTIONS, copy_folder, write_until};
use super::world::{
    Process, configuration, eventually, log, metamcp, owner, projector, ready, said,
};
use crate::support::{Installation, Live, PATIENCE, Servers};
use bus::Feed;
use bus::feed::{Follower, Missed};
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::Role;
use metamcp::embedded::{DataDir, EmbeddedServers, NatsServer};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

const REGISTER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug }) { sequence } }";
const EVENTS: &str =
    "subscription($from: Sequence) { events(fromSequence: $from) { sequence type data } }";
/// So often the live end is compared with the log, and a little longer.
const NOTICED: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_shorter_log_every_new_commit_is_told_live_once_the_models_are_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path().join("data")).unwrap();
    let servers = Servers::start_in(folder, dir, &OPTIONS).await;
    let config = configuration(&servers).await;
    let Servers {
        embedded,
        dir,
        folder,
        ..
    } = servers;
    let EmbeddedServers { nats, postgres } = embedded;
    let (store, copy) = (dir.path().join("nats"), folder.path().join("copy"));
    let events = log(&config).await;
    let client = owner(&config, &events).await;
    let path = folder.path().join("metamcp");
    let _metamcp = Process::start(path, "api,projector", &config).await;
    ready(&client).await;
    write_until(&client, &events, 10).await;

    // A copy is made while the server is stopped; then the log goes on.
    nats.stop().await;
    copy_folder(&store, &copy);
    let nats = NatsServer::start(&dir, &OPTIONS).await.unwrap();
    ready(&client).await;
    write_until(&client, &events, 40).await;
    let tenant = TenantId::new(super::world::TENANT).unwrap();
    let (feed, feeding) = Feed::start(&events, 1_024);
    let mut before = None;
    eventually("the end of the log is followed", async || {
        before = feed.follow(&tenant).ok();
        before.is_some()
    })
    .await;
    let mut before = before.unwrap();

    // The log comes back as it was, and stays shorter than what the models have applied.
    nats.stop().await;
    std::fs::remove_dir_all(&store).unwrap();
    copy_folder(&copy, &store);
    let nats = NatsServer::start(&dir, &OPTIONS).await.unwrap();
    eventually("the catalogue halts", async || {
        projector(&client, "catalog").await["state"] == "halted"
    })
    .await;
    assert_eq!(end_of(&mut before).await, Missed::Ended);
    let forced = metamcp(&config, &["rebuild", "all", "--force"]).await;
    assert!(forced.status.success(), "{}", said(&forced));
    ready(&client).await;
    tokio::time::sleep(NOTICED).await;

    let head = events.head().await.unwrap();
    let mut follower = feed.follow(&tenant).unwrap();
    assert_eq!(follower.position, head);
    assert!(head < before.position, "the log has come so far already");
    let mut live = Live::subscribed(&client, EVENTS, json!({ "from": head + 1 })).await;
    for slug in ["one", "two"] {
        let answer = client.data(REGISTER, json!({ "slug": slug })).await;
        let at = &answer["registerServer"]["sequence"];
        let event = live.event().await;
        assert_eq!(
            (&event["sequence"], &event["data"]["slug"]),
            (at, &json!(slug))
        );
        let entry = timeout(PATIENCE, follower.next()).await.unwrap().unwrap();
        assert_eq!(&json!(entry.stream_sequence), at);
    }
    feeding.abort();
    drop((nats, postgres));
}

#[tokio::test]
async fn nobody_is_led_past_an_entry_that_cannot_be_read() {
    let installation = Installation::start().await;
    installation.client("acme", "owner", &[Role::Owner]).await;
    let [acme, other] = ["acme", "other"].map(|tenant| TenantId::new(tenant).unwrap());
    let state = &installation.app.state;
    let mut its = state.feed.follow(&acme).unwrap();
    let mut others = state.feed.follow(&other).unwrap();
    let nats = &installation.servers.embedded.nats;
    let user = installation.config.nats.user.clone().unwrap();
    let password = nats.password().to_owned();
    let connect = async_nats::ConnectOptions::with_user_and_password(user, password);
    let jetstream = async_nats::jetstream::new(connect.connect(nats.address()).await.unwrap());
    let root = &installation.config.nats.subject_root;
    let published = jetstream.publish(format!("{root}.acme.tool.broken"), "no commit".into());
    published.await.unwrap().await.unwrap();

    assert_eq!(end_of(&mut its).await, Missed::Ended);
    // Another tenant has no part in it.
    let actor = Actor::system("test");
    metamcp::provision(&state.dispatcher, &state.vault, &other, "founder", &actor)
        .await
        .unwrap();
    let entry = timeout(PATIENCE, others.next()).await.unwrap().unwrap();
    assert_eq!(entry.commit.tenant, other);
}

/// Why nothing more comes, behind what does.
async fn end_of(follower: &mut Follower) -> Missed {
    loop {
        if let Err(missed) = timeout(PATIENCE, follower.next()).await.unwrap() {
            return missed;
        }
    }
}
