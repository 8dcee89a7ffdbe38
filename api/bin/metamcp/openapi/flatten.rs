//! Objects that are given in parts: `allOf` as one object, where that means the same.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Keywords of a plain object: members, and what is said of it.
const PLAIN: [&str; 9] = [
    "type",
    "properties",
    "required",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
    "additionalProperties",
];

/// True for an object whose members are all that it demands.
pub(super) fn is_plain_object(schema: &Value) -> bool {
    let Value::Object(members) = schema else {
        return false;
    };
    let is_object = match members.get("type") {
        Some(kind) => kind == "object",
        None => members.contains_key("properties"),
    };
    is_object && members.keys().all(|key| PLAIN.contains(&key.as_str()))
}

/// The schema with the parts of its `allOf` made one, or as it is when a part is more than plain members, closes
/// the object to those of the others, or gives a member another meaning.
pub(super) fn flattened(schema: Value) -> Value {
    merged(&schema).unwrap_or(schema)
}

fn merged(schema: &Value) -> Option<Value> {
    let Value::Object(members) = schema else {
        return None;
    };
    let Some(Value::Array(parts)) = members.get("allOf") else {
        return is_plain_object(schema).then(|| schema.clone());
    };
    let mut own = members.clone();
    own.remove("allOf");
    let mut whole = Map::new();
    let (mut properties, mut required) = (Map::new(), BTreeSet::new());
    let own = (!own.is_empty()).then_some(Value::Object(own));
    for part in parts.iter().chain(own.as_ref()) {
        // What the whole says of itself may come without a type.
        let saying = own.as_ref() == Some(part) && part.get("properties").is_none();
        let part = match saying {
            true if all_plain(part) => part.clone(),
            true => return None,
            false => merged(part)?,
        };
        let Value::Object(part) = part else {
            return None;
        };
        if part.contains_key("additionalProperties") {
            return None;
        }
        for (keyword, value) in part {
            match (keyword.as_str(), value) {
                ("properties", Value::Object(more)) => {
                    for (name, schema) in more {
                        if properties.get(&name).is_some_and(|there| *there != schema) {
                            return None;
                        }
                        properties.insert(name, schema);
                    }
                }
                ("required", Value::Array(names)) => {
                    required.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                (_, value) => drop(whole.insert(keyword, value)),
            }
        }
    }
    whole.insert("type".to_owned(), json!("object"));
    whole.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        whole.insert("required".to_owned(), json!(required));
    }
    Some(Value::Object(whole))
}

fn all_plain(schema: &Value) -> bool {
    let members = schema.as_object();
    members.is_some_and(|members| members.keys().all(|key| PLAIN.contains(&key.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(properties: &Value, required: &[&str]) -> Value {
        json!({ "type": "object", "properties": properties, "required": required })
    }

    #[test]
    fn parts_of_plain_members_become_one() {
        let schema = json!({
            "description": "Both",
            "allOf": [
                object(&json!({ "a": { "type": "string" } }), &["a"]),
                { "allOf": [object(&json!({ "b": true }), &[])] },
            ],
            "required": ["b"],
        });
        let expected = json!({
            "description": "Both", "type": "object",
            "properties": { "a": { "type": "string" }, "b": true }, "required": ["a", "b"],
        });
        assert_eq!(flattened(schema), expected);
    }

    #[test]
    fn parts_that_mean_more_stay_parts() {
        for part in [
            json!({ "$ref": "#/$defs/Node" }),
            json!({ "oneOf": [{}] }),
            json!({ "type": "object", "properties": { "a": { "type": "integer" } } }),
            json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        ] {
            let schema =
                json!({ "allOf": [object(&json!({ "a": { "type": "string" } }), &[]), part] });
            assert_eq!(flattened(schema.clone()), schema);
        }
    }
}
