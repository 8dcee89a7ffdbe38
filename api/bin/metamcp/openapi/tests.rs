//! The rules by which a document becomes tools.
#![expect(
    clippy::needless_pass_by_value,
    reason = "JSON literals are handed over as they are written"
)]

mod v3_2;

use super::{Options, Translation, translate};
use crate::plan::{Problem, ToolSpec};
use serde_json::{Value, json};

fn read(document: &Value) -> Result<Translation, Vec<Problem>> {
    translate(&document.to_string(), &Options::default())
}

/// A document with one operation, `get` of `/x`.
fn document(version: &str, operation: Value, components: Value) -> Value {
    json!({
        "openapi": version, "info": { "title": "X", "version": "1.2.3" },
        "paths": { "/x": { "get": operation } }, "components": components,
    })
}

fn tool(version: &str, operation: Value, components: Value) -> ToolSpec {
    let read = read(&document(version, operation, components)).unwrap();
    read.server.tools.into_values().next().unwrap()
}

fn codes(document: &Value) -> Vec<&'static str> {
    let refused = read(document).unwrap_err();
    refused.into_iter().map(|problem| problem.code).collect()
}

fn query(schema: Value) -> Value {
    json!({ "parameters": [{ "name": "q", "in": "query", "schema": schema }] })
}

/// The schema of the query parameter `q`.
fn q(version: &str, schema: Value, components: Value) -> Value {
    let tool = tool(version, query(schema), components);
    tool.input_schema.unwrap()["properties"]["q"].clone()
}

#[test]
fn parameters_and_body_are_one_object_that_says_where_each_goes() {
    let operation = json!({
        "operationId": "rename",
        "parameters": [
            { "name": "id", "in": "path", "schema": { "type": "string" } },
            { "name": "id", "in": "query", "required": true, "schema": {}, "style": "form" },
            { "name": "Accept", "in": "header", "schema": {} },
            { "name": "X-Trace", "in": "header", "description": "For support", "schema": { "type": "string" } },
            { "name": "f", "in": "query", "content": { "application/json": { "schema": { "type": "object" } } } },
        ],
        "requestBody": { "required": true, "content": {
            "text/plain": { "schema": { "type": "string" } },
            "application/json": { "schema": { "$ref": "#/components/schemas/New" } },
        } },
    });
    let new = json!({ "allOf": [
        { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } },
        { "type": "object", "properties": { "id": { "type": "integer" }, "at": { "type": "string", "readOnly": true } } },
    ] });
    let tool = tool("3.0.3", operation, json!({ "schemas": { "New": new } }));
    let expected = json!({
        "type": "object",
        "required": ["id", "name", "query_id"],
        "properties": {
            "id": { "type": "string", "x-in": "path" },
            "query_id": { "x-in": "query", "x-name": "id", "x-style": "form" },
            "X-Trace": { "type": "string", "description": "For support", "x-in": "header" },
            "f": { "type": "object", "x-in": "query", "x-content-type": "application/json" },
            "name": { "type": "string", "x-in": "body" },
            "body_id": { "type": "integer", "x-in": "body", "x-name": "id" },
        },
        "x-request": { "method": "GET", "path": "/x", "contentType": "application/json" },
    });
    assert_eq!(tool.input_schema.unwrap(), expected);
}

#[test]
fn a_body_that_is_more_than_its_members_stays_whole() {
    let whole = |required: bool, schema: Value| {
        let content = json!({ "application/json": { "schema": schema } });
        let body = json!({ "required": required, "content": content });
        let tool = tool("3.1.0", json!({ "requestBody": body }), json!({}));
        tool.input_schema.unwrap()["properties"]["body"]["x-in"].clone()
    };
    let object = json!({ "type": "object", "required": ["a"], "properties": { "a": {} } });
    assert_eq!(whole(true, object.clone()), Value::Null);
    assert_eq!(whole(false, object), "wholeBody");
    let open = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": true });
    for schema in [
        json!({ "type": "array" }),
        json!({ "oneOf": [{}, {}] }),
        open,
    ] {
        assert_eq!(whole(true, schema), "wholeBody");
    }
}

#[test]
fn schemas_of_3_0_are_translated() {
    for (given, expected) in [
        (
            json!({ "type": "string", "nullable": true }),
            json!({ "type": ["string", "null"] }),
        ),
        (json!({ "nullable": true }), json!({})),
        (
            json!({ "minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false }),
            json!({ "exclusiveMinimum": 1, "maximum": 9 }),
        ),
        (
            json!({ "example": 1, "xml": {}, "x-go": "T" }),
            json!({ "examples": [1] }),
        ),
        // A member may be called like a keyword, and an example may look like a reference.
        (
            json!({ "properties": { "nullable": { "type": "boolean" } }, "enum": [{ "$ref": "#/no" }] }),
            json!({ "properties": { "nullable": { "type": "boolean" } }, "enum": [{ "$ref": "#/no" }] }),
        ),
    ] {
        let mut expected = expected;
        expected["x-in"] = json!("query");
        assert_eq!(q("3.0.3", given.clone(), json!({})), expected, "{given}");
    }
}

#[test]
fn references_are_replaced_and_what_stands_beside_one_counts_in_3_1_only() {
    let components = json!({ "schemas": { "A": { "type": "string", "description": "of A" } } });
    let beside = |more: Value| {
        let mut schema = json!({ "$ref": "#/components/schemas/A" });
        schema
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        schema
    };
    let says = beside(json!({ "description": "own" }));
    let demands = beside(json!({ "maxLength": 3 }));
    assert_eq!(
        q("3.0.0", says.clone(), components.clone())["description"],
        "of A"
    );
    assert_eq!(q("3.1.0", says, components.clone())["description"], "own");
    let expected = json!({
        "allOf": [{ "type": "string", "description": "of A" }], "maxLength": 3, "x-in": "query",
    });
    assert_eq!(q("3.1.0", demands, components), expected);
}

#[test]
fn what_leads_back_to_itself_is_kept_as_a_definition() {
    let components = json!({ "schemas": {
        "Node": { "type": "object", "properties": { "next": { "$ref": "#/components/schemas/Link" } } },
        "Link": { "type": "object", "properties": { "to": { "$ref": "#/components/schemas/Node" } } },
        "Leaf": { "type": "integer" },
    } });
    let operation = json!({ "parameters": [
        { "name": "n", "in": "query", "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Node" } } },
        { "name": "l", "in": "query", "schema": { "$ref": "#/components/schemas/Leaf" } },
    ] });
    let schema = tool("3.1.0", operation, components).input_schema.unwrap();
    assert_eq!(schema["properties"]["l"]["type"], "integer");
    assert_eq!(
        schema["properties"]["n"]["items"],
        json!({ "$ref": "#/$defs/Node" })
    );
    let definitions = json!({
        "Node": { "type": "object", "properties": { "next": { "$ref": "#/$defs/Link" } } },
        "Link": { "type": "object", "properties": { "to": { "$ref": "#/$defs/Node" } } },
    });
    assert_eq!(schema["$defs"], definitions);
}

#[test]
fn a_schema_that_would_grow_too_large_keeps_its_references() {
    // Each level names the one below twice: two to the power of thirty leaves.
    let mut schemas = serde_json::Map::new();
    for level in 0..30 {
        let below = json!({ "$ref": format!("#/components/schemas/L{}", level + 1) });
        let both = json!({ "type": "object", "properties": { "a": below.clone(), "b": below } });
        schemas.insert(format!("L{level}"), both);
    }
    schemas.insert("L30".to_owned(), json!({ "type": "string" }));
    let reference = json!({ "$ref": "#/components/schemas/L0" });
    let found = q("3.0.0", reference, json!({ "schemas": schemas }));
    assert_eq!(found["$ref"], "#/$defs/L0");
}

#[test]
fn a_result_that_is_an_object_is_the_output_schema() {
    let answer = |status: &str, kind: &str, schema: Value| {
        let operation = json!({ "responses": { "default": {}, status: { "content": { kind: { "schema": schema } } } } });
        tool("3.0.0", operation, json!({})).output_schema
    };
    let object = json!({ "properties": { "a": {}, "secret": { "writeOnly": true } } });
    let expected = json!({ "type": "object", "properties": { "a": {} } });
    assert_eq!(
        answer("201", "application/hal+json", object.clone()),
        Some(expected)
    );
    assert_eq!(answer("404", "application/json", object.clone()), None);
    assert_eq!(answer("200", "text/html", object), None);
    assert_eq!(
        answer("200", "application/json", json!({ "type": "array" })),
        None
    );
}

#[test]
fn a_method_is_a_hint_and_security_the_last_line() {
    let schemes = json!({
        "key": { "type": "apiKey", "in": "header", "name": "X-Key" },
        "login": { "type": "oauth2", "flows": {} },
    });
    let mut document = document("3.0.0", json!({}), json!({ "securitySchemes": schemes }));
    document["security"] = json!([{ "key": [] }, { "login": ["read", "write"] }]);
    document["servers"] = json!([{ "url": "https://{zone}.example.com/v1", "variables": { "zone": { "default": "eu" } } }]);
    document["paths"]["/x"] = json!({
        "get": { "operationId": "one", "description": "One\u{200b}." },
        "put": { "operationId": "two", "summary": "Two" },
        "delete": { "operationId": "three", "security": [] },
        "post": { "operationId": "four" },
    });
    let read = read(&document).unwrap();
    let tools = &read.server.tools;
    let hints = |name: &str| tools[name].annotations.clone();
    assert_eq!(hints("one"), Some(json!({ "readOnlyHint": true })));
    assert_eq!(hints("two"), Some(json!({ "idempotentHint": true })));
    assert_eq!(hints("three"), Some(json!({ "destructiveHint": true })));
    assert_eq!(hints("four"), None);
    assert_eq!(
        tools["one"].description,
        "One.\n\nAuthentication: API key in header `X-Key`, or OAuth 2 with scopes read, write."
    );
    assert_eq!(tools["three"].description, "DELETE /x");
    assert_eq!(
        (
            tools["two"].title.as_deref(),
            tools["two"].version.to_string().as_str()
        ),
        (Some("Two"), "1.2.3")
    );
    let about = &tools["one"].input_schema.as_ref().unwrap()["x-request"];
    assert_eq!(about["server"], "https://eu.example.com/v1");
    let warnings: Vec<_> = read
        .warnings
        .iter()
        .map(|warning| (&*warning.place, warning.code))
        .collect();
    assert_eq!(warnings, [("/paths/~1x/get", "HIDDEN_CHARACTERS_REMOVED")]);
}

#[test]
fn a_text_that_is_too_long_is_cut_before_its_last_line() {
    let operation = json!({ "description": "é".repeat(5_000), "deprecated": true });
    let description = tool("3.0.0", operation, json!({})).description;
    assert_eq!(description.chars().count(), 4_000);
    assert!(description.ends_with("…\n\nDeprecated by its publisher."));
}

#[test]
fn what_is_no_document_for_us_is_refused_with_a_code() {
    for (text, code) in [
        ("{", "UNREADABLE_DOCUMENT"),
        ("a: 1\na: 2", "UNREADABLE_DOCUMENT"),
        ("[]", "NOT_OPENAPI"),
        ("title: x", "NOT_OPENAPI"),
        ("swagger: '2.0'", "UNSUPPORTED_OPENAPI_VERSION"),
        ("openapi: 3.3.0", "UNSUPPORTED_OPENAPI_VERSION"),
        ("openapi: 3.20.0", "UNSUPPORTED_OPENAPI_VERSION"),
        ("openapi: 4.0.0", "UNSUPPORTED_OPENAPI_VERSION"),
        ("openapi: 3.1.0\ninfo: {title: x}", "NO_OPERATIONS"),
        ("openapi: 3.1.0\npaths: {/a: {get: {}}}", "SLUG_MISSING"),
        (
            "openapi: 3.0.0\npaths: {/a: {$ref: '#/paths/~1b'}, /b: {$ref: '#/paths/~1a'}}",
            "CYCLIC_REF",
        ),
        (
            "openapi: 3.0.0\npaths: {/a: {$ref: 'other.yaml'}}",
            "REMOTE_REF",
        ),
    ] {
        let refused = translate(text, &Options::default()).unwrap_err();
        assert_eq!(refused[0].code, code, "{text}");
    }
}

#[test]
fn every_operation_that_is_refused_is_named_and_none_is_taken() {
    let reference = |to: &str| query(json!({ "$ref": to }));
    let large = "y".repeat(70_000);
    let mut document = document(
        "3.1.0",
        json!({}),
        json!({ "schemas": { "A": { "$dynamicRef": "#x" } } }),
    );
    document["paths"]["/x"] = json!({
        "get": reference("#/components/schemas/None"),
        "put": reference("https://example.com/schema.json"),
        "post": reference("#/components/schemas/A"),
        "delete": query(json!({ "description": large })),
        "patch": query(json!("string")),
        "head": { "parameters": [{ "name": "q", "in": "formData" }] },
        "options": {},
    });
    let mut found = codes(&document);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "BROKEN_REF",
            "INVALID_PARAMETER",
            "INVALID_SCHEMA",
            "REMOTE_REF",
            "SCHEMA_TOO_LARGE",
            "UNSUPPORTED_REF"
        ]
    );
    let places = read(&document).unwrap_err();
    let broken = places
        .iter()
        .find(|problem| problem.code == "BROKEN_REF")
        .unwrap();
    assert_eq!(broken.place, "/paths/~1x/get/parameters/0/schema");
}

#[test]
fn an_address_keeps_its_user_and_password_to_itself() {
    let mut document = document("3.0.0", json!({}), json!({}));
    let fetched = Options {
        address: Some(
            "https://me:secret@example.com/specs/x.json?token=t"
                .parse()
                .unwrap(),
        ),
        ..Options::default()
    };
    for (url, options, expected) in [
        ("/api/", &fetched, "https://example.com/api"),
        (
            "https://you:word@other.example/v1",
            &fetched,
            "https://other.example/v1",
        ),
        (
            "https://you:word@other.example",
            &Options::default(),
            "https://other.example",
        ),
        ("/api", &Options::default(), "/api"),
    ] {
        document["servers"] = json!([{ "url": url }]);
        let read = translate(&document.to_string(), options).unwrap();
        let tool = read.server.tools.into_values().next().unwrap();
        assert_eq!(tool.input_schema.unwrap()["x-request"]["server"], expected);
    }
}
