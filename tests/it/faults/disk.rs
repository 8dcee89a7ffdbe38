//! A full disk under each store: a small file system of its own, filled up and emptied again. Needs the
//! right to mount; without it the tests say so and are skipped.

use super::load::Load;
use super::verify::{all_is_well, read_models_equal_a_rebuild};
use super::world::{World, eventually, log, owner, projector, ready};
use crate::support::Client;
use domain::envelope::Actor;
use domain::id::{ServerId, TenantId};
use domain::server::{RegisterServer, Server, ServerCommand, ServerProfile};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use uuid::Uuid;

const QUERY: &str = "{ servers(first: 1) { nodes { slug } } }";

/// A file system in memory; unmounted when dropped.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one, or says why the test is skipped.
    pub(super) fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(at)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                println!(
                    "skipped: a small file system cannot be mounted: {}",
                    why.trim()
                );
                None
            }
            Err(error) => {
                println!("skipped: there is no `mount`: {error}");
                None
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all room.
    pub(super) fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12] {
            let block = vec![0; size];
            while filler.write_all(&block).is_ok() {}
        }
    }

    /// Gives it back.
    pub(super) fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A data directory whose part `name` is a small disk of its own.
fn with_small_disk(name: &str, megabytes: u32) -> Option<(TempDir, SmallDisk)> {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Laid out first: a directory that holds something unknown is refused.
    drop(metamcp::embedded::DataDir::open(&data).unwrap());
    let disk = SmallDisk::mount(&data.join(name), megabytes)?;
    Some((folder, disk))
}

/// Waits until commands are acknowledged again.
async fn goes_on(load: &Load, what: &str) {
    let before = load.look(|seen| seen.acknowledged.len());
    eventually(what, async || {
        load.look(|seen| seen.acknowledged.len()) > before + 5
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_log_refuses_commands_and_recovers_with_room() {
    let Some((folder, disk)) = with_small_disk("nats", 32) else {
        return;
    };
    let world = World::start_in(folder).await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let metamcp = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    let load = Load::start(&client, 2);
    goes_on(&load, "commands before").await;
    disk.fill();
    refused_only(&load).await;
    assert_eq!(commands_are_taken(&client).await, Some(false));
    disk.empty();
    goes_on(&load, "commands with room").await;
    assert_eq!(commands_are_taken(&client).await, Some(true));
    let seen = load.stop().await;
    all_is_well(&log(&world.config).await, &seen).await;
    ready(&client).await;
    read_models_equal_a_rebuild(&world.config, &log(&world.config).await).await;
    drop(metamcp);
    world.stop().await;
    drop(disk);
}

/// What `/readyz` says of commands, while queries are answered all the same.
async fn commands_are_taken(client: &Client) -> Option<bool> {
    let answer = client.get("/readyz").await;
    assert_eq!(answer.status(), 200, "queries are answered");
    let body: serde_json::Value = answer.json().await.unwrap();
    body.pointer("/commands/ok")?.as_bool()
}

/// Waits until nothing is acknowledged any more and answers say to come back.
async fn refused_only(load: &Load) {
    eventually("commands are refused", async || {
        let before = load.look(|seen| (seen.acknowledged.len(), seen.unavailable));
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let after = load.look(|seen| (seen.acknowledged.len(), seen.unavailable));
        before.0 == after.0 && after.1 > before.1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_postgres_delays_the_models_and_recovers_with_room() {
    let Some((folder, disk)) = with_small_disk("postgres", 256) else {
        return;
    };
    let world = World::start_in(folder).await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let metamcp = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    let load = Load::start(&client, 2);
    goes_on(&load, "commands before").await;
    disk.fill();
    // The log goes on. The models fall behind, say so, and answers tell what cannot be shown yet.
    let dispatcher = bus::Dispatcher::new(events.clone());
    eventually("a projector says that it tries again", async || {
        grow_log(&dispatcher).await;
        let catalog = projector(&client, "catalog").await;
        let archive = projector(&client, "archive").await;
        [catalog, archive]
            .iter()
            .any(|one| one["state"] == "retrying")
    })
    .await;
    disk.empty();
    goes_on(&load, "commands with room").await;
    let seen = load.stop().await;
    all_is_well(&events, &seen).await;
    ready(&client).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(metamcp);
    world.stop().await;
    drop(disk);
}

/// Commits with long texts that cannot be compressed much, which the database has to keep.
async fn grow_log(dispatcher: &bus::Dispatcher) {
    let tenant = TenantId::new(super::world::TENANT).unwrap();
    for _ in 0..20 {
        let noise: Vec<String> = (0..120)
            .map(|_| Uuid::now_v7().simple().to_string())
            .collect();
        let slug = format!("noise-{}", &noise[0][12..]);
        let profile = ServerProfile {
            name: slug.clone(),
            description: noise.concat(),
            ..ServerProfile::default()
        };
        let id = ServerId::derive(&tenant, &slug);
        let context = bus::CommandContext::new(tenant.clone(), Actor::system("test"));
        let register = ServerCommand::Register(RegisterServer { slug, profile });
        dispatcher
            .dispatch::<Server>(&context, id.as_str(), register)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_index_stops_the_index_alone_and_recovers_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("search"), 16) else {
        return;
    };
    let world = World::start_in(folder).await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let metamcp = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    tool(&client, "git", "first_tool").await;
    disk.fill();
    tool(&client, "hub", "second_tool").await;
    eventually("the index says that it tries again", async || {
        projector(&client, "search").await["state"] == "retrying"
    })
    .await;
    tool(&client, "lab", "third_tool").await; // commands and lists go on
    client.data(QUERY, json!({})).await;
    disk.empty();
    let search = "{ searchTools(query: \"third tool\") { hits { tool { name } } } }";
    eventually("the index has caught up", async || {
        let (_, answer) = client.graphql(search, json!({})).await;
        answer.to_string().contains("third_tool")
    })
    .await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(metamcp);
    world.stop().await;
    drop(disk);
}

async fn tool(client: &Client, server: &str, name: &str) {
    let register = "mutation($server: String!, $name: String!) {
        registerServer(input: { slug: $server, name: $server, description: \"A server\" }) { sequence }
        registerTool(input: { server: $server, name: $name, description: \"Counts things\" }) {
            sequence } }";
    let variables = json!({ "server": server, "name": name });
    client.data(register, variables).await;
}
