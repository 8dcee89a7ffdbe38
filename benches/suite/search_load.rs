//! Eight clients that search with filters while ten tools a second are written, and what the vector side finds of
//! what an exact scan finds. The limit is what no search can do without: eight clients that embed their queries and
//! scan the vectors in memory, nothing written.

use crate::corpus::Corpus;
use crate::embed::document;
use crate::harness::{Goal, Report, Settings, all_clients, as_f64, median, millis, percentile};
use crate::search::{DIMENSIONS, Filled, HITS, dot, limit, nearest};
use anyhow::{Result, ensure};
use domain::tool::Visibility;
use projections::Sight;
use projections::search::SearchRequest;
use projections::search::embed::Embedder;
use projections::search::query::{MAX_HITS, Mode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CLIENTS: usize = 8;
/// Between two writes.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// Filters that let most tools pass, so that there is as much to rank as without.
pub(crate) const FILTERS: [&str; 4] = [
    "-server:server-3",
    "destructive:true status:active",
    "version:^1 -tag:none",
    "openworld:true -category:none",
];

/// The share of the nearest hundred that a search finds.
pub(crate) async fn recall(report: &mut Report, filled: &Filled) -> Result<()> {
    let mut shares = Vec::new();
    for query in &filled.queries {
        // One sentence: of several, each is asked beside the whole, which is another question than the scan's.
        let query = query.replace(|c: char| !c.is_alphanumeric(), " ");
        let answer = filled
            .index
            .search_by(&request(&query, MAX_HITS)?, Mode::Vector)
            .await?;
        let query = filled.model.embed_query(query.trim()).await?;
        let exact = nearest(&filled.vectors, &query, MAX_HITS);
        let last = exact.last().map_or(0.0, |(score, _)| *score);
        let is_near = |tool: &String| {
            let place = filled.tools.get(tool).copied().unwrap_or_default();
            let vector = &filled.vectors[place * DIMENSIONS..(place + 1) * DIMENSIONS];
            dot(vector, &query) >= last - 1e-5
        };
        let found = answer.hits.iter().filter(|hit| is_near(&hit.tool_id));
        shares.push(as_f64(found.count()) / as_f64(exact.len()));
    }
    let worst = percentile(&shares, 0);
    let texts = (format!("{worst:.3}"), "exact scan".to_owned());
    let bench = format!("recall of 100 at {} tools, worst query", filled.size);
    report.line(bench, texts, worst, Goal::AtLeast(0.98));
    Ok(())
}

pub(crate) async fn run(
    settings: &Settings,
    report: &mut Report,
    corpus: &Corpus,
    filled: &Arc<Filled>,
) -> Result<()> {
    let lasts = Duration::from_secs(if settings.quick { 2 } else { 10 });
    let (mut limits, mut ours, mut fresh, mut rates) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut next = filled.size;
    for run in 0..=settings.runs().min(3) {
        let raw = clients(filled, lasts, Turn::Limit).await?;
        let stop = AtomicBool::new(false);
        let writes = write(corpus, filled, &mut next, &stop);
        let searches = async {
            let times = clients(filled, lasts, Turn::Search).await;
            stop.store(true, Ordering::Relaxed);
            times
        };
        let (written, times) = futures::try_join!(writes, searches)?;
        if run > 0 {
            rates.push(as_f64(times.len()) / lasts.as_secs_f64());
            limits.push((median(&raw), percentile(&raw, 99)));
            ours.push((median(&times), percentile(&times, 99)));
            fresh.extend(written);
        }
    }
    let size = filled.size;
    let middle = |of: &[(f64, f64)], take: fn(&(f64, f64)) -> f64| {
        median(&of.iter().map(take).collect::<Vec<_>>())
    };
    let (p50, raw) = (middle(&ours, |x| x.0), middle(&limits, |x| x.0));
    let texts = (
        format!("{} ({:.0}/s)", millis(p50), median(&rates)),
        millis(raw),
    );
    let bench = format!("8 clients with filters, 10 writes/s, {size} tools, p50");
    report.line(bench, texts, p50 / raw, Goal::None);
    let bound = if size > 10_000 { 0.100 } else { 0.050 };
    let (p99, raw) = (middle(&ours, |x| x.1), middle(&limits, |x| x.1));
    let texts = (millis(p99), format!("{:.0} ms", bound * 1e3));
    report.line("… p99", texts, p99 / bound, Goal::AtMost(1.0));
    let texts = (millis(p99), millis(raw));
    report.line("… p99 beside the limit's p99", texts, p99 / raw, Goal::None);
    let p99 = percentile(&fresh, 99);
    let texts = (
        format!("p50 {}, p99 {}", millis(median(&fresh)), millis(p99)),
        "250 ms".to_owned(),
    );
    let bench = "… from a tool's text to its being found";
    report.line(bench, texts, p99 / 0.250, Goal::AtMost(1.0));
    Ok(())
}

/// What each turn of each client took.
async fn clients(filled: &Arc<Filled>, lasts: Duration, turn: Turn) -> Result<Vec<f64>> {
    let until = Instant::now() + lasts;
    all_clients(CLIENTS, |client| {
        let filled = Arc::clone(filled);
        async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                let begun = Instant::now();
                turn.take(&filled, client, times.len()).await?;
                times.push(begun.elapsed().as_secs_f64());
            }
            Ok(times)
        }
    })
    .await
}

/// What a client does again and again.
#[derive(Clone, Copy)]
enum Turn {
    Limit,
    Search,
}

impl Turn {
    async fn take(self, filled: &Filled, client: usize, turn: usize) -> Result<()> {
        let query = &filled.queries[(client * 13 + turn) % filled.queries.len()];
        match self {
            Self::Limit => limit(&filled.model, query, &filled.vectors).await.map(drop),
            Self::Search => {
                let filter = FILTERS[(client + turn) % FILTERS.len()];
                let request = request(&format!("{query} {filter}"), HITS)?;
                let answer = filled.index.search(&request).await?;
                ensure!(answer.hits.len() == HITS, "{query:?}: too few hits");
                Ok(())
            }
        }
    }
}

/// Writes new tools and changes of old ones in turn, as the projector does; seconds until each is found by its name.
async fn write(
    corpus: &Corpus,
    filled: &Filled,
    next: &mut usize,
    stop: &AtomicBool,
) -> Result<Vec<f64>> {
    let mut tick = tokio::time::interval(TICK);
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let mut tool = document(corpus, *next)?;
        if next.is_multiple_of(2) {
            tool.tool_id = document(corpus, *next % filled.size)?.tool_id;
        }
        tool.name = format!("fresh{next}x");
        let begun = Instant::now();
        filled.index.upsert(&[tool.clone()], &|_| ()).await?;
        let named = request(&tool.name, 1)?;
        let answer = filled.index.search_by(&named, Mode::Text).await?;
        let found = answer.hits.first().map(|hit| hit.tool_id.as_str());
        ensure!(
            found == Some(tool.tool_id.as_str()),
            "{} is not found",
            tool.name
        );
        times.push(begun.elapsed().as_secs_f64());
        filled.index.optimize_if_due().await?;
        *next += 1;
    }
    Ok(times)
}

fn request(query: &str, first: usize) -> Result<SearchRequest> {
    Ok(SearchRequest {
        sight: Sight::listed([Visibility::Tenant]),
        first,
        ..SearchRequest::new(crate::world::tenant()?, query)
    })
}
