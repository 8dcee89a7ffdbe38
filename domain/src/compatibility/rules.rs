//! The rules by example. `rules.jsonl` has one case a line: an old schema, a new one, what the change means for
//! arguments (`input`) and for results (`output`), and a reason that is told. A case about one value stands as the
//! property `p` of an object, because the root is always an object.

use super::walk::Direction;
use super::{Change, ChangeKind, Comparison, MOST_CHANGES, Reason, Verdict, compare, schemas};
use crate::tool::ToolDefinition;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    rule: String,
    old: Value,
    new: Value,
    input: ChangeKind,
    output: ChangeKind,
    reason: Reason,
}

#[test]
fn every_rule_holds_in_its_examples() {
    let cases = include_str!("rules.jsonl").lines();
    let cases: Vec<Case> = cases
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(cases.len() > 100);
    for case in cases {
        let Case { rule, old, new, .. } = &case;
        for (direction, expected) in [
            (Direction::Input, case.input),
            (Direction::Output, case.output),
        ] {
            let changes = schemas(direction, (Some(old), Some(new)));
            let worst = changes.iter().map(|change| change.kind).max();
            assert_eq!(
                worst,
                Some(expected),
                "{rule}, {direction:?}: {old} -> {new}: {changes:#?}"
            );
            let told = changes.iter().any(|change| change.reason == case.reason);
            assert!(told, "{rule}, {direction:?}: {old} -> {new}: {changes:#?}");
        }
    }
}

#[test]
fn a_change_behind_a_reference_is_told_where_it_is_defined() {
    let list = |value: Value| {
        json!({
            "properties": { "head": { "$ref": "#/$defs/node" } },
            "$defs": { "node": { "properties": { "value": value, "next": { "$ref": "#/$defs/node" } } } }
        })
    };
    let (old, new) = (list(json!({})), list(json!({ "type": "null" })));
    let changes = schemas(Direction::Input, (Some(&old), Some(&new)));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path, "/$defs/node/properties/value/type");
}

fn definition(input: Option<Value>, output: Option<Value>) -> ToolDefinition {
    ToolDefinition {
        description: "x".into(),
        input_schema: input,
        output_schema: output,
        annotations: None,
    }
}

#[test]
fn an_absent_schema_accepts_every_object() {
    let strict = json!({"type": "object", "required": ["a"]});
    let cases = [
        (
            definition(None, None),
            definition(Some(strict.clone()), None),
            Verdict::Breaking,
        ),
        (
            definition(Some(strict.clone()), None),
            definition(None, None),
            Verdict::Compatible,
        ),
        (
            definition(None, None),
            definition(None, Some(strict.clone())),
            Verdict::Compatible,
        ),
        (
            definition(None, Some(strict)),
            definition(None, None),
            Verdict::Breaking,
        ),
        (
            definition(None, None),
            definition(Some(json!({"type": "object"})), None),
            Verdict::Cosmetic,
        ),
    ];
    for (old, new, verdict) in cases {
        let comparison = compare(&old, &new);
        assert_eq!(comparison.verdict(), verdict, "{old:?} {new:?}");
        assert_eq!(comparison.changes.len(), 1);
    }
}

#[test]
fn every_part_is_compared_and_equal_definitions_do_not_differ() {
    let old = definition(Some(json!({"type": "object"})), None);
    assert_eq!(compare(&old, &old), Comparison::default());
    let new = ToolDefinition {
        description: "y".into(),
        annotations: Some(json!({"destructiveHint": true})),
        ..old.clone()
    };
    let found: Vec<_> = compare(&old, &new)
        .changes
        .iter()
        .map(|change: &Change| (change.part.as_str(), change.kind))
        .collect();
    assert_eq!(
        found,
        [
            ("description", ChangeKind::Cosmetic),
            ("annotations", ChangeKind::Cosmetic)
        ]
    );
}

#[test]
fn many_changes_are_cut_and_the_verdict_is_that_of_all() {
    let many = |number: usize| {
        let named = (0..MOST_CHANGES + 5)
            .map(|n| (format!("p{n:03}"), json!({"title": number.to_string()})));
        json!({"type": "object", "properties": named.collect::<serde_json::Map<_, _>>()})
    };
    let (old, mut new) = (many(1), many(2));
    new["properties"]["p204"]["type"] = json!("string");
    let comparison = compare(&definition(Some(old), None), &definition(Some(new), None));
    assert_eq!(comparison.changes.len(), MOST_CHANGES);
    assert_eq!(comparison.verdict(), Verdict::Breaking);
    assert_eq!(
        comparison.breaking().next().map(|change| change.reason),
        Some(Reason::TypeNarrowed)
    );
}

/// Pairs as large as a schema may be, made to cost: a comparison ends soon, and says that it gave up.
#[test]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn hostile_pairs_end_soon_and_are_undecidable() {
    let nested = |leaf: &str| {
        let leaf = json!({ "properties": { leaf: { "minLength": 1 } } });
        (0..8).fold(leaf, |schema, depth| {
            let branch = |n: usize| json!({ "title": format!("{depth}{n}"), "minProperties": n, "allOf": [schema] });
            json!({ "anyOf": [branch(1), branch(2), branch(3)] })
        })
    };
    let wide = |first: usize| {
        let branch = |n: usize| json!({ "minLength": n, "maxLength": first, "pattern": format!("{n}x{first}") });
        json!({ "properties": { "p": { "anyOf": (first..first + 900).map(branch).collect::<Vec<_>>() } } })
    };
    let listed = |first: usize| {
        let values: Vec<usize> = (first..first + 4000).collect();
        let branch = |n: usize| json!({ "enum": values, "minimum": n });
        json!({ "properties": { "p": { "anyOf": [branch(1), branch(2), { "anyOf": (0..400).map(branch_of).collect::<Vec<_>>() }] } } })
    };
    let around = |last: &str| {
        let next = |n: usize| {
            (
                format!("d{n}"),
                json!({ "properties": { "a": { "$ref": format!("#/$defs/d{}", n * 7 % 800) }, "b": { "$ref": format!("#/$defs/d{}", n * 13 % 800) } }, "type": if n == 799 { last } else { "object" } }),
            )
        };
        let all: serde_json::Map<_, _> = (0..800).map(next).collect();
        json!({ "properties": { "p": { "$ref": "#/$defs/d1" } }, "$defs": all })
    };
    let deep = |leaf: &str| {
        let leaf = json!({ "type": leaf });
        (0..50).fold(
            leaf,
            |schema, _| json!({ "properties": { "a": { "not": schema } } }),
        )
    };
    let pairs = [
        (nested("a"), nested("b")),
        (wide(1), wide(2)),
        (listed(1), listed(2)),
        (around("object"), around("array")),
        (deep("string"), deep("null")),
    ];
    for (old, new) in pairs {
        let start = std::time::Instant::now();
        for direction in [Direction::Input, Direction::Output] {
            let changes = schemas(direction, (Some(&old), Some(&new)));
            let worst = changes.iter().map(|change| change.kind).max();
            assert_eq!(worst, Some(ChangeKind::Breaking));
        }
        let took = start.elapsed();
        assert!(took.as_secs() < 5, "{took:?}");
        println!(
            "{} and {} bytes: {took:?}",
            old.to_string().len(),
            new.to_string().len()
        );
    }
}

fn branch_of(n: usize) -> Value {
    json!({ "minimum": n })
}
