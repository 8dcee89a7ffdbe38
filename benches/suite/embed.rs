//! Embedding throughput, beside bare candle on the very same batches: tokens made beforehand, sorted by
//! length, as many batches at once as there are cores.

use crate::corpus::Corpus;
use crate::harness::{Goal, Report, Settings, alternate, median, rate};
use anyhow::{Result, ensure};
use projections::search::ToolDocument;
use projections::search::embed::candle::{
    BertModel, Config, D, DType, Device, Result as CandleResult, Tensor, Tokenizer,
    TruncationParams, VarBuilder,
};
use projections::search::embed::{Embedder, MiniLm};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// As many tokens, padding included, as the system puts into one batch.
const BATCH_TOKENS: usize = 1024;
const MAX_TOKENS: usize = 128;

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(folder) = model_dir() else {
        return Ok(());
    };
    let corpus = Corpus::load(settings)?;
    let count = settings.size(128, 64);
    let numbers = 0..count;
    let texts: Vec<String> = numbers
        .map(|number| document(&corpus, number * 7).map(|document| document.embedding_text()))
        .collect::<Result<_>>()?;
    let ours = MiniLm::load(&folder)?;
    let bare = Arc::new(Bare::load(&folder)?);
    let tokens = bare.tokens(&texts)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pairs = alternate(
        settings.runs().min(5),
        async || {
            let batches = batches(tokens.clone());
            let begun = Instant::now();
            bare.embed_all(batches, cores).await?;
            Ok(rate(count, begun.elapsed()))
        },
        async || {
            let begun = Instant::now();
            let vectors = ours.embed_documents(&texts, &|_| ()).await?;
            ensure!(vectors.len() == count, "a vector is missing");
            Ok(rate(count, begun.elapsed()))
        },
    )
    .await?;
    let bench = format!("embedding throughput, {count} texts");
    report.rates(bench, &pairs, "texts", Goal::AtLeast(0.9));
    let unsorted = alternate(
        settings.runs().min(3),
        async || {
            let begun = Instant::now();
            let fixed = tokens.chunks(32).map(<[Vec<u32>]>::to_vec).collect();
            bare.embed_all(fixed, 1).await?;
            Ok(rate(count, begun.elapsed()))
        },
        async || {
            let begun = Instant::now();
            ours.embed_documents(&texts, &|_| ()).await?;
            Ok(rate(count, begun.elapsed()))
        },
    )
    .await?;
    let bench = "… beside bare candle in batches of 32, unsorted, one at a time";
    report.rates(bench, &unsorted, "texts", Goal::None);
    queries(settings, report, &corpus, (&ours, &bare)).await
}

/// One query after the other, tokens included on both sides.
async fn queries(
    settings: &Settings,
    report: &mut Report,
    corpus: &Corpus,
    (ours, bare): (&MiniLm, &Arc<Bare>),
) -> Result<()> {
    let asked = crate::search::queries(corpus, settings.size(100, 30));
    let pairs = alternate(
        settings.runs().min(5),
        async || {
            let mut times = Vec::new();
            for query in &asked {
                let begun = Instant::now();
                let tokens = bare.tokens(std::slice::from_ref(query))?;
                bare.embed_all(vec![tokens], 1).await?;
                times.push(begun.elapsed().as_secs_f64());
            }
            Ok(median(&times))
        },
        async || {
            let mut times = Vec::new();
            for query in &asked {
                let begun = Instant::now();
                ours.embed_query(query).await?;
                times.push(begun.elapsed().as_secs_f64());
            }
            Ok(median(&times))
        },
    )
    .await?;
    report.times("embedding of one query, p50", &pairs, Goal::AtMost(1.0));
    Ok(())
}

/// The folder of the model, or a message that says why the bench is skipped.
pub(crate) fn model_dir() -> Option<PathBuf> {
    let folder = metamcp::doctor::model_dir(&metamcp::embedded::tools_dir());
    if folder.join("model.safetensors").is_file() {
        return Some(folder);
    }
    eprintln!(
        "skipped: no embedding model at {}; run `./dev setup`",
        folder.display()
    );
    None
}

/// A tool of the corpus as search sees it.
pub(crate) fn document(corpus: &Corpus, number: usize) -> Result<ToolDocument> {
    let (tenant, server) = (crate::world::tenant()?, Corpus::slug(number));
    Ok(ToolDocument {
        tool_id: corpus.tool(&tenant, number).0,
        tenant,
        server_id: server.clone(),
        server_name: server.clone(),
        server,
        name: corpus.tool_name(number),
        title: None,
        description: corpus.description(number).to_owned(),
        input_schema: corpus.schema(number).cloned().unwrap_or_default(),
        annotations: None,
        category: None,
        tags: Vec::new(),
        tool_version: "1.0.0".to_owned(),
        visibility: "tenant".to_owned(),
        team: None,
        status: "active".to_owned(),
        publisher: None,
        rated: Default::default(),
        rated_publicly: Default::default(),
        used: Default::default(),
        updated_at: chrono::DateTime::UNIX_EPOCH,
    })
}

struct Bare {
    model: BertModel,
    tokenizer: Tokenizer,
}

impl Bare {
    fn load(folder: &Path) -> Result<Self> {
        let read = |file: &str| std::fs::read(folder.join(file));
        let config: Config = serde_json::from_slice(&read("config.json")?)?;
        let weights = read("model.safetensors")?;
        let variables = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        let mut tokenizer = Tokenizer::from_bytes(read("tokenizer.json")?).map_err(failed)?;
        tokenizer.with_padding(None);
        let truncation = TruncationParams {
            max_length: MAX_TOKENS,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(failed)?;
        let model = BertModel::load(variables, &config)?;
        Ok(Self { model, tokenizer })
    }

    fn tokens(&self, texts: &[String]) -> Result<Vec<Vec<u32>>> {
        let one = |text: &String| {
            let encoding = self
                .tokenizer
                .encode_fast(text.as_str(), true)
                .map_err(failed)?;
            Ok(encoding.get_ids().to_vec())
        };
        texts.iter().map(one).collect()
    }

    /// All batches, so many at once.
    async fn embed_all(
        self: &Arc<Self>,
        batches: Vec<Vec<Vec<u32>>>,
        at_once: usize,
    ) -> Result<()> {
        use futures::{StreamExt, TryStreamExt, stream};
        let one = |batch: Vec<Vec<u32>>| {
            let bare = Arc::clone(self);
            async move {
                Ok::<_, anyhow::Error>(
                    tokio::task::spawn_blocking(move || bare.embed(&batch)).await??,
                )
            }
        };
        let done: Vec<_> = stream::iter(batches)
            .map(one)
            .buffer_unordered(at_once)
            .try_collect()
            .await?;
        ensure!(!done.is_empty(), "nothing was embedded");
        Ok(())
    }

    fn embed(&self, batch: &[Vec<u32>]) -> CandleResult<Vec<Vec<f32>>> {
        let width = batch.iter().map(Vec::len).max().unwrap_or_default();
        let (mut ids, mut mask) = (Vec::new(), Vec::new());
        for tokens in batch {
            let padding = width - tokens.len();
            ids.extend(
                tokens
                    .iter()
                    .copied()
                    .chain(std::iter::repeat_n(0, padding)),
            );
            let own = std::iter::repeat_n(1f32, tokens.len());
            mask.extend(own.chain(std::iter::repeat_n(0f32, padding)));
        }
        let ids = Tensor::from_vec(ids, (batch.len(), width), &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, (batch.len(), width), &Device::Cpu)?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.unsqueeze(D::Minus1)?;
        hidden
            .broadcast_mul(&mask)?
            .sum(1)?
            .broadcast_div(&mask.sum(1)?)?
            .to_vec2()
    }
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("the tokenizer: {error}")
}

/// Longest first, filled up to [`BATCH_TOKENS`].
fn batches(mut tokens: Vec<Vec<u32>>) -> Vec<Vec<Vec<u32>>> {
    tokens.sort_by_key(|tokens| std::cmp::Reverse(tokens.len()));
    let mut out: Vec<Vec<Vec<u32>>> = Vec::new();
    for tokens in tokens {
        match out.last_mut() {
            Some(batch) if (batch.len() + 1) * batch[0].len() <= BATCH_TOKENS => batch.push(tokens),
            _ => out.push(vec![tokens]),
        }
    }
    out
}
