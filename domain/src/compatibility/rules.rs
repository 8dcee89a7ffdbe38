//! One case per rule: the old schema, the new one, and what the change means for arguments and for results.

use super::walk::Direction;
use super::{Change, ChangeKind, Comparison, MOST_CHANGES, Reason, Verdict, compare, schemas};
use crate::tool::ToolDefinition;
use serde_json::{Value, json};

const I: &str = "cosmetic";
const OK: &str = "compatible";
const NO: &str = "breaking";

/// The kind of the worst change of an input and of an output, and its reasons.
fn judged(direction: Direction, old: &Value, new: &Value) -> (String, Vec<String>) {
    let changes = schemas(direction, (Some(old), Some(new)));
    let worst = changes.iter().map(|change| change.kind).max();
    let mut reasons: Vec<String> = changes
        .iter()
        .map(|change| change.reason.to_string())
        .collect();
    reasons.dedup();
    let worst = worst.map_or("identical".to_owned(), |kind| kind.to_string());
    (worst, reasons)
}

/// As a property `p` of an object: old, new, input, output, reason.
type Case<'a> = (Value, Value, &'a str, &'a str, &'a str);

fn check_property(cases: &[Case<'_>]) {
    for (old, new, input, output, reason) in cases {
        let within = |schema: &Value| json!({ "type": "object", "properties": { "p": schema } });
        check(&within(old), &within(new), [input, output], reason);
    }
}

fn check_root(cases: &[Case<'_>]) {
    for (old, new, input, output, reason) in cases {
        check(old, new, [input, output], reason);
    }
}

fn check(old: &Value, new: &Value, expected: [&str; 2], reason: &str) {
    for (direction, expected) in [Direction::Input, Direction::Output]
        .into_iter()
        .zip(expected)
    {
        let (worst, reasons) = judged(direction, old, new);
        assert_eq!(worst, expected, "{direction:?} {old} -> {new}: {reasons:?}");
        assert!(
            reasons.iter().any(|found| found == reason),
            "{direction:?} {old} -> {new}: {reasons:?}, not {reason}"
        );
    }
}

#[test]
fn types_are_sets_and_integer_lies_in_number() {
    check_property(&[
        (
            json!({"type": "string"}),
            json!({"type": ["string", "null"]}),
            OK,
            NO,
            "type_widened",
        ),
        (
            json!({"type": "integer"}),
            json!({"type": "number"}),
            OK,
            NO,
            "type_widened",
        ),
        (
            json!({"type": "number"}),
            json!({"type": "integer"}),
            NO,
            OK,
            "type_narrowed",
        ),
        (json!({"type": "string"}), json!({}), OK, NO, "type_widened"),
        (
            json!({"type": "string"}),
            json!({"type": "integer"}),
            NO,
            NO,
            "type_changed",
        ),
        (
            json!({"enum": ["a"]}),
            json!({"enum": ["a"], "type": "string"}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"type": ["string", "null"]}),
            json!({"type": ["null", "string"]}),
            I,
            I,
            "annotation_changed",
        ),
        (json!(true), json!(false), NO, OK, "accepts_less"),
        (
            json!(false),
            json!({"type": "null"}),
            OK,
            NO,
            "accepts_more",
        ),
        (json!(true), json!({}), I, I, "annotation_changed"),
    ]);
}

#[test]
fn listed_values_may_grow_in_arguments_and_shrink_in_results() {
    check_property(&[
        (
            json!({"enum": ["a"]}),
            json!({"enum": ["a", "b"]}),
            OK,
            NO,
            "values_added",
        ),
        (
            json!({"enum": ["a", "b"]}),
            json!({"enum": ["a"]}),
            NO,
            OK,
            "values_removed",
        ),
        (
            json!({"const": "a"}),
            json!({"enum": ["a", "b"]}),
            OK,
            NO,
            "values_added",
        ),
        (
            json!({"enum": ["a", "b"]}),
            json!({"enum": ["b", "a"]}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"const": 1}),
            json!({"const": 1.0}),
            I,
            I,
            "annotation_changed",
        ),
        (json!({}), json!({"const": 1}), NO, OK, "constraint_added"),
        (
            json!({"enum": [1]}),
            json!({}),
            OK,
            NO,
            "constraint_removed",
        ),
        (
            json!({"enum": [9_007_199_254_740_993_u64]}),
            json!({"enum": [9_007_199_254_740_992_u64]}),
            NO,
            NO,
            "values_removed",
        ),
    ]);
}

#[test]
fn bounds_may_loosen_in_arguments_and_tighten_in_results() {
    check_property(&[
        (
            json!({"minimum": 1}),
            json!({"minimum": 0}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"minimum": 1}),
            json!({"exclusiveMinimum": 1}),
            NO,
            OK,
            "bound_tightened",
        ),
        (
            json!({"exclusiveMaximum": 5}),
            json!({"maximum": 5}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"maximum": 5}),
            json!({"maximum": 4.5}),
            NO,
            OK,
            "bound_tightened",
        ),
        (
            json!({"maximum": 5}),
            json!({"maximum": 5.0}),
            I,
            I,
            "annotation_changed",
        ),
        (json!({}), json!({"maximum": 5}), NO, OK, "bound_tightened"),
        (
            json!({"multipleOf": 4}),
            json!({"multipleOf": 2}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"multipleOf": 2}),
            json!({"multipleOf": 4}),
            NO,
            OK,
            "bound_tightened",
        ),
        (
            json!({"multipleOf": 2}),
            json!({"multipleOf": 3}),
            NO,
            NO,
            "undecidable",
        ),
        (
            json!({"minLength": 2}),
            json!({"minLength": 1}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"maxLength": 9}),
            json!({"maxLength": 8}),
            NO,
            OK,
            "bound_tightened",
        ),
        (
            json!({"minLength": 0}),
            json!({}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"minItems": 1}),
            json!({"minItems": 2}),
            NO,
            OK,
            "bound_tightened",
        ),
        (json!({"maxItems": 1}), json!({}), OK, NO, "bound_loosened"),
        (
            json!({"maxProperties": 1}),
            json!({"maxProperties": 2}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"minProperties": 1}),
            json!({"minProperties": 2}),
            NO,
            OK,
            "bound_tightened",
        ),
        // A keyword about other types than those that are there says nothing.
        (
            json!({"type": "string"}),
            json!({"type": "string", "minimum": 1}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"type": "string"}),
            json!({"type": ["string", "integer"], "minimum": 1}),
            OK,
            NO,
            "type_widened",
        ),
    ]);
}

#[test]
fn patterns_and_formats_are_compared_only_with_themselves() {
    check_property(&[
        (
            json!({}),
            json!({"pattern": "^a"}),
            NO,
            OK,
            "constraint_added",
        ),
        (
            json!({"pattern": "^a"}),
            json!({}),
            OK,
            NO,
            "constraint_removed",
        ),
        (
            json!({"pattern": "^a"}),
            json!({"pattern": "a"}),
            NO,
            NO,
            "undecidable",
        ),
        (
            json!({}),
            json!({"format": "uri"}),
            NO,
            OK,
            "constraint_added",
        ),
        (
            json!({"format": "uri"}),
            json!({"format": "iri"}),
            NO,
            NO,
            "undecidable",
        ),
    ]);
}

#[test]
fn properties_come_by_name_and_go_only_with_a_break() {
    let a = json!({"properties": {"a": {"type": "string"}}});
    let ab = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
    let closed = |schema: &Value, rest: Value| {
        let mut schema = schema.clone();
        schema["additionalProperties"] = rest;
        schema
    };
    let with = |schema: &Value, keyword: &str, value: Value| {
        let mut schema = schema.clone();
        schema[keyword] = value;
        schema
    };
    let no = json!(false);
    let text = json!({"type": "string"});
    check_root(&[
        (a.clone(), ab.clone(), OK, OK, "property_added"),
        (ab.clone(), a.clone(), NO, NO, "property_removed"),
        (
            closed(&a, no.clone()),
            closed(&ab, no.clone()),
            OK,
            NO,
            "property_added",
        ),
        (
            closed(&ab, no.clone()),
            closed(&a, no.clone()),
            NO,
            NO,
            "property_removed",
        ),
        (
            closed(&a, json!(true)),
            closed(&ab, json!(true)),
            NO,
            OK,
            "property_added",
        ),
        (
            closed(&a, text.clone()),
            closed(&ab, text.clone()),
            OK,
            OK,
            "property_added",
        ),
        (
            closed(&ab, text.clone()),
            closed(&a, text.clone()),
            OK,
            NO,
            "property_removed",
        ),
        (a.clone(), closed(&a, no.clone()), NO, OK, "accepts_less"),
        (closed(&a, no.clone()), a.clone(), OK, NO, "accepts_more"),
        (
            a.clone(),
            closed(&a, json!(true)),
            I,
            I,
            "annotation_changed",
        ),
        (
            a.clone(),
            with(&a, "required", json!(["a"])),
            NO,
            OK,
            "required_added",
        ),
        (
            with(&a, "required", json!(["a"])),
            a.clone(),
            OK,
            NO,
            "required_removed",
        ),
        // Who had to give it anyway is not a caller who never heard of it.
        (
            with(&a, "required", json!(["b"])),
            with(&ab, "required", json!(["b"])),
            NO,
            OK,
            "property_added",
        ),
        (
            with(&a, "allOf", json!([{"properties": {"b": {}}}])),
            with(&ab, "allOf", json!([{"properties": {"b": {}}}])),
            NO,
            OK,
            "property_added",
        ),
        (
            a.clone(),
            with(&a, "patternProperties", json!({"^x": text})),
            NO,
            OK,
            "constraint_added",
        ),
        (
            closed(&a, no.clone()),
            with(
                &closed(&a, no.clone()),
                "patternProperties",
                json!({"^x": text}),
            ),
            NO,
            NO,
            "undecidable",
        ),
        (
            with(&a, "patternProperties", json!({"^x": text})),
            with(&a, "patternProperties", json!({"^x": {}})),
            OK,
            NO,
            "type_widened",
        ),
        (
            with(&a, "patternProperties", json!({"^b": text})),
            with(&ab, "patternProperties", json!({"^b": text})),
            NO,
            OK,
            "property_added",
        ),
        (
            a.clone(),
            with(&a, "propertyNames", json!({"maxLength": 3})),
            NO,
            OK,
            "bound_tightened",
        ),
        (
            a.clone(),
            with(&a, "dependentRequired", json!({"a": ["b"]})),
            NO,
            OK,
            "required_added",
        ),
        (
            with(&a, "dependentRequired", json!({"a": ["b"]})),
            a.clone(),
            OK,
            NO,
            "required_removed",
        ),
        (
            a.clone(),
            with(&a, "dependentSchemas", json!({"a": {"minProperties": 2}})),
            NO,
            OK,
            "constraint_added",
        ),
        (
            with(&a, "dependentSchemas", json!({"a": {"minProperties": 2}})),
            with(&a, "dependentSchemas", json!({"a": {"minProperties": 1}})),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            with(&a, "unevaluatedProperties", no.clone()),
            with(&ab, "unevaluatedProperties", no.clone()),
            NO,
            NO,
            "undecidable",
        ),
        (
            with(&a, "unevaluatedProperties", no.clone()),
            with(
                &with(&a, "unevaluatedProperties", no.clone()),
                "minProperties",
                json!(1),
            ),
            NO,
            OK,
            "bound_tightened",
        ),
    ]);
}

#[test]
fn items_are_compared_position_by_position() {
    check_property(&[
        (
            json!({"items": {"type": "integer"}}),
            json!({"items": {"type": "number"}}),
            OK,
            NO,
            "type_widened",
        ),
        (
            json!({"prefixItems": [{"type": "integer"}]}),
            json!({"items": {"type": "integer"}}),
            NO,
            OK,
            "type_narrowed",
        ),
        (
            json!({"prefixItems": [{"type": "integer"}], "items": false}),
            json!({"items": {"type": "integer"}}),
            OK,
            NO,
            "accepts_more",
        ),
        (
            json!({}),
            json!({"uniqueItems": true}),
            NO,
            OK,
            "constraint_added",
        ),
        (
            json!({"uniqueItems": true}),
            json!({}),
            OK,
            NO,
            "constraint_removed",
        ),
        (
            json!({}),
            json!({"contains": {"const": 1}}),
            NO,
            OK,
            "constraint_added",
        ),
        (
            json!({"contains": {"const": 1}}),
            json!({"contains": {"enum": [1, 2]}}),
            OK,
            NO,
            "values_added",
        ),
        (
            json!({"contains": {"const": 1}, "maxContains": 2}),
            json!({"contains": {"enum": [1, 2]}, "maxContains": 2}),
            NO,
            NO,
            "undecidable",
        ),
        (
            json!({"contains": {"const": 1}}),
            json!({"contains": {"const": 1}, "minContains": 0}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"contains": {"const": 1}}),
            json!({"contains": {"const": 1}, "maxContains": 3}),
            NO,
            OK,
            "bound_tightened",
        ),
        (
            json!({"items": true, "unevaluatedItems": false}),
            json!({"unevaluatedItems": false}),
            NO,
            NO,
            "undecidable",
        ),
    ]);
}

#[test]
fn alternatives_may_come_in_arguments_and_go_in_results() {
    let (text, null, whole) = (
        json!({"type": "string"}),
        json!({"type": "null"}),
        json!({"type": "integer"}),
    );
    check_property(&[
        (
            json!({"anyOf": [text, null]}),
            json!({"anyOf": [text, null, whole]}),
            OK,
            NO,
            "alternative_added",
        ),
        (
            json!({"anyOf": [text, null, whole]}),
            json!({"anyOf": [null, text]}),
            NO,
            OK,
            "alternative_removed",
        ),
        (
            text.clone(),
            json!({"anyOf": [text, null]}),
            OK,
            NO,
            "alternative_added",
        ),
        (
            json!({"anyOf": [text, null]}),
            json!({"type": ["string", "null"]}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"oneOf": [text, null]}),
            json!({"anyOf": [text, null]}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"oneOf": [text, null]}),
            json!({"oneOf": [text, null, whole]}),
            OK,
            NO,
            "alternative_added",
        ),
        (
            json!({"oneOf": [{"minLength": 1}, null]}),
            json!({"oneOf": [{"minLength": 2}, null]}),
            NO,
            NO,
            "undecidable",
        ),
        (
            json!({"enum": ["a", "b"]}),
            json!({"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}, {"const": "c"}]}),
            OK,
            NO,
            "alternative_added",
        ),
        (
            json!({}),
            json!({"anyOf": [text, null]}),
            NO,
            OK,
            "alternative_removed",
        ),
        (
            json!({"minLength": 1}),
            json!({"minLength": 1, "anyOf": [text, null]}),
            NO,
            OK,
            "constraint_added",
        ),
    ]);
    let kind = |name: &str, more: Value| json!({"type": "object", "required": ["kind"], "properties": {"kind": {"const": name}, "x": more}});
    check_property(&[(
        json!({"oneOf": [kind("a", text.clone()), kind("b", whole.clone())]}),
        json!({"oneOf": [kind("b", json!({"type": "number"})), kind("a", text.clone())]}),
        OK,
        NO,
        "type_widened",
    )]);
}

#[test]
fn conjuncts_conditions_and_negations_turn_as_logic_does() {
    let (short, text) = (json!({"maxLength": 3}), json!({"type": "string"}));
    check_property(&[
        (
            json!({"allOf": [text]}),
            json!({"allOf": [short, text]}),
            NO,
            OK,
            "constraint_added",
        ),
        (
            json!({"allOf": [short, text]}),
            json!({"allOf": [text]}),
            OK,
            NO,
            "constraint_removed",
        ),
        (
            json!({"allOf": [short, text]}),
            json!({"allOf": [text, {"maxLength": 4}]}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"not": short}),
            json!({"not": {"maxLength": 4}}),
            NO,
            OK,
            "bound_loosened",
        ),
        (
            json!({"not": {"maxLength": 4}}),
            json!({"not": short}),
            OK,
            NO,
            "bound_tightened",
        ),
        (json!({}), json!({"not": short}), NO, OK, "constraint_added"),
        (
            json!({"if": text, "then": short}),
            json!({"if": text, "then": {"maxLength": 4}}),
            OK,
            NO,
            "bound_loosened",
        ),
        (
            json!({"if": text, "then": short}),
            json!({"if": short, "then": text}),
            NO,
            NO,
            "undecidable",
        ),
        (
            json!({"if": text, "then": short}),
            json!({}),
            OK,
            NO,
            "constraint_removed",
        ),
        (
            json!({"if": text}),
            json!({"if": text, "else": false}),
            NO,
            OK,
            "accepts_less",
        ),
    ]);
}

#[test]
fn references_are_followed_and_recursion_ends() {
    let list = |value: Value| {
        json!({
            "type": "object",
            "properties": { "head": { "$ref": "#/$defs/node" } },
            "$defs": { "node": { "type": "object", "properties": { "value": value, "next": { "$ref": "#/$defs/node" } } } }
        })
    };
    let (whole, number) = (json!({"type": "integer"}), json!({"type": "number"}));
    let inline = json!({"type": "object", "properties": {"a": whole}});
    let by_name = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": whole}});
    let beside = |schema: Value| json!({"properties": {"a": {"$ref": "#/$defs/a", "minimum": 1}}, "$defs": {"a": schema}});
    let dynamic = |text: &str| json!({"properties": {"a": {"$dynamicRef": "#x", "minimum": 1}}, "title": text, "$defs": {"a": {"$dynamicAnchor": "x"}}});
    let inner = |id: &str| json!({"properties": {"a": {"$ref": "#/$defs/a"}, "b": {"$id": id}}, "$defs": {"a": whole}});
    // The same words about a definition that has changed are not the same.
    let unless = |schema: Value| json!({"not": {"required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}, "$defs": {"a": schema}});
    check_root(&[
        (
            list(whole.clone()),
            list(number.clone()),
            OK,
            NO,
            "type_widened",
        ),
        (
            list(number.clone()),
            list(whole.clone()),
            NO,
            OK,
            "type_narrowed",
        ),
        (inline, by_name, I, I, "annotation_changed"),
        (
            beside(whole.clone()),
            beside(number.clone()),
            OK,
            NO,
            "type_widened",
        ),
        (unless(number), unless(whole), OK, NO, "type_narrowed"),
        (dynamic("a"), dynamic("b"), NO, NO, "undecidable"),
        (inner("a"), inner("b"), NO, NO, "undecidable"),
    ]);
    let path = &schemas(
        Direction::Input,
        (Some(&list(json!({}))), Some(&list(json!({"type": "null"})))),
    )[0]
    .path;
    assert_eq!(path, "/$defs/node/properties/value/type");
}

#[test]
fn texts_are_cosmetic_and_other_notes_are_compatible() {
    check_property(&[
        (
            json!({"title": "a"}),
            json!({"title": "b"}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({}),
            json!({"description": "b"}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"examples": [1]}),
            json!({"$comment": "x"}),
            I,
            I,
            "annotation_changed",
        ),
        (json!({}), json!({"default": 1}), OK, OK, "default_changed"),
        (
            json!({}),
            json!({"deprecated": true}),
            OK,
            OK,
            "annotation_changed",
        ),
        (
            json!({}),
            json!({"nullable": true}),
            OK,
            OK,
            "annotation_changed",
        ),
    ]);
}

#[test]
fn older_drafts_are_compared_in_the_words_of_2020_12() {
    let draft7 = "http://json-schema.org/draft-07/schema#";
    check_root(&[
        (
            json!({"$schema": draft7, "properties": {"a": {"items": [{"type": "integer"}]}}}),
            json!({"properties": {"a": {"prefixItems": [{"type": "number"}]}}}),
            OK,
            NO,
            "type_widened",
        ),
        (
            json!({"$schema": draft7, "properties": {"a": {"type": "string"}}}),
            json!({"properties": {"a": {"type": "string"}}}),
            I,
            I,
            "annotation_changed",
        ),
        (
            json!({"properties": {"a": {"minimum": 1, "exclusiveMinimum": true}}}),
            json!({"properties": {"a": {"exclusiveMinimum": 1}}}),
            NO,
            NO,
            "undecidable",
        ),
    ]);
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
