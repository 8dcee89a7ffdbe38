//! Search quality, measured: a benchmark's tools go into a scratch index, its queries are run, and a run
//! file is written that standard scorers read.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use domain::id::TenantId;
use serde::Deserialize;
use serde_json::Value;

use super::document::{ACTIVE, ToolDocument};
use super::embed::Embedder;
use super::error::SearchError;
use super::index::SearchIndex;
use super::query::{Mode, SearchRequest};
use crate::sight::Sight;

const TENANT: &str = "benchmark";
const TABLE: &str = "tools";
const VISIBILITY: &str = "public";
const HITS: usize = 50;
/// Tools that are written at once.
const BATCH: usize = 2_000;

/// A benchmark and where its run file goes.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'a> {
    /// Tools, one JSON object a line: `id`, `name`, `description`, `server`, `category`, `input_schema`.
    pub corpus: &'a Path,
    /// Queries, one JSON object a line: `id` and `text`; other fields never reach the search.
    pub queries: &'a Path,
    /// What is searched.
    pub mode: Mode,
    /// The run file: query id, tool id, score, separated by tabs.
    pub out: &'a Path,
    /// A folder for the scratch index. An index of the same corpus in it is used again.
    pub scratch: &'a Path,
}

/// What an evaluation took.
#[derive(Debug, Clone, Copy)]
pub struct Evaluated {
    /// Tools in the index.
    pub tools: usize,
    /// Queries run.
    pub queries: usize,
    /// Time to load and index the tools.
    pub loading: Duration,
    /// Median time of one query, the query's embedding included.
    pub median: Duration,
    /// 99th percentile of the same.
    pub p99: Duration,
}

#[derive(Deserialize)]
struct Tool {
    id: String,
    name: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    input_schema: Value,
}

#[derive(Deserialize)]
struct Query {
    id: String,
    text: String,
}

/// Loads the corpus, runs the queries one after the other and writes the run file. `progress` is told how many
/// tools more are embedded.
///
/// # Errors
/// [`SearchError::File`] with file and line, or what the index reports.
pub async fn evaluate(
    evaluation: Evaluation<'_>,
    embedder: Arc<dyn Embedder>,
    progress: &(dyn Fn(usize) + Send + Sync),
) -> Result<Evaluated, SearchError> {
    let tools: Vec<Tool> = lines(evaluation.corpus)?;
    let queries: Vec<Query> = lines(evaluation.queries)?;
    let tenant = TenantId::new(TENANT).map_err(|error| SearchError::Damaged(error.to_string()))?;
    let begin = Instant::now();
    let index = SearchIndex::open(&evaluation.scratch.to_string_lossy(), TABLE, embedder).await?;
    let documents: Vec<ToolDocument> = tools
        .into_iter()
        .map(|tool| document(&tenant, tool))
        .collect();
    for batch in documents.chunks(BATCH) {
        index.upsert(batch, progress).await?;
    }
    index.optimize(Duration::ZERO).await?;
    let loading = begin.elapsed();
    let (mut run, mut times) = (String::new(), Vec::with_capacity(queries.len()));
    for query in &queries {
        let request = request(&tenant, &query.text);
        let begin = Instant::now();
        let answer = index.search_by(&request, evaluation.mode).await?;
        times.push(begin.elapsed());
        for hit in answer.hits {
            // Writing to a String cannot fail.
            let _ = writeln!(run, "{}\t{}\t{}", query.id, hit.tool_id, hit.score);
        }
    }
    std::fs::write(evaluation.out, run).map_err(|error| file(evaluation.out, &error))?;
    times.sort_unstable();
    let at = |share: f64| {
        times
            .get((times.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
    };
    Ok(Evaluated {
        tools: documents.len(),
        queries: queries.len(),
        loading,
        median: at(0.5),
        p99: at(0.99),
    })
}

fn request(tenant: &TenantId, query: &str) -> SearchRequest {
    SearchRequest {
        sight: Sight::Everything,
        first: HITS,
        ..SearchRequest::new(tenant.clone(), query)
    }
}

fn document(tenant: &TenantId, tool: Tool) -> ToolDocument {
    let server = tool.server.unwrap_or_default();
    ToolDocument {
        tenant: tenant.clone(),
        tool_id: tool.id,
        server_id: server.clone(),
        server_name: String::new(),
        server,
        name: tool.name,
        title: tool.title,
        description: tool.description.unwrap_or_default(),
        input_schema: tool.input_schema,
        annotations: None,
        category: tool.category,
        tags: tool.tags,
        tool_version: "1.0.0".to_owned(),
        visibility: VISIBILITY.to_owned(),
        team: None,
        status: ACTIVE.to_owned(),
        publisher: None,
        rated: Default::default(),
        rated_publicly: Default::default(),
        used: Default::default(),
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, SearchError> {
    let text = std::fs::read_to_string(path).map_err(|error| file(path, &error))?;
    let parse = |(line, text): (usize, &str)| {
        serde_json::from_str(text).map_err(|error| SearchError::File {
            path: path.display().to_string(),
            reason: format!("line {}: {error}", line + 1),
        })
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(parse)
        .collect()
}

fn file(path: &Path, error: &std::io::Error) -> SearchError {
    SearchError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}
