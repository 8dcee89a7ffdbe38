//! The write side: appends in flight, serial latency, and the import of a whole catalogue.

use crate::corpus::Corpus;
use crate::harness::{Goal, Report, Settings, alternate, in_flight, median, rate};
use crate::world::{World, dispatch, fetch, log_of, publish, tenant};
use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream::Context;
use bus::Dispatcher;
use domain::envelope::Actor;
use domain::tool::{Tool, ToolCommand};
use metamcp::import;
use std::cell::RefCell;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Appends through dispatcher and domain, beside raw publishes of the very same messages.
pub(crate) async fn append(
    settings: &Settings,
    report: &mut Report,
    sync_always: bool,
) -> Result<()> {
    let corpus = Corpus::load(settings)?;
    let world = World::start(sync_always).await?;
    let raw = world.raw().await?;
    let mode = if sync_always {
        "sync always"
    } else {
        "sync every 2 min"
    };
    let usual = if sync_always { 6_000 } else { 20_000 };
    let count = settings.size(usual, 1_000);

    // The last run of ours gives the messages of the raw run; the first one is made here.
    let first = ours_in_flight(&world, &corpus, count).await?;
    let (messages, config) = (RefCell::new(first.1), RefCell::new(first.2));
    let pairs = alternate(
        settings.runs(),
        async || {
            let config = config.borrow().clone();
            let sibling = world.sibling(&raw, &config).await?;
            let adopted = messages.borrow().iter().map(|m| sibling.adopt(m)).collect();
            let to = raw.clone();
            in_flight(adopted, move |message| {
                let to = to.clone();
                async move { publish(&to, message).await.map(drop) }
            })
            .await
        },
        async || {
            let (rate, appended, of) = ours_in_flight(&world, &corpus, count).await?;
            messages.replace(appended);
            config.replace(of);
            Ok(rate)
        },
    )
    .await?;
    report.rates(
        format!("append, 256 in flight, {mode}"),
        &pairs,
        "",
        Goal::AtLeast(0.7),
    );
    latency(settings, report, (&world, &raw), (&corpus, mode)).await
}

type Appended = (f64, Vec<async_nats::Message>, api::config::Config);

/// The rate of registering tools, and what that wrote.
async fn ours_in_flight(world: &World, corpus: &Corpus, count: usize) -> Result<Appended> {
    let (config, tenant, raw) = (world.log_only(), tenant()?, world.raw().await?);
    let dispatcher = Dispatcher::new(log_of(&config).await?);
    let jobs: Vec<_> = (0..count)
        .map(|number| corpus.tool(&tenant, number))
        .collect();
    let rate = in_flight(jobs, move |(id, command): (String, ToolCommand)| {
        let (dispatcher, tenant) = (dispatcher.clone(), tenant.clone());
        async move {
            dispatch::<Tool>(&dispatcher, &tenant, &id, command)
                .await
                .map(drop)
        }
    })
    .await?;
    let messages = fetch(&raw, &config.nats.stream, count).await?;
    Ok((rate, messages, config))
}

async fn latency(
    settings: &Settings,
    report: &mut Report,
    (world, raw): (&World, &Context),
    (corpus, mode): (&Corpus, &str),
) -> Result<()> {
    let count = settings.size(400, 100);
    let messages = RefCell::new(None);
    let serial_of_ours = async || {
        let (config, tenant) = (world.log_only(), tenant()?);
        let dispatcher = Dispatcher::new(log_of(&config).await?);
        let jobs: Vec<_> = (0..count)
            .map(|number| corpus.tool(&tenant, number))
            .collect();
        let times = tokio::spawn(async move {
            let mut times = Vec::with_capacity(jobs.len());
            for (id, command) in jobs {
                let begun = Instant::now();
                dispatch::<Tool>(&dispatcher, &tenant, &id, command).await?;
                times.push(begun.elapsed().as_secs_f64());
            }
            Ok::<_, anyhow::Error>(times)
        });
        let p50 = median(&times.await??);
        let appended = fetch(raw, &config.nats.stream, count).await?;
        messages.replace(Some((appended, config)));
        Ok(p50)
    };
    serial_of_ours().await?;
    let serial_of_raw = async || {
        let (appended, config) = messages.borrow().clone().context("messages")?;
        let sibling = world.sibling(raw, &config).await?;
        let adopted: Vec<_> = appended.iter().map(|m| sibling.adopt(m)).collect();
        let to = raw.clone();
        let times = tokio::spawn(async move {
            let mut times = Vec::with_capacity(adopted.len());
            for message in adopted {
                let begun = Instant::now();
                publish(&to, message).await?;
                times.push(begun.elapsed().as_secs_f64());
            }
            Ok::<_, anyhow::Error>(times)
        });
        Ok(median(&times.await??))
    };
    let pairs = alternate(settings.runs(), serial_of_raw, serial_of_ours).await?;
    report.times(
        format!("append latency, serial, p50, {mode}"),
        &pairs,
        Goal::AtMost(1.5),
    );
    Ok(())
}

/// The import of a whole catalogue, beside appends of the same number of tools.
pub(crate) async fn import(settings: &Settings, report: &mut Report) -> Result<()> {
    let corpus = Corpus::load(settings)?;
    let world = World::start(true).await?;
    let (servers, tools) = files(&corpus, settings);
    let count = tools.lines().count();
    let pairs = alternate(
        if settings.quick { 1 } else { 5 },
        async || Ok(ours_in_flight(&world, &corpus, count).await?.0),
        async || import_once(&world, &servers, &tools).await,
    )
    .await?;
    let bench = format!(
        "import of the {} ({count} tools), beside appends",
        corpus.name
    );
    report.rates(bench, &pairs, "", Goal::AtLeast(0.8));
    Ok(())
}

async fn import_once(world: &World, servers: &str, tools: &str) -> Result<f64> {
    let (config, tenant) = (world.log_only(), tenant()?);
    let dispatcher = Dispatcher::new(log_of(&config).await?);
    let actor = Actor::system("bench");
    metamcp::provision_tenant(&dispatcher, &tenant, &actor).await?;
    let options = import::Options::default();
    let stop = CancellationToken::new();
    let summary = import::run(
        &dispatcher,
        &tenant,
        &actor,
        servers.as_bytes(),
        tools.as_bytes(),
        &options,
        &import::Silent,
        &stop,
    )
    .await?;
    let registered = usize::try_from(summary.servers.registered + summary.tools.registered)?;
    ensure!(
        registered > 0,
        "nothing was registered: {:?}",
        summary.rejected
    );
    Ok(rate(
        registered,
        Duration::from_secs_f64(summary.elapsed_seconds),
    ))
}

/// The catalogue's files; the sample is repeated under other servers' names until it is a catalogue.
fn files(corpus: &Corpus, settings: &Settings) -> (String, String) {
    let wanted = settings.size(15_000, 1_000);
    let times = wanted.div_ceil(corpus.tools_file.lines().count());
    if times <= 1 {
        let all = settings.size(usize::MAX, 1_000);
        let cut = |file: &str, most: usize| -> String {
            file.lines()
                .take(most)
                .flat_map(|line| [line, "\n"])
                .collect()
        };
        return (corpus.servers_file.clone(), cut(&corpus.tools_file, all));
    }
    let repeat = |file: &str, key: &str| -> String {
        let again = |time: usize| {
            file.lines().filter_map(move |line| {
                let mut line: serde_json::Value = serde_json::from_str(line).ok()?;
                let slug = format!("{}-{time}", line.get(key)?.as_str()?);
                line[key] = slug.into();
                Some(format!("{line}\n"))
            })
        };
        (0..times).flat_map(again).collect()
    };
    (
        repeat(&corpus.servers_file, "slug"),
        repeat(&corpus.tools_file, "server"),
    )
}
