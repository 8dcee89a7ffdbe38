//! `describe_tool`: the whole definition of one tool; of several, `describe_many`.

use super::beside;
use super::budget;
use super::describe_many::{self, Answer};
use super::described::Described;
use super::meta_tool::ToolAnswer;
use super::rated::RatedInFull;
use super::text;
use crate::authz::{Action, Resource};
use crate::context::Caller;
use crate::error::ApiError;
use crate::resolution::{Resolved, Rules, malformed, resolve, resolve_installed};
use crate::state::AppState;
use domain::id::ToolId;
use domain::installation::ForeignReference;
use domain::tool::reference::{Reference, split};
use projections::{TenantConnection, publishers, reviews};
use schemars::JsonSchema;
use serde::Deserialize;

/// Characters that an answer repeats of a name it did not find.
const MAX_ECHO: usize = 200;

/// What the model reads about the tool.
pub(super) const DESCRIPTION: &str = "Reads whole definitions of tools: description, input schema, \
    output schema, versions, rating, definition hash and tags. Name up to 20 as search_tools lists them: \
    {\"tools\": [\"server/name\", ...]}; or one: {\"tool\": \"server/name\"}, or \
    {\"server\": \"...\", \"name\": \"...\"}. A version follows the name: server/name@1.2.3, @^1.2, @stable; \
    without one it is @latest. A tool of another publisher is @publisher/server/name, in the versions that are installed.";

/// How to call it, for the answer to wrong arguments.
pub(super) const USAGE: &str = r#"describe_tool takes {"tools": ["server/name", ...]} with 1 to 20 tools and, if wanted, "token_budget": 100 to 100000; or {"tool": "server/name"}; or {"server": "...", "name": "..."}; a version follows the name: "server/name@^1.2""#;

/// The arguments of `describe_tool`: `tools`, or `tool`, or `server` and `name`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// Up to 20 tools as search_tools lists them: "server/name", "server/name@^1.2", "@publisher/server/name@stable".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>", length(min = 1, max = describe_many::MOST))]
    tools: Option<Vec<String>>,
    /// About how many tokens the definitions of `tools` may take; 10000 when left out. What does not fit is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = budget::LEAST, max = budget::MOST))]
    token_budget: Option<u32>,
    /// One tool as search_tools lists it. Either this, or `tools`, or `server` and `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    tool: Option<String>,
    /// The server's slug; together with `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    server: Option<String>,
    /// The tool's name on that server; together with `server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    name: Option<String>,
}

/// A tool as a caller names it.
#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    /// One of the caller's tenant, in a version.
    Own(String, String, Reference),
    /// An installed one, in a version.
    Foreign(ForeignReference),
}

/// Answers one call.
pub(super) async fn run(
    state: &AppState,
    caller: &Caller,
    arguments: Arguments,
) -> Result<ToolAnswer, ApiError> {
    match arguments {
        Arguments {
            tools: Some(tools),
            token_budget,
            tool: None,
            server: None,
            name: None,
        } => describe_many::run(state, caller, tools, token_budget).await,
        Arguments { tools: Some(_), .. } => Err(invalid("name several tools or one")),
        one => {
            let wanted = one.wanted()?;
            let mut connection = state.reads.tenant(&caller.tenant).await?;
            let mut described = read(state, caller, &mut connection, &wanted).await?;
            described.similar =
                beside::similar(state, caller, &mut connection, &described.id).await?;
            let (id, text) = (described.id.clone(), described.render());
            Ok(ToolAnswer::new(text, &Answer::one(described))?.using([id]))
        }
    }
}

/// The definition of a tool. One that the caller may not see is as absent as one that does not exist.
pub(super) async fn read(
    state: &AppState,
    caller: &Caller,
    connection: &mut TenantConnection,
    wanted: &Wanted,
) -> Result<Described, ApiError> {
    let mut described = match wanted {
        Wanted::Own(server, name, reference) => {
            own(state, caller, connection, (server, name), reference).await?
        }
        Wanted::Foreign(tool) => installed(state, caller, connection, tool).await?,
    };
    let id = std::slice::from_ref(&described.id);
    let ratings = reviews::ratings_by_tool(connection, id).await?;
    let publishers = publishers::of_tools(connection, id).await?;
    described.rating = ratings.get(&described.id).and_then(RatedInFull::of);
    described.verified_publisher = publishers.get(&described.id).map(beside::Publisher::from);
    Ok(described)
}

async fn own(
    state: &AppState,
    caller: &Caller,
    connection: &mut TenantConnection,
    named: (&str, &str),
    reference: &Reference,
) -> Result<Described, ApiError> {
    let rules = Rules::of(state);
    let found = found(state, caller, connection, (named, reference), rules).await?;
    let definition = found.definition(connection).await?;
    Ok(Described::own(found, definition))
}

/// The version of a tool of the caller's tenant that a reference leads to, if the caller may read it.
pub(super) async fn found(
    state: &AppState,
    caller: &Caller,
    connection: &mut TenantConnection,
    ((server, name), reference): ((&str, &str), &Reference),
    rules: Rules,
) -> Result<Resolved, ApiError> {
    let id = ToolId::derive(&caller.tenant, server, name);
    let sight = state.authorizer.sight(caller);
    let found = resolve(connection, &sight, &id, reference, rules).await?;
    let absent = || not_found(&format!("{server}/{name}"));
    let found = found.ok_or_else(absent)?;
    let resource = Resource::of_tool(&found.tool, caller);
    let allowed = state
        .authorizer
        .authorize(caller, Action::ReadTool, &resource);
    allowed.map_err(|denied| {
        if denied.hidden {
            absent()
        } else {
            ApiError::from(denied)
        }
    })?;
    Ok(found)
}

/// A tool of another tenant, in a version within the range that is installed. One that is not installed, not
/// offered, or not there at all answers the same.
async fn installed(
    state: &AppState,
    caller: &Caller,
    connection: &mut TenantConnection,
    wanted: &ForeignReference,
) -> Result<Described, ApiError> {
    let id = wanted.tool.tool_id();
    let resource = Resource::public_tool().named(id.as_str());
    state
        .authorizer
        .authorize(caller, Action::ReadTool, &resource)?;
    let found = resolve_installed(connection, &caller.tenant, wanted, Rules::of(state)).await?;
    let found = found.ok_or_else(|| not_found(&wanted.tool.to_string()))?;
    Ok(Described::from(found))
}

pub(super) fn not_found(reference: &str) -> ApiError {
    let wanted = text::line(reference, MAX_ECHO);
    ApiError::Rejected {
        code: ApiError::NotFound.code(),
        message: format!("there is no tool {wanted}; search_tools lists what there is"),
    }
}

impl Wanted {
    /// A tool as search_tools lists it. A slug holds no slash, and a tool's name may: the first slash divides
    /// them. What is wrong is told with the usage of the tool that was called.
    pub(super) fn parse(tool: &str, usage: &str) -> Result<Self, ApiError> {
        let foreign = ForeignReference::parse(tool).map_err(|error| malformed(&error))?;
        if let Some(foreign) = foreign {
            return Ok(Self::Foreign(foreign));
        }
        let (server, name) = tool.split_once('/').ok_or_else(|| unnamed(usage))?;
        Self::own((server, name), usage)
    }

    fn own((server, name): (&str, &str), usage: &str) -> Result<Self, ApiError> {
        let (name, reference) = split(name).map_err(|error| malformed(&error))?;
        if server.is_empty() || name.is_empty() {
            return Err(unnamed(usage));
        }
        Ok(Self::Own(server.to_owned(), name.to_owned(), reference))
    }
}

impl Arguments {
    fn wanted(self) -> Result<Wanted, ApiError> {
        match (self.tool, self.server, self.name) {
            (Some(tool), None, None) => Wanted::parse(&tool, USAGE),
            (None, Some(server), Some(name)) => Wanted::own((&server, &name), USAGE),
            (Some(_), _, _) | (None, _, _) => Err(invalid("name one tool")),
        }
    }
}

fn unnamed(usage: &str) -> ApiError {
    super::meta_tool::invalid("a tool is named \"server/name\"", usage)
}

pub(super) fn invalid(what: &str) -> ApiError {
    super::meta_tool::invalid(what, USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wanted(value: Value) -> Result<Wanted, ApiError> {
        let arguments: Arguments = serde_json::from_value(value).unwrap();
        arguments.wanted()
    }

    #[test]
    fn a_tool_is_named_in_two_ways() {
        for (value, server, name, reference) in [
            (json!({"tool": "git/git_log"}), "git", "git_log", "latest"),
            (
                json!({"tool": "git/git_log@1.2.0"}),
                "git",
                "git_log",
                "1.2.0",
            ),
            (
                json!({"server": "git", "name": "git_log@^1.2"}),
                "git",
                "git_log",
                "^1.2",
            ),
            (json!({"tool": "git/git_log@v1"}), "git", "git_log", "v1"),
            (
                json!({"tool": "nasa/nasa/apod"}),
                "nasa",
                "nasa/apod",
                "latest",
            ),
            (
                json!({"server": "nasa", "name": "nasa/apod", "tool": null}),
                "nasa",
                "nasa/apod",
                "latest",
            ),
        ] {
            let expected = Wanted::Own(server.into(), name.into(), reference.parse().unwrap());
            assert_eq!(wanted(value), Ok(expected));
        }
        for (value, reference) in [
            ("@globex/git/git_log", "latest"),
            ("@globex/git/git_log@^1.2", "^1.2"),
        ] {
            let Ok(Wanted::Foreign(foreign)) = wanted(json!({ "tool": value })) else {
                panic!("{value} is another tenant's");
            };
            assert_eq!(foreign.tool.to_string(), "@globex/git/git_log");
            assert_eq!(foreign.reference, reference.parse().unwrap());
        }
        for value in [
            json!({}),
            json!({"tool": "git"}),
            json!({"tool": "/git_log"}),
            json!({"server": "git"}),
            json!({"name": "git_log"}),
            json!({"tool": "a/b", "server": "a", "name": "b"}),
        ] {
            let error = wanted(value.clone()).unwrap_err();
            assert_eq!(error.code(), "INVALID_ARGUMENTS", "{value}");
        }
        for value in ["git/git_log@", "@globex/git/git_log@1.2.3.4"] {
            let refused = wanted(json!({ "tool": value })).unwrap_err();
            assert_eq!(refused.code(), "INVALID_REFERENCE", "{value}");
        }
    }

    #[test]
    fn an_absent_tool_is_told_by_the_code_of_not_found() {
        assert_eq!(not_found("git/git_log").code(), "NOT_FOUND");
    }
}
