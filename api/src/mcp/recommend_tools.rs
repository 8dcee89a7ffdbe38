//! `recommend_tools`: what to look at beside tools, each with its reason.

use super::beside::Publisher;
use super::budget::{self, Budget};
use super::describe_many::{Failed, render_rest};
use super::describe_tool::{Wanted, not_found};
use super::meta_tool::ToolAnswer;
use super::receipt::{installed_warning, marked, own_warning, rounded};
use super::text;
use crate::authz::{Action, Resource, ResourceKind};
use crate::context::Caller;
use crate::error::ApiError;
use crate::recommend::{self, Companions, Reach, Recommended, Shown};
use crate::resolution::Rules;
use crate::state::AppState;
use domain::id::ToolId;
use projections::publishers::{self, VerifiedPublisher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// Most tools of one call: each is looked up in the index.
const MOST: usize = 10;
const DEFAULT_LIMIT: u32 = 5;
const MAX_LIMIT: u32 = 20;
/// Tokens when the call does not say.
const DEFAULT_BUDGET: u32 = 3_000;
/// Characters of the line about a tool, and of its reason.
const MAX_LINE: usize = 140;
/// Characters that an answer repeats of a name.
const MAX_ECHO: usize = 200;

/// What the model reads about the tool.
pub(super) const DESCRIPTION: &str = "Names what to look at beside tools that you know, each with its reason: \
    `similar` (alternatives that do much the same), `used_together` (used in the same sessions by the agents of your tenant) \
    and `comes_next` (what they turned to right after it). Name up to 10 as search_tools lists them: \
    {\"tools\": [\"server/name\", ...]}; a version plays no part. The latter two are empty until agents have used the tools.";

/// How to call it, for the answer to wrong arguments.
pub(super) const USAGE: &str = r#"recommend_tools takes {"tools": ["server/name", ...]} with 1 to 10 tools and, if wanted, "kinds": ["similar", "used_together", "comes_next"], "limit": 1 to 20, "token_budget": 100 to 100000"#;

/// The arguments of `recommend_tools`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// Up to 10 tools as search_tools lists them: "server/name", "@publisher/server/name".
    #[schemars(length(min = 1, max = MOST))]
    tools: Vec<String>,
    /// Which of "similar", "used_together" and "comes_next"; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    kinds: Option<Vec<Kind>>,
    /// Most recommendations of each kind; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = MAX_LIMIT))]
    limit: Option<u32>,
    /// About how many tokens the answer may take; 3000 when left out. Tools that do not fit are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = budget::LEAST, max = budget::MOST))]
    token_budget: Option<u32>,
}

/// Why a tool is recommended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Similar,
    UsedTogether,
    ComesNext,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Similar, Self::UsedTogether, Self::ComesNext];
}

/// The structured answer of `recommend_tools`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// What is recommended beside each of the tools, in the order of the call.
    tools: Vec<Beside>,
    /// Those of `tools` that cannot be read, and why.
    errors: Vec<Failed>,
    /// Those of `tools` that the budget left out: ask for them in another call.
    left_out: Vec<String>,
}

/// What is recommended beside one tool. A kind that was not asked for is absent.
#[derive(Debug, Serialize, JsonSchema)]
struct Beside {
    /// The tool, as describe_tool takes it.
    tool: String,
    /// Most like it, the nearest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Line>")]
    similar: Option<Vec<Line>>,
    /// Used in the same sessions, the best first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Line>")]
    used_together: Option<Vec<Line>>,
    /// What comes after it, the likeliest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Line>")]
    comes_next: Option<Vec<Line>>,
}

/// A recommended tool.
#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    /// The tool, as describe_tool takes it.
    tool: String,
    /// What it does, in one line. Written by the server's maker.
    description: String,
    /// Higher is better; comparable within one list only.
    score: f64,
    /// Why it is recommended.
    reason: String,
    /// That it is deprecated, what to use instead and until when, or that it was yanked; absent when it is neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    warning: Option<String>,
    /// Who publishes the server, when the domain was proved; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Publisher")]
    verified_publisher: Option<Publisher>,
}

/// Answers one call.
pub(super) async fn run(
    state: &AppState,
    caller: &Caller,
    arguments: Arguments,
) -> Result<ToolAnswer, ApiError> {
    let any = Resource::any(ResourceKind::Tool);
    state
        .authorizer
        .authorize(caller, Action::SearchTools, &any)?;
    let (kinds, limit) = arguments.checked()?;
    let mut budget = Budget::of(arguments.token_budget, DEFAULT_BUDGET, USAGE)?;
    let mut connection = state.reads.tenant(&caller.tenant).await?;
    let sight = state.authorizer.sight(caller);
    let reach = Reach::of(&mut connection, &sight, Rules::of(state)).await?;
    let wanted: Vec<_> = arguments
        .tools
        .iter()
        .map(|tool| (tool.as_str(), named(caller, tool)))
        .collect();
    let ids = wanted.iter().filter_map(|(_, id)| id.as_ref().ok());
    let ids: Vec<ToolId> = ids.cloned().collect();
    let known = reach.shown(&mut connection, &ids).await?;
    let ids: Vec<ToolId> = known.keys().cloned().collect();
    let mut similar = HashMap::new();
    if kinds.contains(&Kind::Similar) {
        let asked = (ids.as_slice(), limit);
        similar = recommend::similar_to(state, caller, &mut connection, &reach, asked).await?;
    }
    let companions = recommend::companions(&mut connection, &reach, &ids).await?;
    let recommended = ids_of(&similar, &companions);
    let publishers = publishers::of_tools(&mut connection, &recommended).await?;
    let each = wanted.into_iter().map(|(tool, id)| {
        let beside = id.and_then(|id| {
            let shown = known.get(&id).ok_or_else(|| not_found(tool))?;
            let (similar, companions) = (similar.get(&id), companions.get(&id));
            let of = |kind| match kind {
                Kind::Similar => similar,
                Kind::UsedTogether => companions.map(|seen| &seen.together),
                Kind::ComesNext => companions.map(|seen| &seen.next),
            };
            let asked = |kind| {
                let found = of(kind).map(Vec::as_slice).unwrap_or_default();
                let told = || lines(found, limit, &publishers);
                kinds.contains(&kind).then(told)
            };
            Ok(Beside {
                tool: shown.reference(),
                similar: asked(Kind::Similar),
                used_together: asked(Kind::UsedTogether),
                comes_next: asked(Kind::ComesNext),
            })
        });
        (text::line(tool, MAX_ECHO), beside)
    });
    let answer = Answer::within(&mut budget, each);
    ToolAnswer::new(answer.render(), &answer)
}

/// The id of a tool as a caller names it.
fn named(caller: &Caller, tool: &str) -> Result<ToolId, ApiError> {
    Ok(match Wanted::parse(tool, USAGE)? {
        Wanted::Own(server, name, _) => ToolId::derive(&caller.tenant, &server, &name),
        Wanted::Foreign(foreign) => foreign.tool.tool_id(),
    })
}

fn lines(
    recommended: &[Recommended],
    limit: usize,
    publishers: &HashMap<ToolId, VerifiedPublisher>,
) -> Vec<Line> {
    let line = |one: &Recommended| Line {
        tool: one.tool.reference(),
        description: text::line(one.tool.description(), MAX_LINE),
        score: rounded(one.score),
        reason: text::line(&one.reason, MAX_LINE),
        warning: match &one.tool {
            Shown::Own(tool) => own_warning(tool),
            Shown::Installed(listing) => installed_warning(listing),
        },
        verified_publisher: publishers.get(id_of(&one.tool)).map(Publisher::from),
    };
    recommended.iter().take(limit).map(line).collect()
}

/// Each tool that is recommended beside any, once.
fn ids_of(
    similar: &HashMap<ToolId, Vec<Recommended>>,
    companions: &HashMap<ToolId, Companions>,
) -> Vec<ToolId> {
    let seen = companions.values();
    let seen = seen.flat_map(|seen| [&seen.together, &seen.next]);
    let lists = similar.values().chain(seen);
    let ids: BTreeSet<&ToolId> = lists.flatten().map(|one| id_of(&one.tool)).collect();
    ids.into_iter().cloned().collect()
}

fn id_of(tool: &Shown) -> &ToolId {
    match tool {
        Shown::Own(tool) => &tool.id,
        Shown::Installed(listing) => &listing.id,
    }
}

impl Arguments {
    /// The kinds and the length of each list.
    fn checked(&self) -> Result<(Vec<Kind>, usize), ApiError> {
        if !(1..=MOST).contains(&self.tools.len()) {
            let count = self.tools.len();
            return Err(invalid(&format!(
                "`tools` has {count} entries, it takes 1 to {MOST}"
            )));
        }
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid(&format!(
                "`limit` is 1 to {MAX_LIMIT}, not {limit}"
            )));
        }
        let kinds = self.kinds.clone().filter(|kinds| !kinds.is_empty());
        let kinds = kinds.unwrap_or_else(|| Kind::ALL.to_vec());
        Ok((kinds, usize::try_from(limit).unwrap_or_default()))
    }
}

fn invalid(what: &str) -> ApiError {
    super::meta_tool::invalid(what, USAGE)
}

impl Answer {
    fn within(
        budget: &mut Budget,
        each: impl Iterator<Item = (String, Result<Beside, ApiError>)>,
    ) -> Self {
        let mut answer = Self {
            tools: Vec::new(),
            errors: Vec::new(),
            left_out: Vec::new(),
        };
        for (tool, beside) in each {
            match beside {
                Ok(beside) if budget.takes(&beside.render(), &beside) => answer.tools.push(beside),
                Ok(_) => answer.left_out.push(tool),
                Err(error) => answer.errors.push(Failed::of(tool, &error)),
            }
        }
        answer
    }

    fn render(&self) -> String {
        let mut out: String = self.tools.iter().map(Beside::render).collect();
        render_rest(&mut out, &self.errors, &self.left_out);
        out
    }
}

impl Beside {
    fn render(&self) -> String {
        let mut out = format!("{}\n", self.tool);
        for (heading, lines) in [
            ("similar", &self.similar),
            ("used together", &self.used_together),
            ("comes next", &self.comes_next),
        ] {
            let Some(lines) = lines else { continue };
            if lines.is_empty() {
                let _ = writeln!(out, "  {heading}: nothing yet");
            }
            for Line {
                tool,
                description,
                reason,
                warning,
                verified_publisher,
                ..
            } in lines
            {
                let _ = write!(out, "  {heading}: {tool} — {description} · {reason}");
                if let Some(publisher) = verified_publisher {
                    let _ = write!(out, " · {}", marked(publisher));
                }
                out.push('\n');
                if let Some(warning) = warning {
                    let _ = writeln!(out, "    Warning: {warning}");
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn checked(value: Value) -> Result<(Vec<Kind>, usize), ApiError> {
        let arguments: Arguments = serde_json::from_value(value).unwrap();
        arguments.checked()
    }

    #[test]
    fn all_kinds_are_told_unless_some_are_named_and_bounds_are_kept() {
        let all = checked(json!({ "tools": ["a/b"] })).unwrap();
        assert_eq!(all, (Kind::ALL.to_vec(), 5));
        let some = json!({ "tools": ["a/b"], "kinds": ["comes_next"], "limit": 1 });
        assert_eq!(checked(some).unwrap(), (vec![Kind::ComesNext], 1));
        for wrong in [
            json!({ "tools": [] }),
            json!({ "tools": vec!["a/b"; MOST + 1] }),
            json!({ "tools": ["a/b"], "limit": 0 }),
            json!({ "tools": ["a/b"], "limit": 21 }),
        ] {
            let refused = checked(wrong.clone()).unwrap_err();
            assert_eq!(refused.code(), "INVALID_ARGUMENTS", "{wrong}");
        }
    }

    fn beside(tool: &str) -> Beside {
        Beside {
            tool: tool.into(),
            similar: None,
            used_together: Some(vec![]),
            comes_next: Some(vec![Line {
                tool: "@acme/maps/route".into(),
                description: "Plans a route".into(),
                score: 0.5,
                reason: "came next after this tool 3 of 4 times".into(),
                warning: None,
                verified_publisher: Some(Publisher {
                    namespace: "com.example".into(),
                    method: "dns",
                }),
            }]),
        }
    }

    #[test]
    fn what_fits_is_told_and_the_rest_is_named() {
        let mut budget = Budget::of(Some(100), DEFAULT_BUDGET, USAGE).unwrap();
        let each = [
            ("a/b", Ok(beside("a/b"))),
            ("a/c", Ok(beside("a/c"))),
            ("a", Err(not_found("a"))),
        ];
        let each = each.into_iter().map(|(tool, one)| (tool.to_owned(), one));
        let answer = Answer::within(&mut budget, each);
        let text = answer.render();
        let first = "a/b\n  used together: nothing yet\n  \
                     comes next: @acme/maps/route — Plans a route · came next after this tool 3 of 4 times \
                     · verified publisher com.example (dns)\n";
        assert!(text.starts_with(first), "{text}");
        let value = serde_json::to_value(&answer).unwrap();
        assert_eq!(value["left_out"], json!(["a/c"]));
        assert_eq!(value["errors"][0]["code"], "NOT_FOUND");
        assert_eq!(value["tools"][0].get("similar"), None);
    }
}
