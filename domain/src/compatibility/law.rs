//! The promise, held against random schemas and instances: a schema is grown from a tape of bytes, the new one
//! is the old one with some edits, and the library `jsonschema` judges instances by both. Shorter tapes make
//! smaller cases, so a failure shrinks.

use super::walk::Direction;
use super::{ChangeKind, Reason, schemas};
use crate::schema::check;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const NAMES: [&str; 4] = ["a", "b", "c", "n"];

/// A source of choices.
struct Tape<'t>(std::slice::Iter<'t, u8>);

impl Tape<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % limit)
    }

    fn odds(&mut self, of_8: usize) -> bool {
        self.below(8) >= 8 - of_8
    }

    fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.below(from.len())]
    }
}

/// A schema. A reference stands only below a part of the instance, so that following it comes to an end.
fn schema(tape: &mut Tape<'_>, depth: usize, is_part: bool) -> Value {
    let mut schema = Map::new();
    let kinds = if depth == 0 { 6 } else { 13 };
    match tape.below(kinds) {
        0 => string(tape, &mut schema),
        1 => number(tape, &mut schema),
        2 => drop(schema.insert("enum".into(), values(tape))),
        3 => drop(schema.insert("type".into(), json!(["string", "null"]))),
        4 => drop(schema.insert("const".into(), value(tape, 1))),
        5 => return json!(tape.odds(6)),
        6 | 7 | 8 => object(tape, &mut schema, depth),
        9 => array(tape, &mut schema, depth),
        10 => {
            let keyword = *tape.pick(&["anyOf", "oneOf", "allOf"]);
            let branches: Vec<Value> = (0..=tape.below(2) + 1)
                .map(|_| self::schema(tape, depth - 1, false))
                .collect();
            schema.insert(keyword.into(), branches.into());
        }
        11 => {
            let keyword = *tape.pick(&["not", "if"]);
            schema.insert(keyword.into(), self::schema(tape, depth - 1, false));
            schema.insert("then".into(), self::schema(tape, depth - 1, false));
        }
        _ if is_part => return json!({ "$ref": *tape.pick(&["#/$defs/x", "#/$defs/y"]) }),
        _ => {}
    }
    Value::Object(schema)
}

fn string(tape: &mut Tape<'_>, schema: &mut Map<String, Value>) {
    schema.insert("type".into(), json!("string"));
    let keyword = *tape.pick(&["minLength", "maxLength", "title", "pattern"]);
    let value = match keyword {
        "pattern" | "title" => json!("a"),
        _ => json!(tape.below(3)),
    };
    schema.insert(keyword.into(), value);
}

fn number(tape: &mut Tape<'_>, schema: &mut Map<String, Value>) {
    schema.insert("type".into(), json!(*tape.pick(&["integer", "number"])));
    let keyword = *tape.pick(&[
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ]);
    schema.insert(keyword.into(), json!(1 + tape.below(4)));
}

fn object(tape: &mut Tape<'_>, schema: &mut Map<String, Value>, depth: usize) {
    if tape.odds(6) {
        schema.insert("type".into(), json!("object"));
    }
    let mut properties = Map::new();
    for name in &NAMES[..tape.below(4)] {
        properties.insert((*name).to_owned(), self::schema(tape, depth - 1, true));
    }
    schema.insert("properties".into(), properties.into());
    if tape.odds(3) {
        schema.insert("required".into(), json!([*tape.pick(&NAMES[..3])]));
    }
    if tape.odds(3) {
        schema.insert(
            "additionalProperties".into(),
            self::schema(tape, depth - 1, true),
        );
    }
    if tape.odds(2) {
        let (keyword, value) = match tape.below(6) {
            0 => (
                "patternProperties",
                json!({ "^[ab]": self::schema(tape, depth - 1, true) }),
            ),
            1 => ("propertyNames", json!({ "enum": ["a", "b", "n"] })),
            2 => ("dependentRequired", json!({ "a": ["b"] })),
            3 => (
                "dependentSchemas",
                json!({ "a": self::schema(tape, depth - 1, false) }),
            ),
            4 => ("unevaluatedProperties", json!(false)),
            _ => (
                *tape.pick(&["minProperties", "maxProperties"]),
                json!(1 + tape.below(2)),
            ),
        };
        schema.insert(keyword.into(), value);
    }
}

fn array(tape: &mut Tape<'_>, schema: &mut Map<String, Value>, depth: usize) {
    schema.insert("type".into(), json!("array"));
    for _ in 0..=tape.below(2) {
        let (keyword, value) = match tape.below(6) {
            0 | 1 => ("items", self::schema(tape, depth - 1, true)),
            2 => ("prefixItems", json!([self::schema(tape, depth - 1, true)])),
            3 => ("contains", self::schema(tape, depth - 1, true)),
            4 => ("uniqueItems", json!(true)),
            _ => (
                *tape.pick(&["minItems", "maxItems", "minContains", "maxContains"]),
                json!(1 + tape.below(2)),
            ),
        };
        schema.insert(keyword.into(), value);
    }
}

fn values(tape: &mut Tape<'_>) -> Value {
    let mut values: Vec<Value> = Vec::new();
    for _ in 0..=tape.below(3) {
        let value = value(tape, 0);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.into()
}

fn value(tape: &mut Tape<'_>, depth: usize) -> Value {
    match tape.below(if depth == 0 { 6 } else { 9 }) {
        0 => json!(*tape.pick(&["", "a", "ab", "xyz"])),
        1 | 2 => json!(tape.below(7)),
        3 => json!(*tape.pick(&[0.5, 1.0, 2.5])),
        4 => Value::Null,
        5 => json!(tape.odds(4)),
        6 => (0..tape.below(3)).map(|_| value(tape, depth - 1)).collect(),
        _ => {
            let count = tape.below(4);
            let member = |_| ((*tape.pick(&NAMES)).to_owned(), value(tape, depth - 1));
            Value::Object((0..count).map(member).collect())
        }
    }
}

fn document(tape: &mut Tape<'_>) -> Value {
    let mut root = Map::new();
    object(tape, &mut root, 2);
    root.insert("type".into(), json!("object"));
    let definitions = json!({ "x": schema(tape, 1, false), "y": schema(tape, 1, false) });
    root.insert("$defs".into(), definitions);
    root.into()
}

/// Edits the schema here or somewhere below.
fn edit(tape: &mut Tape<'_>, schema: &mut Value, is_root: bool) {
    let Value::Object(members) = schema else {
        *schema = self::schema(tape, 1, false);
        return;
    };
    let below: Vec<String> = [
        "properties",
        "items",
        "anyOf",
        "allOf",
        "oneOf",
        "$defs",
        "not",
        "additionalProperties",
        "prefixItems",
        "contains",
        "then",
    ]
    .into_iter()
    .filter(|keyword| members.contains_key(*keyword))
    .map(str::to_owned)
    .collect();
    if !below.is_empty() && tape.odds(5) {
        let keyword = tape.pick(&below).clone();
        let child = match members.get_mut(&keyword) {
            Some(Value::Array(schemas)) if !schemas.is_empty() => {
                let index = tape.below(schemas.len());
                schemas.get_mut(index)
            }
            Some(Value::Object(named)) if keyword == "properties" || keyword == "$defs" => {
                let names: Vec<String> = named.keys().cloned().collect();
                if names.is_empty() {
                    None
                } else {
                    named.get_mut(tape.pick(&names))
                }
            }
            child => child,
        };
        if let Some(child) = child {
            return edit(tape, child, false);
        }
    }
    edit_here(tape, schema, is_root);
}

fn edit_here(tape: &mut Tape<'_>, schema: &mut Value, is_root: bool) {
    let whole = schema.clone();
    let Value::Object(members) = schema else {
        return;
    };
    match tape.below(12) {
        0 | 1 => {
            for keyword in [
                "minimum",
                "maximum",
                "minLength",
                "maxLength",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "minProperties",
                "maxItems",
                "minItems",
                "maxProperties",
            ] {
                if let Some(bound) = members.get_mut(keyword) {
                    *bound = json!(tape.below(5));
                }
            }
        }
        2 => {
            if let Some(kind) = members.get_mut("type").filter(|_| !is_root) {
                *kind = json!(*tape.pick(&["number", "string", "object"]));
            }
        }
        3 => drop(members.insert("required".into(), json!([*tape.pick(&NAMES)]))),
        4 => drop(members.remove("required")),
        5 | 6 => {
            let added = self::schema(tape, 1, true);
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                properties.insert((*tape.pick(&NAMES[1..])).to_owned(), added);
            }
        }
        7 => {
            let values = values(tape);
            match members.get_mut("enum").and_then(Value::as_array_mut) {
                Some(listed) if listed.len() > 1 && tape.odds(4) => drop(listed.pop()),
                Some(listed) => {
                    let more = values.as_array().cloned().unwrap_or_default();
                    let fresh: Vec<Value> = more
                        .into_iter()
                        .filter(|value| !listed.contains(value))
                        .collect();
                    listed.extend(fresh);
                }
                None => drop(members.insert("additionalProperties".into(), json!(tape.odds(4)))),
            }
        }
        8 => {
            let names: Vec<String> = members
                .keys()
                .filter(|name| *name != "$defs" && (!is_root || *name != "type"))
                .cloned()
                .collect();
            if !names.is_empty() {
                members.remove(tape.pick(&names));
            }
        }
        9 if !is_root => *schema = json!({ "anyOf": [whole, self::schema(tape, 1, false)] }),
        10 => {
            for keyword in ["anyOf", "allOf", "oneOf"] {
                if let Some(Value::Array(branches)) = members.get_mut(keyword) {
                    match tape.odds(4) && branches.len() > 1 {
                        true => drop(branches.remove(0)),
                        false => branches.push(self::schema(tape, 1, false)),
                    }
                }
            }
        }
        _ if !is_root => *schema = self::schema(tape, 1, false),
        _ => drop(members.insert("title".into(), json!("t"))),
    }
}

/// An instance that the schema is likely to accept.
fn instance(tape: &mut Tape<'_>, schema: &Value, root: &Value, depth: usize) -> Value {
    let Value::Object(members) = schema else {
        return value(tape, depth.min(1));
    };
    if depth == 0 || tape.below(16) == 15 {
        return value(tape, depth.min(1));
    }
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(&reference[1..]).cloned().unwrap_or_default();
        return instance(tape, &target, root, depth - 1);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(branches)) = members.get(keyword) {
            let branch = tape.pick(branches);
            return instance(tape, branch, root, depth - 1);
        }
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        return tape.pick(values).clone();
    }
    if let Some(value) = members.get("const") {
        return value.clone();
    }
    match members.get("type").and_then(Value::as_str) {
        Some("string") => json!(*tape.pick(&["a", "aa", "aab", ""])),
        Some("integer" | "number") => json!(tape.below(7)),
        Some("array") => {
            let items = members
                .get("items")
                .or_else(|| members.get("contains"))
                .cloned()
                .unwrap_or(json!(true));
            (0..tape.below(3))
                .map(|_| instance(tape, &items, root, depth - 1))
                .collect()
        }
        _ if members.contains_key("properties") => {
            let mut object = Map::new();
            let required = members.get("required").cloned().unwrap_or(json!([]));
            for name in NAMES {
                let declared = members["properties"].get(name);
                let needed = required
                    .as_array()
                    .is_some_and(|all| all.contains(&json!(name)));
                if needed || tape.odds(if declared.is_some() { 5 } else { 1 }) {
                    let property = declared.or_else(|| members.get("additionalProperties"));
                    let property = property.cloned().unwrap_or(json!(true));
                    object.insert(name.to_owned(), instance(tape, &property, root, depth - 1));
                }
            }
            object.into()
        }
        _ => value(tape, depth.min(1)),
    }
}

/// The old schema without the instances that the promise leaves out: those that give a property which only the
/// new one declares at the same place, where the old one says nothing of other properties.
fn covered(old: &Value, new: &Value, roots: (&Value, &Value), depth: usize) -> Value {
    let target = |schema: &Value, root: &Value| {
        let reference = schema.get("$ref").and_then(Value::as_str);
        reference
            .and_then(|reference| root.pointer(&reference[1..]))
            .cloned()
    };
    if old.get("$ref") != new.get("$ref") && depth > 0 {
        let old = target(old, roots.0).unwrap_or_else(|| old.clone());
        let new = target(new, roots.1).unwrap_or_else(|| new.clone());
        return covered(&old, &new, roots, depth - 1);
    }
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return old.clone();
    };
    let mut closed = before.clone();
    for (keyword, value) in &mut closed {
        let other = after.get(keyword).unwrap_or(&Value::Null);
        match (keyword.as_str(), value) {
            (
                "properties" | "$defs" | "patternProperties" | "dependentSchemas",
                Value::Object(named),
            ) => {
                for (name, schema) in named {
                    *schema = covered(
                        schema,
                        other.get(name).unwrap_or(&Value::Null),
                        roots,
                        depth,
                    );
                }
            }
            ("items" | "additionalProperties" | "contains" | "then" | "else", schema) => {
                *schema = covered(schema, other, roots, depth);
            }
            ("prefixItems" | "allOf" | "anyOf", Value::Array(schemas)) => {
                for (index, schema) in schemas.iter_mut().enumerate() {
                    *schema = covered(
                        schema,
                        other.get(index).unwrap_or(&Value::Null),
                        roots,
                        depth,
                    );
                }
            }
            _ => {}
        }
    }
    if let (None, Some(Value::Object(declared))) =
        (before.get("additionalProperties"), after.get("properties"))
    {
        let properties = closed.entry("properties").or_insert_with(|| json!({}));
        for name in declared.keys() {
            if properties.get(name).is_none() {
                properties[name] = json!(false);
            }
        }
    }
    closed.into()
}

/// Names that are declared in a document.
fn declared(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|below| declared(below, names));
        }
        Value::Array(items) => items.iter().for_each(|below| declared(below, names)),
        _ => {}
    }
}

fn gives_any(instance: &Value, names: &BTreeSet<String>) -> bool {
    match instance {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| names.contains(name) || gives_any(value, names)),
        Value::Array(items) => items.iter().any(|item| gives_any(item, names)),
        _ => false,
    }
}

/// What one pair of schemas showed.
#[derive(Default)]
struct Seen {
    /// Directions in which the change is compatible and more than cosmetic.
    compatible: usize,
    /// Of these, the ones where an instance showed that the schemas differ.
    shown: usize,
    /// Instances to which the promise applied.
    covered: usize,
}

fn accepts(schema: &Value) -> jsonschema::Validator {
    jsonschema::draft202012::new(schema).unwrap()
}

fn hold(bytes: &[u8]) -> Seen {
    let mut tape = Tape(bytes.iter());
    let old = document(&mut tape);
    let mut new = old.clone();
    for _ in 0..=tape.below(2) {
        edit(&mut tape, &mut new, true);
    }
    let mut seen = Seen::default();
    if check(&old).is_err() || check(&new).is_err() {
        return seen;
    }
    let (by_old, by_new) = (accepts(&old), accepts(&new));
    let by_covered = accepts(&covered(&old, &new, (&old, &new), 4));
    let (mut old_names, mut new_names) = (BTreeSet::new(), BTreeSet::new());
    declared(&old, &mut old_names);
    declared(&new, &mut new_names);
    let fresh: BTreeSet<String> = new_names.difference(&old_names).cloned().collect();
    let mut instances: Vec<Value> = Vec::new();
    for turn in 0..16 {
        let guide = if turn % 2 == 0 { &old } else { &new };
        instances.push(instance(&mut tape, guide, guide, 4));
    }
    for direction in [Direction::Input, Direction::Output] {
        let changes = schemas(direction, (Some(&old), Some(&new)));
        let worst = changes.iter().map(|change| change.kind).max();
        if worst == Some(ChangeKind::Breaking) {
            continue;
        }
        let counts = worst == Some(ChangeKind::Compatible)
            && changes
                .iter()
                .any(|change| change.reason != Reason::AnnotationChanged);
        seen.compatible += usize::from(counts);
        let mut differ = false;
        for instance in instances.iter().filter(|instance| instance.is_object()) {
            let (old_accepts, new_accepts) = (by_old.is_valid(instance), by_new.is_valid(instance));
            differ |= old_accepts != new_accepts;
            let (applies, kept) = match direction {
                Direction::Input => {
                    let told = by_covered.is_valid(instance) && !gives_any(instance, &fresh);
                    (old_accepts && told, new_accepts)
                }
                Direction::Output => (new_accepts, old_accepts),
            };
            seen.covered += usize::from(applies);
            assert!(
                !applies || kept,
                "{direction:?}\nold {old}\nnew {new}\ninstance {instance}\n{changes:#?}"
            );
        }
        seen.shown += usize::from(counts && differ);
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_breaking_breaks_nobody(bytes in proptest::collection::vec(any::<u8>(), 40..400)) {
        hold(&bytes);
    }
}

/// The law above says something only if compatible changes are frequent and instances tell the schemas apart.
#[test]
fn the_generator_reaches_compatible_changes_that_matter() {
    let mut total = Seen::default();
    let pairs = 1_500;
    let mut state = 7_u64;
    for _ in 0..pairs {
        let mut byte = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let bytes: Vec<u8> = (0..300).map(|_| byte()).collect();
        let seen = hold(&bytes);
        total.compatible += seen.compatible;
        total.shown += seen.shown;
        total.covered += seen.covered;
    }
    let Seen {
        compatible,
        shown,
        covered,
    } = total;
    println!(
        "{pairs} pairs: {compatible} compatible, {shown} shown to differ, {covered} instances"
    );
    assert!(
        compatible * 4 > pairs,
        "{compatible} compatible directions of {pairs} pairs"
    );
    assert!(
        shown * 20 > pairs,
        "{shown} shown to differ of {pairs} pairs"
    );
    assert!(covered > 2 * pairs, "{covered} instances");
}
