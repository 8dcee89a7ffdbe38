//! From acknowledgement to being found: ten tools a second are registered; how long after a command's acknowledgement
//! a search finds what it registered, embedding included. The limit is the embedding of the same texts alone.

use crate::corpus::Corpus;
use crate::embed::{document, model_dir};
use crate::harness::{Goal, Report, Settings, median, millis, percentile};
use crate::visible::Installation;
use crate::world::{World, dispatch};
use anyhow::{Result, ensure};
use api::config::EmbedderKind;
use domain::server::Server;
use domain::tool::Tool;
use projections::search::embed::{Embedder, MiniLm};
use projections::search::{NAME, SearchRequest};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(folder) = model_dir() else {
        return Ok(());
    };
    let corpus = Corpus::load(settings)?;
    let world = World::start(true).await?;
    let mut config = world.config().await?;
    config.search.embedder = EmbedderKind::MiniLm;
    config.search.model_dir = Some(folder.clone());
    let (tools, events) = (settings.size(2_000, 100), settings.size(400, 30));
    let installation = Installation::start(config, &corpus, tools).await?;
    let model = MiniLm::load(&folder)?;
    let (mut tick, mut running, mut alone) = (tokio::time::interval(TICK), Vec::new(), Vec::new());
    for number in tools..tools + events {
        tick.tick().await;
        let texts = [document(&corpus, number)?.embedding_text()];
        let begun = Instant::now();
        model.embed_documents(&texts, &|_| ()).await?;
        alone.push(begun.elapsed().as_secs_f64());
    }
    for (id, command) in Corpus::servers(&installation.tenant, tools..tools + events) {
        let (state, tenant) = (&installation.app.state, &installation.tenant);
        dispatch::<Server>(&state.dispatcher, tenant, &id, command).await?;
    }
    let mut tick = tokio::time::interval(TICK);
    for number in tools..tools + events {
        tick.tick().await;
        let (state, tenant) = (installation.app.state.clone(), installation.tenant.clone());
        let (id, command) = corpus.tool(&tenant, number);
        let name = corpus.tool_name(number);
        running.push(tokio::spawn(async move {
            let at = dispatch::<Tool>(&state.dispatcher, &tenant, &id, command).await?;
            let acknowledged = Instant::now();
            state.positions.wait_for(NAME, at, PATIENCE).await?;
            let request = SearchRequest {
                visibilities: ["private", "tenant", "public"].map(str::to_owned).to_vec(),
                first: 100,
                ..SearchRequest::new(tenant, &name)
            };
            let answer = state.search.search(&request).await?;
            let seconds = acknowledged.elapsed().as_secs_f64();
            let found = answer.hits.iter().any(|hit| hit.tool_id == id);
            ensure!(found, "{name} is not found");
            Ok::<f64, anyhow::Error>(seconds)
        }));
    }
    let mut times = Vec::new();
    for one in running {
        times.push(one.await??);
    }
    let (p50, limit) = (median(&times), median(&alone));
    let texts = (millis(p50), millis(limit));
    let bench = format!("ack to found by search, 10 events/s, {tools} tools, p50");
    report.line(bench, texts, p50 / limit, Goal::None);
    let p99 = percentile(&times, 99);
    let texts = (millis(p99), "250 ms".to_owned());
    report.line("… p99", texts, p99 / 0.250, Goal::AtMost(1.0));
    installation.app.stop().await;
    Ok(())
}
