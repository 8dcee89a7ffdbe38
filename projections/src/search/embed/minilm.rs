//! all-MiniLM-L6-v2 in this process: 384 dimensions, mean over a text's tokens, scaled to length 1, as its
//! authors prescribe. It reads the first [`MAX_TOKENS`] tokens of a text, the length at which it was trained. Its
//! weights and what they are multiplied with are rounded to 8 bits ([`numeric::transformer`]): vectors are those of
//! 32-bit floats to a cosine of 0.9995 (the median of real texts), and are found several times sooner (`benches/README.md`).
//!
//! Texts run in batches of about [`BATCH_TOKENS`] tokens, as many batches at once as there are cores. They
//! stand one behind the other, so that there is no padding to avoid by sorting. Queries
//! do not wait behind documents; as many run at once as there are cores.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::Config;
use futures::{StreamExt, stream};
use numeric::transformer::Transformer;
use tokenizers::{Tokenizer, TruncationParams};
use tokio::sync::{AcquireError, Semaphore};

use super::{EmbedError, Embedder, bert, normalize};

/// Tokens of a text that are read; the rest is ignored.
const MAX_TOKENS: usize = 128;
/// Characters of a text that are cut into tokens: far more than [`MAX_TOKENS`] words of prose have.
const MAX_CHARS: usize = 4_000;
/// Tokens of one batch.
const BATCH_TOKENS: usize = 1024;

/// Texts such as it will read, from which it learns how large its numbers become ([`Transformer::new`]).
const SAMPLES: [&str; 12] = [
    "create_issue: Opens an issue in a repository, with a title, a text in Markdown, labels and people to assign.",
    "search files: Finds files below a folder whose names match a pattern, and returns their paths.",
    "send_message: Posts a message to a channel or a thread; needs the channel's id and the text.",
    "get_forecast: The weather of the next seven days for a latitude and a longitude, in degrees Celsius.",
    "run_query: Runs a read-only SQL statement against the database and returns at most 1000 rows as JSON.",
    "listInvoices(customerId, status, from, to): invoices of a customer, newest first, page by page.",
    "convert_currency: amount (number), from (ISO 4217 code), to (ISO 4217 code).",
    "Deletes a virtual machine and its disks for ever. This cannot be undone!",
    "let the team know that the release is out",
    "What's on my calendar tomorrow morning, and can you move the 9:30 call?",
    "book a table for two near the station",
    "pdf to text",
];

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";

/// The model, shared by all tasks.
pub struct MiniLm {
    inner: Arc<Inner>,
    cores: usize,
    /// One for each query that may run now.
    queries: Arc<Semaphore>,
}

struct Inner {
    model: Transformer,
    tokenizer: Tokenizer,
    dimensions: usize,
}

impl MiniLm {
    /// Loads the model from a folder with `config.json`, `tokenizer.json` and `model.safetensors`. Reads
    /// 90 MB and takes some tenths of a second: call it at start-up, off the async runtime.
    ///
    /// # Errors
    /// [`EmbedError::ModelFile`] names the file that is missing or damaged.
    pub fn load(folder: &Path) -> Result<Self, EmbedError> {
        let config = folder.join(CONFIG);
        let config: Config =
            serde_json::from_slice(&read(&config)?).map_err(|error| damaged(&config, &error))?;
        let tokenizer = load_tokenizer(&folder.join(TOKENIZER))?;
        let samples = SAMPLES.map(|sample| tokens(&tokenizer, sample));
        let samples = samples.into_iter().collect::<Result<Vec<_>, _>>()?;
        let weights = folder.join(WEIGHTS);
        let model =
            VarBuilder::from_buffered_safetensors(read(&weights)?, DType::F32, &Device::Cpu)
                .and_then(|variables| bert::load(&variables, &config, &samples))
                .map_err(|error| damaged(&weights, &error))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let inner = Arc::new(Inner {
            model,
            tokenizer,
            dimensions: config.hidden_size,
        });
        Ok(Self {
            inner,
            cores,
            queries: Arc::new(Semaphore::new(cores)),
        })
    }
}

#[async_trait]
impl Embedder for MiniLm {
    fn model(&self) -> &str {
        "all-MiniLM-L6-v2"
    }

    fn dimensions(&self) -> Option<usize> {
        Some(self.inner.dimensions)
    }

    async fn embed_documents(
        &self,
        texts: &[String],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let (inner, texts) = (Arc::clone(&self.inner), texts.to_vec());
        let tokenize = move || {
            texts
                .iter()
                .map(|text| inner.tokens(text))
                .collect::<Result<Vec<_>, _>>()
        };
        let tokens = blocking(tokenize).await?;
        let mut vectors = Vec::with_capacity(tokens.len());
        let mut running = stream::iter(batches(tokens))
            .map(|batch| {
                let inner = Arc::clone(&self.inner);
                blocking(move || inner.forward(&batch))
            })
            .buffered(self.cores);
        while let Some(batch) = running.next().await {
            let batch = batch?;
            progress(batch.len());
            vectors.extend(batch);
        }
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let stopped = |error: AcquireError| EmbedError::Model(error.to_string());
        let core = Arc::clone(&self.queries).acquire_owned().await;
        let core = core.map_err(stopped)?;
        let (inner, text) = (Arc::clone(&self.inner), text.to_owned());
        let run = move || {
            let vectors = inner.forward(&[inner.tokens(&text)?])?;
            drop(core);
            let none = || EmbedError::Model("no vector".to_owned());
            vectors.into_iter().next().ok_or_else(none)
        };
        blocking(run).await
    }
}

impl Inner {
    fn tokens(&self, text: &str) -> Result<Vec<u32>, EmbedError> {
        tokens(&self.tokenizer, text)
    }

    fn forward(&self, batch: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let failed = || EmbedError::Model("a token is outside of the model".to_owned());
        let mut vectors = self.model.means(batch).ok_or_else(failed)?;
        vectors.iter_mut().for_each(|vector| normalize(vector));
        Ok(vectors)
    }
}

fn tokens(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, EmbedError> {
    let text = text
        .char_indices()
        .nth(MAX_CHARS)
        .map_or(text, |(end, _)| &text[..end]);
    let failed = |error: tokenizers::Error| EmbedError::Model(error.to_string());
    let encoding = tokenizer.encode_fast(text, true).map_err(failed)?;
    Ok(encoding.get_ids().to_vec())
}

/// Groups token lists in their order, each group with at most [`BATCH_TOKENS`] tokens.
fn batches(tokens: Vec<Vec<u32>>) -> Vec<Vec<Vec<u32>>> {
    let (mut out, mut held): (Vec<Vec<Vec<u32>>>, usize) = (Vec::new(), 0);
    for tokens in tokens {
        held += tokens.len();
        match out.last_mut() {
            Some(batch) if held <= BATCH_TOKENS => batch.push(tokens),
            _ => {
                held = tokens.len();
                out.push(vec![tokens]);
            }
        }
    }
    out
}

fn load_tokenizer(path: &Path) -> Result<Tokenizer, EmbedError> {
    let mut tokenizer =
        Tokenizer::from_bytes(read(path)?).map_err(|error| damaged(path, &error))?;
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(Some(TruncationParams {
            max_length: MAX_TOKENS,
            ..TruncationParams::default()
        }))
        .map_err(|error| damaged(path, &error))?;
    Ok(tokenizer)
}

fn read(path: &Path) -> Result<Vec<u8>, EmbedError> {
    std::fs::read(path).map_err(|error| {
        let problem = match error.kind() {
            std::io::ErrorKind::NotFound => "missing".to_owned(),
            _ => format!("unreadable ({error})"),
        };
        EmbedError::ModelFile {
            path: path.display().to_string(),
            problem,
        }
    })
}

fn damaged(path: &Path, error: &impl ToString) -> EmbedError {
    EmbedError::ModelFile {
        path: path.display().to_string(),
        problem: format!("damaged ({})", error.to_string()),
    }
}

/// Runs computation off the async runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EmbedError> + Send + 'static,
) -> Result<T, EmbedError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| EmbedError::Model(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::super::testing::{cosine, minilm};
    use super::*;
    use candle_core::Tensor;
    use candle_transformers::models::bert::BertModel;

    #[tokio::test]
    async fn paraphrases_are_closer_than_other_subjects() {
        let Some(model) = minilm() else { return };
        let query = model
            .embed_query("let my team know on chat that the release is out")
            .await
            .unwrap();
        let texts = [
            "Slack send message: post a message to a channel",
            "Convert currencies at today's exchange rate",
        ];
        let vectors = model
            .embed_documents(&texts.map(String::from), &|_| ())
            .await
            .unwrap();
        let (near, far) = (cosine(&query, &vectors[0]), cosine(&query, &vectors[1]));
        assert!(near > far + 0.15, "{near} {far}");
        assert_eq!(query.len(), 384);
        assert!((cosine(&query, &query) - 1.0).abs() < 1e-5);
    }

    #[tokio::test]
    async fn a_batch_gives_what_single_texts_give_in_their_order() {
        let Some(model) = minilm() else { return };
        let texts: Vec<String> = (0..70)
            .map(|i| format!("tool {i} {}", "reads a file and sends it ".repeat(i % 9)))
            .collect();
        let done = AtomicUsize::new(0);
        let count = |n| {
            done.fetch_add(n, Ordering::SeqCst);
        };
        let batch = model.embed_documents(&texts, &count).await.unwrap();
        assert_eq!(done.load(Ordering::SeqCst), texts.len());
        for (text, vector) in texts.iter().zip(&batch) {
            let single = model.embed_query(text).await.unwrap();
            let worst = single
                .iter()
                .zip(vector)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst < 1e-4, "{text}: {worst}");
        }
        assert!(
            model
                .embed_documents(&[], &|_| ())
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_missing_or_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let message = |folder: &Path| MiniLm::load(folder).err().unwrap().to_string();
        assert!(message(folder.path()).contains("config.json is missing"));
        std::fs::write(folder.path().join(CONFIG), "{").unwrap();
        assert!(message(folder.path()).contains("config.json is damaged"));
        assert!(message(folder.path()).contains("./dev setup"));
    }

    #[test]
    fn it_computes_what_the_reference_implementation_computes() {
        let Some(model) = minilm() else { return };
        let folder = super::super::super::testing::model_folder();
        let config: Config = serde_json::from_slice(&read(&folder.join(CONFIG)).unwrap()).unwrap();
        let weights = read(&folder.join(WEIGHTS)).unwrap();
        let variables =
            VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).unwrap();
        let reference = BertModel::load(variables, &config).unwrap();
        let texts = [
            "Find files",
            "Let the #release channel know that the deployment is finished",
            "",
        ];
        let batch: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| model.inner.tokens(text).unwrap())
            .collect();
        for (tokens, own) in batch.iter().zip(model.inner.forward(&batch).unwrap()) {
            let ids = Tensor::new(tokens.as_slice(), &Device::Cpu)
                .unwrap()
                .unsqueeze(0)
                .unwrap();
            let hidden = reference
                .forward(&ids, &ids.zeros_like().unwrap(), None)
                .unwrap();
            let mut expected: Vec<f32> = hidden
                .mean(1)
                .unwrap()
                .squeeze(0)
                .unwrap()
                .to_vec1()
                .unwrap();
            normalize(&mut expected);
            let near = cosine(&own, &expected);
            // The median of real texts is 0.9995; a text of one or two words may lie at 0.997.
            assert!(near > 0.995, "{near}");
        }
    }

    #[test]
    fn batches_keep_every_text_in_order_and_stay_within_their_bound() {
        let tokens: Vec<Vec<u32>> = (0..500).map(|i| vec![1; 3 + (i * 37) % 120]).collect();
        let batches = batches(tokens.clone());
        assert!(
            batches
                .iter()
                .all(|batch| batch.iter().map(Vec::len).sum::<usize>() <= BATCH_TOKENS)
        );
        assert!(
            batches.len() <= tokens.iter().map(Vec::len).sum::<usize>() / (BATCH_TOKENS - 123) + 1
        );
        assert_eq!(batches.concat(), tokens);
    }
}
