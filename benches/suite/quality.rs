//! How well search finds, on every public benchmark in `search/dev` beside the catalogue: NDCG@10 of words alone, of
//! vectors alone and of both, and Recall@5 of each. The limit of a benchmark is the better of its two sides, that of
//! the average what the registry promises. Half of the queries are those that choices were made by.

use crate::embed::model_dir;
use crate::harness::{Goal, Report, Settings, as_f64};
use anyhow::{Context as _, Result, ensure};
use domain::envelope::body_hash;
use projections::search::embed::{Embedder, MiniLm};
use projections::search::evaluate::{Evaluation, evaluate};
use projections::search::query::Mode;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What the hybrid has to reach on the average of all benchmarks.
const AVERAGE: f64 = 0.73;
const MODES: [Mode; 3] = [Mode::Text, Mode::Vector, Mode::Hybrid];

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let catalogue = settings.catalogue.as_ref();
    let dev = catalogue.and_then(|catalogue| Some(catalogue.parent()?.join("search/dev")));
    let (Some(catalogue), Some(dev)) = (catalogue, dev.filter(|dev| dev.is_dir())) else {
        eprintln!("quality: skipped, no search/dev beside METAMCP_BENCH_CATALOGUE");
        return Ok(());
    };
    let Some(folder) = model_dir() else {
        return Ok(());
    };
    let model: Arc<dyn Embedder> = Arc::new(MiniLm::load(&folder)?);
    let mut benchmarks = std::fs::read_dir(&dev)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    benchmarks.retain(|folder| folder.join("qrels.tsv").is_file());
    benchmarks.sort();
    ensure!(!benchmarks.is_empty(), "{}: no benchmark", dev.display());
    if settings.quick {
        benchmarks.retain(|folder| folder.ends_with("metatool"));
    }
    let mut all = Vec::new();
    for benchmark in &benchmarks {
        let own = benchmark.join("corpus.jsonl");
        let corpus = if own.is_file() {
            own
        } else {
            catalogue.join("tools.jsonl")
        };
        let scored = measure(benchmark, &corpus, &model).await?;
        let name = benchmark.file_name().unwrap_or_default().to_string_lossy();
        lines(report, &name, &scored, None);
        all.push(scored);
    }
    let goal = (!settings.quick).then_some(AVERAGE);
    lines(report, "average", &average(&all), goal);
    Ok(())
}

/// NDCG@10 and Recall@5 of a run, over all queries and over each half.
#[derive(Clone, Copy, Default)]
struct Scores {
    ndcg: f64,
    recall: f64,
    tuned: f64,
    other: f64,
}

/// Of words, vectors and both, as [`MODES`] has them.
type Scored = [Scores; 3];

async fn measure(benchmark: &Path, corpus: &Path, model: &Arc<dyn Embedder>) -> Result<Scored> {
    let folder = tempfile::tempdir()?;
    let (out, scratch) = (folder.path().join("run.tsv"), folder.path().join("index"));
    let relevant = relevant(&benchmark.join("qrels.tsv"))?;
    let mut scored = Scored::default();
    for (mode, scores) in MODES.into_iter().zip(&mut scored) {
        let evaluation = Evaluation {
            corpus,
            queries: &benchmark.join("queries.jsonl"),
            mode,
            out: &out,
            scratch: &scratch,
        };
        evaluate(evaluation, Arc::clone(model), &|_| ()).await?;
        *scores = score(&std::fs::read_to_string(&out)?, &relevant);
    }
    Ok(scored)
}

/// The tools that each query looks for, with their grades.
type Relevant = HashMap<String, HashMap<String, f64>>;

fn relevant(qrels: &Path) -> Result<Relevant> {
    let mut relevant = Relevant::new();
    for line in std::fs::read_to_string(qrels)?.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [query, tool, grade] = columns[..] else {
            anyhow::bail!("{}: three columns, not {line:?}", qrels.display());
        };
        let grade: f64 = grade.parse().context("a grade")?;
        if grade > 0.0 {
            let tools = relevant.entry(query.to_owned()).or_default();
            tools.insert(tool.to_owned(), grade);
        }
    }
    Ok(relevant)
}

/// As `score.py` of the benchmarks counts: every query of the qrels, linear gain.
fn score(run: &str, relevant: &Relevant) -> Scores {
    let mut found: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in run.lines() {
        let mut columns = line.split('\t');
        if let (Some(query), Some(tool)) = (columns.next(), columns.next()) {
            found.entry(query).or_default().push(tool);
        }
    }
    let (mut all, mut tuned, mut other, mut recall) = (vec![], vec![], vec![], vec![]);
    for (query, tools) in relevant {
        let ranked = found.get(query.as_str()).map_or(&[][..], Vec::as_slice);
        let ndcg = ndcg(ranked, tools);
        all.push(ndcg);
        let half = if is_tuned(query) {
            &mut tuned
        } else {
            &mut other
        };
        half.push(ndcg);
        let hits = ranked
            .iter()
            .take(5)
            .filter(|tool| tools.contains_key(**tool));
        recall.push(as_f64(hits.count()) / as_f64(tools.len()));
    }
    Scores {
        ndcg: mean(&all),
        recall: mean(&recall),
        tuned: mean(&tuned),
        other: mean(&other),
    }
}

fn ndcg(ranked: &[&str], tools: &HashMap<String, f64>) -> f64 {
    let gained = |gains: &mut dyn Iterator<Item = f64>| {
        let discounted = gains.take(10).enumerate();
        discounted
            .map(|(place, gain)| gain / as_f64(place + 2).log2())
            .sum::<f64>()
    };
    let mut best: Vec<f64> = tools.values().copied().collect();
    best.sort_by(|a, b| b.total_cmp(a));
    let mut got = ranked
        .iter()
        .map(|tool| tools.get(*tool).copied().unwrap_or(0.0));
    gained(&mut got) / gained(&mut best.into_iter())
}

/// Choices were made by the queries whose id has a SHA-256 with an even first byte.
fn is_tuned(query: &str) -> bool {
    let first = u8::from_str_radix(&body_hash(query.as_bytes())[..2], 16);
    first.is_ok_and(|first| first.is_multiple_of(2))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / as_f64(values.len())
}

fn average(all: &[Scored]) -> Scored {
    let mut average = Scored::default();
    for (place, scores) in average.iter_mut().enumerate() {
        let of = |take: fn(&Scores) -> f64| {
            mean(
                &all.iter()
                    .map(|scored| take(&scored[place]))
                    .collect::<Vec<_>>(),
            )
        };
        *scores = Scores {
            ndcg: of(|scores| scores.ndcg),
            recall: of(|scores| scores.recall),
            tuned: of(|scores| scores.tuned),
            other: of(|scores| scores.other),
        };
    }
    average
}

/// Both beside the better side, or beside what they have to reach; then all figures by half.
fn lines(report: &mut Report, name: &str, scored: &Scored, reach: Option<f64>) {
    let [words, vectors, both] = scored;
    let (limit, of) = match reach {
        Some(reach) => (reach, "to reach"),
        None => (words.ndcg.max(vectors.ndcg), "the better side"),
    };
    let texts = (format!("{:.3}", both.ndcg), format!("{limit:.3}, {of}"));
    report.line(
        format!("quality, {name}: NDCG@10"),
        texts,
        both.ndcg / limit,
        Goal::AtLeast(1.0),
    );
    let each = |take: fn(&Scores) -> f64| {
        let [words, vectors, both] = [words, vectors, both].map(take);
        format!("{words:.3} {vectors:.3} {both:.3}")
    };
    let texts = (
        format!("all {}; Recall@5 {}", each(|s| s.ndcg), each(|s| s.recall)),
        format!(
            "tuned half {}; other {}",
            each(|s| s.tuned),
            each(|s| s.other)
        ),
    );
    report.line("… by words, vectors, both", texts, f64::NAN, Goal::None);
}
