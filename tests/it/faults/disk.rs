//! A full disk under each store: a small file system of its own, filled up and emptied again. Needs the
//! right to mount; without it the tests say so and are skipped.

use super::load::Load;
use super::verify::{all_is_well, read_models_equal_a_rebuild};
use super::world::{World, eventually, log, owner, projector, readiness, ready};
use crate::support::{Client, Need, cannot_run};
use domain::envelope::Actor;
use domain::id::{ServerId, TenantId};
use domain::server::{RegisterServer, Server, ServerCommand, ServerProfile};
use domain::tenant::{Tenant, TenantCommand};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

const QUERY: &str = "{ servers(first: 1) { nodes { slug } } }";
const SHOWS: &str = "query($at: Sequence!) {
    searchTools(query: \"third tool\", minSequence: $at) { totalCount } }";
/// When what waits for a model that does not follow is answered: after five seconds, and what a slow machine takes.
const ANSWERED: Duration = Duration::from_secs(18);

/// A file system in memory; unmounted when dropped.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one; where that is not possible, [`cannot_run`] has said so.
    pub(super) fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(at)
            .output();
        let why = match mounted {
            Ok(output) if output.status.success() => return Some(Self(at.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => format!("there is no `mount`: {error}"),
        };
        let why = format!("a small file system cannot be mounted: {why}");
        cannot_run(Need::Mount, &why);
        None
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
    told_whether_commands_are_taken(&client, false).await;
    disk.empty();
    goes_on(&load, "commands go on, with room for the log").await;
    told_whether_commands_are_taken(&client, true).await;
    let seen = load.stop().await;
    all_is_well(&log(&world.config).await, &seen).await;
    ready(&client).await;
    read_models_equal_a_rebuild(&world.config, &log(&world.config).await).await;
    drop(metamcp);
    world.stop().await;
    drop(disk);
}

/// What `/readyz` says of commands, while queries are answered all the same; none while they are not.
async fn commands_are_taken(client: &Client) -> Option<bool> {
    let (green, body) = readiness(client).await?;
    if !green {
        return None;
    }
    body.pointer("/commands/ok")?.as_bool()
}

/// Waits until it is so: a nats-server that ends on a full disk is started again, and until then queries wait, too.
async fn told_whether_commands_are_taken(client: &Client, taken: bool) {
    let what = format!("queries are answered, and it is told that commands taken is {taken}");
    eventually(&what, async || {
        commands_are_taken(client).await == Some(taken)
    })
    .await;
}

/// Waits until nothing is acknowledged any more and answers say to come back.
async fn refused_only(load: &Load) {
    eventually("commands are refused", async || {
        let before = load.look(|seen| (seen.acknowledged.len(), seen.unavailable));
        tokio::time::sleep(Duration::from_secs(2)).await;
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
    let filled = Instant::now();
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
    eventually("an answer has a notice instead of the object", async || {
        grow_log(&dispatcher).await;
        load.look(|seen| {
            let mut acknowledged = seen.acknowledged.iter();
            acknowledged.any(|one| one.answered > filled && !one.visible)
        })
    })
    .await;
    eventually("requests are refused: permissions are behind", async || {
        grow_log(&dispatcher).await;
        register_tenants(&dispatcher).await;
        let (status, answer) = client.graphql(QUERY, json!({})).await;
        let told = answer["detail"].as_str().unwrap_or_default();
        let behind = told.contains("permissions are behind the log");
        status == 503 && answer["code"] == "UNAVAILABLE" && behind
    })
    .await;
    disk.empty();
    let emptied = Instant::now();
    eventually("changes are shown, with room for PostgreSQL", async || {
        load.look(|seen| {
            let mut acknowledged = seen.acknowledged.iter();
            acknowledged.any(|one| one.asked > emptied && one.visible)
        })
    })
    .await;
    let seen = load.stop().await;
    all_is_well(&events, &seen).await;
    ready(&client).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(metamcp);
    world.stop().await;
    drop(disk);
}

/// Commits that permissions are made of, with long names.
async fn register_tenants(dispatcher: &bus::Dispatcher) {
    for _ in 0..20 {
        let noise: String = (0..6)
            .map(|_| Uuid::now_v7().simple().to_string())
            .collect();
        let tenant = TenantId::new(format!("t-{}", &noise[..32])).unwrap();
        let context = bus::CommandContext::new(tenant.clone(), Actor::system("test"));
        let register = TenantCommand::Register {
            display_name: noise,
        };
        dispatcher
            .dispatch::<Tenant>(&context, tenant.as_str(), register)
            .await
            .unwrap();
    }
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
    let third = tool(&client, "lab", "third_tool").await; // commands and lists go on
    client.data(QUERY, json!({})).await;
    // Who wants to find what is not indexed is told so, in bounded time.
    let asked = Instant::now();
    let at = json!({ "at": third });
    assert_eq!(client.code(SHOWS, at.clone()).await, "UNAVAILABLE");
    let answered = asked.elapsed();
    let seconds = answered.as_secs_f64();
    println!("{seconds:.2} s until a search for it is refused");
    assert!(answered < ANSWERED, "{answered:?}");
    disk.empty();
    let search = "{ searchTools(query: \"third tool\") { hits { tool { name } } } }";
    eventually("tools are found, with room for the index", async || {
        let (_, answer) = client.graphql(search, json!({})).await;
        answer.to_string().contains("third_tool")
    })
    .await;
    client.data(SHOWS, at).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(metamcp);
    world.stop().await;
    drop(disk);
}

/// Registers a server with a tool, and says where in the log the tool is.
async fn tool(client: &Client, server: &str, name: &str) -> u64 {
    let register = "mutation($server: String!, $name: String!) {
        registerServer(input: { slug: $server, name: $server, description: \"A server\" }) { sequence }
        registerTool(input: { server: $server, name: $name, description: \"Counts things\" }) {
            sequence } }";
    let variables = json!({ "server": server, "name": name });
    let answer = client.data(register, variables).await;
    answer["registerTool"]["sequence"].as_u64().unwrap()
}
