//! The drafts of JSON Schema, and their documents in the words of 2020-12.

use super::keywords::{Position, position};
use jsonschema::meta::MetaValidator;
use serde_json::{Map, Value};

/// A draft of JSON Schema; the order is that of their years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// Draft 4.
    Draft4,
    /// Draft 6.
    Draft6,
    /// Draft 7.
    Draft7,
    /// 2019-09.
    Draft201909,
    /// 2020-12.
    Draft202012,
}

/// Keywords that came with a draft; before, they asserted nothing.
const NEWER: [(Dialect, &[&str]); 4] = [
    (
        Dialect::Draft6,
        &["const", "contains", "propertyNames", "examples"],
    ),
    (Dialect::Draft7, &["if", "then", "else", "$comment"]),
    (
        Dialect::Draft201909,
        &[
            "$recursiveRef",
            "dependentRequired",
            "dependentSchemas",
            "maxContains",
            "minContains",
            "unevaluatedItems",
            "unevaluatedProperties",
        ],
    ),
    (Dialect::Draft202012, &["$dynamicRef", "prefixItems"]),
];

impl Dialect {
    /// The draft that `$schema` names, with or without the empty fragment, by either scheme.
    pub(super) fn named(uri: &str) -> Option<Self> {
        let name = uri.trim_end_matches('#');
        let name = name.strip_prefix("http")?;
        let name = name.strip_prefix('s').unwrap_or(name);
        match name.strip_prefix("://json-schema.org/")? {
            "draft-04/schema" => Some(Self::Draft4),
            "draft-06/schema" => Some(Self::Draft6),
            "draft-07/schema" => Some(Self::Draft7),
            "draft/2019-09/schema" => Some(Self::Draft201909),
            "draft/2020-12/schema" | "schema" => Some(Self::Draft202012),
            _ => None,
        }
    }

    /// The validator of its schemas, which the library compiles once in a process.
    pub(super) fn validator(self) -> MetaValidator<'static> {
        match self {
            Self::Draft4 => jsonschema::draft4::meta::validator(),
            Self::Draft6 => jsonschema::draft6::meta::validator(),
            Self::Draft7 => jsonschema::draft7::meta::validator(),
            Self::Draft201909 => jsonschema::draft201909::meta::validator(),
            Self::Draft202012 => jsonschema::draft202012::meta::validator(),
        }
    }

    /// The same schema in the words of 2020-12. Keywords that the draft does not know are left out,
    /// because they assert nothing in it.
    #[must_use]
    pub(crate) fn modern(self, schema: &Value) -> Value {
        let Value::Object(members) = schema else {
            return schema.clone();
        };
        if self == Self::Draft202012 {
            return schema.clone();
        }
        let mut modern = Map::new();
        let only_reference = self <= Self::Draft7 && members.contains_key("$ref");
        for (keyword, value) in members {
            let definitions = matches!(keyword.as_str(), "$ref" | "$defs" | "definitions");
            if self.knows(keyword) && (definitions || !only_reference) {
                modern.insert(keyword.clone(), self.modern_value(keyword, value));
            }
        }
        rename_tuple(&mut modern);
        split_dependencies(&mut modern);
        if self == Self::Draft4 {
            if let Some(id) = modern.remove("id") {
                modern.insert("$id".to_owned(), id);
            }
            raise_bound(&mut modern, "minimum", "exclusiveMinimum");
            raise_bound(&mut modern, "maximum", "exclusiveMaximum");
        }
        Value::Object(modern)
    }

    /// Whether the keyword was there already.
    pub(super) fn knows(self, keyword: &str) -> bool {
        let unknown =
            |(since, keywords): &(Self, &[&str])| self < *since && keywords.contains(&keyword);
        !NEWER.iter().any(unknown)
    }

    fn modern_value(self, keyword: &str, value: &Value) -> Value {
        match (position(keyword, value), value) {
            (Some(Position::One), schema) => self.modern(schema),
            (Some(Position::List), Value::Array(schemas)) => {
                schemas.iter().map(|schema| self.modern(schema)).collect()
            }
            (Some(Position::Named), Value::Object(schemas)) => {
                let modern =
                    |(name, schema): (&String, &Value)| (name.clone(), self.modern(schema));
                Value::Object(schemas.iter().map(modern).collect())
            }
            _ => value.clone(),
        }
    }
}

/// Before 2020-12, a list in `items` was a tuple, and `additionalItems` spoke of the rest.
fn rename_tuple(schema: &mut Map<String, Value>) {
    let rest = schema.remove("additionalItems");
    if schema.get("items").is_some_and(Value::is_array) {
        if let Some(tuple) = schema.remove("items") {
            schema.insert("prefixItems".to_owned(), tuple);
        }
        if let Some(rest) = rest {
            schema.insert("items".to_owned(), rest);
        }
    }
}

/// `dependencies` became two keywords in 2019-09.
fn split_dependencies(schema: &mut Map<String, Value>) {
    let Some(Value::Object(all)) = schema.remove("dependencies") else {
        return;
    };
    let (names, schemas): (Map<_, _>, Map<_, _>) =
        all.into_iter().partition(|(_, value)| value.is_array());
    for (keyword, part) in [("dependentRequired", names), ("dependentSchemas", schemas)] {
        if !part.is_empty() && !schema.contains_key(keyword) {
            schema.insert(keyword.to_owned(), Value::Object(part));
        }
    }
}

/// In draft 4 the exclusive bound was a mark on the other one.
fn raise_bound(schema: &mut Map<String, Value>, bound: &str, exclusive: &str) {
    if schema.remove(exclusive) == Some(Value::Bool(true))
        && let Some(value) = schema.remove(bound)
    {
        schema.insert(exclusive.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn older_drafts_are_said_in_the_words_of_2020_12() {
        let cases = [
            (
                Dialect::Draft7,
                json!({ "items": [{ "$ref": "#", "type": "null" }], "additionalItems": false }),
                json!({ "prefixItems": [{ "$ref": "#" }], "items": false }),
            ),
            (
                Dialect::Draft7,
                json!({ "dependencies": { "a": ["b"], "c": { "required": ["d"] } }, "prefixItems": [] }),
                json!({ "dependentRequired": { "a": ["b"] }, "dependentSchemas": { "c": { "required": ["d"] } } }),
            ),
            (
                Dialect::Draft4,
                json!({ "minimum": 1, "exclusiveMinimum": true, "maximum": 2, "exclusiveMaximum": false, "const": 1 }),
                json!({ "exclusiveMinimum": 1, "maximum": 2 }),
            ),
            (
                Dialect::Draft201909,
                json!({ "properties": { "prefixItems": { "$ref": "#", "type": "null" } } }),
                json!({ "properties": { "prefixItems": { "$ref": "#", "type": "null" } } }),
            ),
        ];
        for (dialect, schema, expected) in cases {
            assert_eq!(dialect.modern(&schema), expected);
        }
    }
}
