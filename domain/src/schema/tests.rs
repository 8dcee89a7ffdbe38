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
        (json!({"$ref": "#/$defs/nowhere"}), "/$ref"),
        (
            json!({"properties": {"a/b": {"anyOf": [true, {"$ref": "#nobody"}]}}}),
            "/properties/a~1b/anyOf/1/$ref",
        ),
        (
            json!({"properties": {"a": {"$dynamicRef": "#nobody"}}}),
            "/properties/a/$dynamicRef",
        ),
        (
            json!({"properties": {"a": {"pattern": "["}}}),
            "/properties/a/pattern",
        ),
        (
            json!({"items": {"patternProperties": {"^a": true, "(/": true}}}),
            "/items/patternProperties/(~1",
        ),
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
fn refuses_references_that_never_end_and_says_where() {
    let cases = [
        (json!({"$ref": "#"}), "/$ref"),
        (json!({"$dynamicRef": "#"}), "/$dynamicRef"),
        (
            json!({"properties": {"a": {"$ref": "#/properties/a"}}}),
            "/properties/a/$ref",
        ),
        (
            json!({
                "properties": {"a": {"$ref": "#/$defs/x"}},
                "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}
            }),
            "/$defs/y/$ref",
        ),
        // Not the reference alone, but what applies with it.
        (
            json!({"anyOf": [{"type": "string"}, {"$ref": "#"}]}),
            "/anyOf/1/$ref",
        ),
        (
            json!({"$defs": {"a": {"$anchor": "a", "not": {"allOf": [{"$ref": "#a"}]}}}}),
            "/$defs/a/not/allOf/0/$ref",
        ),
        (
            json!({"if": true, "then": {"dependentSchemas": {"b": {"$ref": "#/then"}}}}),
            "/then/dependentSchemas/b/$ref",
        ),
        (
            json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveRef": "#"}),
            "/$recursiveRef",
        ),
    ];
    for (schema, expected) in cases {
        match check(&schema) {
            Err(SchemaFault::Invalid { path, .. }) => assert_eq!(path, expected, "{schema}"),
            other => panic!("{schema}: {other:?}"),
        }
    }
}

#[test]
fn a_schema_may_refer_to_itself_for_a_part_of_what_it_describes() {
    let draft7 = "http://json-schema.org/draft-07/schema#";
    for schema in [
        json!({"properties": {"next": {"$ref": "#"}}}),
        json!({"anyOf": [{"type": "string"}, {"items": {"$ref": "#"}}]}),
        json!({"additionalProperties": {"$ref": "#"}, "propertyNames": {"$ref": "#/$defs/a"}, "$defs": {"a": {}}}),
        json!({
            "allOf": [{"$ref": "#/$defs/node"}, {"$ref": "#/$defs/node"}],
            "$defs": {"node": {"properties": {"children": {"items": {"$ref": "#/$defs/node"}}}}}
        }),
        json!({"prefixItems": [{"$ref": "#"}], "contains": {"$dynamicRef": "#"}, "not": {"$ref": "#/$defs/a"}, "$defs": {"a": true}}),
        // What a draft does not know, or ignores, refers to nothing.
        json!({"$recursiveRef": "#"}),
        json!({"then": {"$ref": "#"}}),
        json!({"$schema": draft7, "$ref": "#/definitions/a", "allOf": [{"$ref": "#"}], "definitions": {"a": {}}}),
    ] {
        assert!(check(&schema).is_ok(), "{schema}: {:?}", check(&schema));
    }
}

/// Each step is one of a list, not of the stack.
#[test]
fn a_long_chain_of_references_is_followed_to_its_end() {
    let chain = |last: serde_json::Value| {
        let links = (0..20_000).map(|n| {
            (
                format!("d{n}"),
                json!({"$ref": format!("#/$defs/d{}", n + 1)}),
            )
        });
        let mut definitions: serde_json::Map<_, _> = links.collect();
        definitions.insert("d20000".to_owned(), last);
        json!({"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": definitions})
    };
    assert_eq!(check(&chain(json!(true))), Ok(Dialect::Draft202012));
    let endless = check(&chain(json!({"$ref": "#/$defs/d0"})));
    assert!(matches!(endless, Err(SchemaFault::Invalid { .. })));
}

#[test]
fn what_is_referred_to_is_looked_at_wherever_it_stands() {
    let with = |definition| {
        json!({
            "type": "object",
            "properties": { "a": { "$ref": "#/x-parts/a" } },
            "x-parts": { "a": definition, "b": { "type": "string" } }
        })
    };
    assert!(check(&with(json!({ "$ref": "#/x-parts/b" }))).is_ok());
    for (definition, place) in [
        (json!({ "pattern": "[" }), "/x-parts/a/pattern"),
        (json!({ "type": "text" }), "/x-parts/a/type"),
        (json!({ "$ref": "#/x-parts/c" }), "/x-parts/a/$ref"),
        (json!({ "$ref": "#/x-parts/a" }), "/x-parts/a/$ref"),
    ] {
        match check(&with(definition)) {
            Err(SchemaFault::Invalid { path, .. }) => assert_eq!(path, place),
            other => panic!("{place}: {other:?}"),
        }
    }
    let elsewhere = with(json!({ "items": { "$ref": "https://elsewhere.example/a" } }));
    let refused = check(&elsewhere);
    assert!(matches!(refused, Err(SchemaFault::RemoteReference { .. })));
}
