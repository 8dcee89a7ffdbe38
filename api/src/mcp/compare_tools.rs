//! `compare_tools`: what changes for who goes from one version of a tool to another, or to another tool.

use super::budget::{self, Budget};
use super::describe_tool::{Wanted, found, not_found};
use super::meta_tool::ToolAnswer;
use super::text;
use crate::authz::{Action, Resource};
use crate::context::Caller;
use crate::error::ApiError;
use crate::resolution::{Rules, resolve_listing};
use crate::state::AppState;
use domain::compatibility::{Change, Comparison, compare};
use domain::installation::ForeignReference;
use domain::tool::ToolDefinition;
use domain::tool::reference::Reference;
use projections::TenantConnection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::fmt::Write;

/// Tokens of an answer when the call does not say: some thirty changes.
const DEFAULT_BUDGET: u32 = 1_500;
/// Characters of a path or of what is said of a change.
const MAX_LINE: usize = 400;

/// What the model reads about the tool.
pub(super) const DESCRIPTION: &str = "Tells what changes for you when you go from one version of a tool to another, \
    or to another tool such as the successor of a deprecated one: whether calls that worked go on working \
    (`identical`, `cosmetic`, `compatible` or `breaking`), and each change with its place in the schemas. \
    {\"from\": \"server/name@1.2.0\"} compares with the latest version; {\"from\": \"server/name@^1\", \"to\": \"server/name@2.0.0\"} \
    with that one. What nobody can decide counts as breaking.";

/// How to call it, for the answer to wrong arguments.
pub(super) const USAGE: &str = r#"compare_tools takes {"from": "server/name@1.2.0"} and, if wanted, "to": "server/name@2.0.0", "token_budget": 100 to 100000"#;

/// The arguments of `compare_tools`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// What you use now, as search_tools lists it: "server/name@1.2.0", "@publisher/server/name@^1".
    from: String,
    /// What you would use instead; the latest version of the same tool when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    to: Option<String>,
    /// About how many tokens the answer may take; 1500 when left out. What breaks comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = budget::LEAST, max = budget::MOST))]
    token_budget: Option<u32>,
}

/// The structured answer of `compare_tools`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// What `from` leads to, with its exact version.
    from: String,
    /// What `to` leads to.
    to: String,
    /// The worst of all changes: `identical`, `cosmetic`, `compatible`, or `breaking`: what worked may fail, or nobody
    /// can tell.
    verdict: &'static str,
    /// The changes, what breaks first.
    changes: Vec<Told>,
    /// How many changes more the budget left out; absent when all are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    left_out: Option<usize>,
    /// What to know of `from` and `to`, such as that one is deprecated, and what to use instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
struct Told {
    /// `breaking`, `compatible` or `cosmetic`.
    kind: &'static str,
    /// The part of the definition: `description`, `input_schema`, `output_schema` or `annotations`.
    part: &'static str,
    /// Where in that part, as a JSON Pointer into the new schema, or into the old one for what is gone.
    path: String,
    /// A stable name, such as `required_added`.
    reason: &'static str,
    /// The same in words.
    message: String,
}

/// One side of the comparison.
struct Side {
    /// With its exact version.
    named: String,
    definition: ToolDefinition,
    warnings: Vec<String>,
}

/// Answers one call.
pub(super) async fn run(
    state: &AppState,
    caller: &Caller,
    arguments: Arguments,
) -> Result<ToolAnswer, ApiError> {
    let mut budget = Budget::of(arguments.token_budget, DEFAULT_BUDGET, USAGE)?;
    let from = Wanted::parse(&arguments.from, USAGE)?;
    let to = match &arguments.to {
        Some(to) => Wanted::parse(to, USAGE)?,
        None => from.latest(),
    };
    let mut connection = state.reads.tenant(&caller.tenant).await?;
    let from = Side::of(state, caller, &mut connection, &from).await?;
    let to = Side::of(state, caller, &mut connection, &to).await?;
    drop(connection);
    let mut warnings = from.warnings;
    warnings.extend(to.warnings);
    warnings.dedup();
    let (old, new) = (from.definition, to.definition);
    // The largest schemas take tens of milliseconds.
    let comparison = tokio::task::spawn_blocking(move || compare(&old, &new)).await;
    let comparison = comparison.map_err(|error| ApiError::internal(&error))?;
    let named = (from.named, to.named);
    let answer = Answer::within(&mut budget, named, comparison, &warnings);
    ToolAnswer::new(answer.render(), &answer)
}

impl Side {
    /// What a reference leads to. Who compares uses nothing: what is past its sunset is read as well, and a tool of
    /// another tenant in every version that is offered, so that what a wider range would bring is known before.
    async fn of(
        state: &AppState,
        caller: &Caller,
        connection: &mut TenantConnection,
        wanted: &Wanted,
    ) -> Result<Self, ApiError> {
        match wanted {
            Wanted::Own(server, name, reference) => {
                let asked = ((server.as_str(), name.as_str()), reference);
                let found = found(state, caller, connection, asked, Rules::looking()).await?;
                let (tool, version) = (&found.tool, &found.version.tool_version);
                Ok(Self {
                    named: format!("{}/{}@{version}", tool.server, tool.name),
                    definition: found.definition(connection).await?,
                    warnings: found.warnings,
                })
            }
            Wanted::Foreign(tool) => {
                let id = tool.tool.tool_id();
                let resource = Resource::public_tool().named(id.as_str());
                state
                    .authorizer
                    .authorize(caller, Action::ReadTool, &resource)?;
                let found = resolve_listing(connection, tool).await?;
                let found = found.ok_or_else(|| not_found(&tool.tool.to_string()))?;
                Ok(Self {
                    named: found.listing.exact(&found.listing.version),
                    definition: found.listing.definition,
                    warnings: found.warnings,
                })
            }
        }
    }
}

impl Wanted {
    /// The latest version of the same tool.
    fn latest(&self) -> Self {
        match self {
            Self::Own(server, name, _) => {
                Self::Own(server.clone(), name.clone(), Reference::Latest)
            }
            Self::Foreign(tool) => Self::Foreign(ForeignReference {
                reference: Reference::Latest,
                ..tool.clone()
            }),
        }
    }
}

impl Answer {
    fn within(
        budget: &mut Budget,
        (from, to): (String, String),
        comparison: Comparison,
        warnings: &[String],
    ) -> Self {
        let mut answer = Self {
            from,
            to,
            verdict: comparison.verdict().as_str(),
            changes: Vec::new(),
            left_out: None,
            warnings: warnings
                .iter()
                .map(|warning| text::line(warning, MAX_LINE))
                .collect(),
        };
        // Always told, however small the budget is.
        let _ = budget.takes(&answer.render(), &answer);
        let mut changes = comparison.changes;
        changes.sort_by_key(|change| Reverse(change.kind));
        let all = changes.len();
        for told in changes.into_iter().map(Told::from) {
            if !budget.takes(&told.render(), &told) {
                break;
            }
            answer.changes.push(told);
        }
        let left_out = all - answer.changes.len();
        answer.left_out = (left_out > 0).then_some(left_out);
        answer
    }

    fn render(&self) -> String {
        let mut out = format!("{} → {}: {}\n", self.from, self.to, self.verdict);
        for change in &self.changes {
            let _ = writeln!(out, "{}", change.render());
        }
        if let Some(left_out) = self.left_out {
            let _ = writeln!(
                out,
                "and {left_out} more: raise \"token_budget\" to see them"
            );
        }
        for warning in &self.warnings {
            let _ = writeln!(out, "Warning: {warning}");
        }
        out
    }
}

impl From<Change> for Told {
    fn from(change: Change) -> Self {
        Self {
            kind: change.kind.as_str(),
            part: change.part.as_str(),
            path: text::line(&change.path, MAX_LINE),
            reason: change.reason.as_str(),
            message: text::line(&change.message, MAX_LINE),
        }
    }
}

impl Told {
    fn render(&self) -> String {
        let Self {
            kind,
            part,
            path,
            message,
            ..
        } = self;
        format!("{kind}: {part}{path}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn definition(input: Value) -> ToolDefinition {
        ToolDefinition {
            description: "Shows the history.".into(),
            input_schema: Some(input),
            output_schema: None,
            annotations: None,
        }
    }

    fn answer(tokens: u32) -> Answer {
        let old = json!({ "type": "object", "properties": { "limit": { "type": "integer" } } });
        let new = json!({ "type": "object", "required": ["limit"], "properties": {
            "limit": { "type": "integer", "description": "How many." },
            "path": { "type": "string" },
        } });
        let comparison = compare(&definition(old), &definition(new));
        let mut budget = Budget::of(Some(tokens), DEFAULT_BUDGET, USAGE).unwrap();
        let named = ("git/log@1.0.0".to_owned(), "git/log@2.0.0".to_owned());
        let warnings = ["git/log@2.0.0 is yanked: a\nmistake".to_owned()];
        Answer::within(&mut budget, named, comparison, &warnings)
    }

    #[test]
    fn what_breaks_comes_first_and_what_does_not_fit_is_counted() {
        let all = answer(1_500);
        let text = all.render();
        let expected = "git/log@1.0.0 → git/log@2.0.0: breaking\n\
                        breaking: input_schema/required: `limit` must be given now\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(
            text.ends_with("Warning: git/log@2.0.0 is yanked: a mistake\n"),
            "{text}"
        );
        let kinds: Vec<_> = all.changes.iter().map(|change| change.kind).collect();
        assert_eq!(kinds, ["breaking", "compatible", "cosmetic"]);
        assert_eq!(all.left_out, None);
        let few = answer(100);
        assert_eq!(few.verdict, "breaking");
        assert_eq!(few.changes.len() + few.left_out.unwrap(), 3);
        assert!(few.render().contains("more: raise \"token_budget\""));
    }

    #[test]
    fn what_is_left_out_is_the_latest_of_the_same_tool() {
        for (from, to) in [
            ("git/log@1.0.0", "git/log"),
            ("@globex/git/log@^1", "@globex/git/log"),
        ] {
            let latest = Wanted::parse(from, USAGE).unwrap().latest();
            assert_eq!(latest, Wanted::parse(to, USAGE).unwrap());
        }
    }
}
