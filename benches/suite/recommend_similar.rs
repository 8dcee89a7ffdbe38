//! Similar tools scored offline: of thirty intents it has been judged which tools of the catalogue do what they ask
//! for, so those of one intent are alternatives to each other. Each is shown, and looked for are the others, among
//! the tools of all intents and every tenth one of the catalogue. Popular is what serves the most intents: nearly every
//! tool serves one, so that this limit is a low one.

use crate::embed::model_dir;
use crate::harness::{Goal, Report, Settings};
use crate::recommend::{FIRST, Mean, ranked};
use anyhow::{Context, Result};
use domain::id::TenantId;
use projections::Sight;
use projections::search::embed::{Embedder, MiniLm, NoEmbedder};
use projections::search::{Scope, SearchIndex, SimilarRequest, ToolDocument};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The grade of a tool that does what is asked for; lower ones do a part of it.
const DOES_IT: &str = "2";
/// Of the tools that nobody has judged, one of so many is there.
const OTHERS: usize = 10;
const VISIBILITY: &str = "public";

#[derive(Deserialize)]
struct Tool {
    id: String,
    server: String,
    name: String,
    description: Option<String>,
    input_schema: Option<Value>,
    category: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

pub(crate) async fn run(
    settings: &Settings,
    report: &mut Report,
    (catalogue, dev): (&Path, &Path),
) -> Result<()> {
    let intents = intents(&dev.join("catalog-intents/qrels.tsv"))?;
    let others = settings.size(OTHERS, OTHERS * 20);
    let documents = documents(&catalogue.join("tools.jsonl"), &intents, others)?;
    let mut embedders: Vec<(&str, Arc<dyn Embedder>)> = vec![("words", Arc::new(NoEmbedder))];
    if let Some(folder) = model_dir() {
        embedders.insert(0, ("meaning", Arc::new(MiniLm::load(&folder)?)));
    }
    for (by, embedder) in embedders {
        let mean = score(&intents, &documents, embedder).await?;
        let bench = format!(
            "similar by {by}, share of the alternatives among {FIRST}, {} intents over {} tools, beside popularity",
            intents.len(),
            documents.len()
        );
        mean.report(report, bench, Goal::AtLeast(1.0));
    }
    Ok(())
}

/// The tools that do what each intent asks for, where there are two or more.
fn intents(qrels: &Path) -> Result<Vec<BTreeSet<String>>> {
    let text = std::fs::read_to_string(qrels).with_context(|| qrels.display().to_string())?;
    let mut intents: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        // An intent is asked for in several styles, which the last part of the query's id numbers.
        let intent = fields.next().and_then(|query| query.rsplit_once('-'));
        if let (Some((intent, _)), Some(tool), Some(DOES_IT)) =
            (intent, fields.next(), fields.next())
        {
            intents.entry(intent).or_default().insert(tool.to_owned());
        }
    }
    let several = intents.into_values().filter(|tools| tools.len() > 1);
    Ok(several.collect())
}

fn documents(
    tools: &Path,
    intents: &[BTreeSet<String>],
    others: usize,
) -> Result<Vec<ToolDocument>> {
    let text = std::fs::read_to_string(tools).with_context(|| tools.display().to_string())?;
    let tenant = crate::world::tenant()?;
    let mut documents = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let tool: Tool = serde_json::from_str(line)?;
        let judged = intents.iter().any(|tools| tools.contains(&tool.id));
        if judged || number % others == 0 {
            documents.push(document(&tenant, tool));
        }
    }
    Ok(documents)
}

fn document(tenant: &TenantId, tool: Tool) -> ToolDocument {
    ToolDocument {
        tenant: tenant.clone(),
        tool_id: tool.id,
        server_id: tool.server.clone(),
        server_name: String::new(),
        server: tool.server,
        name: tool.name,
        title: None,
        description: tool.description.unwrap_or_default(),
        input_schema: tool.input_schema.unwrap_or_default(),
        annotations: None,
        category: tool.category,
        tags: tool.tags,
        tool_version: "1.0.0".to_owned(),
        visibility: VISIBILITY.to_owned(),
        team: None,
        status: "active".to_owned(),
        publisher: None,
        rated: Default::default(),
        rated_publicly: Default::default(),
        used: Default::default(),
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }
}

async fn score(
    intents: &[BTreeSet<String>],
    documents: &[ToolDocument],
    embedder: Arc<dyn Embedder>,
) -> Result<Mean> {
    let folder = tempfile::tempdir()?;
    let index = SearchIndex::open(&folder.path().display().to_string(), "tools", embedder).await?;
    index.upsert(documents, &|_| ()).await?;
    index.optimize(Duration::ZERO).await?;
    let mut served: HashMap<&str, f64> = HashMap::new();
    for tool in intents.iter().flatten() {
        *served.entry(tool).or_default() += 1.0;
    }
    let mut mean = Mean::default();
    for tools in intents {
        for tool in tools {
            let request = SimilarRequest {
                tenant: crate::world::tenant()?,
                scope: Scope::Tenant {
                    installed: Vec::new(),
                },
                tool_id: tool.clone(),
                sight: Sight::Everything,
                first: FIRST,
            };
            let found = index.similar(&request).await?;
            let ours: Vec<&str> = found.iter().map(|one| one.tool_id.as_str()).collect();
            let others = served.keys().copied().filter(|other| other != tool);
            let popular = ranked(others, |other| {
                served.get(other).copied().unwrap_or_default()
            });
            let wanted: Vec<&str> = tools
                .iter()
                .filter(|other| *other != tool)
                .map(String::as_str)
                .collect();
            mean.add(&wanted, &ours, &popular);
        }
    }
    Ok(mean)
}
