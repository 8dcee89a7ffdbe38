//! A tool as search sees it, and the two texts that stand for it: one for the full-text index, one for
//! the embedding model.

use chrono::{DateTime, Utc};
use domain::id::TenantId;
use serde_json::Value;
use std::collections::BTreeMap;

use super::words::{spoken, words};
use crate::reviews::Histogram;

/// How often a field's words are counted in the full-text index, the strongest first. Chosen by
/// measurement over all benchmarks together (`benches/search_quality.md`), not for one of them.
const WEIGHT_NAME: usize = 4;
const WEIGHT_TITLE: usize = 2;
const WEIGHT_SERVER: usize = 2;
const WEIGHT_DESCRIPTION: usize = 2;
const WEIGHT_PARAMETERS: usize = 1;
const WEIGHT_LABELS: usize = 1;

/// Nesting below which a schema is not read any further.
const MAX_SCHEMA_DEPTH: usize = 8;
/// Most words of one tool in the full-text index; a longer schema is cut, names and descriptions come first.
const MAX_WORDS: usize = 4_000;

/// The status of a tool that search finds unless the query asks for another.
pub const ACTIVE: &str = "active";

/// One tool of one tenant: the key is (`tenant`, `tool_id`).
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDocument {
    /// The tenant, by which every query is filtered.
    pub tenant: TenantId,
    /// The tool's aggregate id.
    pub tool_id: String,
    /// The aggregate id of the server that offers it.
    pub server_id: String,
    /// The server's slug.
    pub server: String,
    /// The server's name for people.
    pub server_name: String,
    /// The tool's name, as an MCP client calls it.
    pub name: String,
    /// The tool's title for people.
    pub title: Option<String>,
    /// What the tool does, in its server's words: untrusted text.
    pub description: String,
    /// JSON schema of the arguments; names and descriptions of parameters are searchable, nested ones too.
    pub input_schema: Value,
    /// Hints about its behaviour, which queries filter by.
    pub annotations: Option<Value>,
    /// The server's category.
    pub category: Option<String>,
    /// Labels to filter by.
    pub tags: Vec<String>,
    /// Semantic version of the definition.
    pub tool_version: String,
    /// Who may see it; a query says what its caller may see.
    pub visibility: String,
    /// The team that it belongs to, and is kept to while it is private.
    pub team: Option<String>,
    /// [`ACTIVE`] tools are found, unless the query asks for others.
    pub status: String,
    /// The namespace that its server's publisher has proved.
    pub publisher: Option<String>,
    /// The counted reviews by members of its own tenant, which are for them alone.
    pub rated: Histogram,
    /// Those by members of other tenants, which are for all, as long as the tool is offered to all.
    pub rated_publicly: Histogram,
    /// How much its agents use it, by tenant: the bits of the number of sessions.
    pub used: BTreeMap<String, i16>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl ToolDocument {
    /// The words for the full-text index. A strong field is repeated: BM25 over the repeated text equals
    /// BM25F with these weights, in one index instead of six.
    #[must_use]
    pub fn full_text(&self) -> String {
        let parameters = Parameters::of(&self.input_schema);
        let server = format!("{} {}", self.server, self.server_name);
        let labels = format!(
            "{} {}",
            self.category.as_deref().unwrap_or_default(),
            self.tags.join(" ")
        );
        let fields = [
            (self.name.as_str(), WEIGHT_NAME),
            (self.title.as_deref().unwrap_or_default(), WEIGHT_TITLE),
            (server.as_str(), WEIGHT_SERVER),
            (self.description.as_str(), WEIGHT_DESCRIPTION),
            (labels.as_str(), WEIGHT_LABELS),
            (parameters.names.as_str(), WEIGHT_PARAMETERS),
            (parameters.descriptions.as_str(), WEIGHT_PARAMETERS),
        ];
        let mut out = String::new();
        let mut budget = MAX_WORDS;
        for (text, weight) in fields {
            let words = words(text);
            for word in std::iter::repeat_n(words.as_slice(), weight)
                .flatten()
                .take(budget)
            {
                out.push_str(word);
                out.push(' ');
            }
            budget = budget.saturating_sub(words.len() * weight);
        }
        out
    }

    /// The text for the embedding model: it reads prose, and only its beginning (128 tokens for MiniLM).
    #[must_use]
    pub fn embedding_text(&self) -> String {
        let server = if self.server_name.is_empty() {
            spoken(&self.server)
        } else {
            self.server_name.clone()
        };
        let title = self.title.as_deref().unwrap_or_default();
        format!(
            "{} {} {}: {}",
            server.trim(),
            spoken(&self.name),
            title,
            self.description
        )
    }

    /// The name alone for the embedding model, in prose: a part of the tool's vector is made of it.
    #[must_use]
    pub fn embedding_name(&self) -> String {
        spoken(&self.name)
    }
}

/// What a JSON schema says about its parameters.
#[derive(Default)]
struct Parameters {
    names: String,
    descriptions: String,
}

impl Parameters {
    fn of(schema: &Value) -> Self {
        let mut found = Self::default();
        found.read(schema, 0);
        found
    }

    fn read(&mut self, schema: &Value, depth: usize) {
        let Some(schema) = schema.as_object().filter(|_| depth < MAX_SCHEMA_DEPTH) else {
            return;
        };
        for (name, parameter) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            self.names.push_str(name);
            self.names.push(' ');
            if let Some(description) = parameter.get("description").and_then(Value::as_str) {
                self.descriptions.push_str(description);
                self.descriptions.push(' ');
            }
            self.read(parameter, depth + 1);
        }
        for key in ["items", "additionalProperties"] {
            self.read(schema.get(key).unwrap_or(&Value::Null), depth + 1);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for choice in schema
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.read(choice, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::document;
    use serde_json::json;

    #[test]
    fn full_text_holds_nested_parameters_and_repeats_the_name() {
        let mut tool = document("acme", "send_message", "Sends it.");
        tool.input_schema = json!({"type": "object", "properties": {
            "recipients": {"type": "array", "items": {"type": "object", "properties": {
                "emailAddress": {"type": "string", "description": "Mailbox of one reader"}}}},
            "priority": {"anyOf": [{"properties": {"urgency": {}}}, {"type": "null"}]}}});
        let text = tool.full_text();
        for word in [
            "recipients",
            "email",
            "address",
            "mailbox",
            "priority",
            "urgency",
        ] {
            assert_eq!(text.split(' ').filter(|w| *w == word).count(), 1, "{word}");
        }
        assert_eq!(
            text.split(' ').filter(|w| *w == "message").count(),
            super::WEIGHT_NAME
        );
    }

    #[test]
    fn a_hostile_schema_is_read_only_so_far() {
        let mut schema = json!({"properties": {"deepest": {}}});
        for _ in 0..100 {
            schema = json!({"items": schema});
        }
        let mut tool = document("acme", "x", "y");
        tool.input_schema = schema;
        assert!(!tool.full_text().contains("deepest"));
        tool.description = "word ".repeat(100_000);
        assert_eq!(
            tool.full_text().split_whitespace().count(),
            super::MAX_WORDS
        );
    }
}
