//! The fixed tools of `/mcp`: what they are called, what they take and give, and where each is answered.
//!
//! A further tool is one more variant, which the compiler then asks for everywhere, and one file with
//! `Arguments`, an answer and `run`.

use super::{compare_tools, describe_many, describe_tool, recommend_tools, search_tools};
use crate::context::Caller;
use crate::error::ApiError;
use crate::state::AppState;
use domain::id::ToolId;
use rmcp::handler::server::tool::{schema_for_input, schema_for_output};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// Characters that an answer to wrong arguments repeats of them.
const MAX_ECHO: usize = 200;

/// A fixed tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetaTool {
    /// Finds tools by describing a task.
    SearchTools,
    /// Reads the whole definitions of tools.
    DescribeTool,
    /// Names what to look at beside tools.
    RecommendTools,
    /// Tells what changes from one to another.
    CompareTools,
}

/// All definitions, in the order of `tools/list`.
pub(super) static DEFINITIONS: LazyLock<Vec<Tool>> =
    LazyLock::new(|| MetaTool::ALL.iter().map(|tool| tool.define()).collect());

impl MetaTool {
    const ALL: &[Self] = &[
        Self::SearchTools,
        Self::DescribeTool,
        Self::RecommendTools,
        Self::CompareTools,
    ];

    /// The tool of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tool| tool.name() == name)
    }

    /// The name by which it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SearchTools => "search_tools",
            Self::DescribeTool => "describe_tool",
            Self::RecommendTools => "recommend_tools",
            Self::CompareTools => "compare_tools",
        }
    }

    fn define(self) -> Tool {
        let (title, description, input, output) = match self {
            Self::SearchTools => (
                "Search tools",
                search_tools::DESCRIPTION,
                schema_for_input::<search_tools::Arguments>(),
                schema_for_output::<search_tools::Found>(),
            ),
            Self::DescribeTool => (
                "Describe tools",
                describe_tool::DESCRIPTION,
                schema_for_input::<describe_tool::Arguments>(),
                schema_for_output::<describe_many::Answer>(),
            ),
            Self::RecommendTools => (
                "Recommend tools",
                recommend_tools::DESCRIPTION,
                schema_for_input::<recommend_tools::Arguments>(),
                schema_for_output::<recommend_tools::Answer>(),
            ),
            Self::CompareTools => (
                "Compare tools",
                compare_tools::DESCRIPTION,
                schema_for_input::<compare_tools::Arguments>(),
                schema_for_output::<compare_tools::Answer>(),
            ),
        };
        // Only a type that is not a struct has no object schema; a test looks at each definition.
        let input = in_standard_words(input.unwrap_or_default());
        let output = in_standard_words(output);
        let annotations = ToolAnnotations::with_title(title)
            .read_only(true)
            .destructive(false)
            .idempotent(true)
            .open_world(false);
        Tool::new(self.name(), description, input)
            .with_title(title)
            .with_raw_output_schema(output)
            .with_annotations(annotations)
    }

    /// Answers one call.
    pub(super) async fn call(
        self,
        state: &AppState,
        caller: &Caller,
        arguments: JsonObject,
    ) -> Result<ToolAnswer, ApiError> {
        match self {
            Self::SearchTools => {
                let arguments = parse(arguments, search_tools::USAGE)?;
                search_tools::run(state, caller, arguments).await
            }
            Self::DescribeTool => {
                let arguments = parse(arguments, describe_tool::USAGE)?;
                describe_tool::run(state, caller, arguments).await
            }
            Self::RecommendTools => {
                let arguments = parse(arguments, recommend_tools::USAGE)?;
                recommend_tools::run(state, caller, arguments).await
            }
            Self::CompareTools => {
                let arguments = parse(arguments, compare_tools::USAGE)?;
                compare_tools::run(state, caller, arguments).await
            }
        }
    }
}

/// Rust's sizes of numbers (`uint32`, `double`) are no formats of JSON Schema: clients warn of them or refuse them.
fn in_standard_words(schema: Arc<JsonObject>) -> Arc<JsonObject> {
    fn strip(members: &mut JsonObject) {
        if members.get("format").is_some_and(Value::is_string)
            && members.get("type").is_none_or(|named| named != "string")
        {
            members.remove("format");
        }
        members.values_mut().for_each(within);
    }
    fn within(value: &mut Value) {
        match value {
            Value::Object(members) => strip(members),
            Value::Array(items) => items.iter_mut().for_each(within),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut schema = Arc::unwrap_or_clone(schema);
    strip(&mut schema);
    Arc::new(schema)
}

/// A good answer: a text that a model reads well, and the same as data.
#[derive(Debug)]
pub(super) struct ToolAnswer {
    text: String,
    structured: Value,
    used: Vec<ToolId>,
}

impl ToolAnswer {
    pub(super) fn new(text: String, structured: &impl Serialize) -> Result<Self, ApiError> {
        let structured =
            serde_json::to_value(structured).map_err(|error| ApiError::internal(&error))?;
        Ok(Self {
            text,
            structured,
            used: Vec::new(),
        })
    }

    /// Says which tools the agent has turned to.
    pub(super) fn using(mut self, tools: impl IntoIterator<Item = ToolId>) -> Self {
        self.used.extend(tools);
        self
    }

    /// The tools that the agent has turned to.
    pub(super) fn used(&self) -> &[ToolId] {
        &self.used
    }

    pub(super) fn into_result(self) -> CallToolResult {
        let mut result = CallToolResult::success(vec![ContentBlock::text(self.text)]);
        result.structured_content = Some(self.structured);
        result
    }
}

/// Wrong arguments are an answer of the tool, not of the protocol, so that a model can mend its call
/// (specification 2025-11-25, "Tools", error handling).
fn parse<T: DeserializeOwned>(arguments: JsonObject, usage: &str) -> Result<T, ApiError> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|error| invalid(&super::text::line(&error.to_string(), MAX_ECHO), usage))
}

/// Arguments that are wrong, and how they would be right.
pub(super) fn invalid(what: &str, usage: &str) -> ApiError {
    ApiError::Invalid {
        code: "INVALID_ARGUMENTS",
        message: format!("{what}. {usage}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_definition_is_complete() {
        for tool in DEFINITIONS.iter() {
            assert_eq!(
                MetaTool::named(&tool.name).map(MetaTool::name),
                Some(tool.name.as_ref())
            );
            assert_eq!(tool.input_schema["type"], "object", "{}", tool.name);
            assert_eq!(tool.input_schema["additionalProperties"], false);
            assert_eq!(tool.output_schema.as_ref().unwrap()["type"], "object");
            let annotations = serde_json::to_value(&tool.annotations).unwrap();
            assert_eq!(annotations["readOnlyHint"], true);
            assert_eq!(annotations["idempotentHint"], true);
            assert_eq!(annotations["openWorldHint"], false);
            for (name, property) in tool.input_schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{}: {name}", tool.name);
                assert!(
                    property["type"].is_string(),
                    "{}: {name}: {property}",
                    tool.name
                );
                let default = property.get("default");
                assert!(default.is_none(), "{}: {name}: {property}", tool.name);
            }
        }
        assert_eq!(MetaTool::named("call_tool"), None);
    }

    #[test]
    fn schemas_name_no_format_that_json_schema_does_not_know() {
        for tool in DEFINITIONS.iter() {
            let definition = serde_json::to_string(tool).unwrap();
            for format in ["uint", "int", "double", "float"] {
                let named = format!("\"format\":\"{format}");
                assert!(!definition.contains(&named), "{}: {format}", tool.name);
            }
        }
        let Value::Object(schema) = json!({
            "properties": { "format": { "type": "string", "format": "date-time" } },
            "anyOf": [{ "type": ["integer", "null"], "format": "uint32" }],
        }) else {
            unreachable!()
        };
        let expected = json!({
            "properties": { "format": { "type": "string", "format": "date-time" } },
            "anyOf": [{ "type": ["integer", "null"] }],
        });
        assert_eq!(
            Value::Object((*in_standard_words(Arc::new(schema))).clone()),
            expected
        );
    }

    #[test]
    fn wrong_arguments_are_told_in_few_words_with_the_right_ones() {
        let wrong = json!({"query": "a", "first": "x".repeat(10_000)});
        let Value::Object(wrong) = wrong else {
            unreachable!()
        };
        let error = parse::<search_tools::Arguments>(wrong, search_tools::USAGE).unwrap_err();
        assert_eq!(error.code(), "INVALID_ARGUMENTS");
        let message = error.to_string();
        assert!(
            message.contains("unknown field `first`") && message.contains("\"query\""),
            "{message}"
        );
        assert!(message.chars().count() < 500);
    }
}
