//! Clocks an hour off. The log's order is its own, so a commit's time is never more than what it says; and
//! a token is judged by the clock of whoever judges it, with the leeway that is configured.
//!
//! The whole process gets another clock through libfaketime, where that is installed (Debian: `faketime`);
//! everywhere, commits are written with the times that such a process would give them.

use super::load::Load;
use super::verify::{all_is_well, entries, read_models_equal_a_rebuild};
use super::world::{Process, World, environment, eventually, log, owner, readiness, ready};
use crate::support::{Need, cannot_run, free_port};
use bus::{CommandContext, Dispatcher};
use chrono::{DateTime, TimeDelta, Utc};
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::tenant::{Tenant, TenantCommand};
use serde_json::json;
use std::path::{Path, PathBuf};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_clocks_an_hour_apart_keep_their_order_and_their_checks() {
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let metamcp = world.serve("metamcp", "api,projector").await;
    ready(&client).await;
    let tenant = TenantId::new(super::world::TENANT).unwrap();
    let dispatchers = [
        Dispatcher::new(events.clone()),
        Dispatcher::new(events.clone()),
    ];
    for number in 0..10 {
        // One writer is an hour ahead, the other an hour behind, in turns.
        let fast = number % 2 == 0;
        let mut context = CommandContext::new(tenant.clone(), Actor::system("test"));
        context.now += TimeDelta::hours(if fast { 1 } else { -1 });
        let rename = TenantCommand::Rename {
            display_name: format!("Name {number}"),
        };
        dispatchers[usize::from(fast)]
            .dispatch::<Tenant>(&context, tenant.as_str(), rename)
            .await
            .unwrap();
    }
    let entries = entries(&events).await;
    let names: Vec<String> = entries
        .iter()
        .map(|entry| entry.commit().unwrap())
        .filter(|commit| commit.aggregate == "tenant")
        .map(|commit| {
            commit.events[0].data["display_name"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let written: Vec<String> = (0..10).map(|number| format!("Name {number}")).collect();
    assert_eq!(
        names[1..],
        written,
        "the order of writing, not of the clocks"
    );
    eventually("the last name counts, not the latest time", async || {
        let (_, shown) = client
            .graphql("{ viewer { tenant { displayName } } }", json!({}))
            .await;
        shown["data"]["viewer"]["tenant"]["displayName"] == "Name 9"
    })
    .await;
    super::verify::nothing_is_lost_or_doubled(&events, &[]).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(metamcp);
    world.stop().await;
}

/// The library; without it, [`cannot_run`] has said so.
fn libfaketime() -> Option<PathBuf> {
    let named = std::env::var_os("METAMCP_TEST_FAKETIME").map(PathBuf::from);
    let installed = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|machine| {
        Path::new("/usr/lib")
            .join(machine)
            .join("faketime/libfaketime.so.1")
    });
    let found = named
        .into_iter()
        .chain(installed)
        .find(|path| path.is_file());
    if found.is_none() {
        let why = "libfaketime is not installed; its Debian package is `faketime`";
        cannot_run(Need::Faketime, why);
    }
    found
}

/// What sets a process's clock off.
fn clock(library: &Path, offset: &str) -> [(String, String); 3] {
    [
        ("LD_PRELOAD".to_owned(), library.display().to_string()),
        ("FAKETIME".to_owned(), offset.to_owned()),
        // Time-outs are measured by the monotonic clock, which no one sets.
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ]
}

/// The first time that a log names.
fn first_time(log: &str) -> DateTime<Utc> {
    let mut words = log.split(|c: char| !(c.is_ascii_alphanumeric() || "-:.+".contains(c)));
    words
        .find_map(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no time in {log}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projectors_whose_clocks_are_two_hours_apart_take_turns_and_harm_nothing() {
    let Some(library) = libfaketime() else {
        return;
    };
    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let _api = world.serve("api", "api").await;
    let projector = async |name: &str, offset: &str| {
        let mut variables = environment(&world.config);
        variables.extend(clock(&library, offset));
        Process::start_with(world.folder.path().join(name), "projector", variables).await
    };
    let mut ahead = projector("ahead", "+1h").await;
    ready(&client).await;
    // It waits behind the first one. Whoever leads is not a matter of times.
    let mut behind = projector("behind", "-1h").await;
    let load = Load::start(&client, 2);
    let more = async |than: usize| {
        eventually("commits are shown", async || {
            load.look(|seen| seen.acknowledged.iter().filter(|one| one.visible).count()) > than
        })
        .await;
        load.look(|seen| seen.acknowledged.len())
    };
    let seen = more(20).await;
    // Their clocks are off: their own logs say so.
    for (process, hours) in [(&ahead, 1), (&behind, -1)] {
        let off = first_time(&process.said()) - Utc::now();
        let right = TimeDelta::hours(hours) - off;
        assert!(right.abs() < TimeDelta::minutes(10), "{off}");
    }
    ahead.kill().await;
    behind.leads(&world.config).await;
    // Only now the other one surely leads: its locks may outlive a killed process for a moment.
    let seen = more(seen + 20).await;
    ahead.restart();
    behind.kill().await;
    ahead.leads(&world.config).await;
    more(seen + 20).await;
    let seen = load.stop().await;
    all_is_well(&events, &seen).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop((ahead, behind));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_clock_is_an_hour_off_judges_tokens_by_it_and_harms_nothing() {
    let Some(library) = libfaketime() else {
        return;
    };
    let world = World::start().await;
    let events = log(&world.config).await;
    let right = owner(&world.config, &events).await;
    let metamcp = world.serve("metamcp", "api,projector").await;
    ready(&right).await;
    for (name, offset, accepted) in [("ahead", "+1h", true), ("behind", "-1h", false)] {
        // Another API of the same installation: same keys, same public address, another clock.
        let mut config = world.config.clone();
        config.http.listen.set_port(free_port());
        let mut variables = environment(&config);
        let issuer = (
            "METAMCP__HTTP__PUBLIC_URL".to_owned(),
            world.config.http.base_url(),
        );
        variables.extend(clock(&library, offset));
        variables.push(issuer);
        let path = world.folder.path().join(name);
        let process = Process::start_with(path, "api", variables).await;
        let mut client = right.clone();
        client.base = format!("http://{}", config.http.listen);
        eventually("the other API answers", async || {
            readiness(&client).await.is_some_and(|(green, _)| green)
        })
        .await;
        let (status, _) = client
            .graphql("{ viewer { tenant { displayName } } }", json!({}))
            .await;
        // A token of now is twelve hours from its end for the one, and not yet valid for the other.
        assert_eq!(status == 200, accepted, "{name}: {status}");
        if accepted {
            let load = Load::start(&client, 2);
            eventually("commits of a fast clock", async || {
                load.look(|seen| seen.acknowledged.len()) > 20
            })
            .await;
            let seen = load.stop().await;
            all_is_well(&events, &seen).await;
            let last = entries(&events).await.pop().unwrap().commit().unwrap();
            assert!(last.recorded_at > Utc::now() + TimeDelta::minutes(50));
        }
        drop(process);
    }
    right
        .data("{ viewer { tenant { displayName } } }", json!({}))
        .await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop(metamcp);
    world.stop().await;
}
