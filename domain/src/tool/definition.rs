//! What a model reads of a tool, and the hash that identifies it.

use super::ToolError;
use crate::canonical::{self, Fault, MAX_PART_DEPTH};
use crate::run::run;
use crate::schema::{self, SchemaFault};
use crate::text::is_clean;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 4_000;
/// Largest schema, in bytes of canonical JSON.
pub const MAX_SCHEMA_BYTES: usize = 65_536;
/// Largest annotations, in bytes of canonical JSON.
pub(super) const MAX_ANNOTATIONS_BYTES: usize = 4_096;

/// Largest definition, in bytes of the canonical JSON that is hashed. Each part may be as large as its own limit,
/// all of them at once may not: a model reads the whole.
pub const MAX_DEFINITION_BYTES: usize = 128 * 1024;

/// A tool's definition (MCP specification 2025-11-25, "Tools", data type `Tool`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// What the tool does.
    pub description: String,
    /// JSON Schema of the arguments, an object; null when the source gave none.
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result, an object, when the tool declares one.
    pub output_schema: Option<Value>,
    /// Hints about its behaviour, an object (same source, "ToolAnnotations"), when the tool gives any.
    pub annotations: Option<Value>,
}

impl ToolDefinition {
    /// Checks the definition and answers its identity: hex SHA-256 over the canonical JSON (RFC 8785) of
    /// `{annotations, description, input_schema, name, output_schema}`, which a pin or an approval refers
    /// to. A definition without annotations is hashed without that member.
    ///
    /// # Errors
    /// [`ToolError`] for a text or a schema that breaks a rule.
    pub fn checked_hash(&self, name: &str) -> Result<String, ToolError> {
        self.check_description()?;
        let input = canonical_schema("input_schema", self.input_schema.as_ref())?;
        let output = canonical_schema("output_schema", self.output_schema.as_ref())?;
        // The canonical form of an object is made of those of its members, sorted by name: each schema,
        // the largest part by far, is written once for its check and for the hash.
        let mut whole = Whole::default();
        whole.add(b"{");
        if let Some(annotations) = &self.annotations {
            whole.add(b"\"annotations\":");
            whole.add(&canonical_annotations(annotations)?);
            whole.add(b",");
        }
        whole.add(b"\"description\":");
        whole.add(&canonical_text("description", &self.description)?);
        whole.add(b",\"input_schema\":");
        whole.add(&input);
        whole.add(b",\"name\":");
        whole.add(&canonical_text("name", name)?);
        whole.add(b",\"output_schema\":");
        whole.add(&output);
        whole.add(b"}");
        if whole.bytes > MAX_DEFINITION_BYTES {
            return Err(ToolError::DefinitionTooLarge { found: whole.bytes });
        }
        Ok(hex::encode(whole.hash.finalize()))
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

/// A canonical form on its way into the hash.
#[derive(Default)]
struct Whole {
    hash: Sha256,
    bytes: usize,
}

impl Whole {
    fn add(&mut self, part: &[u8]) {
        self.hash.update(part);
        self.bytes += part.len();
    }
}

/// The hints that the specification names, all of them booleans. Others are kept as they are.
const HINTS: [&str; 4] = [
    "readOnlyHint",
    "destructiveHint",
    "idempotentHint",
    "openWorldHint",
];

/// The canonical form of sound annotations.
fn canonical_annotations(annotations: &Value) -> Result<Vec<u8>, ToolError> {
    let Value::Object(members) = annotations else {
        return Err(ToolError::InvalidAnnotations);
    };
    let sound = HINTS
        .iter()
        .filter_map(|hint| members.get(*hint))
        .all(Value::is_boolean);
    if !sound || !members.get("title").is_none_or(Value::is_string) {
        return Err(ToolError::InvalidAnnotations);
    }
    let written = canonical("annotations", annotations, ToolError::AnnotationsTooDeep)?;
    let found = written.len();
    if found > MAX_ANNOTATIONS_BYTES {
        return Err(ToolError::AnnotationsTooLarge { found });
    }
    if texts_are_clean(annotations) {
        Ok(written)
    } else {
        Err(ToolError::HiddenCharacters {
            field: "annotations",
        })
    }
}

/// The canonical form of a sound schema; `null` where there is none.
fn canonical_schema(field: &'static str, schema: Option<&Value>) -> Result<Vec<u8>, ToolError> {
    let Some(schema) = schema else {
        return Ok(b"null".to_vec());
    };
    if !schema.is_object() || !schema.get("type").is_none_or(|kind| kind == "object") {
        return Err(ToolError::InvalidSchema {
            field,
            path: String::new(),
            reason: "give an object with \"type\": \"object\"".to_owned(),
        });
    }
    let written = canonical(field, schema, ToolError::SchemaTooDeep { field })?;
    if written.len() > MAX_SCHEMA_BYTES {
        return Err(ToolError::SchemaTooLarge {
            field,
            found: written.len(),
        });
    }
    if !is_plain_json(&written) && !texts_are_clean(schema) {
        return Err(ToolError::HiddenCharacters { field });
    }
    // Last, so that no hostile size or text reaches it.
    check_schema(field, schema)?;
    Ok(written)
}

/// The canonical form of a text, which nests nothing.
fn canonical_text(field: &'static str, text: &str) -> Result<Vec<u8>, ToolError> {
    canonical(field, text, ToolError::SchemaTooDeep { field })
}

fn canonical<T: Serialize + ?Sized>(
    field: &'static str,
    value: &T,
    too_deep: ToolError,
) -> Result<Vec<u8>, ToolError> {
    canonical::to_vec_within(value, MAX_PART_DEPTH).map_err(|fault| match fault {
        Fault::TooDeep => too_deep,
        Fault::NoForm(error) => ToolError::InvalidSchema {
            field,
            path: String::new(),
            reason: error.to_string(),
        },
    })
}

fn check_schema(field: &'static str, schema: &Value) -> Result<(), ToolError> {
    match schema::check(schema) {
        Ok(_) => Ok(()),
        Err(SchemaFault::Invalid { path, reason }) => Err(ToolError::InvalidSchema {
            field,
            path,
            reason,
        }),
        Err(SchemaFault::RemoteReference { reference }) => {
            Err(ToolError::RemoteReference { field, reference })
        }
    }
}

/// Whether JSON, as it is written, is of printable ASCII and the usual escapes: then no text in it hides
/// anything, and need not be read character by character.
fn is_plain_json(written: &[u8]) -> bool {
    let is_plain = |byte| matches!(byte, b' '..=b'~') && byte != b'\\';
    let mut rest = written;
    loop {
        rest = match &rest[run(rest, is_plain)..] {
            [] => return true,
            [b'\\', b'"' | b'\\' | b'n' | b't', behind @ ..] => behind,
            _ => return false,
        };
    }
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
            annotations: Some(json!({"readOnlyHint": true, "title": "Add"})),
        };
        let whole = json!({
            "annotations": definition.annotations,
            "name": "add",
            "description": definition.description,
            "input_schema": definition.input_schema,
            "output_schema": null,
        });
        let canonical = serde_json_canonicalizer::to_vec(&whole).unwrap();
        let expected = hex::encode(Sha256::digest(canonical));
        assert_eq!(definition.checked_hash("add").unwrap(), expected);
    }

    #[test]
    fn without_annotations_the_hash_is_that_of_the_rest() {
        let definition = ToolDefinition {
            description: "Adds".into(),
            input_schema: None,
            output_schema: None,
            annotations: None,
        };
        let whole =
            br#"{"description":"Adds","input_schema":null,"name":"add","output_schema":null}"#;
        let expected = hex::encode(Sha256::digest(whole));
        assert_eq!(definition.checked_hash("add").unwrap(), expected);
    }

    #[test]
    fn only_what_hides_nothing_is_plain() {
        for plain in ["a\"b", "\\", "\n\t", "\\u0007"] {
            let schema = json!({ "type": "object", "title": plain });
            assert!(
                is_plain_json(&canonical::to_vec(&schema).unwrap()),
                "{plain:?}"
            );
        }
        for other in ["\u{7}", "\u{8}", "\r", "\u{7f}", "\u{202e}", "\\\u{7}"] {
            for schema in [json!({ "title": other }), json!({ other: 1 })] {
                assert!(
                    !is_plain_json(&canonical::to_vec(&schema).unwrap()),
                    "{other:?}"
                );
                assert!(
                    canonical_schema("input_schema", Some(&schema)).is_err(),
                    "{other:?}"
                );
            }
        }
    }

    #[test]
    fn rejects_a_definition_that_is_too_large_as_a_whole() {
        let schema = |bytes: usize| {
            let empty = json!({"type": "object", "title": ""}).to_string().len();
            Some(json!({"type": "object", "title": "x".repeat(bytes - empty)}))
        };
        let with = |output| ToolDefinition {
            description: "Adds".into(),
            input_schema: schema(MAX_SCHEMA_BYTES),
            output_schema: schema(output),
            annotations: None,
        };
        let around = json!({"description": "Adds", "input_schema": null, "name": "add", "output_schema": null});
        let around = around.to_string().len() - "nullnull".len();
        let rest = MAX_DEFINITION_BYTES - MAX_SCHEMA_BYTES - around;
        assert!(with(rest).checked_hash("add").is_ok());
        assert_eq!(
            with(rest + 1).checked_hash("add"),
            Err(ToolError::DefinitionTooLarge {
                found: MAX_DEFINITION_BYTES + 1
            })
        );
    }

    #[test]
    fn rejects_parts_that_nest_too_deep() {
        let schema = |levels: usize| {
            let flat = json!({"type": "object"});
            // Two levels each: the schema and its `properties`.
            let nested = |inner, _| json!({"type": "object", "properties": {"a": inner}});
            (0..levels).fold(flat, nested)
        };
        let arrays = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let with = |input: Value, annotation: Value| ToolDefinition {
            description: "Adds".into(),
            input_schema: Some(input),
            output_schema: None,
            annotations: Some(json!({ "x": annotation })),
        };
        assert!(with(schema(31), arrays(63)).checked_hash("add").is_ok());
        let field = "input_schema";
        for (definition, refusal) in [
            (
                with(schema(32), json!(1)),
                ToolError::SchemaTooDeep { field },
            ),
            (with(schema(0), arrays(64)), ToolError::AnnotationsTooDeep),
        ] {
            assert_eq!(definition.checked_hash("add"), Err(refusal));
        }
    }

    #[test]
    fn rejects_annotations_of_another_shape() {
        let with = |annotations| ToolDefinition {
            description: "Adds".into(),
            input_schema: None,
            output_schema: None,
            annotations: Some(annotations),
        };
        for wrong in [
            json!([]),
            json!({"readOnlyHint": "yes"}),
            json!({"title": 1}),
        ] {
            let refused = with(wrong.clone()).checked_hash("add");
            assert_eq!(refused, Err(ToolError::InvalidAnnotations), "{wrong}");
        }
        let hidden = with(json!({"title": "a\u{202e}b"})).checked_hash("add");
        assert!(matches!(hidden, Err(ToolError::HiddenCharacters { .. })));
        let large = with(json!({"x": "y".repeat(MAX_ANNOTATIONS_BYTES)})).checked_hash("add");
        assert!(matches!(large, Err(ToolError::AnnotationsTooLarge { .. })));
    }
}
