//! `metamcp bench search`: the quality of search, measured on a benchmark of one's own or of others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use projections::search::embed::{Embedder, MiniLm, NoEmbedder};
use projections::search::evaluate::{Evaluation, evaluate};
use projections::search::query::Mode;

use crate::doctor::{check_model, model_dir};
use crate::embedded::tools_dir;

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
    /// Folder of the embedding model, which every mode but `text` needs. Without it, the one that `./dev setup` fetched.
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
        None if mode == Mode::Text => Arc::new(NoEmbedder),
        given => Arc::new(tokio::task::spawn_blocking(move || load(given)).await??),
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

/// The model in the folder that was given, or else the one that is installed.
fn load(given: Option<PathBuf>) -> anyhow::Result<MiniLm> {
    let folder = match given {
        Some(folder) => folder,
        None => installed(&tools_dir())?,
    };
    Ok(MiniLm::load(&folder)?)
}

/// The folder among the tools into which `./dev setup` puts the model.
fn installed(tools: &Path) -> anyhow::Result<PathBuf> {
    let folder = model_dir(tools);
    match check_model(&folder) {
        Ok(()) => Ok(folder),
        Err((file, problem)) => anyhow::bail!(
            "there is no embedding model to use, {} is {problem}: run `./dev setup`, give another folder with --model, or measure --mode text",
            file.display()
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_model_it_says_where_it_looked_and_what_to_do() {
        let tools = tempfile::tempdir().unwrap();
        let refused = installed(tools.path()).unwrap_err().to_string();
        for words in [
            "all-MiniLM-L6-v2/config.json is missing",
            "./dev setup",
            "--model",
        ] {
            assert!(refused.contains(words), "{refused}");
        }
    }
}
