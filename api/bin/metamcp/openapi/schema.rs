//! One schema of a document as JSON Schema 2020-12 that stands on its own.
//!
//! A reference is replaced by what it names. One that leads back to itself is kept, as `#/$defs/…` of the root, so
//! the schema stays finite; and when replacing makes a schema too large, all references are kept so.

use super::document::{Dialect, Document, member, reference};
use crate::plan::Problem;
use domain::tool::MAX_SCHEMA_BYTES;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of one schema; with more, it cannot be within [`MAX_SCHEMA_BYTES`].
const MAX_NODES: usize = MAX_SCHEMA_BYTES;
/// Deepest nesting, references included.
const MAX_DEPTH: usize = 100;
/// Keywords whose value is a schema, a list of schemas, a map of schemas.
const ONE: [&str; 12] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "additionalItems",
];
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const MAP: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];
/// What only says something to readers of OpenAPI, or moves what references mean.
const DROPPED: [&str; 10] = [
    "discriminator",
    "xml",
    "externalDocs",
    "nullable",
    "example",
    "$defs",
    "$id",
    "$schema",
    "$anchor",
    "$comment",
];
/// Keywords that say something and demand nothing: beside a reference, they take precedence.
const SAYING: [&str; 7] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// Which way the values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Arguments: without what only the server says.
    Input,
    /// Results: without what only the client says.
    Output,
}

/// Translates the parts of one schema.
pub(super) struct Translator<'a> {
    pub(super) document: &'a Document,
    direction: Direction,
    /// Whether references are replaced by what they name.
    inline: bool,
    nodes: usize,
    /// Kept targets by pointer, with their names below `$defs`.
    names: BTreeMap<String, String>,
    waiting: Vec<String>,
}

/// Builds a whole schema, first without references and, when that is too large, with them.
pub(super) fn whole(
    document: &Document,
    direction: Direction,
    place: &str,
    build: impl Fn(&mut Translator) -> Result<Value, Problem>,
) -> Result<Value, Problem> {
    let mut refused = None;
    for inline in [true, false] {
        let mut translator = Translator::new(document, direction, inline);
        let built = build(&mut translator).and_then(|root| translator.finish(root));
        match built {
            Ok(schema) if schema.to_string().len() <= MAX_SCHEMA_BYTES => return Ok(schema),
            Ok(_) => refused = Some(too_large(place)),
            Err(problem) if problem.code == "SCHEMA_TOO_LARGE" => refused = Some(problem),
            Err(problem) => return Err(problem),
        }
    }
    Err(refused.unwrap_or_else(|| too_large(place)))
}

fn too_large(place: &str) -> Problem {
    let message = format!(
        "the schema has more than {MAX_SCHEMA_BYTES} bytes, even with its references kept: make it smaller, or leave the operation out"
    );
    Problem::new(place, "SCHEMA_TOO_LARGE", message)
}

impl<'a> Translator<'a> {
    fn new(document: &'a Document, direction: Direction, inline: bool) -> Self {
        Self {
            document,
            direction,
            inline,
            nodes: 0,
            names: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// A schema of the document.
    pub(super) fn schema(&mut self, schema: &Value, place: &str) -> Result<Value, Problem> {
        self.nested(schema, place, 0)
    }

    /// The same, and where it is nothing but a reference, what that names: a root whose members are needed.
    pub(super) fn root(&mut self, schema: &Value, place: &str) -> Result<Value, Problem> {
        let alone = schema.as_object().is_some_and(|members| members.len() == 1);
        if alone || self.document.dialect == Dialect::V30 {
            let (schema, place) = self.document.follow(schema, place)?;
            return self.nested(schema, &place, 0);
        }
        self.nested(schema, place, 0)
    }

    /// Adds the kept targets to the root.
    fn finish(&mut self, mut root: Value) -> Result<Value, Problem> {
        let mut definitions = Map::new();
        while let Some(pointer) = self.waiting.pop() {
            let Some(target) = self.document.root.pointer(&pointer) else {
                continue;
            };
            let name = self.names[&pointer].clone();
            let translated = self.nested(target, &pointer, 0)?;
            definitions.insert(name, translated);
        }
        if let (false, Value::Object(members)) = (definitions.is_empty(), &mut root) {
            members.insert("$defs".to_owned(), Value::Object(definitions));
        }
        Ok(root)
    }

    fn nested(&mut self, schema: &Value, place: &str, depth: usize) -> Result<Value, Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_large(place));
        }
        if depth > MAX_DEPTH {
            let message = format!("the schema is nested deeper than {MAX_DEPTH} levels");
            return Err(Problem::new(place, "SCHEMA_TOO_DEEP", message));
        }
        let members = match schema {
            Value::Bool(_) => return Ok(schema.clone()),
            Value::Object(members) => members,
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let message = "a schema must be an object";
                return Err(Problem::new(place, "INVALID_SCHEMA", message));
            }
        };
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if members.contains_key(keyword) {
                let message = format!("`{keyword}` cannot be resolved here: use `$ref`");
                return Err(Problem::new(place, "UNSUPPORTED_REF", message));
            }
        }
        let Some(reference) = reference(schema) else {
            return self.members(members, place, depth);
        };
        let target = self.target(reference, place, depth)?;
        let mut beside = members.clone();
        beside.remove("$ref");
        // In 3.0, what stands beside a reference is ignored (OpenAPI 3.0.3, "Reference Object").
        if self.document.dialect == Dialect::V30 || beside.is_empty() {
            return Ok(target);
        }
        let Value::Object(beside) = self.members(&beside, place, depth)? else {
            return Ok(target);
        };
        Ok(beside_reference(target, beside))
    }

    fn target(&mut self, reference: &str, place: &str, depth: usize) -> Result<Value, Problem> {
        let (target, pointer) = self.document.resolve(reference, place)?;
        if self.inline && !self.document.is_recursive(&pointer) {
            return self.nested(target, &pointer, depth + 1);
        }
        let name = self.kept(&pointer);
        Ok(json!({ "$ref": format!("#/$defs/{name}") }))
    }

    /// The name below `$defs` of a target that is kept.
    fn kept(&mut self, pointer: &str) -> String {
        if let Some(name) = self.names.get(pointer) {
            return name.clone();
        }
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let base: String = last.chars().filter(|c| sound(*c)).collect();
        let base = if base.is_empty() {
            "schema".to_owned()
        } else {
            base
        };
        let taken: BTreeSet<&String> = self.names.values().collect();
        let numbered = (2_usize..).map(|n| format!("{base}_{n}"));
        let mut candidates = std::iter::once(base.clone()).chain(numbered);
        let name = candidates.find(|name| !taken.contains(name));
        let name = name.unwrap_or(base);
        self.names.insert(pointer.to_owned(), name.clone());
        self.waiting.push(pointer.to_owned());
        name
    }

    fn members(
        &mut self,
        members: &Map<String, Value>,
        place: &str,
        depth: usize,
    ) -> Result<Value, Problem> {
        let mut translated = Map::new();
        for (keyword, value) in members {
            if DROPPED.contains(&keyword.as_str()) || keyword.starts_with("x-") {
                continue;
            }
            let at = member(place, keyword);
            let value = match value {
                value if ONE.contains(&keyword.as_str()) => self.nested(value, &at, depth + 1)?,
                Value::Array(items) if LIST.contains(&keyword.as_str()) => {
                    let items = items.iter().enumerate();
                    let items = items.map(|(index, item)| {
                        self.nested(item, &member(&at, &index.to_string()), depth + 1)
                    });
                    Value::Array(items.collect::<Result<_, _>>()?)
                }
                Value::Object(items) if MAP.contains(&keyword.as_str()) => {
                    let items = items.iter().map(|(name, item)| {
                        let item = self.nested(item, &member(&at, name), depth + 1)?;
                        Ok((name.clone(), item))
                    });
                    Value::Object(items.collect::<Result<_, Problem>>()?)
                }
                value => value.clone(),
            };
            translated.insert(keyword.clone(), value);
        }
        if self.document.dialect == Dialect::V30 {
            from_3_0(members, &mut translated);
        }
        if let Some(example) = members.get("example") {
            translated.insert("examples".to_owned(), json!([example]));
        }
        self.drop_other_direction(&mut translated);
        Ok(Value::Object(translated))
    }

    /// Arguments have no `readOnly` members, results no `writeOnly` ones.
    fn drop_other_direction(&self, schema: &mut Map<String, Value>) {
        let other = match self.direction {
            Direction::Input => "readOnly",
            Direction::Output => "writeOnly",
        };
        let Some(Value::Object(properties)) = schema.get_mut("properties") else {
            return;
        };
        let is_other = |schema: &Value| schema.get(other) == Some(&Value::Bool(true));
        let dropped = properties.iter().filter(|(_, schema)| is_other(schema));
        let dropped: BTreeSet<String> = dropped.map(|(name, _)| name.clone()).collect();
        properties.retain(|name, _| !dropped.contains(name));
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|name| !name.as_str().is_some_and(|name| dropped.contains(name)));
        }
    }
}

/// What stands beside a reference applies as well (JSON Schema 2020-12, section 8.2.3.1).
fn beside_reference(target: Value, beside: Map<String, Value>) -> Value {
    let only_says = beside.keys().all(|key| SAYING.contains(&key.as_str()));
    match target {
        Value::Object(mut members) if only_says => {
            members.extend(beside);
            Value::Object(members)
        }
        target => {
            let mut both = beside;
            let mut all = vec![target];
            if let Some(Value::Array(more)) = both.remove("allOf") {
                all.extend(more);
            }
            both.insert("allOf".to_owned(), Value::Array(all));
            Value::Object(both)
        }
    }
}

/// Keywords of OpenAPI 3.0 that JSON Schema says otherwise.
fn from_3_0(original: &Map<String, Value>, schema: &mut Map<String, Value>) {
    // Without `type`, `nullable` says nothing (OpenAPI 3.0.3, "Schema Object", fixed fields).
    if let (Some(Value::Bool(true)), Some(Value::String(kind))) =
        (original.get("nullable"), original.get("type"))
    {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
    for (exclusive, bound) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        let Some(Value::Bool(is_exclusive)) = original.get(exclusive) else {
            continue;
        };
        schema.remove(exclusive);
        if let (true, Some(limit)) = (*is_exclusive, schema.remove(bound)) {
            schema.insert(exclusive.to_owned(), limit);
        } else if let Some(limit) = original.get(bound) {
            schema.insert(bound.to_owned(), limit.clone());
        }
    }
}
