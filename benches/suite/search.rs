//! One search, the query's embedding included, beside that embedding alone and an exact scan over the same
//! number of vectors in memory alone.

use crate::corpus::Corpus;
use crate::embed::{document, model_dir};
use crate::harness::{Goal, Report, Settings, both, median, millis, percentile};
use anyhow::{Result, ensure};
use projections::search::embed::{EmbedError, Embedder, MiniLm};
use projections::search::query::Mode;
use projections::search::{SearchIndex, SearchRequest};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DIMENSIONS: usize = 384;
const HITS: usize = 10;

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(folder) = model_dir() else {
        return Ok(());
    };
    let corpus = Corpus::load(settings)?;
    let model = Arc::new(MiniLm::load(&folder)?);
    let mut sizes = vec![1_000];
    if !settings.quick {
        sizes.push(10_000);
    }
    if settings.full {
        sizes.push(100_000);
    }
    for size in sizes {
        measure(settings, report, (&corpus, size), &model).await?;
    }
    Ok(())
}

async fn measure(
    settings: &Settings,
    report: &mut Report,
    (corpus, size): (&Corpus, usize),
    model: &Arc<MiniLm>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let embedder = Arc::new(Scattered {
        queries: Arc::clone(model),
    });
    let uri = folder.path().display().to_string();
    let index = SearchIndex::open(&uri, "tools", embedder).await?;
    for from in (0..size).step_by(2_000) {
        let to = size.min(from + 2_000);
        let documents: Vec<_> = (from..to)
            .map(|n| document(corpus, n))
            .collect::<Result<_>>()?;
        index.upsert(&documents, &|_| ()).await?;
    }
    index.optimize(Duration::ZERO).await?;
    let vectors: Vec<f32> = (0..size)
        .flat_map(|number| scattered(&number.to_string()))
        .collect();
    let queries = queries(corpus, settings.size(100, 30));
    let (mut runs, mut ratios, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..=settings.runs().min(5) {
        let (mut limits, mut ours) = (Vec::new(), Vec::new());
        for query in &queries {
            let limit = limit(model, query, &vectors).await?;
            let search = one(&index, query, Mode::Hybrid).await?;
            let text = one(&index, query, Mode::Text).await?;
            if run > 0 {
                ratios.push(search / (limit.0 + limit.1));
                parts.push((limit, text));
            }
            limits.push(limit.0 + limit.1);
            ours.push(search);
        }
        if run > 0 {
            runs.push((
                (median(&limits), percentile(&limits, 99)),
                (median(&ours), percentile(&ours, 99)),
            ));
        }
    }
    let (middle, tail) = both(&runs);
    let (goal, bound) = if size == 10_000 {
        (Goal::AtMost(2.0), Goal::AtMost(1.0))
    } else {
        (Goal::None, Goal::None)
    };
    let texts = (millis(median(&middle.ours)), millis(median(&middle.raw)));
    report.line(
        format!("search at {size} tools, p50"),
        texts,
        median(&ratios),
        goal,
    );
    let p99 = median(&tail.ours);
    let texts = (millis(p99), "50 ms".to_owned());
    report.line(
        format!("search at {size} tools, p99"),
        texts,
        p99 / 0.050,
        bound,
    );
    let part = |take: fn(&((f64, f64), f64)) -> f64| {
        millis(median(&parts.iter().map(take).collect::<Vec<_>>()))
    };
    let texts = (
        format!("by words alone {}", part(|part| part.1)),
        format!(
            "embedding {}, scan {}",
            part(|part| part.0.0),
            part(|part| part.0.1)
        ),
    );
    report.line(
        "… its parts and those of the limit",
        texts,
        f64::NAN,
        Goal::None,
    );
    Ok(())
}

async fn one(index: &SearchIndex, query: &str, mode: Mode) -> Result<f64> {
    let request = SearchRequest {
        visibilities: vec!["tenant".to_owned()],
        first: HITS,
        ..SearchRequest::new(crate::world::tenant()?, query)
    };
    let begun = Instant::now();
    let answer = index.search_by(&request, mode).await?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        mode == Mode::Text || answer.hits.len() == HITS,
        "{query:?}: too few hits"
    );
    Ok(seconds)
}

/// Seconds of the embedding alone and of the scan alone.
async fn limit(model: &MiniLm, query: &str, vectors: &[f32]) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let query = model.embed_query(query).await?;
    let embedded = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let mut best: Vec<(f32, usize)> = vectors
        .chunks_exact(DIMENSIONS)
        .map(|vector| dot(vector, &query))
        .enumerate()
        .map(|(place, score)| (score, place))
        .collect();
    best.select_nth_unstable_by(HITS, |a, b| b.0.total_cmp(&a.0));
    best.truncate(HITS);
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    let scanned = begun.elapsed().as_secs_f64();
    ensure!(best.len() == HITS);
    Ok((embedded, scanned))
}

/// Eight sums at once, so that a processor has something to overlap.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// What people might ask: the beginnings of descriptions.
fn queries(corpus: &Corpus, count: usize) -> Vec<String> {
    let step = (corpus.len() / count).max(1);
    let words = |number: usize| {
        let words = corpus
            .description(number * step)
            .split_whitespace()
            .take(4 + number % 9);
        format!("{} {number}", words.collect::<Vec<_>>().join(" "))
    };
    (0..count).map(words).collect()
}

/// Real vectors for queries and scattered ones for documents: an exact scan costs the same over both, and
/// a hundred thousand tools are indexed in minutes.
struct Scattered {
    queries: Arc<MiniLm>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, EmbedError>> + Send + 'a>>;

// Written out as the trait's macro writes it.
impl Embedder for Scattered {
    fn model(&self) -> &str {
        self.queries.model()
    }

    fn dimensions(&self) -> Option<usize> {
        self.queries.dimensions()
    }

    fn embed_documents<'a, 'b, 'c, 'r>(
        &'a self,
        texts: &'b [String],
        _progress: &'c (dyn Fn(usize) + Send + Sync),
    ) -> Answer<'r, Vec<Vec<f32>>>
    where
        'a: 'r,
        'b: 'r,
        'c: 'r,
        Self: 'r,
    {
        Box::pin(async move { Ok(texts.iter().map(|text| scattered(text)).collect()) })
    }

    fn embed_query<'a, 'b, 'r>(&'a self, text: &'b str) -> Answer<'r, Vec<f32>>
    where
        'a: 'r,
        'b: 'r,
        Self: 'r,
    {
        self.queries.embed_query(text)
    }
}

/// A vector of length 1 in a direction that the text decides (splitmix64 over a hash of it).
fn scattered(text: &str) -> Vec<f32> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let mut state = hasher.finish();
    let mut vector: Vec<f32> = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let bits = u16::try_from((mixed ^ (mixed >> 31)) >> 48).unwrap_or(0);
        f32::from(bits) / 32_768.0 - 1.0
    })
    .take(DIMENSIONS)
    .collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}
