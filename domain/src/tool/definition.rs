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
    /// Checks the definition and answers its identity: hex SHA-256 over the canonical JSON (RFC 8785) of
    /// `{description, input_schema, name, output_schema}`, which a pin or an approval refers to.
    ///
    /// # Errors
    /// [`ToolError`] for a text or a schema that breaks a rule.
    pub fn checked_hash(&self, name: &str) -> Result<String, ToolError> {
        self.check_description()?;
        let input = canonical_schema("input_schema", self.input_schema.as_ref())?;
        let output = canonical_schema("output_schema", self.output_schema.as_ref())?;
        // The canonical form of an object is made of those of its members, sorted by name: each schema,
        // the largest part by far, is written once for its check and for the hash.
        let mut hash = Sha256::new();
        hash.update(b"{\"description\":");
        hash.update(canonical("description", &self.description)?);
        hash.update(b",\"input_schema\":");
        hash.update(input);
        hash.update(b",\"name\":");
        hash.update(canonical("name", &name)?);
        hash.update(b",\"output_schema\":");
        hash.update(output);
        hash.update(b"}");
        Ok(hex::encode(hash.finalize()))
    }

    fn check_description(&self) -> Result<(), ToolError> {
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
        Ok(())
    }
}

/// The canonical form of a sound schema; `null` where there is none.
fn canonical_schema(field: &'static str, schema: Option<&Value>) -> Result<Vec<u8>, ToolError> {
    let Some(schema) = schema else {
        return Ok(b"null".to_vec());
    };
    if !schema.is_object() || !schema.get("type").is_none_or(|kind| kind == "object") {
        return Err(ToolError::InvalidSchema { field });
    }
    let canonical = canonical(field, schema)?;
    if canonical.len() > MAX_SCHEMA_BYTES {
        return Err(ToolError::SchemaTooLarge {
            field,
            found: canonical.len(),
        });
    }
    if !texts_are_clean(schema) {
        return Err(ToolError::HiddenCharacters { field });
    }
    Ok(canonical)
}

fn canonical<T: Serialize>(field: &'static str, value: &T) -> Result<Vec<u8>, ToolError> {
    serde_json_canonicalizer::to_vec(value).map_err(|_| ToolError::InvalidSchema { field })
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hash_is_that_of_the_whole_in_canonical_form() {
        let definition = ToolDefinition {
            description: "Adds \"two\" numbers é".into(),
            input_schema: Some(
                json!({"type": "object", "properties": {"b": {"maximum": 1e3}, "a": {}}}),
            ),
            output_schema: None,
        };
        let whole = json!({
            "name": "add",
            "description": definition.description,
            "input_schema": definition.input_schema,
            "output_schema": null,
        });
        let canonical = serde_json_canonicalizer::to_vec(&whole).unwrap();
        let expected = hex::encode(Sha256::digest(canonical));
        assert_eq!(definition.checked_hash("add").unwrap(), expected);
    }
}
