//! What users wait for: eight clients search over HTTP with filters, half of them by GraphQL and half by MCP, while ten
//! tools a second are registered through the log; and how long after a command's acknowledgement such a search finds
//! its tool. All of it runs on the same two cores: API, projectors, embedding, NATS, PostgreSQL and the clients.

use crate::corpus::Corpus;
use crate::embed::model_dir;
use crate::harness::{Goal, Report, Settings, as_f64, median, millis, percentile};
use crate::search::{HITS, queries};
use crate::search_load::{CLIENTS, FILTERS, TICK};
use crate::visible::Installation;
use crate::wire::{self, Wire};
use crate::world::{World, dispatch};
use anyhow::{Result, ensure};
use api::config::EmbedderKind;
use domain::server::Server;
use domain::tool::Tool;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Tools that one run registers at most: one a tick, and some that begin before it hears that it is over.
fn most_in(lasts: Duration) -> usize {
    usize::try_from(lasts.as_millis() / TICK.as_millis()).unwrap_or(usize::MAX) + CLIENTS
}

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
    let new = tools..tools + (runs + 1) * most_in(lasts);
    for (id, command) in Corpus::servers(&installation.tenant, new) {
        let (state, tenant) = (&installation.app.state, &installation.tenant);
        dispatch::<Server>(&state.dispatcher, tenant, &id, command).await?;
    }
    installation.settle().await?;
    let requests = Arc::new(requests(
        &installation,
        &queries(&corpus, settings.size(100, 30)),
    ));
    let (mut middle, mut tail, mut rates, mut fresh) = (vec![], vec![], vec![], vec![]);
    let mut next = tools;
    for run in 0..=runs {
        let stop = AtomicBool::new(false);
        let writes = write(&installation, &corpus, &mut next, &stop);
        let searches = async {
            let times = clients(installation.address, &requests, lasts).await;
            stop.store(true, Ordering::Relaxed);
            times
        };
        let (written, times) = futures::try_join!(writes, searches)?;
        if run > 0 {
            rates.push(as_f64(times.len()) / lasts.as_secs_f64());
            middle.push(median(&times));
            tail.push(percentile(&times, 99));
            fresh.extend(written);
        }
    }
    let p50 = format!("{} ({:.0}/s)", millis(median(&middle)), median(&rates));
    let bench =
        format!("search over HTTP, 8 clients with filters, 10 commands/s, {tools} tools, p50");
    report.line(bench, (p50, "none".to_owned()), f64::NAN, Goal::None);
    let p99 = median(&tail);
    let texts = (millis(p99), "50 ms".to_owned());
    report.line("… p99", texts, p99 / 0.050, Goal::AtMost(1.0));
    let p99 = percentile(&fresh, 99);
    let texts = (
        format!("p50 {}, p99 {}", millis(median(&fresh)), millis(p99)),
        "250 ms".to_owned(),
    );
    let bench = "… from a command's acknowledgement to its tool being found over HTTP";
    report.line(bench, texts, p99 / 0.250, Goal::AtMost(1.0));
    installation.app.stop().await;
    Ok(())
}

/// The searches of all clients: those at odd places by MCP.
fn requests(installation: &Installation, queries: &[String]) -> Vec<Vec<u8>> {
    let request = |(place, query): (usize, &String)| {
        let query = format!("{query} {}", FILTERS[place / 2 % FILTERS.len()]);
        if place % 2 == 1 {
            let arguments = json!({ "query": query, "limit": HITS });
            return wire::mcp(
                installation.address,
                &installation.token,
                "search_tools",
                &arguments,
            );
        }
        installation.request(&format!(
            "{{ searchTools(query: {}, first: {HITS}) {{ hits {{ score reference tool {{ name description }} }} }} }}",
            Value::from(query)
        ))
    };
    queries.iter().enumerate().map(request).collect()
}

/// What each search of each client took.
async fn clients(
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    lasts: Duration,
) -> Result<Vec<f64>> {
    let until = Instant::now() + lasts;
    let client = |client: usize| {
        let requests = Arc::clone(requests);
        tokio::spawn(async move {
            let mut wire = Wire::connect(address).await?;
            let mut times = Vec::new();
            // A client keeps to one surface: places of its own parity.
            for request in requests.iter().cycle().skip(client * 13).step_by(2) {
                if Instant::now() >= until {
                    break;
                }
                let begun = Instant::now();
                let answer = wire.send(request).await?;
                times.push(begun.elapsed().as_secs_f64());
                let answer = String::from_utf8_lossy(&answer);
                ensure!(answer.contains("\"name\":"), "nothing was found: {answer}");
            }
            Ok::<_, anyhow::Error>(times)
        })
    };
    let running: Vec<_> = (0..CLIENTS).map(client).collect();
    let mut all = Vec::new();
    for client in running {
        all.extend(client.await??);
    }
    Ok(all)
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
