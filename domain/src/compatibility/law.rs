//! The promise, held against random schemas and instances: the new schema is
//! the old one with some edits, and the library `jsonschema` judges instances by both.

mod grow;

use super::walk::Direction;
use super::{Change, ChangeKind, Reason, schemas};
use crate::schema::check;
use grow::{Tape, document, edit, instance};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

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
    // `true` and `{}` are the same schema.
    let before = match old {
        Value::Bool(true) => &Map::new(),
        Value::Object(keywords) => keywords,
        _ => return old.clone(),
    };
    let Value::Object(after) = new else {
        return old.clone();
    };
    let below = |old: &Value, new: &Value| covered(old, new, roots, depth);
    let mut closed = before.clone();
    for (keyword, value) in &mut closed {
        let other = after.get(keyword).unwrap_or(&Value::Null);
        match (keyword.as_str(), value) {
            ("$defs" | "patternProperties" | "dependentSchemas", Value::Object(named)) => {
                for (name, schema) in named {
                    *schema = below(schema, other.get(name).unwrap_or(&Value::Null));
                }
            }
            ("contains" | "then" | "else", schema) => *schema = below(schema, other),
            ("allOf" | "anyOf", Value::Array(schemas)) => {
                for (index, schema) in schemas.iter_mut().enumerate() {
                    *schema = below(schema, other.get(index).unwrap_or(&Value::Null));
                }
            }
            _ => {}
        }
    }
    // What one schema says of all others, the other may say of one by its name or place.
    let rest = |schema: &Map<String, Value>, keyword: &str| {
        schema.get(keyword).cloned().unwrap_or(Value::Bool(true))
    };
    for others in ["additionalProperties", "items"] {
        let (old, new) = (rest(before, others), rest(after, others));
        closed.insert(others.to_owned(), below(&old, &new));
    }
    let (old, new) = (named(before), named(after));
    let others = "additionalProperties";
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let properties = names.into_iter().map(|name| {
        let schema = match (old.get(name), new.get(name)) {
            (None, Some(_)) if !before.contains_key(others) => json!(false),
            (old, new) => below(
                old.unwrap_or(&rest(before, others)),
                new.unwrap_or(&rest(after, others)),
            ),
        };
        (name.clone(), schema)
    });
    closed.insert("properties".to_owned(), Value::Object(properties.collect()));
    let (old, new) = (placed(before), placed(after));
    let items = (0..old.len().max(new.len())).map(|place| {
        below(
            old.get(place).unwrap_or(&rest(before, "items")),
            new.get(place).unwrap_or(&rest(after, "items")),
        )
    });
    if items.len() > 0 {
        closed.insert("prefixItems".to_owned(), items.collect());
    }
    closed.into()
}

fn named(schema: &Map<String, Value>) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.cloned().unwrap_or_default()
}

fn placed(schema: &Map<String, Value>) -> Vec<Value> {
    let items = schema.get("prefixItems").and_then(Value::as_array);
    items.cloned().unwrap_or_default()
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

/// The names on which the verdict rests that arguments keep working: declared in no place of the old schema, and
/// breaking as soon as one declared them. Where several schemas speak of the same value, a property is new only if its
/// name stands nowhere in the old one, and [`covered`] does not reach all of these places: so the law says nothing of an
/// instance that gives such a name, wherever. A name on which nothing rests is left out at its place only.
///
/// The declarations are made below `$defs`, where nothing refers to them: the schema accepts what it did.
fn relied_on(old: &Value, new: &Value) -> BTreeSet<String> {
    let (mut old_names, mut new_names) = (BTreeSet::new(), BTreeSet::new());
    declared(old, &mut old_names);
    declared(new, &mut new_names);
    let mut known = old.clone();
    let mut relied_on = BTreeSet::new();
    for name in new_names.difference(&old_names) {
        // One after the other, on top of those before: an alternative may rest on either of two names.
        let mut declaring = known.clone();
        declaring["$defs"]["declared"]["properties"][name] = json!(true);
        let changes = schemas(Direction::Input, (Some(&declaring), Some(new)));
        let breaks = |change: &Change| change.kind == ChangeKind::Breaking;
        if changes.iter().any(breaks) {
            relied_on.insert(name.clone());
        } else {
            known = declaring;
        }
    }
    relied_on
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
        let left_out = match direction {
            Direction::Input => relied_on(&old, &new),
            Direction::Output => BTreeSet::new(),
        };
        let mut differ = false;
        for instance in instances.iter().filter(|instance| instance.is_object()) {
            let (old_accepts, new_accepts) = (by_old.is_valid(instance), by_new.is_valid(instance));
            differ |= old_accepts != new_accepts;
            let (applies, kept) = match direction {
                Direction::Input => {
                    let told = by_covered.is_valid(instance) && !gives_any(instance, &left_out);
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

#[test]
fn a_new_name_is_left_out_at_its_place_and_elsewhere_only_where_the_verdict_rests_on_it() {
    let schema = |around: Value, properties: Value| {
        let mut schema = around;
        schema["properties"] = properties;
        schema
    };
    let (before, after) = (
        json!({ "a": { "type": "object" } }),
        json!({ "a": { "type": "object" }, "n": { "type": "string" } }),
    );
    let alone = |properties: &Value| schema(json!({ "type": "object" }), properties.clone());
    let (old, new) = (alone(&before), alone(&after));
    assert_eq!(relied_on(&old, &new), BTreeSet::new());
    let by_covered = accepts(&covered(&old, &new, (&old, &new), 4));
    assert!(by_covered.is_valid(&json!({ "a": { "n": 5 } })));
    assert!(!by_covered.is_valid(&json!({ "n": 5 })));

    let beside = json!({ "type": "object", "allOf": [{ "properties": { "a": {} } }] });
    let beside = |properties: &Value| schema(beside.clone(), properties.clone());
    let left_out = relied_on(&beside(&before), &beside(&after));
    assert_eq!(left_out, BTreeSet::from(["n".to_owned()]));
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
