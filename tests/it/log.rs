//! The contract of the event store, against a real server.

use crate::support::Servers;
use bus::event_store::{AppendError, JetStreamEventStore};
use bus::{CommandContext, DispatchError, Dispatcher, Log};
use cqrs_es::EventStore;
use domain::envelope::{Actor, body_hash};
use domain::id::{CommandId, TenantId};
use domain::tenant::{Tenant, TenantCommand, TenantError, TenantEvent, TenantRenamed};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

async fn log() -> (Log, Arc<Servers>, tempfile::TempDir) {
    let servers = Servers::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let config = servers.fresh_config(folder.path()).await;
    (Servers::log(&config).await, servers, folder)
}

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn context() -> CommandContext {
    CommandContext::new(tenant(), Actor::system("test"))
}

fn register() -> TenantCommand {
    TenantCommand::Register {
        display_name: "Acme".to_owned(),
    }
}

fn rename(display_name: &str) -> TenantCommand {
    TenantCommand::Rename {
        display_name: display_name.to_owned(),
    }
}

async fn entries(log: &Log) -> Vec<bus::LogEntry> {
    let head = log.head().await.unwrap();
    let mut reader = log.read_from(1).await.unwrap();
    let mut entries = Vec::new();
    while (entries.len() as u64) < head {
        entries.extend(reader.next_batch(100).await.unwrap());
    }
    entries
}

#[tokio::test]
async fn commits_are_chained_numbered_and_in_order() {
    let (log, _servers, _folder) = log().await;
    let dispatcher = Dispatcher::new(log.clone());
    let first = dispatcher
        .dispatch::<Tenant>(&context(), "acme", register())
        .await
        .unwrap();
    let second = dispatcher
        .dispatch::<Tenant>(&context(), "acme", rename("B"))
        .await
        .unwrap();
    assert_eq!((first.stream_sequence, first.aggregate_sequence), (1, 1));
    assert_eq!((second.stream_sequence, second.aggregate_sequence), (2, 2));
    let entries = entries(&log).await;
    let commits: Vec<_> = entries
        .iter()
        .map(|entry| entry.commit().unwrap())
        .collect();
    assert_eq!(commits[0].previous_hash, None);
    assert_eq!(commits[1].previous_hash, Some(body_hash(&entries[0].body)));
    assert!(
        entries[0].subject.ends_with(".acme.tenant.acme"),
        "{}",
        entries[0].subject
    );
    // The stored bytes are the canonical form of what they say.
    assert_eq!(commits[1].to_canonical().unwrap(), entries[1].body);
}

#[tokio::test]
async fn concurrent_writers_on_one_aggregate_never_both_win() {
    let (log, _servers, _folder) = log().await;
    let store = JetStreamEventStore::<Tenant>::new(log.clone(), tenant());
    Dispatcher::new(log.clone())
        .dispatch::<Tenant>(&context(), "acme", register())
        .await
        .unwrap();
    for round in 0..20 {
        let (one, two) = (
            store.load("acme").await.unwrap(),
            store.load("acme").await.unwrap(),
        );
        let event = |name: &str| {
            vec![TenantEvent::Renamed(TenantRenamed {
                display_name: format!("{name} {round}"),
            })]
        };
        let (first, second) = (context(), context());
        let (a, b) = tokio::join!(
            store.append(one, event("a"), &first),
            store.append(two, event("b"), &second)
        );
        let wins = usize::from(a.is_ok()) + usize::from(b.is_ok());
        assert_eq!(wins, 1, "round {round}");
        let loser = a.err().or(b.err()).unwrap();
        assert!(matches!(loser, AppendError::Conflict), "{loser}");
    }
    assert_eq!(store.load("acme").await.unwrap().aggregate_sequence(), 21);
}

#[tokio::test]
async fn the_dispatcher_decides_again_when_somebody_was_first() {
    let (log, _servers, _folder) = log().await;
    let dispatchers: Vec<_> = (0..4).map(|_| Dispatcher::new(log.clone())).collect();
    dispatchers[0]
        .dispatch::<Tenant>(&context(), "acme", register())
        .await
        .unwrap();
    let tasks = (0..24).map(|n| {
        let dispatcher = dispatchers[n % 4].clone();
        async move {
            let context = context();
            loop {
                let name = format!("name {n}");
                match dispatcher
                    .dispatch::<Tenant>(&context, "acme", rename(&name))
                    .await
                {
                    Ok(_) => break,
                    Err(DispatchError::Conflict) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    futures::future::join_all(tasks).await;
    let entries = entries(&log).await;
    assert_eq!(entries.len(), 25);
    let sequences: Vec<_> = entries
        .iter()
        .map(|entry| entry.commit().unwrap().sequence)
        .collect();
    assert_eq!(sequences, (1..=25).collect::<Vec<_>>());
}

#[tokio::test]
async fn of_two_registrations_of_one_name_one_is_refused() {
    let (log, _servers, _folder) = log().await;
    let (one, two) = (Dispatcher::new(log.clone()), Dispatcher::new(log.clone()));
    let (a, b) = (context(), context());
    let (a, b) = tokio::join!(
        one.dispatch::<Tenant>(&a, "acme", register()),
        two.dispatch::<Tenant>(&b, "acme", register())
    );
    let refused = match (a, b) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        refused,
        DispatchError::Rejected(TenantError::AlreadyRegistered)
    ));
}

#[tokio::test]
async fn a_command_sent_twice_is_answered_once() {
    let (log, _servers, _folder) = log().await;
    let command_id = CommandId(Uuid::now_v7());
    let sent = || context().with_command_id(command_id);
    let one = Dispatcher::new(log.clone());
    let first = one
        .dispatch::<Tenant>(&sent(), "acme", register())
        .await
        .unwrap();
    // From the same process, and from one that has never seen it.
    for dispatcher in [one, Dispatcher::new(log.clone())] {
        let again = dispatcher
            .dispatch::<Tenant>(&sent(), "acme", register())
            .await
            .unwrap();
        assert!(again.replayed);
        assert_eq!(again.commit_id, first.commit_id);
        assert_eq!(again.events, first.events);
    }
    assert_eq!(log.head().await.unwrap(), 1);
}

#[tokio::test]
async fn a_command_id_is_not_taken_for_another_object() {
    let (log, _servers, _folder) = log().await;
    let dispatcher = Dispatcher::new(log.clone());
    let command_id = CommandId(Uuid::now_v7());
    let sent = context().with_command_id(command_id);
    dispatcher
        .dispatch::<Tenant>(&sent, "acme", register())
        .await
        .unwrap();
    let other = dispatcher
        .dispatch::<Tenant>(&sent, "other", register())
        .await;
    assert!(
        matches!(other, Err(DispatchError::CommandIdReused)),
        "{other:?}"
    );
}

#[tokio::test]
async fn the_store_serves_cqrs_es_as_well() {
    let (log, _servers, _folder) = log().await;
    let dispatcher = Dispatcher::new(log.clone());
    dispatcher
        .dispatch::<Tenant>(&context(), "acme", register())
        .await
        .unwrap();
    let store = JetStreamEventStore::<Tenant>::new(log, tenant());
    let loaded = store.load_aggregate("acme").await.unwrap();
    let renamed = TenantEvent::Renamed(TenantRenamed {
        display_name: "B".to_owned(),
    });
    let metadata = HashMap::from([("actor_kind".to_owned(), "operator".to_owned())]);
    let committed = store.commit(vec![renamed], loaded, metadata).await.unwrap();
    assert_eq!(committed[0].metadata["stream_sequence"], "2");
    let history = store.load_events("acme").await.unwrap();
    assert_eq!(
        history
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

/// Few commits and many are read in two ways; the second one goes through a consumer of this object's subject.
#[tokio::test]
async fn objects_of_every_length_are_read_whole_and_in_order() {
    let (log, _servers, _folder) = log().await;
    let dispatcher = Dispatcher::new(log.clone());
    let others = CommandContext::new(TenantId::new("others").unwrap(), Actor::system("test"));
    let store = JetStreamEventStore::<Tenant>::new(log.clone(), tenant());
    for count in 1..=40 {
        for (context, id) in [(context(), "acme"), (others.clone(), "others")] {
            let command = match count {
                1 => register(),
                _ => rename(&format!("Number {count}")),
            };
            let context = context.with_command_id(CommandId(Uuid::now_v7()));
            let sent = dispatcher.dispatch::<Tenant>(&context, id, command).await;
            assert_eq!(sent.unwrap().aggregate_sequence, count);
        }
        if [1, 2, 3, 4, 5, 6, 40].contains(&count) {
            let events = store.load_events("acme").await.unwrap();
            let sequences = events.iter().map(|event| event.sequence as u64);
            assert_eq!(sequences.collect::<Vec<_>>(), Vec::from_iter(1..=count));
            let at = events
                .iter()
                .map(|event| &event.metadata["stream_sequence"]);
            let odd = (0..count).map(|place| (2 * place + 1).to_string());
            assert!(at.cloned().eq(odd), "{events:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_with_another_configuration_is_refused() {
    let servers = Servers::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let config = servers.fresh_config(folder.path()).await;
    let client = async_nats::ConnectOptions::with_user_and_password(
        config.nats.user.clone().unwrap(),
        servers.embedded.nats.password().to_owned(),
    )
    .connect(servers.embedded.nats.address())
    .await
    .unwrap();
    let stream = async_nats::jetstream::stream::Config {
        name: config.nats.stream.clone(),
        subjects: vec![format!("{}.>", config.nats.subject_root)],
        max_messages: 10,
        ..Default::default()
    };
    async_nats::jetstream::new(client)
        .create_stream(stream)
        .await
        .unwrap();
    let options = bus::LogOptions {
        stream: config.nats.stream.clone(),
        subject_root: config.nats.subject_root.clone(),
        ..bus::LogOptions::new(config.nats.url.clone())
    }
    .with_user(
        config.nats.user.clone().unwrap(),
        config.nats.password.clone().unwrap(),
    );
    let refused = Log::connect(&options).await.unwrap_err();
    assert!(
        matches!(refused, bus::BusError::StreamDiffers { .. }),
        "{refused}"
    );
}
