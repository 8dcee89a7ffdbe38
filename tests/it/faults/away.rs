//! Servers that are away: bounded answers, red readiness, recovery by itself, nothing lost.

use crate::support::{Client, PATIENCE, Servers, serve};
use domain::envelope::Actor;
use domain::id::TenantId;
use metamcp::app::Role as ProcessRole;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::{Duration, Instant};

const SERVERS: &str = "{ servers(first: 5) { nodes { slug } } }";
const REGISTER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_hanging_or_killed_server_is_answered_in_bounded_time_and_survived() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = servers.fresh_config(folder.path()).await;
    config.limits.request_deadline = Duration::from_secs(8);
    let (app, base) = serve(&config, &[ProcessRole::Api, ProcessRole::Projector]).await;
    let tenant = TenantId::new("acme").unwrap();
    let actor = Actor::system("test");
    let (owner, at, _) = metamcp::provision(
        &app.state.dispatcher,
        &app.state.vault,
        &tenant,
        "admin",
        &actor,
    )
    .await
    .unwrap();
    app.state
        .positions
        .wait_for("access", at, PATIENCE)
        .await
        .unwrap();
    let token = app.state.tokens.issue(&tenant, &owner, None).unwrap();
    let client = Client::new(&base, Some(token.token.expose_secret().to_owned()));
    eventually("the first command is let in", async || {
        let (status, answer) = client.graphql(REGISTER, json!({ "slug": "before" })).await;
        status == 200 && answer.get("errors").is_none()
    })
    .await;
    let supervisor = servers.embedded.supervise();
    let pids = supervisor.pids();

    // The log hangs: commands are refused in time, readiness turns red, queries may go on.
    signal(pids.borrow().nats, Signal::STOP);
    let state = format!("/proc/{}/stat", pids.borrow().nats);
    eventually("every thread of it stands still", async || {
        std::fs::read_to_string(&state).is_ok_and(|state| state.contains(") T "))
    })
    .await;
    let begun = Instant::now();
    assert_eq!(
        client.code(REGISTER, json!({ "slug": "during" })).await,
        "UNAVAILABLE"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{:?}",
        begun.elapsed()
    );
    eventually("readiness turns red", async || {
        client.get("/readyz").await.status() == 503
    })
    .await;
    signal(pids.borrow().nats, Signal::CONT);
    eventually("readiness turns green", async || {
        client.get("/readyz").await.status() == 200
    })
    .await;

    // The log dies and comes back: what was acknowledged is there.
    signal(pids.borrow().nats, Signal::KILL);
    eventually("commands work again", async || {
        let (status, answer) = client
            .graphql(REGISTER, json!({ "slug": "after-nats" }))
            .await;
        let code = &answer["errors"][0]["extensions"]["code"];
        status == 200 && (answer.get("errors").is_none() || code == "SERVER_ALREADY_REGISTERED")
    })
    .await;

    // The database dies and comes back.
    let killed = pids.borrow().postgres;
    signal(killed, Signal::KILL);
    // Backends outlive their postmaster for a moment: until there is another one, an answer proves nothing.
    eventually("there is another postmaster", async || {
        pids.borrow().postgres != killed
    })
    .await;
    let head = app.state.log.head().await.unwrap();
    let caught_up = app
        .state
        .positions
        .wait_for("catalog", head, PATIENCE)
        .await;
    assert!(caught_up.is_ok(), "{:#?}", app.state.positions.health());
    // Refusals meanwhile are right: what decides permissions may have missed a revocation.
    eventually("what was acknowledged is answered again", async || {
        let (status, answer) = client.graphql(SERVERS, json!({})).await;
        let found = answer.to_string();
        status == 200 && found.contains("\"before\"") && found.contains("\"after-nats\"")
    })
    .await;
    eventually("all is green", async || {
        client.get("/readyz").await.status() == 200
    })
    .await;
    app.stop().await;
    supervisor.stop().await;
}
