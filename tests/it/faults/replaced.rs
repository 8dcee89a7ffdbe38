//! NATS is restored from an old copy of its folder, under running processes.

use super::load::Load;
use super::verify::read_models_equal_a_rebuild;
use super::world::{
    Process, configuration, eventually, log, metamcp, owner, projector, readiness, ready, said,
};
use crate::support::{Client, Servers};
use metamcp::embedded::{DataDir, EmbeddedServers, NatsServer, Options};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// As in production.
pub(super) const OPTIONS: Options = Options {
    sync_always: true,
    log_statements: false,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_log_halts_the_projectors_which_say_so_and_name_the_way_out() {
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
    write_until(&client, &events, 20).await;

    // A copy is made while the server is stopped; then the log goes on.
    nats.stop().await;
    copy_folder(&store, &copy);
    let nats = NatsServer::start(&dir, &OPTIONS).await.unwrap();
    ready(&client).await;
    write_until(&client, &events, 60).await;
    ready(&client).await;

    let end = events.head().await.unwrap();
    // The log comes back as it was. Nobody restarts the processes.
    nats.stop().await;
    std::fs::remove_dir_all(&store).unwrap();
    copy_folder(&copy, &store);
    let nats = NatsServer::start(&dir, &OPTIONS).await.unwrap();
    for name in projections::registry::NAMES {
        halted(&client, name, "ends before position").await;
    }
    // What decides permissions is not current: everything is refused.
    eventually("requests are refused", async || {
        client
            .graphql("{ servers(first: 1) { nodes { slug } } }", json!({}))
            .await
            .0
            == 503
    })
    .await;

    // The log grows beyond the checkpoints, with other commits.
    let dispatcher = bus::Dispatcher::new(log(&config).await);
    for number in 0.. {
        if super::verify::entries(&events).await.len() as u64 > end {
            break;
        }
        for rename in 0..10 {
            rename_tenant(&dispatcher, &format!("Other {number}.{rename}")).await;
        }
    }
    halted(&client, "catalog", "another commit").await;

    // Without being told, a rebuild refuses; then it is the way out.
    let refused = metamcp(&config, &["rebuild", "all"]).await;
    assert!(!refused.status.success());
    assert!(said(&refused).contains("--force"), "{}", said(&refused));
    let forced = metamcp(&config, &["rebuild", "all", "--force"]).await;
    assert!(forced.status.success(), "{}", said(&forced));
    ready(&client).await;
    write_until(&client, &events, 3).await;
    read_models_equal_a_rebuild(&config, &events).await;
    drop((nats, postgres));
}

/// Waits until a projector has halted for this reason, and names the way out.
async fn halted(client: &Client, name: &str, reason: &str) {
    eventually(&format!("{name} halts: {reason}"), async || {
        let found = projector(client, name).await;
        let told = found["reason"].as_str().unwrap_or_default();
        found["state"] == "halted"
            && told.contains(reason)
            && told.contains("metamcp rebuild all --force")
    })
    .await;
    assert!(!readiness(client).await.unwrap().0, "readiness is red");
}

/// Writes until the log has grown by so many commits.
pub(super) async fn write_until(client: &Client, log: &bus::Log, more: u64) {
    let mut from = 0;
    eventually("the log answers", async || match log.head().await {
        Ok(head) => {
            from = head;
            true
        }
        Err(_) => false,
    })
    .await;
    let load = Load::start(client, 2);
    eventually("commits", async || {
        log.head().await.is_ok_and(|head| head >= from + more)
    })
    .await;
    let seen = load.stop().await;
    assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
}

async fn rename_tenant(dispatcher: &bus::Dispatcher, name: &str) {
    let tenant = domain::id::TenantId::new(super::world::TENANT).unwrap();
    let context = bus::CommandContext::new(tenant, domain::envelope::Actor::system("test"));
    let rename = domain::tenant::TenantCommand::Rename {
        display_name: name.to_owned(),
    };
    dispatcher
        .dispatch::<domain::tenant::Tenant>(&context, super::world::TENANT, rename)
        .await
        .unwrap();
}

/// With owners and rights.
pub(super) fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}
