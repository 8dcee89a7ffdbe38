//! Measuring: raw and system runs alternate in one process, so that whatever else the machine does hits
//! both; a first pair warms up and is not counted; the ratio is the median over the pairs.

use anyhow::{Result, bail, ensure};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Commands or publishes in flight at once.
pub(crate) const IN_FLIGHT: usize = 256;

/// What was asked for.
pub(crate) struct Settings {
    filters: Vec<String>,
    /// Small sizes: shows that the benches run, not how fast the system is.
    pub(crate) quick: bool,
    /// The largest sizes of the growth curves, too.
    pub(crate) full: bool,
    /// A folder with `servers.jsonl` and `tools.jsonl`; the bundled sample without one.
    pub(crate) catalogue: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let catalogue = std::env::var_os("METAMCP_BENCH_CATALOGUE").map(PathBuf::from);
        let mut settings = Self {
            filters: Vec::new(),
            quick: false,
            full: false,
            catalogue,
        };
        for argument in arguments {
            match argument.as_str() {
                "--quick" => settings.quick = true,
                "--full" => settings.full = true,
                "--narrow" => {
                    ensure!(
                        numeric::forgo_512_bits(),
                        "--narrow: on this processor, or in this build, there is no other way to compute"
                    );
                }
                // `cargo bench` and `cargo test` add their own.
                "--bench" | "--test" | "--nocapture" => {}
                other if other.starts_with('-') => bail!("unknown option {other}"),
                other => settings.filters.push(other.to_owned()),
            }
        }
        Ok(settings)
    }

    pub(crate) fn wants(&self, bench: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| bench.contains(filter))
    }

    /// Pairs of runs that count.
    pub(crate) fn runs(&self) -> usize {
        if self.quick { 2 } else { 7 }
    }

    /// The usual or the quick size.
    pub(crate) fn size(&self, usual: usize, quick: usize) -> usize {
        if self.quick { quick } else { usual }
    }
}

/// What a figure should reach.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// A point of a growth curve, or a figure that explains another.
    None,
}

struct Row {
    bench: String,
    ours: String,
    limit: String,
    ratio: f64,
    goal: Goal,
}

/// The table that a run prints.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a line, and shows it at once.
    pub(crate) fn line(
        &mut self,
        bench: impl Into<String>,
        (ours, limit): (String, String),
        ratio: f64,
        goal: Goal,
    ) {
        let row = Row {
            bench: bench.into(),
            ours,
            limit,
            ratio,
            goal,
        };
        eprintln!("{row}");
        self.rows.push(row);
    }

    /// Adds rates, where more is better.
    pub(crate) fn rates(
        &mut self,
        bench: impl Into<String>,
        pairs: &Pairs,
        unit: &str,
        goal: Goal,
    ) {
        let text = |rates: &[f64]| format!("{:.0} {unit}/s", median(rates));
        let texts = (text(&pairs.ours), text(&pairs.raw));
        self.line(bench, texts, pairs.ratio(), goal);
    }

    /// Adds durations in seconds, where less is better.
    pub(crate) fn times(&mut self, bench: impl Into<String>, pairs: &Pairs, goal: Goal) {
        let texts = (millis(median(&pairs.ours)), millis(median(&pairs.raw)));
        self.line(bench, texts, pairs.ratio(), goal);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| bench | MetaMCP | limit | ratio | goal | |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (goal, met) = match self.goal {
            Goal::AtLeast(least) => (format!("≥ {least}"), Some(self.ratio >= least)),
            Goal::AtMost(most) => (format!("≤ {most}"), Some(self.ratio <= most)),
            Goal::None => (String::new(), None),
        };
        let met = met.map_or("", |met| if met { "met" } else { "missed" });
        let Self {
            bench,
            ours,
            limit,
            ratio,
            ..
        } = self;
        // A line that only shows the parts of another one has no ratio.
        let ratio = match ratio.is_nan() {
            true => String::new(),
            false => format!("{ratio:.2}"),
        };
        write!(
            f,
            "| {bench} | {ours} | {limit} | {ratio} | {goal} | {met} |"
        )
    }
}

/// Figures of runs that alternated.
#[derive(Default)]
pub(crate) struct Pairs {
    pub(crate) raw: Vec<f64>,
    pub(crate) ours: Vec<f64>,
}

impl Pairs {
    pub(crate) fn push(&mut self, raw: f64, ours: f64) {
        self.raw.push(raw);
        self.ours.push(ours);
    }

    /// The median of the pairs' ratios: a pair's two runs see the same noise.
    pub(crate) fn ratio(&self) -> f64 {
        let ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&self.raw)
            .map(|(ours, raw)| ours / raw)
            .collect();
        median(&ratios)
    }
}

/// Runs both in turn, the order changing from pair to pair; the first pair warms up.
pub(crate) async fn alternate(
    runs: usize,
    mut raw: impl AsyncFnMut() -> Result<f64>,
    mut ours: impl AsyncFnMut() -> Result<f64>,
) -> Result<Pairs> {
    let mut pairs = Pairs::default();
    for run in 0..=runs {
        let (raw, ours) = if run % 2 == 0 {
            let raw = raw().await?;
            (raw, ours().await?)
        } else {
            let ours = ours().await?;
            (raw().await?, ours)
        };
        if run > 0 {
            pairs.push(raw, ours);
        }
    }
    Ok(pairs)
}

/// The middle and the tail of one run: p50 and p99.
pub(crate) type Percentiles = (f64, f64);

/// (raw, ours) of several pairs of runs: the pairs of p50 and those of p99.
pub(crate) fn both(runs: &[(Percentiles, Percentiles)]) -> (Pairs, Pairs) {
    let (mut middle, mut tail) = (Pairs::default(), Pairs::default());
    for ((raw_middle, raw_tail), (ours_middle, ours_tail)) in runs {
        middle.push(*raw_middle, *ours_middle);
        tail.push(*raw_tail, *ours_tail);
    }
    (middle, tail)
}

/// Does the jobs with [`IN_FLIGHT`] at once, as tasks of the runtime; jobs a second.
pub(crate) async fn in_flight<J, F>(
    jobs: Vec<J>,
    work: impl Fn(J) -> F + Clone + Send + 'static,
) -> Result<f64>
where
    J: Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let count = jobs.len();
    let mut lanes: Vec<Vec<J>> = std::iter::repeat_with(Vec::new).take(IN_FLIGHT).collect();
    for (place, job) in jobs.into_iter().enumerate() {
        lanes[place % IN_FLIGHT].push(job);
    }
    let begun = Instant::now();
    let lane = |lane: Vec<J>| {
        let work = work.clone();
        tokio::spawn(async move {
            for job in lane {
                work(job).await?;
            }
            Ok::<(), anyhow::Error>(())
        })
    };
    let running: Vec<_> = lanes.into_iter().map(lane).collect();
    for lane in running {
        lane.await??;
    }
    Ok(rate(count, begun.elapsed()))
}

/// What each turn of several clients took, all at once: tasks of their own, as requests are.
pub(crate) async fn all_clients<F>(clients: usize, client: impl Fn(usize) -> F) -> Result<Vec<f64>>
where
    F: Future<Output = Result<Vec<f64>>> + Send + 'static,
{
    let running: Vec<_> = (0..clients).map(|one| tokio::spawn(client(one))).collect();
    let mut all = Vec::new();
    for client in running {
        all.extend(client.await??);
    }
    Ok(all)
}

pub(crate) fn rate(count: usize, elapsed: Duration) -> f64 {
    as_f64(count) / elapsed.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}

pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The value below which so many percent lie.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

pub(crate) fn millis(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

/// Metrics are recorded and spans and events of level `info` are written, as a server does, but to nowhere.
/// With `METAMCP_BENCH_LOG=1` they go to standard error.
pub(crate) fn observe_as_in_production() -> Result<()> {
    metrics();
    let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO);
    let installed = if std::env::var_os("METAMCP_BENCH_LOG").is_some() {
        builder.with_writer(std::io::stderr).try_init()
    } else {
        builder.with_writer(std::io::sink).try_init()
    };
    installed.map_err(|error| anyhow::anyhow!("the subscriber: {error}"))
}

/// The recorder of this process.
pub(crate) fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let builder = PrometheusBuilder::new();
        builder
            .install_recorder()
            .unwrap_or_else(|_| PrometheusBuilder::new().build_recorder().handle())
    };
    HANDLE.get_or_init(install).clone()
}
