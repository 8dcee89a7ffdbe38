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
use chrono::TimeDelta;
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
        let clock = [
            ("LD_PRELOAD".to_owned(), library.display().to_string()),
            ("FAKETIME".to_owned(), offset.to_owned()),
            // Time-outs are measured by the monotonic clock, which no one sets.
            ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
        ];
        variables.extend(clock.into_iter().chain([issuer]));
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
            assert!(last.recorded_at > chrono::Utc::now() + TimeDelta::minutes(50));
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
