//! `search_tools`: from a task in plain words to the tools that may do it.

use super::meta_tool::ToolAnswer;
use super::text;
use crate::authz::{Action, Resource, ResourceKind};
use crate::context::Caller;
use crate::error::ApiError;
use crate::state::AppState;
use domain::id::ToolId;
use projections::catalog::{self, Status};
use projections::marketplace::{Installed, Listing};
use projections::search::{Scope, SearchFilter, SearchHit, SearchRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt::Write;

const DEFAULT_LIMIT: u32 = 10;
const MAX_LIMIT: u32 = 50;
/// Characters of a query. A task is described in a sentence or two.
const MAX_QUERY: usize = 1_000;
const MAX_FILTER_TAGS: usize = 16;

/// What the model reads about the tool.
pub(super) const DESCRIPTION: &str = "Finds tools by what you want to do. Describe the task in plain \
    words; the answer lists the best matching tools as `server/name` (those of other publishers as \
    `@publisher/server/name`), each with a one-line description, \
    its version, a score and why it matched. Read a tool with describe_tool before using it. \
    If nothing fits, try other words or drop the filters.";

/// How to call it, for the answer to wrong arguments.
pub(super) const USAGE: &str = r#"search_tools takes {"query": "what you want to do"} and, if wanted, "server", "category", "tags": ["..."], "limit": 1 to 50"#;

/// The arguments of `search_tools`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// What you want to do, in plain words, for example "create a ticket in the issue tracker".
    #[schemars(length(min = 1, max = MAX_QUERY))]
    query: String,
    /// Only tools of this server: the part before the slash in `server/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    server: Option<String>,
    /// Only tools of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    category: Option<String>,
    /// Only tools with at least one of these tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>", length(max = MAX_FILTER_TAGS))]
    tags: Option<Vec<String>>,
    /// Most tools to return; 10 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = MAX_LIMIT))]
    limit: Option<u32>,
}

/// The structured answer of `search_tools`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Found {
    /// The tools, best first.
    tools: Vec<FoundTool>,
    /// Whether meaning was searched. If false, only tools that share words with the query were found.
    semantic: bool,
    /// What to know about this answer, such as that semantic search is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    notice: Option<String>,
}

/// One found tool.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundTool {
    /// Who publishes it; absent for a tool of your own tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    publisher: Option<String>,
    /// The server's slug.
    server: String,
    /// The tool's name on that server.
    name: String,
    /// A title for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    title: Option<String>,
    /// What the tool does, shortened; describe_tool has the whole text. Written by the server's maker.
    description: String,
    /// The semantic version of the definition.
    version: String,
    /// The category.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    category: Option<String>,
    /// The tags.
    tags: Vec<String>,
    /// Higher is better; comparable within this answer only.
    score: f64,
    /// Why it was found.
    why: Why,
}

/// Why a tool was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Why {
    /// Words of the query that the tool's text contains.
    matched_words: Vec<String>,
    /// Nearness of meaning, from -1 to 1; absent when the tool was found by words alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64")]
    similarity: Option<f64>,
}

/// Answers one call. The index filters by what the caller may see before it ranks; the catalogue, which
/// is ahead of the index after a change, has the last word on what is shown; on installed tools, the
/// marketplace has.
pub(super) async fn run(
    state: &AppState,
    caller: &Caller,
    arguments: Arguments,
) -> Result<ToolAnswer, ApiError> {
    state.authorizer.authorize(
        caller,
        Action::SearchTools,
        &Resource::any(ResourceKind::Tool),
    )?;
    let visibilities = state.authorizer.visibilities(caller);
    let query = text::line(&arguments.query, MAX_QUERY);
    let visible = visibilities
        .iter()
        .map(|visibility| visibility.as_str().to_owned())
        .collect();
    let mut request = arguments.into_request(caller, visible)?;
    let installed = Installed::all(&mut state.reads.tenant(&caller.tenant).await?).await?;
    request.scope = installed.scope();
    let answer = state.search(&request, "mcp").await?;
    let ids: Vec<ToolId> = answer
        .hits
        .iter()
        .filter_map(|hit| ToolId::parse(hit.tool_id.as_str()).ok())
        .collect();
    let mut connection = state.reads.tenant(&caller.tenant).await?;
    let catalogue = catalog::tools_by_id(&mut connection, &ids, &visibilities).await?;
    let catalogue: HashMap<&str, &catalog::Tool> = catalogue
        .iter()
        .map(|(id, tool)| (id.as_str(), tool))
        .collect();
    let listings = installed.listings(&mut connection, &ids).await?;
    let listings: HashMap<&str, &Listing> = listings
        .iter()
        .map(|(id, listing)| (id.as_str(), listing))
        .collect();
    let tools = answer.hits.iter().filter_map(|hit| {
        let id = hit.tool_id.as_str();
        match catalogue.get(id) {
            Some(tool) => (tool.status == Status::Active).then(|| FoundTool::new(hit, tool)),
            None => Some(FoundTool::installed(hit, listings.get(id)?)),
        }
    });
    let found = Found {
        tools: tools.collect(),
        semantic: answer.semantic,
        notice: answer.notice,
    };
    ToolAnswer::new(found.render(&query), &found)
}

impl Arguments {
    fn into_request(
        self,
        caller: &Caller,
        visibilities: Vec<String>,
    ) -> Result<SearchRequest, ApiError> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid(&format!(
                "`limit` is 1 to {MAX_LIMIT}, not {limit}"
            )));
        }
        let length = self.query.chars().count();
        if self.query.trim().is_empty() {
            return Err(invalid("`query` is empty: say what you want to do"));
        }
        if length > MAX_QUERY {
            return Err(invalid(&format!(
                "`query` has {length} characters, the most is {MAX_QUERY}: describe the task in a sentence"
            )));
        }
        let tags = self.tags.unwrap_or_default();
        if tags.len() > MAX_FILTER_TAGS {
            return Err(invalid(&format!(
                "`tags` has {} entries, the most is {MAX_FILTER_TAGS}",
                tags.len()
            )));
        }
        let filter = SearchFilter {
            servers: self
                .server
                .into_iter()
                .filter(|server| !server.is_empty())
                .collect(),
            categories: self
                .category
                .into_iter()
                .filter(|category| !category.is_empty())
                .collect(),
            tags,
        };
        let first = usize::try_from(limit).unwrap_or_default();
        Ok(SearchRequest {
            scope: Scope::Tenant {
                installed: Vec::new(),
            },
            tenant: caller.tenant.clone(),
            query: self.query,
            filter,
            visibilities,
            first,
        })
    }
}

fn invalid(what: &str) -> ApiError {
    super::meta_tool::invalid(what, USAGE)
}

impl From<&SearchHit> for Why {
    fn from(hit: &SearchHit) -> Self {
        Self {
            matched_words: hit.why.matched_terms.clone(),
            similarity: hit.why.similarity.map(rounded),
        }
    }
}

impl FoundTool {
    fn new(hit: &SearchHit, tool: &catalog::Tool) -> Self {
        Self {
            publisher: None,
            server: tool.server.clone(),
            name: tool.name.clone(),
            title: tool.title.as_deref().map(text::label),
            description: text::summary(&tool.description),
            version: tool.tool_version.clone(),
            category: tool.category.as_deref().map(text::label),
            tags: tool.tags.iter().map(|tag| text::label(tag)).collect(),
            score: rounded(hit.score),
            why: Why::from(hit),
        }
    }

    fn installed(hit: &SearchHit, listing: &Listing) -> Self {
        let (reference, version) = (&listing.reference, &listing.version);
        Self {
            publisher: Some(reference.publisher.to_string()),
            server: reference.server.clone(),
            name: reference.name.clone(),
            title: listing.title.as_deref().map(text::label),
            description: text::summary(&version.description),
            version: version.tool_version.to_string(),
            category: listing.category.as_deref().map(text::label),
            tags: listing.tags.iter().map(|tag| text::label(tag)).collect(),
            score: rounded(hit.score),
            why: Why::from(hit),
        }
    }

    fn render(&self, place: usize, out: &mut String) {
        let reference = text::reference(self.publisher.as_deref(), &self.server, &self.name);
        let _ = write!(out, "\n{place}. {reference}");
        if let Some(title) = &self.title {
            let _ = write!(out, " — {title}");
        }
        let _ = write!(
            out,
            "\n   {}\n   version {} · score {}",
            self.description, self.version, self.score
        );
        let mut why = Vec::new();
        if !self.why.matched_words.is_empty() {
            why.push(format!("words {}", self.why.matched_words.join(", ")));
        }
        if let Some(similarity) = self.why.similarity {
            why.push(format!("meaning {similarity}"));
        }
        if !why.is_empty() {
            let _ = write!(out, " · matched by {}", why.join("; "));
        }
        out.push('\n');
    }
}

impl Found {
    fn render(&self, query: &str) -> String {
        let mut out = match self.tools.len() {
            0 => format!("No tool matches \"{query}\". Try other words, or drop the filters.\n"),
            1 => format!("1 tool matches \"{query}\".\n"),
            found => format!("{found} tools match \"{query}\", best first.\n"),
        };
        if let Some(notice) = &self.notice {
            let _ = writeln!(out, "Note: {}", text::line(notice, MAX_QUERY));
        }
        for (index, tool) in self.tools.iter().enumerate() {
            tool.render(index + 1, &mut out);
        }
        out
    }
}

/// Four digits are what a reader can use, and what is stable.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
#[path = "search_tools_tests.rs"]
mod tests;
