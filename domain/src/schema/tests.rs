//! Which documents are schemas.

use super::{Dialect, SchemaFault, check};
use serde_json::json;

#[test]
fn a_schema_is_judged_by_its_draft() {
    let cases = [
        (json!({"type": "object"}), Dialect::Draft202012),
        (
            json!({"$schema": "https://json-schema.org/draft/2019-09/schema"}),
            Dialect::Draft201909,
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [true]}),
            Dialect::Draft7,
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-04/schema"}),
            Dialect::Draft4,
        ),
        // Undeclared, and only an older draft has it so.
        (
            json!({"properties": {"a": {"items": [true]}}}),
            Dialect::Draft7,
        ),
        (
            json!({"properties": {"a": {"minimum": 1, "exclusiveMinimum": true}}}),
            Dialect::Draft4,
        ),
    ];
    for (schema, dialect) in cases {
        assert_eq!(check(&schema), Ok(dialect), "{schema}");
    }
}

#[test]
fn refuses_what_is_no_schema_and_says_where() {
    let cases = [
        (
            json!({"properties": {"a": {"type": "text"}}}),
            "/properties/a/type",
        ),
        (json!({"required": "a"}), "/required"),
        (
            json!({"properties": {"a": {"minLength": -1}}}),
            "/properties/a/minLength",
        ),
        (json!({"properties": []}), "/properties"),
        (json!({"$schema": "https://example.com/mine"}), "/$schema"),
        (
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "items": [true]}),
            "/items",
        ),
        (json!({"$ref": "#/$defs/nowhere"}), ""),
        (json!({"properties": {"a": {"$ref": "#nobody"}}}), ""),
    ];
    for (schema, expected) in cases {
        match check(&schema) {
            Err(SchemaFault::Invalid { path, reason }) => {
                assert_eq!(path, expected, "{schema}: {reason}");
                assert!(!reason.is_empty());
            }
            other => panic!("{schema}: {other:?}"),
        }
    }
}

#[test]
fn local_references_resolve_and_remote_ones_are_refused() {
    let local = json!({
        "properties": { "a": { "$ref": "#/$defs/a" }, "b": { "$ref": "#b" }, "c": { "$ref": "#" } },
        "$defs": { "a": {}, "b": { "$anchor": "b" } }
    });
    assert_eq!(check(&local), Ok(Dialect::Draft202012));
    for reference in [
        "https://example.com/a.json",
        "other.json#/a",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        let schema = json!({ "properties": { "a": { "items": { "$ref": reference } } } });
        let reference = reference.to_owned();
        assert_eq!(
            check(&schema),
            Err(SchemaFault::RemoteReference { reference })
        );
    }
}

/// A property may be called like a keyword.
#[test]
fn a_reference_is_one_only_where_a_schema_stands() {
    let schema =
        json!({ "properties": { "$ref": { "type": "string" } }, "examples": [{ "$ref": "x" }] });
    assert_eq!(check(&schema), Ok(Dialect::Draft202012));
}

#[test]
fn measure_catalogue() {
    let text = std::fs::read_to_string("/work/shared/data/catalog/tools.jsonl").unwrap();
    let all: Vec<serde_json::Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let schemas: Vec<_> = all
        .iter()
        .filter(|t| t["input_schema"].is_object())
        .collect();
    let mut count = std::collections::BTreeMap::new();
    let _ = check(&schemas[0]["input_schema"]);
    let start = std::time::Instant::now();
    for t in &schemas {
        let r = check(&t["input_schema"]);
        if r.is_err() {
            println!("REFUSED {} {r:?}", t["id"]);
        }
        *count
            .entry(format!("{:?}", r.is_ok().then(|| r.unwrap())))
            .or_insert(0) += 1;
    }
    println!(
        "CATALOGUE {count:?} {:?} for {}",
        start.elapsed(),
        schemas.len()
    );
    let start = std::time::Instant::now();
    let mut verdicts = std::collections::BTreeMap::new();
    for w in schemas.windows(2) {
        let d = |t: &serde_json::Value| crate::tool::ToolDefinition {
            description: "x".into(),
            input_schema: Some(t["input_schema"].clone()),
            output_schema: None,
            annotations: None,
        };
        *verdicts
            .entry(crate::compatibility::compare(&d(w[0]), &d(w[1])).verdict())
            .or_insert(0) += 1;
    }
    println!("COMPARED {verdicts:?} {:?}", start.elapsed());
}
