//! `describe_tool` for several tools at once: what is found, what is not, and what the budget left out.

use super::budget::Budget;
use super::describe_tool::{self, USAGE, Wanted, invalid};
use super::described::Described;
use super::meta_tool::ToolAnswer;
use super::text;
use crate::context::Caller;
use crate::error::ApiError;
use crate::state::AppState;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;

/// Most tools of one call.
pub(super) const MOST: usize = 20;
/// Tokens when the call does not say.
const DEFAULT_BUDGET: u32 = 10_000;
/// Characters that an answer repeats of a name.
const MAX_ECHO: usize = 200;

/// The structured answer of `describe_tool`: for one tool its definition, for `tools` the lists.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// The one tool.
    #[serde(flatten)]
    one: Option<Described>,
    /// The definitions of `tools` that were found, in the order of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Described>")]
    tools: Option<Vec<Described>>,
    /// Those of `tools` that cannot be read, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Failed>")]
    errors: Option<Vec<Failed>>,
    /// Those of `tools` that the budget left out: ask for them in another call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    left_out: Option<Vec<String>>,
}

/// A tool that cannot be read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Failed {
    /// The tool as it was asked for.
    tool: String,
    /// A stable code, such as `NOT_FOUND`.
    code: &'static str,
    /// What is wrong.
    message: String,
}

impl Failed {
    pub(super) fn of(tool: String, error: &ApiError) -> Self {
        Self {
            tool,
            code: error.code(),
            message: error.to_string(),
        }
    }
}

impl Answer {
    pub(super) fn one(described: Described) -> Self {
        Self {
            one: Some(described),
            ..Self::default()
        }
    }
}

/// Answers one call.
pub(super) async fn run(
    state: &AppState,
    caller: &Caller,
    tools: Vec<String>,
    token_budget: Option<u32>,
) -> Result<ToolAnswer, ApiError> {
    let mut budget = Budget::of(token_budget, DEFAULT_BUDGET, USAGE)?;
    if !(1..=MOST).contains(&tools.len()) {
        let wrong = format!("`tools` has {} entries, it takes 1 to {MOST}", tools.len());
        return Err(invalid(&wrong));
    }
    let mut connection = state.reads.tenant(&caller.tenant).await?;
    let mut each = Vec::with_capacity(tools.len());
    for tool in &tools {
        let described = match Wanted::parse(tool, USAGE) {
            Ok(wanted) => describe_tool::read(state, caller, &mut connection, &wanted).await,
            Err(malformed) => Err(malformed),
        };
        each.push((text::line(tool, MAX_ECHO), described));
    }
    let (text, answer) = gather(each.into_iter(), &mut budget);
    let read = answer.tools.iter().flatten().map(|tool| tool.id.clone());
    Ok(ToolAnswer::new(text, &answer)?.using(read))
}

fn gather(
    each: impl Iterator<Item = (String, Result<Described, ApiError>)>,
    budget: &mut Budget,
) -> (String, Answer) {
    let (mut text, mut tools) = (String::new(), Vec::new());
    let (mut errors, mut left_out) = (Vec::new(), Vec::new());
    for (tool, described) in each {
        match described {
            Ok(described) => {
                let rendered = described.render();
                if budget.takes(&rendered, &described) {
                    if !text.is_empty() {
                        text.push_str("\n---\n\n");
                    }
                    text.push_str(&rendered);
                    tools.push(described);
                } else {
                    left_out.push(tool);
                }
            }
            Err(error) => errors.push(Failed::of(tool, &error)),
        }
    }
    render_rest(&mut text, &errors, &left_out);
    let answer = Answer {
        one: None,
        tools: Some(tools),
        errors: Some(errors),
        left_out: Some(left_out),
    };
    (text, answer)
}

/// What of the tools that were asked for is not told, and why.
pub(super) fn render_rest(text: &mut String, errors: &[Failed], left_out: &[String]) {
    for Failed {
        tool,
        code,
        message,
    } in errors
    {
        let _ = writeln!(text, "\n{tool}: {code}: {message}");
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        let _ = writeln!(
            text,
            "\nLeft out, beyond the token budget: {names}. Ask for them in another call."
        );
    }
}
