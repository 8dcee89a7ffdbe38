//! `metamcp bench search`: the quality of search, measured on a benchmark of one's own or of others.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use projections::search::embed::{Embedder, MiniLm, NoEmbedder};
use projections::search::evaluate::{Evaluation, evaluate};
use projections::search::query::Mode;

/// Loads a corpus of tools into a scratch index, runs queries and writes a run file.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Tools, one JSON object a line: `id`, `name`, `description`, `server`, `category`, `input_schema`.
    #[arg(long)]
    pub corpus: PathBuf,
    /// Queries, one JSON object a line: `id` and `text`.
    #[arg(long)]
    pub queries: PathBuf,
    /// The run file to write: query id, tool id, score, separated by tabs.
    #[arg(long)]
    pub out: PathBuf,
    /// What is searched.
    #[arg(long, value_enum, default_value_t = SearchMode::Hybrid)]
    pub mode: SearchMode,
    /// Folder of the embedding model; needed for every mode but `text`.
    #[arg(long, env = "METAMCP_MODEL_DIR")]
    pub model: Option<PathBuf>,
    /// Folder for the scratch index. With the same corpus it is used again, which saves the embedding;
    /// without it, a temporary folder is used and removed.
    #[arg(long)]
    pub scratch: Option<PathBuf>,
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SearchMode {
    /// Full text alone.
    Text,
    /// Vectors alone.
    Vector,
    /// Both, fused.
    Hybrid,
}

/// Runs the benchmark and reports what it took on standard error.
///
/// # Errors
/// When a file cannot be read or written, the model is missing, or the index fails.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mode = match args.mode {
        SearchMode::Text => Mode::Text,
        SearchMode::Vector => Mode::Vector,
        SearchMode::Hybrid => Mode::Hybrid,
    };
    let embedder: Arc<dyn Embedder> = match args.model {
        Some(folder) => {
            Arc::new(tokio::task::spawn_blocking(move || MiniLm::load(&folder)).await??)
        }
        None if mode == Mode::Text => Arc::new(NoEmbedder),
        None => anyhow::bail!("this mode needs the embedding model: give its folder with --model"),
    };
    let scratch = Scratch::new(args.scratch)?;
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template(
        "{spinner} {pos} tools embedded ({per_sec})",
    )?);
    let evaluation = Evaluation {
        corpus: &args.corpus,
        queries: &args.queries,
        mode,
        out: &args.out,
        scratch: &scratch.folder,
    };
    let done = evaluate(evaluation, embedder, &|more| bar.inc(more as u64)).await?;
    bar.finish_and_clear();
    tracing::info!(
        tools = done.tools,
        queries = done.queries,
        loading_ms = done.loading.as_millis(),
        median_us = done.median.as_micros(),
        p99_us = done.p99.as_micros(),
        "search benchmark done"
    );
    Ok(())
}

/// The folder of the scratch index; a temporary one is removed at the end.
struct Scratch {
    folder: PathBuf,
    temporary: bool,
}

impl Scratch {
    fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = given.is_none();
        let folder = given.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("metamcp-bench-{}", uuid::Uuid::now_v7()))
        });
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self { folder, temporary })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(%error, folder = %self.folder.display(), "scratch folder not removed");
        }
    }
}
