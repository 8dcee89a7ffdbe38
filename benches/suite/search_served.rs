//! What users wait for: how long after a command's acknowledgement a search over HTTP finds its tool, ten tools a second
//! being registered through the log; and searches over HTTP with filters, by eight clients at once, half of them by
//! GraphQL and half by MCP, while that goes on. All of it runs on the same two cores: API, projectors, embedding,
//! NATS, PostgreSQL and the clients. No query is asked twice, so each is embedded.

use crate::corpus::Corpus;
use crate::embed::model_dir;
use crate::harness::{Goal, Report, Settings, all_clients, as_f64, median, millis, percentile};
use crate::search::{HITS, queries};
use crate::search_load::{CLIENTS, FILTERS, TICK};
use crate::visible::Installation;
use crate::wire::{self, Wire};
use crate::world::{World, dispatch};
use anyhow::{Result, ensure};
use api::config::EmbedderKind;
use domain::tool::Tool;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(folder) = model_dir() else {
        return Ok(());
    };
    let corpus = Corpus::load(settings)?;
    let world = World::start(true).await?;
    let mut config = world.config().await?;
    config.search.embedder = EmbedderKind::MiniLm;
    config.search.model_dir = Some(folder);
    let tools = settings.size(10_000, 100);
    let installation = Installation::start(config, &corpus, tools).await?;
    let lasts = Duration::from_secs(if settings.quick { 2 } else { 10 });
    let runs = settings.runs().min(3);
    // A tool each tick of every run, and one that warms up; some begin before they hear that a run is over.
    let ticks = usize::try_from(lasts.as_millis() / TICK.as_millis())?;
    let new = tools..tools + (2 * runs + 2) * (ticks + CLIENTS);
    installation.servers(new).await?;
    let mut next = tools;
    let mut alone = Vec::new();
    for run in 0..=runs {
        let stop = AtomicBool::new(false);
        let (written, ()) =
            futures::try_join!(write(&installation, &corpus, &mut next, &stop), async {
                tokio::time::sleep(lasts).await;
                stop.store(true, Ordering::Relaxed);
                Ok(())
            })?;
        if run > 0 {
            alone.extend(written);
        }
    }
    let bench = format!("ack to found by search over HTTP, 10 commands/s, {tools} tools");
    freshness(report, bench, &alone, Goal::AtMost(1.0));
    let asking = Asking {
        address: installation.address,
        token: installation.token.clone(),
        queries: queries(&corpus, settings.size(100, 30)),
    };
    loaded(
        report,
        (&installation, &corpus),
        (runs, lasts),
        (&mut next, asking),
    )
    .await?;
    installation.app.stop().await;
    Ok(())
}

fn freshness(report: &mut Report, bench: impl Into<String>, times: &[f64], goal: Goal) {
    let p99 = percentile(times, 99);
    let ours = format!("p50 {}, p99 {}", millis(median(times)), millis(p99));
    report.line(bench, (ours, "250 ms".to_owned()), p99 / 0.250, goal);
}

/// The same while eight clients search without a pause, and what they wait for.
async fn loaded(
    report: &mut Report,
    (installation, corpus): (&Installation, &Corpus),
    (runs, lasts): (usize, Duration),
    (next, asking): (&mut usize, Asking),
) -> Result<()> {
    let (tools, asking) = (*next, Arc::new(asking));
    let (mut middle, mut tail, mut rates, mut fresh) = (vec![], vec![], vec![], vec![]);
    for run in 0..=runs {
        let stop = AtomicBool::new(false);
        let searches = async {
            let times = clients(&asking, run, lasts).await;
            stop.store(true, Ordering::Relaxed);
            times
        };
        let (written, times) =
            futures::try_join!(write(installation, corpus, next, &stop), searches)?;
        if run > 0 {
            rates.push(as_f64(times.len()) / lasts.as_secs_f64());
            middle.push(median(&times));
            tail.push(percentile(&times, 99));
            fresh.extend(written);
        }
    }
    let p50 = format!("{} ({:.0}/s)", millis(median(&middle)), median(&rates));
    let bench = format!(
        "search over HTTP, {CLIENTS} clients with filters, 10 commands/s, {tools} tools, p50"
    );
    report.line(bench, (p50, String::new()), f64::NAN, Goal::None);
    let p99 = median(&tail);
    let texts = (millis(p99), "50 ms".to_owned());
    report.line("… p99", texts, p99 / 0.050, Goal::AtMost(1.0));
    freshness(report, "… ack to found beside them", &fresh, Goal::None);
    Ok(())
}

/// Whom the clients ask, and what.
struct Asking {
    address: SocketAddr,
    token: String,
    queries: Vec<String>,
}

impl Asking {
    /// A search that nobody has asked before. Clients at odd places ask by MCP.
    fn request(&self, (run, client, turn): (usize, usize, usize)) -> Vec<u8> {
        let query = &self.queries[(client * 13 + turn) % self.queries.len()];
        let filter = FILTERS[(client + turn) % FILTERS.len()];
        let query = format!("{query} {run}x{client}x{turn} {filter}");
        if client % 2 == 1 {
            let arguments = json!({ "query": query, "limit": HITS });
            return wire::mcp(self.address, &self.token, "search_tools", &arguments);
        }
        let query = format!(
            "{{ searchTools(query: {}, first: {HITS}) {{ hits {{ score reference tool {{ name description }} }} }} }}",
            Value::from(query)
        );
        wire::graphql(self.address, &self.token, &query)
    }
}

/// What each search of each client took.
async fn clients(asking: &Arc<Asking>, run: usize, lasts: Duration) -> Result<Vec<f64>> {
    let until = Instant::now() + lasts;
    all_clients(CLIENTS, |client| {
        let asking = Arc::clone(asking);
        async move {
            let mut wire = Wire::connect(asking.address).await?;
            let mut times = Vec::new();
            while Instant::now() < until {
                let request = asking.request((run, client, times.len()));
                let begun = Instant::now();
                let answer = wire.send(&request).await?;
                times.push(begun.elapsed().as_secs_f64());
                let answer = String::from_utf8_lossy(&answer);
                ensure!(answer.contains("\"name\":"), "nothing was found: {answer}");
            }
            Ok(times)
        }
    })
    .await
}

/// Registers a tool each tick; seconds from acknowledgement until the answer of a search for its name has it.
async fn write(
    installation: &Installation,
    corpus: &Corpus,
    next: &mut usize,
    stop: &AtomicBool,
) -> Result<Vec<f64>> {
    let mut tick = tokio::time::interval(TICK);
    let mut running = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let tenant = installation.tenant.clone();
        let (address, token) = (installation.address, installation.token.clone());
        let dispatcher = installation.app.state.dispatcher.clone();
        let (id, command) = corpus.tool(&tenant, *next);
        let name = Value::from(corpus.tool_name(*next));
        *next += 1;
        running.push(tokio::spawn(async move {
            let mut wire = Wire::connect(address).await?;
            let at = dispatch::<Tool>(&dispatcher, &tenant, &id, command).await?;
            let acknowledged = Instant::now();
            let query = format!(
                "{{ searchTools(query: {name}, first: 100, minSequence: {at}) {{ hits {{ tool {{ name }} }} }} }}"
            );
            let answer = wire.send(&wire::graphql(address, &token, &query)).await?;
            let seconds = acknowledged.elapsed().as_secs_f64();
            let found = String::from_utf8_lossy(&answer).contains(&name.to_string());
            ensure!(found, "{name} is not found");
            Ok::<f64, anyhow::Error>(seconds)
        }));
    }
    let mut times = Vec::new();
    for one in running {
        times.push(one.await??);
    }
    Ok(times)
}
