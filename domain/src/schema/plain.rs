//! Schemas that say only the usual things, told to be sound in one walk. Nearly every tool's schema is one, and
//! the walk costs a small part of what a validation by the draft's own document does.

use serde_json::Value;
use std::collections::BTreeSet;

const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// True only for a schema of 2020-12 that the draft's document accepts and that refers to nothing. What is not
/// plain may be sound all the same: the document says.
pub(super) fn is_plain(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members
            .iter()
            .all(|(keyword, value)| is_plain_keyword(keyword, value)),
        Value::Bool(_) => true,
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

fn is_plain_keyword(keyword: &str, value: &Value) -> bool {
    match keyword {
        "type" => is_type(value),
        "title" | "description" | "format" | "$comment" => value.is_string(),
        "properties" => value
            .as_object()
            .is_some_and(|properties| properties.values().all(is_plain)),
        "items" | "additionalProperties" | "not" => is_plain(value),
        "anyOf" | "allOf" | "oneOf" => value
            .as_array()
            .is_some_and(|schemas| !schemas.is_empty() && schemas.iter().all(is_plain)),
        "required" => value.as_array().is_some_and(|names| {
            let different: BTreeSet<_> = names.iter().filter_map(Value::as_str).collect();
            different.len() == names.len()
        }),
        "enum" | "examples" => value.is_array(),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            value.is_u64()
        }
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => value.is_boolean(),
        // The last one is OpenAPI's, of which the draft knows nothing.
        "const" | "default" | "nullable" => true,
        _ => false,
    }
}

fn is_type(value: &Value) -> bool {
    let known = |name: &&str| TYPES.contains(name);
    match value {
        Value::String(name) => known(&name.as_str()),
        Value::Array(names) => {
            let different: BTreeSet<_> = names.iter().filter_map(Value::as_str).collect();
            !names.is_empty() && different.len() == names.len() && different.iter().all(known)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Dialect;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Map, json};

    const KEYWORDS: &[&str] = &[
        "type",
        "title",
        "description",
        "format",
        "$comment",
        "properties",
        "items",
        "not",
        "anyOf",
        "additionalProperties",
        "allOf",
        "oneOf",
        "required",
        "enum",
        "examples",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "uniqueItems",
        "deprecated",
        "readOnly",
        "writeOnly",
        "const",
        "default",
        "nullable",
        "$ref",
        "$defs",
        "pattern",
        "multipleOf",
        "x-other",
    ];

    fn schemas() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!([])),
            any::<bool>().prop_map(Value::from),
            (-2i64..3).prop_map(Value::from),
            (-2.0..2.0).prop_map(Value::from),
            select(["string", "object", "text", "#"].to_vec()).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let members = proptest::collection::vec((select(KEYWORDS), inner.clone()), 0..4);
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|members| {
                    let members = members
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value));
                    Value::Object(Map::from_iter(members))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_plain_is_a_schema_by_the_drafts_document(schema in schemas()) {
            if is_plain(&schema) {
                let verdict = Dialect::Draft202012.validator().validate(&schema);
                prop_assert!(verdict.is_ok(), "{}: {:?}", schema, verdict);
            }
        }
    }

    #[test]
    fn a_usual_schema_is_plain_and_what_refers_or_errs_is_not() {
        let usual = json!({
            "type": "object",
            "properties": {
                "path": { "type": ["string", "null"], "description": "Where", "minLength": 1 },
                "kinds": { "type": "array", "items": { "enum": ["a", "b"] }, "default": [] }
            },
            "required": ["path", "kinds"],
            "additionalProperties": false
        });
        assert!(is_plain(&usual));
        for other in [
            json!({ "$ref": "#" }),
            json!({ "type": "text" }),
            json!({ "type": [] }),
            json!({ "required": ["a", "a"] }),
            json!({ "required": [1] }),
            json!({ "properties": { "a": { "items": [true] } } }),
            json!({ "minLength": -1 }),
            json!({ "anyOf": [] }),
        ] {
            assert!(!is_plain(&other), "{other}");
        }
    }
}
