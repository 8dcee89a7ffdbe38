//! What a model reads of a tool, and the hash that identifies it.

use super::ToolError;
use crate::text::is_clean;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 4_000;
/// Largest schema, in bytes of canonical JSON.
pub const MAX_SCHEMA_BYTES: usize = 65_536;

/// A tool's definition (MCP specification 2025-11-25, "Tools", data type `Tool`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// What the tool does.
    pub description: String,
    /// JSON Schema of the arguments, an object; null when the source gave none.
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result, an object, when the tool declares one.
    pub output_schema: Option<Value>,
}

impl ToolDefinition {
    /// Hex SHA-256 over the canonical JSON of name, description and schemas: the identity that a pin
    /// or an approval refers to.
    ///
    /// # Errors
    /// [`ToolError::InvalidSchema`] when a schema holds a number that has no canonical form.
    pub fn hash(&self, name: &str) -> Result<String, ToolError> {
        let hashed = serde_json::json!({
            "name": name,
            "description": self.description,
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
        });
        let canonical =
            serde_json_canonicalizer::to_vec(&hashed).map_err(|_| ToolError::InvalidSchema {
                field: "input_schema",
            })?;
        Ok(hex::encode(Sha256::digest(canonical)))
    }

    pub(super) fn check(&self) -> Result<(), ToolError> {
        let found = self.description.chars().count();
        if self.description.trim().is_empty() {
            return Err(ToolError::Missing {
                field: "description",
            });
        }
        if found > MAX_DESCRIPTION {
            return Err(ToolError::TooLong {
                field: "description",
                most: MAX_DESCRIPTION,
                found,
            });
        }
        if !is_clean(&self.description) {
            return Err(ToolError::HiddenCharacters {
                field: "description",
            });
        }
        check_schema("input_schema", self.input_schema.as_ref())?;
        check_schema("output_schema", self.output_schema.as_ref())
    }
}

fn check_schema(field: &'static str, schema: Option<&Value>) -> Result<(), ToolError> {
    let Some(schema) = schema else { return Ok(()) };
    if !schema.is_object() || !schema.get("type").is_none_or(|kind| kind == "object") {
        return Err(ToolError::InvalidSchema { field });
    }
    let canonical =
        serde_json_canonicalizer::to_vec(schema).map_err(|_| ToolError::InvalidSchema { field })?;
    if canonical.len() > MAX_SCHEMA_BYTES {
        return Err(ToolError::SchemaTooLarge {
            field,
            found: canonical.len(),
        });
    }
    if !texts_are_clean(schema) {
        return Err(ToolError::HiddenCharacters { field });
    }
    Ok(())
}

fn texts_are_clean(value: &Value) -> bool {
    match value {
        Value::String(text) => is_clean(text),
        Value::Array(items) => items.iter().all(texts_are_clean),
        Value::Object(members) => members
            .iter()
            .all(|(key, value)| is_clean(key) && texts_are_clean(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
