//! `search_tools`: from a task in plain words to the tools that may do it.

use super::beside::Publisher;
use super::budget::{self, Budget};
use super::facets::Facets;
use super::meta_tool::ToolAnswer;
use super::rated::Rated;
use super::receipt::Receipt;
use super::text;
use crate::authz::{Action, Resource, ResourceKind};
use crate::context::Caller;
use crate::error::ApiError;
use crate::state::AppState;
use domain::id::ToolId;
use projections::marketplace::{Installed, Listing};
use projections::search::{Key, SearchAnswer, SearchFilter, SearchHit, SearchRequest, Sort};
use projections::{Sight, catalog, publishers, reviews};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::fmt::Write;

const DEFAULT_LIMIT: u32 = 10;
const MAX_LIMIT: u32 = 50;
/// Tokens of an answer when the call does not say: ten receipts, as a rule.
const DEFAULT_BUDGET: u32 = 1_500;
/// Characters of a query. A task is described in a sentence or two.
const MAX_QUERY: usize = 1_000;
/// Values of one list that narrows.
const MAX_FILTER_VALUES: usize = 16;
/// Said where facets were asked for and did not fit.
const NO_ROOM: &str = "the facets are beyond the token budget: raise it to see them";

/// What the model reads about the tool.
pub(super) const DESCRIPTION: &str = "Finds tools by what you want to do. Describe the task in plain \
    words; the answer lists the best matching tools, one line each: `server/name@version` (`@publisher/server/name` for those of other publishers), what it does, hints, rating, its verified publisher and \
    the beginning of its definition's hash. Read tools with describe_tool before using them. \
    Filters may stand among the words: server:github category:databases tag:sql -tag:beta readonly:true \
    destructive:false verified:true publisher:io.github.acme rating:4 version:^1.2 +\"exact phrase\"; filters without words list what they let through. \
    If nothing fits, try other words or drop the filters; \"facets\": true tells which values of the filters there are.";

/// How to call it, for the answer to wrong arguments.
pub(super) const USAGE: &str = r#"search_tools takes {"query": "what you want to do"} and, if wanted, "server", "categories" and "tags": ["..."], "publisher", "verified": true, "min_rating": 1 to 5, "sort": "relevance", "name", "updated", "rating" or "use", "limit": 1 to 50, "facets": true, "token_budget": 100 to 100000, "cursor""#;

/// The arguments of `search_tools`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// What you want to do, in plain words, for example "create a ticket in the issue tracker". Filters such as
    /// server:github or readonly:true may stand among them.
    #[schemars(length(min = 1, max = MAX_QUERY))]
    query: String,
    /// Only tools of this server: the part before the slash in `server/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    server: Option<String>,
    /// Only tools of these categories.
    #[serde(
        default,
        alias = "category",
        deserialize_with = "several",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Vec<String>", length(max = MAX_FILTER_VALUES))]
    categories: Option<Vec<String>>,
    /// Only tools with at least one of these tags.
    #[serde(
        default,
        deserialize_with = "several",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Vec<String>", length(max = MAX_FILTER_VALUES))]
    tags: Option<Vec<String>>,
    /// Only tools of the tenant with this slug, such as "acme" in @acme/server/name; or, with a dot in it, of servers
    /// whose publisher has proved this namespace, such as "io.github.acme".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    publisher: Option<String>,
    /// Only tools of servers whose publisher has proved a namespace; false: only those of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    verified: Option<bool>,
    /// Only tools that are rated with at least so many stars, 1 to 5, by the Bayesian average: as if 5 more reviews had
    /// given the mean of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 1, max = 5))]
    min_rating: Option<f64>,
    /// In which order: "relevance" (the best first, as when left out), "name", "updated" (the last changed first),
    /// "rating" (the best rated first) or "use" (the most used of late first).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    sort: Option<String>,
    /// Most tools to return; 10 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = MAX_LIMIT))]
    limit: Option<u32>,
    /// Whether to count what the found tools are made up of (categories, tags, servers, ratings, ...), to narrow the
    /// search by; not counted when left out. They take at most half of the token budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    facets: Option<bool>,
    /// About how many tokens the answer may take; 1500 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = budget::LEAST, max = budget::MOST))]
    token_budget: Option<u32>,
    /// Where to go on: the `cursor` of the answer before, with the same query, filters and sort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    cursor: Option<String>,
}

/// The structured answer of `search_tools`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Found {
    /// The tools, best first unless sorted otherwise.
    tools: Vec<Receipt>,
    /// How many more there are behind these.
    more: usize,
    /// Gets the next ones; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    cursor: Option<String>,
    /// How many of the tools on all pages have which value; absent when not asked for, or beyond the token budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Facets")]
    facets: Option<Facets>,
    /// Whether meaning was searched. If false, only tools that share words with the query were found.
    semantic: bool,
    /// What to know about this answer, such as that semantic search is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    notice: Option<String>,
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
    let sight = state.authorizer.sight(caller);
    let query = text::line(&arguments.query, MAX_QUERY);
    let mut budget = Budget::of(arguments.token_budget, DEFAULT_BUDGET, USAGE)?;
    let mut request = arguments.into_request(caller, sight.clone())?;
    let installed = Installed::all(&mut state.reads.tenant(&caller.tenant).await?).await?;
    request.scope = installed.scope();
    let answer = state.search(&request, "mcp").await?;
    let ids: Vec<ToolId> = answer
        .hits
        .iter()
        .filter_map(|hit| ToolId::parse(hit.tool_id.as_str()).ok())
        .collect();
    let mut connection = state.reads.tenant(&caller.tenant).await?;
    let catalogue = catalog::tools_by_id(&mut connection, &ids, &sight).await?;
    let catalogue: HashMap<&str, &catalog::Tool> = catalogue
        .iter()
        .map(|(id, tool)| (id.as_str(), tool))
        .collect();
    let listings = installed.listings(&mut connection, &ids).await?;
    let listings: HashMap<&str, &Listing> = listings
        .iter()
        .map(|(id, listing)| (id.as_str(), listing))
        .collect();
    let ratings = reviews::ratings_by_tool(&mut connection, &ids).await?;
    let ratings: HashMap<&str, Rated> = ratings
        .iter()
        .filter_map(|(id, rating)| Some((id.as_str(), Rated::of(rating)?)))
        .collect();
    let publishers = publishers::of_tools(&mut connection, &ids).await?;
    let publishers: HashMap<&str, Publisher> = publishers
        .iter()
        .map(|(id, publisher)| (id.as_str(), Publisher::from(publisher)))
        .collect();
    let receipt = |hit: &SearchHit| {
        let mut receipt = Receipt::shown(hit, &catalogue, &listings)?;
        receipt.rating = ratings.get(hit.tool_id.as_str()).copied();
        receipt.verified_publisher = publishers.get(hit.tool_id.as_str()).cloned();
        Some(receipt)
    };
    let found = Found::within(&mut budget, answer, receipt);
    ToolAnswer::new(found.render(&query), &found)
}

impl Receipt {
    /// The receipt of a hit; none when the catalogue does not show the tool any more, or in another state.
    fn shown(
        hit: &SearchHit,
        catalogue: &HashMap<&str, &catalog::Tool>,
        listings: &HashMap<&str, &Listing>,
    ) -> Option<Self> {
        let id = hit.tool_id.as_str();
        match catalogue.get(id) {
            Some(tool) => (tool.status.as_str() == hit.status).then(|| Self::of(hit, tool)),
            None => Some(Self::installed(hit, listings.get(id)?)),
        }
    }
}

impl Arguments {
    fn into_request(self, caller: &Caller, sight: Sight) -> Result<SearchRequest, ApiError> {
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
        Ok(SearchRequest {
            filter: self.filter()?,
            sight,
            sort: self
                .sort
                .as_deref()
                .map_or(Ok(Sort::Relevance), Sort::named)?,
            first: usize::try_from(limit).unwrap_or_default(),
            after: self.cursor,
            facets: self.facets.unwrap_or_default(),
            ..SearchRequest::new(caller.tenant.clone(), &self.query)
        })
    }

    fn filter(&self) -> Result<SearchFilter, ApiError> {
        let lists = [
            (Key::Category, "categories", &self.categories),
            (Key::Tag, "tags", &self.tags),
        ];
        for (_, name, values) in lists {
            let given = values.as_ref().map_or(0, Vec::len);
            if given > MAX_FILTER_VALUES {
                return Err(invalid(&format!(
                    "`{name}` has {given} entries, the most is {MAX_FILTER_VALUES}"
                )));
            }
        }
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let single = [
            (Key::Server, given(&self.server)),
            (Key::Publisher, given(&self.publisher)),
            (
                Key::Verified,
                self.verified.map(|wanted| wanted.to_string()),
            ),
            (Key::Rating, self.min_rating.map(|stars| stars.to_string())),
        ];
        let mut filter = SearchFilter::default();
        for (key, value) in single {
            if let Some(value) = value {
                filter.add(key, &value, false)?;
            }
        }
        for (key, _, values) in lists {
            for value in values.iter().flatten() {
                filter.add(key, value, false)?;
            }
        }
        Ok(filter)
    }
}

/// A list, or one value without the list around it: models write either.
fn several<'de, D>(values: D) -> Result<Option<Vec<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        One(String),
        Several(Vec<String>),
    }
    let given = Option::<Given>::deserialize(values)?;
    Ok(given.map(|given| match given {
        Given::One(value) => Some(value)
            .into_iter()
            .filter(|one| !one.is_empty())
            .collect(),
        Given::Several(values) => values,
    }))
}

fn invalid(what: &str) -> ApiError {
    super::meta_tool::invalid(what, USAGE)
}

impl Found {
    /// As many receipts as fit the budget. The cursor stands behind the last hit that was looked at, shown or not.
    fn within(
        budget: &mut Budget,
        answer: SearchAnswer,
        receipt: impl Fn(&SearchHit) -> Option<Receipt>,
    ) -> Self {
        let counted = answer.facets.as_ref();
        let facets = counted.and_then(|found| Facets::within(budget, found));
        let left_out = counted.is_some() && facets.is_none();
        let (mut tools, mut passed, mut cursor) = (Vec::new(), 0, None);
        for hit in &answer.hits {
            if let Some(receipt) = receipt(hit) {
                if !budget.takes(&receipt.render(tools.len() + 1), &receipt) {
                    break;
                }
                tools.push(receipt);
            }
            passed += 1;
            cursor = Some(hit.cursor.clone());
        }
        let goes_on = answer.has_next || passed < answer.hits.len();
        Self {
            tools,
            more: answer.found.saturating_sub(answer.before + passed),
            cursor: cursor.filter(|_| goes_on),
            facets,
            semantic: answer.semantic,
            notice: match (answer.notice, left_out) {
                (Some(notice), true) => Some(format!("{notice}; {NO_ROOM}")),
                (notice, left_out) => notice.or_else(|| left_out.then(|| NO_ROOM.to_owned())),
            },
        }
    }

    fn render(&self, query: &str) -> String {
        let mut out = match (self.tools.len(), self.more) {
            (0, 0) => {
                format!("No tool matches \"{query}\". Try other words, or drop the filters.\n")
            }
            (1, 0) => format!("1 tool matches \"{query}\".\n"),
            (shown, 0) => format!("{shown} tools match \"{query}\".\n"),
            (shown, more) => {
                format!("{shown} tools for \"{query}\", and {more} more.\n")
            }
        };
        if let Some(notice) = &self.notice {
            let _ = writeln!(out, "Note: {}", text::line(notice, MAX_QUERY));
        }
        for (index, tool) in self.tools.iter().enumerate() {
            out.push_str(&tool.render(index + 1));
        }
        if let Some(facets) = &self.facets {
            out.push_str(&facets.render());
        }
        if let Some(first) = self.tools.first() {
            let _ = writeln!(
                out,
                "Read them: describe_tool {{\"tools\": [\"{}\", …]}}",
                first.reference()
            );
        }
        if let Some(cursor) = &self.cursor {
            let _ = writeln!(
                out,
                "The next ones: the same call with \"cursor\": \"{cursor}\""
            );
        } else if self.more > 0 {
            out.push_str("The others are too deep to page to: narrow the search.\n");
        }
        out
    }
}

#[cfg(test)]
#[path = "search_tools_tests.rs"]
mod tests;
