//! all-MiniLM-L6-v2 in this process, through candle: 384 dimensions, 32-bit floats, mean pooling over the
//! tokens that are not padding, scaled to length 1, as its authors prescribe. It reads the first
//! [`MAX_TOKENS`] tokens of a text, the length at which it was trained.
//!
//! What makes it fast on a few cores: texts are sorted by length, so that a batch holds hardly any
//! padding; a batch is small enough for the caches; as many batches run at once as there are cores,
//! because only the matrix products of one batch use more than one; queries have permits of their own and do not
//! wait behind documents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use futures::{StreamExt, stream};
use tokenizers::{Tokenizer, TruncationParams};
use tokio::sync::Semaphore;

use super::{EmbedError, Embedder, normalize};

/// Tokens of a text that are read; the rest is ignored.
const MAX_TOKENS: usize = 128;
/// Tokens of one batch, padding included.
const BATCH_TOKENS: usize = 1024;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";

/// The model, shared by all tasks.
pub struct MiniLm {
    inner: Arc<Inner>,
    cores: usize,
    queries: Arc<Semaphore>,
}

struct Inner {
    model: BertModel,
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
        let weights = folder.join(WEIGHTS);
        let model =
            VarBuilder::from_buffered_safetensors(read(&weights)?, DType::F32, &Device::Cpu)
                .and_then(|variables| BertModel::load(variables, &config))
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
        let inner = Arc::clone(&self.inner);
        let texts = texts.to_vec();
        let tokens = blocking(move || {
            texts
                .iter()
                .map(|text| inner.tokens(text))
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
        let mut vectors = vec![Vec::new(); tokens.len()];
        let mut running = stream::iter(batches(tokens))
            .map(|(places, batch)| {
                let inner = Arc::clone(&self.inner);
                async move {
                    Ok::<_, EmbedError>((places, blocking(move || inner.forward(&batch)).await?))
                }
            })
            .buffer_unordered(self.cores);
        while let Some(done) = running.next().await {
            let (places, batch) = done?;
            progress(places.len());
            for (place, vector) in places.into_iter().zip(batch) {
                vectors[place] = vector;
            }
        }
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let _permit = self
            .queries
            .acquire()
            .await
            .map_err(|error| EmbedError::Model(error.to_string()))?;
        let (inner, text) = (Arc::clone(&self.inner), text.to_owned());
        let mut vectors = blocking(move || inner.forward(&[inner.tokens(&text)?])).await?;
        vectors
            .pop()
            .ok_or_else(|| EmbedError::Model("no vector for a query".to_owned()))
    }
}

impl Inner {
    fn tokens(&self, text: &str) -> Result<Vec<u32>, EmbedError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|error| EmbedError::Model(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn forward(&self, batch: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors = self
            .pooled(batch)
            .map_err(|error| EmbedError::Model(error.to_string()))?;
        vectors.iter_mut().for_each(|vector| normalize(vector));
        Ok(vectors)
    }

    /// The mean of the last layer over each text's own tokens.
    fn pooled(&self, batch: &[Vec<u32>]) -> candle_core::Result<Vec<Vec<f32>>> {
        let width = batch.iter().map(Vec::len).max().unwrap_or_default();
        let shape = (batch.len(), width);
        let mut ids = vec![0u32; batch.len() * width];
        let mut mask = vec![0f32; batch.len() * width];
        for (row, tokens) in batch.iter().enumerate() {
            ids[row * width..][..tokens.len()].copy_from_slice(tokens);
            mask[row * width..][..tokens.len()].fill(1.0);
        }
        let ids = Tensor::from_vec(ids, shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, shape, &Device::Cpu)?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.unsqueeze(D::Minus1)?;
        hidden
            .broadcast_mul(&mask)?
            .sum(1)?
            .broadcast_div(&mask.sum(1)?)?
            .to_vec2()
    }
}

/// Groups token lists of similar length into batches, each with the places where its vectors belong.
/// The longest come first, so that the last batches, which no other core shares, are the short ones.
fn batches(tokens: Vec<Vec<u32>>) -> Vec<(Vec<usize>, Vec<Vec<u32>>)> {
    let mut sorted: Vec<_> = tokens.into_iter().enumerate().collect();
    sorted.sort_by_key(|(_, tokens)| std::cmp::Reverse(tokens.len()));
    let mut out: Vec<(Vec<usize>, Vec<Vec<u32>>)> = Vec::new();
    for (place, tokens) in sorted {
        let fits = out
            .last()
            .is_some_and(|(_, batch)| (batch.len() + 1) * batch[0].len() <= BATCH_TOKENS);
        match out.last_mut() {
            Some((places, batch)) if fits => {
                places.push(place);
                batch.push(tokens);
            }
            _ => out.push((vec![place], vec![tokens])),
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
            path: PathBuf::from(path).display().to_string(),
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
    fn batches_keep_every_text_and_hold_little_padding() {
        let tokens: Vec<Vec<u32>> = (0..500).map(|i| vec![1; 3 + (i * 37) % 120]).collect();
        let batches = batches(tokens.clone());
        let mut places: Vec<usize> = batches
            .iter()
            .flat_map(|(places, _)| places.clone())
            .collect();
        places.sort_unstable();
        assert_eq!(places, (0..500).collect::<Vec<_>>());
        let padded: usize = batches
            .iter()
            .map(|(_, batch)| batch.len() * batch[0].len())
            .sum();
        let own: usize = tokens.iter().map(Vec::len).sum();
        assert!(padded as f64 <= own as f64 * 1.05, "{padded} {own}");
        assert!(
            batches
                .iter()
                .all(|(_, batch)| batch.len() * batch[0].len() <= BATCH_TOKENS)
        );
    }
}
