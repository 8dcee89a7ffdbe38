//! One search, the query's embedding included, beside that embedding alone and an exact scan over the same
//! number of vectors in memory alone. How many at once, and while others write: `search_load.rs`.

use crate::corpus::Corpus;
use crate::embed::{document, model_dir};
use crate::harness::{Goal, Report, Settings, both, median, millis, percentile};
use crate::search_load;
use anyhow::{Result, ensure};
use domain::tool::Visibility;
use projections::Sight;
use projections::search::embed::{EmbedError, Embedder, MiniLm};
use projections::search::query::Mode;
use projections::search::{SearchIndex, SearchRequest};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) const DIMENSIONS: usize = 384;
pub(crate) const HITS: usize = 10;
/// Texts whose vectors are used again.
const REAL: usize = 2_000;
/// How far one is moved: their cosine is about 0.93 then.
const NOISE: f32 = 0.4;

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
        let filled = Arc::new(Filled::new(settings, &corpus, size, &model).await?);
        measure(settings, report, &filled).await?;
        search_load::recall(report, &filled).await?;
        if size > 1_000 || settings.quick {
            search_load::run(settings, report, &corpus, &filled).await?;
        }
    }
    Ok(())
}

/// An index of so many tools, and their vectors.
pub(crate) struct Filled {
    pub(crate) size: usize,
    pub(crate) index: SearchIndex,
    pub(crate) model: Arc<MiniLm>,
    pub(crate) vectors: Vec<f32>,
    pub(crate) tools: HashMap<String, usize>,
    pub(crate) queries: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Filled {
    async fn new(
        settings: &Settings,
        corpus: &Corpus,
        size: usize,
        model: &Arc<MiniLm>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let numbers = 0..settings.size(REAL, 100).min(corpus.len());
        let texts = numbers.map(|number| Ok(document(corpus, number * 7)?.embedding_text()));
        let texts = texts.collect::<Result<Vec<String>>>()?;
        let embedder = Arc::new(Reused {
            real: model.embed_documents(&texts, &|_| ()).await?,
            model: Arc::clone(model),
            embeds: AtomicBool::new(false),
        });
        let uri = folder.path().display().to_string();
        let shared = Arc::clone(&embedder);
        let index = SearchIndex::open(&uri, "tools", shared).await?;
        let (mut vectors, mut tools) = (Vec::new(), HashMap::new());
        for from in (0..size).step_by(2_000) {
            let to = size.min(from + 2_000);
            let documents: Vec<_> = (from..to)
                .map(|n| document(corpus, n))
                .collect::<Result<_>>()?;
            for document in &documents {
                tools.insert(document.tool_id.clone(), tools.len());
                vectors.extend(embedder.vector(&document.embedding_text()));
            }
            index.upsert(&documents, &|_| ()).await?;
        }
        index.optimize(Duration::ZERO).await?;
        embedder.embeds.store(true, Ordering::Relaxed);
        Ok(Self {
            size,
            index,
            model: Arc::clone(model),
            vectors,
            tools,
            queries: queries(corpus, settings.size(100, 30)),
            _folder: folder,
        })
    }
}

async fn measure(settings: &Settings, report: &mut Report, filled: &Filled) -> Result<()> {
    let Filled {
        size,
        index,
        model,
        vectors,
        queries,
        ..
    } = filled;
    let (mut runs, mut ratios, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..=settings.runs().min(5) {
        let (mut limits, mut ours) = (Vec::new(), Vec::new());
        for query in queries {
            let limit = limit(model, query, vectors).await?;
            let search = one(index, query, Mode::Hybrid).await?;
            let text = one(index, query, Mode::Text).await?;
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
    let (goal, bound) = if *size == 10_000 {
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
    from_files(report, filled).await
}

/// The same search where nothing is held in memory, which is how a table above the bound is read.
async fn from_files(report: &mut Report, filled: &Filled) -> Result<()> {
    const QUERIES: usize = 20;
    let files = filled.index.clone().held_up_to(0);
    let (mut held, mut read) = (Vec::new(), Vec::new());
    for query in filled.queries.iter().take(QUERIES) {
        held.push(one(&filled.index, query, Mode::Hybrid).await?);
        read.push(one(&files, query, Mode::Hybrid).await?);
    }
    let (held, read) = (median(&held), median(&read));
    let texts = (millis(held), millis(read));
    let bench = "… from memory, beside LanceDB's files";
    report.line(bench, texts, held / read, Goal::None);
    Ok(())
}

async fn one(index: &SearchIndex, query: &str, mode: Mode) -> Result<f64> {
    let request = SearchRequest {
        sight: Sight::listed([Visibility::Tenant]),
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
pub(crate) async fn limit(model: &MiniLm, query: &str, vectors: &[f32]) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let query = model.embed_query(query).await?;
    let embedded = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let best = nearest(vectors, &query, HITS);
    let scanned = begun.elapsed().as_secs_f64();
    ensure!(best.len() == HITS);
    Ok((embedded, scanned))
}

/// An exact scan: the best cosines with their places, the highest first.
pub(crate) fn nearest(vectors: &[f32], query: &[f32], count: usize) -> Vec<(f32, usize)> {
    let mut best: Vec<(f32, usize)> = vectors
        .chunks_exact(DIMENSIONS)
        .map(|vector| dot(vector, query))
        .enumerate()
        .map(|(place, score)| (score, place))
        .collect();
    best.select_nth_unstable_by(count, |a, b| b.0.total_cmp(&a.0));
    best.truncate(count);
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    best
}

/// Eight sums at once, so that a processor has something to overlap.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// What people might ask: the beginnings of descriptions.
pub(crate) fn queries(corpus: &Corpus, count: usize) -> Vec<String> {
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

/// Vectors of tools that are those of a few thousand real texts again, each moved a little: a hundred thousand texts
/// would take a quarter of an hour to embed. Queries are embedded, and so is what comes after the filling.
struct Reused {
    real: Vec<Vec<f32>>,
    model: Arc<MiniLm>,
    embeds: AtomicBool,
}

impl Reused {
    fn vector(&self, text: &str) -> Vec<f32> {
        // A tool's vector is a mean of two: this way the one of its text alone counts.
        if !text.contains(':') {
            return vec![0.0; DIMENSIONS];
        }
        moved(&self.real, text)
    }
}

/// One of the real vectors, moved a little: which one, and whither, a text decides.
pub(crate) fn moved(real: &[Vec<f32>], text: &str) -> Vec<f32> {
    let (seed, noise) = scattered(text);
    let real = &real[seed % real.len()];
    let mut vector: Vec<f32> = real.iter().zip(noise).map(|(a, b)| a + NOISE * b).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, EmbedError>> + Send + 'a>>;

// Written out as the trait's macro writes it.
impl Embedder for Reused {
    fn model(&self) -> &str {
        self.model.model()
    }

    fn dimensions(&self) -> Option<usize> {
        self.model.dimensions()
    }

    fn embed_documents<'a, 'b, 'c, 'r>(
        &'a self,
        texts: &'b [String],
        progress: &'c (dyn Fn(usize) + Send + Sync),
    ) -> Answer<'r, Vec<Vec<f32>>>
    where
        'a: 'r,
        'b: 'r,
        'c: 'r,
        Self: 'r,
    {
        if self.embeds.load(Ordering::Relaxed) {
            return self.model.embed_documents(texts, progress);
        }
        Box::pin(async move { Ok(texts.iter().map(|text| self.vector(text)).collect()) })
    }

    fn embed_query<'a, 'b, 'r>(&'a self, text: &'b str) -> Answer<'r, Vec<f32>>
    where
        'a: 'r,
        'b: 'r,
        Self: 'r,
    {
        self.model.embed_query(text)
    }
}

/// A number and a vector of length 1 that the text decides (splitmix64 over a hash of it).
fn scattered(text: &str) -> (usize, Vec<f32>) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let mut state = hasher.finish();
    let seed = usize::try_from(state >> 8).unwrap_or(0);
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
    (seed, vector)
}
