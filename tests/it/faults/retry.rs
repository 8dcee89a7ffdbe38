//! Idempotency to the letter: the connection is cut between publish and acknowledgement, and the command
//! is sent again, inside and beyond the window in which JetStream itself remembers it.

use super::verify::entries;
use super::world::{Process, configuration, eventually, owner, ready};
use crate::support::{Proxy, Servers};
use bus::{CommandContext, Committed, DispatchError, Dispatcher, Log, LogOptions};
use domain::envelope::Actor;
use domain::id::{CommandId, TenantId};
use domain::tenant::{Tenant, TenantCommand, TenantEvent};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How long a request waits for its answer here.
const TIMEOUT: Duration = Duration::from_secs(3);

struct Apart {
    proxy: Proxy,
    /// Through the proxy.
    log: Log,
    /// Beside it.
    observer: Log,
    _servers: Arc<Servers>,
    _folder: tempfile::TempDir,
}

async fn apart(duplicate_window: Duration) -> Apart {
    let servers = Servers::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let config = servers.fresh_config(folder.path()).await;
    let options = LogOptions {
        duplicate_window,
        timeout: TIMEOUT,
        ..config.nats.log_options()
    };
    let observer = Log::connect(&options).await.unwrap();
    let server = config.nats.url.trim_start_matches("nats://");
    let proxy = Proxy::start(server.parse().unwrap()).await;
    let url = format!("nats://{}", proxy.address);
    let log = Log::connect(&LogOptions { url, ..options }).await.unwrap();
    Apart {
        proxy,
        log,
        observer,
        _servers: servers,
        _folder: folder,
    }
}

async fn send(
    dispatcher: &Dispatcher,
    command_id: CommandId,
    command: &TenantCommand,
) -> Result<Committed<TenantEvent>, DispatchError<domain::tenant::TenantError>> {
    let tenant = TenantId::new("acme").unwrap();
    let context = CommandContext::new(tenant, Actor::system("test")).with_command_id(command_id);
    dispatcher
        .dispatch::<Tenant>(&context, "acme", command.clone())
        .await
}

/// Sends a command whose answer is lost, and the same again `pause` later: one commit, one answer.
async fn cut_and_send_again(
    apart: &Apart,
    dispatcher: &Dispatcher,
    command: &TenantCommand,
    pause: Duration,
) {
    let command_id = CommandId(Uuid::now_v7());
    let before = apart.observer.head().await.unwrap();
    apart.proxy.swallow();
    let lost = send(dispatcher, command_id, command).await;
    assert!(
        matches!(&lost, Err(DispatchError::Bus(error)) if error.is_unavailable()),
        "{lost:?}"
    );
    // The publish has arrived, although nobody was told.
    assert_eq!(apart.observer.head().await.unwrap(), before + 1);
    apart.proxy.cut();
    tokio::time::sleep(pause).await;
    let connected = async || apart.log.is_connected() && apart.log.head().await.is_ok();
    eventually("the connection is back", connected).await;
    let again = send(dispatcher, command_id, command).await.unwrap();
    assert_eq!(again.stream_sequence, before + 1);
    assert!(again.replayed, "the retry was given a commit of its own");
    // Once more, from a process that has never seen it.
    let other = Dispatcher::new(apart.observer.clone());
    assert_eq!(send(&other, command_id, command).await.unwrap(), again);
    let entries = entries(&apart.observer).await;
    assert_eq!(entries.len() as u64, before + 1, "committed twice");
    let commit = entries.last().unwrap().commit().unwrap();
    assert_eq!(
        (commit.command_id, commit.commit_id),
        (command_id, again.commit_id)
    );
}

fn register() -> TenantCommand {
    TenantCommand::Register {
        display_name: "Acme".to_owned(),
    }
}

fn rename(name: &str) -> TenantCommand {
    TenantCommand::Rename {
        display_name: name.to_owned(),
    }
}

async fn cut_between_publish_and_ack(window: Duration, pause: Duration) {
    let apart = apart(window).await;
    let dispatcher = Dispatcher::new(apart.log.clone());
    cut_and_send_again(&apart, &dispatcher, &register(), pause).await;
    // The object is known to the dispatcher now: nothing is read before a change of it is published.
    let known = CommandId(Uuid::now_v7());
    send(&dispatcher, known, &rename("Known")).await.unwrap();
    cut_and_send_again(&apart, &dispatcher, &rename("Lost"), pause).await;
}

#[tokio::test]
async fn a_retry_inside_the_window_is_answered_by_the_first_commit() {
    cut_between_publish_and_ack(bus::stream::DUPLICATE_WINDOW, Duration::ZERO).await;
}

#[tokio::test]
async fn a_retry_beyond_the_window_is_answered_by_the_first_commit() {
    let window = Duration::from_millis(200);
    cut_between_publish_and_ack(window, 4 * window).await;
}

/// The message is in the log and its acknowledgement is lost with the connection. Nobody has to send the command again.
#[tokio::test]
async fn a_command_under_way_outlives_its_connection() {
    let apart = apart(bus::stream::DUPLICATE_WINDOW).await;
    let dispatcher = Dispatcher::new(apart.log.clone());
    for command in [register(), rename("Renamed")] {
        let before = apart.observer.head().await.unwrap();
        let stored = async || apart.observer.head().await.unwrap() == before + 1;
        apart.proxy.swallow();
        let breaking = async {
            eventually("the commit is stored", stored).await;
            apart.proxy.cut();
        };
        let sending = send(&dispatcher, CommandId(Uuid::now_v7()), &command);
        let (sent, ()) = tokio::join!(sending, breaking);
        let sent = sent.unwrap();
        assert_eq!(sent.stream_sequence, before + 1);
        assert!(!sent.replayed, "it was taken for the answer to another one");
        assert!(stored().await, "committed twice");
    }
}

#[tokio::test]
async fn a_mutation_whose_answer_was_lost_is_sent_again_and_done_once() {
    let servers = Servers::start().await;
    let config = configuration(&servers).await;
    let server = config.nats.url.trim_start_matches("nats://");
    let proxy = Proxy::start(server.parse().unwrap()).await;
    let mut through = config.clone();
    through.nats.url = format!("nats://{}", proxy.address);
    let events = Servers::log(&config).await;
    let client = owner(&config, &events).await;
    let path = servers.folder.path().join("metamcp");
    let _metamcp = Process::start(path, "api,projector", &through).await;
    ready(&client).await;
    let mutation = "mutation($id: UUID!) { registerServer(
        input: { slug: \"git\", name: \"Git\", description: \"A server\" }, commandId: $id) { sequence } }";
    let variables = json!({ "id": Uuid::now_v7() });
    let before = events.head().await.unwrap();
    proxy.swallow();
    assert_eq!(
        client.code(mutation, variables.clone()).await,
        "UNAVAILABLE"
    );
    proxy.cut();
    // Sent again, as often as it takes: the permissions, too, have to follow the log first.
    let mut answer = serde_json::Value::Null;
    eventually("the mutation is answered", async || {
        let (status, found) = client.graphql(mutation, variables.clone()).await;
        answer = found["data"].clone();
        status == 200 && found.get("errors").is_none()
    })
    .await;
    assert_eq!(answer["registerServer"]["sequence"], before + 1);
    assert_eq!(client.data(mutation, variables).await, answer);
    assert_eq!(events.head().await.unwrap(), before + 1);
}
