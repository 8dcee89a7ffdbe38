//! Servers that are away: bounded answers, red readiness, recovery by itself, nothing lost.

use super::world::{RECOVERY, eventually};
use crate::support::{Client, PATIENCE, Servers, serve};
use domain::envelope::Actor;
use domain::id::TenantId;
use metamcp::app::{App, Role as ProcessRole};
use metamcp::embedded::{EmbeddedServers, Options, PostgresServer};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

const SERVERS: &str = "{ servers(first: 5) { nodes { slug } } }";
const REGISTER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";

/// When a request is given up by the process that was asked.
const DEADLINE: Duration = Duration::from_secs(8);
/// When every request is answered: with the grace of the layer around, and what a slow machine takes.
const ANSWERED: Duration = Duration::from_secs(18);

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// State and parent of a process; none when it is gone.
fn process(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// PostgreSQL has a process for each connection.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| process(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// Waits until a process is stopped, or has ended just before.
async fn stands_still(pid: u32) {
    eventually("every thread of it stands still", async || {
        process(pid).is_some_and(|(state, _)| matches!(state, 'T' | 'Z'))
    })
    .await;
}

async fn readiness_turns(client: &Client, status: u16) {
    eventually(&format!("readiness turns {status}"), async || {
        client.get("/readyz").await.status() == status
    })
    .await;
}

/// Registers a server, as often as it takes.
async fn registered(client: &Client, slug: &str) {
    eventually("commands work", async || {
        let (status, answer) = client.graphql(REGISTER, json!({ "slug": slug })).await;
        let code = &answer["errors"][0]["extensions"]["code"];
        status == 200 && (answer.get("errors").is_none() || code == "SERVER_ALREADY_REGISTERED")
    })
    .await;
}

/// Refusals meanwhile are right: what decides permissions may have missed a revocation.
async fn answered_again(client: &Client, slugs: &[&str]) {
    eventually("what was acknowledged is answered again", async || {
        let (status, answer) = client.graphql(SERVERS, json!({})).await;
        let found = answer.to_string();
        let mut slugs = slugs.iter();
        status == 200 && slugs.all(|slug| found.contains(&format!("\"{slug}\"")))
    })
    .await;
}

/// A query is refused in time, whoever refuses it: the operation, or the door before it.
async fn a_query_is_refused(client: &Client) {
    let begun = Instant::now();
    let (_, answer) = client.graphql(SERVERS, json!({})).await;
    let operation = answer.pointer("/errors/0/extensions/code");
    let code = operation.or(answer.get("code")).and_then(Value::as_str);
    assert_eq!(code, Some("UNAVAILABLE"), "{answer:#}");
    let took = begun.elapsed();
    assert!(took < ANSWERED, "{took:?}");
}

/// A process with all roles, whose owner has registered the server `before`.
async fn serving(servers: &Servers, folder: &Path) -> (App, Client) {
    let mut config = servers.fresh_config(folder).await;
    config.limits.request_deadline = DEADLINE;
    let (app, base) = serve(&config, &[ProcessRole::Api, ProcessRole::Projector]).await;
    let tenant = TenantId::new("acme").unwrap();
    let actor = Actor::system("test");
    let state = &app.state;
    let provisioned =
        metamcp::provision(&state.dispatcher, &state.vault, &tenant, "admin", &actor).await;
    let (owner, at, _) = provisioned.unwrap();
    let positions = &state.positions;
    positions.wait_for("access", at, PATIENCE).await.unwrap();
    let token = state.tokens.issue(&tenant, &owner, None).unwrap();
    let client = Client::new(&base, Some(token.token.expose_secret().to_owned()));
    registered(&client, "before").await;
    (app, client)
}

#[tokio::test]
async fn a_hanging_or_killed_server_is_answered_in_bounded_time_and_survived() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (app, client) = serving(&servers, folder.path()).await;
    let supervisor = servers.embedded.supervise();
    let pids = supervisor.pids();

    // The log hangs: commands are refused in time, readiness turns red, queries may go on.
    let nats = pids.borrow().nats;
    signal(nats, Signal::STOP);
    stands_still(nats).await;
    let begun = Instant::now();
    assert_eq!(
        client.code(REGISTER, json!({ "slug": "during" })).await,
        "UNAVAILABLE"
    );
    assert!(begun.elapsed() < ANSWERED, "{:?}", begun.elapsed());
    readiness_turns(&client, 503).await;
    signal(nats, Signal::CONT);
    readiness_turns(&client, 200).await;

    // The log dies and comes back: what was acknowledged is there.
    signal(nats, Signal::KILL);
    registered(&client, "after-nats").await;

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
        .wait_for("catalog", head, RECOVERY)
        .await;
    assert!(caught_up.is_ok(), "{:#?}", app.state.positions.health());
    answered_again(&client, &["before", "after-nats"]).await;
    readiness_turns(&client, 200).await;
    app.stop().await;
    supervisor.stop().await;
}

/// Nobody starts the database again before the test does: it is away for as long as it takes to look.
#[tokio::test]
async fn while_the_database_is_away_queries_are_refused_in_bounded_time_and_nothing_is_lost() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (app, client) = serving(&servers, folder.path()).await;
    let Servers {
        embedded,
        dir,
        folder: _data,
        ..
    } = servers;
    let EmbeddedServers { nats, postgres } = embedded;

    // It hangs. The postmaster first, so that no connection is accepted behind one's back.
    let postmaster = postgres.pid();
    signal(postmaster, Signal::STOP);
    stands_still(postmaster).await;
    let backends = children(postmaster);
    assert!(!backends.is_empty(), "it serves nobody");
    for backend in &backends {
        signal(*backend, Signal::STOP);
        stands_still(*backend).await;
    }
    // The first may be of a principal that is still remembered, and hang in its own query.
    a_query_is_refused(&client).await;
    readiness_turns(&client, 503).await;
    a_query_is_refused(&client).await;
    for pid in backends.iter().chain([&postmaster]) {
        signal(*pid, Signal::CONT);
    }
    readiness_turns(&client, 200).await;
    answered_again(&client, &["before"]).await;
    registered(&client, "after-hanging").await;

    // It dies. A backend ends a moment after its postmaster.
    let backends = children(postmaster);
    signal(postmaster, Signal::KILL);
    eventually("nobody is left who could answer", async || {
        let mut left = backends.iter().filter_map(|pid| process(*pid));
        left.all(|(state, _)| state == 'Z')
    })
    .await;
    readiness_turns(&client, 503).await;
    a_query_is_refused(&client).await;
    drop(postgres);
    let options = Options {
        sync_always: false,
        log_statements: false,
    };
    let postgres = PostgresServer::start(&dir, &options).await.unwrap();
    readiness_turns(&client, 200).await;
    registered(&client, "after-dying").await;
    let head = app.state.log.head().await.unwrap();
    let positions = &app.state.positions;
    for projector in projections::registry::NAMES {
        let caught_up = positions.wait_for(projector, head, RECOVERY).await;
        assert!(caught_up.is_ok(), "{:#?}", positions.health());
    }
    answered_again(&client, &["before", "after-hanging", "after-dying"]).await;
    app.stop().await;
    nats.stop().await;
    postgres.stop().await;
}
