//! Where a keyword of JSON Schema holds further schemas, and which keywords assert nothing.

use serde_json::{Map, Value};

/// What stands under a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// One schema.
    One,
    /// A list of schemas.
    List,
    /// Schemas by name.
    Named,
}

/// What stands under `keyword`, when schemas do (2020-12, and what older drafts call differently).
pub(crate) fn position(keyword: &str, value: &Value) -> Option<Position> {
    match keyword {
        "items" if value.is_array() => Some(Position::List),
        "additionalItems"
        | "additionalProperties"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "items"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Some(Position::One),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Some(Position::List),
        "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties"
        | "properties" => Some(Position::Named),
        _ => None,
    }
}

/// Whether nothing depends on the keyword: texts for people, examples, and the names of the dialect.
pub(crate) fn is_cosmetic(keyword: &str) -> bool {
    matches!(
        keyword,
        "$comment" | "$schema" | "description" | "examples" | "title"
    )
}

/// Calls `see` for each schema directly below this one.
pub(crate) fn each_below<'a>(schema: &'a Map<String, Value>, see: &mut impl FnMut(&'a Value)) {
    each_under(schema, &mut |_, below| see(below));
}

/// The same, with the keyword under which it stands.
pub(super) fn each_under<'a>(
    schema: &'a Map<String, Value>,
    see: &mut impl FnMut(&'a str, &'a Value),
) {
    for (keyword, value) in schema {
        let mut see = |below| see(keyword, below);
        match (position(keyword, value), value) {
            (Some(Position::One), below) => see(below),
            (Some(Position::List), Value::Array(schemas)) => schemas.iter().for_each(see),
            (Some(Position::Named), Value::Object(schemas)) => schemas.values().for_each(see),
            _ => {}
        }
    }
}
