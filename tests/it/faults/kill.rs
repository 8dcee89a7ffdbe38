//! `kill -9` of API, projector, NATS and PostgreSQL at random, under load.

use super::load::Load;
use super::verify::{all_is_well, positions, read_models_equal_a_rebuild};
use super::world::{Process, RECOVERY, World, log, owner, projector, readiness, ready, send};
use crate::support::Client;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// Rounds without `METAMCP_FAULT_MINUTES`.
const ROUNDS: usize = 50;
const VICTIMS: [&str; 4] = ["api", "projector", "nats", "postgres"];

/// A small generator whose runs can be repeated (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// A number of the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_under_load_nothing_acknowledged_is_lost() {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = setting("METAMCP_FAULT_SEED")
        .unwrap_or_else(|| u64::from(since_1970.unwrap().subsec_nanos()));
    println!("METAMCP_FAULT_SEED={seed}");
    let minutes = setting("METAMCP_FAULT_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    let mut random = Random(seed);

    let world = World::start().await;
    let events = log(&world.config).await;
    let client = owner(&world.config, &events).await;
    let mut api = world.serve("api", "api").await;
    let mut projecting = world.serve("projector", "projector").await;
    ready(&client).await;
    let load = Load::start(&client, 3);
    let mut recoveries: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let begun = Instant::now();
    for round in 0.. {
        match minutes {
            Some(minutes) if begun.elapsed() > minutes => break,
            None if round == ROUNDS => break,
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(50 + random.next(300))).await;
        let victim = VICTIMS[usize::try_from(random.next(4)).unwrap()];
        let shown = highest_shown(&load);
        let pids = *world.pids.borrow();
        let killed = Instant::now();
        match victim {
            "api" => restart(&mut api).await,
            "projector" => restart(&mut projecting).await,
            "nats" => send(pids.nats, Signal::KILL),
            _ => send(pids.postgres, Signal::KILL),
        }
        let recovery = recovered(&load, killed, victim, &client).await;
        recoveries.entry(victim).or_default().push(recovery);
        // What an answer has shown is on disk: a database that came back still has it.
        let catalog = positions(&world.config).await["catalog"];
        assert!(
            catalog >= shown,
            "round {round}, {victim}: {catalog} is below {shown}"
        );
    }
    let seen = load.stop().await;
    report(&recoveries, seen.acknowledged.len(), seen.unavailable);
    let events = log(&world.config).await;
    all_is_well(&events, &seen).await;
    read_models_equal_a_rebuild(&world.config, &events).await;
    drop((api, projecting));
    world.stop().await;
}

/// As whoever supervises the processes would.
async fn restart(process: &mut Process) {
    process.kill().await;
    process.restart();
}

/// The highest position that an answer has shown.
fn highest_shown(load: &Load) -> u64 {
    load.look(|seen| {
        let shown = seen.acknowledged.iter().filter(|one| one.visible);
        shown.map(|one| one.sequence).max().unwrap_or(0)
    })
}

/// Waits for an answer that shows a change whose request began after the kill.
async fn recovered(load: &Load, killed: Instant, victim: &str, client: &Client) -> Duration {
    loop {
        let first = load.look(|seen| {
            let after = |one: &&super::load::Acknowledged| one.visible && one.asked > killed;
            seen.acknowledged
                .iter()
                .rev()
                .take(100)
                .rfind(after)
                .map(|one| one.answered)
        });
        if let Some(answered) = first {
            return answered - killed;
        }
        if killed.elapsed() > RECOVERY {
            let wrong = load.look(|seen| seen.wrong.clone());
            let catalog = projector(client, "catalog").await;
            panic!(
                "no recovery after {victim}; {wrong:#?}; catalog: {catalog:#}; {:#?}",
                readiness(client).await
            );
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn report(recoveries: &BTreeMap<&str, Vec<Duration>>, acknowledged: usize, unavailable: usize) {
    println!("{acknowledged} commands acknowledged, {unavailable} answers to try again");
    println!("| killed | rounds | recovery p50 | p99 |");
    let mut all: Vec<Duration> = Vec::new();
    for (victim, times) in recoveries {
        all.extend(times);
        line(victim, times.clone());
    }
    line("all", all);
}

fn line(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "| {name} | {} | {:.2} s | {:.2} s |",
        times.len(),
        at(50).as_secs_f64(),
        at(99).as_secs_f64()
    );
}
