//! What OpenAPI 3.2 adds, and that documents of earlier versions are read as before.

use super::{Options, codes, document, query, read, tool, translate};
use serde_json::json;

#[test]
fn query_and_methods_without_a_field_are_tools() {
    let schema = json!({ "type": "object", "properties": { "words": { "type": "string" } } });
    let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    let mut document = document("3.2.0", json!({}), json!({}));
    document["paths"]["/x"] = json!({
        "query": { "operationId": "search", "requestBody": body },
        "additionalOperations": {
            "COPY": {}, "copy": { "deprecated": true }, "M-SEARCH": { "operationId": "discover" },
        },
    });
    let tools = read(&document).unwrap().server.tools;
    let request = |name: &str| tools[name].input_schema.as_ref().unwrap()["x-request"].clone();
    let expected = json!({ "method": "QUERY", "path": "/x", "contentType": "application/json" });
    assert_eq!(request("search"), expected);
    let hints = tools["search"].annotations.clone();
    assert_eq!(hints, Some(json!({ "readOnlyHint": true })));
    let words = &tools["search"].input_schema.as_ref().unwrap()["properties"]["words"];
    assert_eq!(words["x-in"], "body");
    // Methods are case-sensitive: these are two operations, and each is sent as it is written.
    let expected = json!({ "method": "COPY", "path": "/x" });
    assert_eq!(request("copy_x"), expected);
    let upper = &tools["copy_x"];
    assert_eq!(
        (&*upper.description, &upper.annotations),
        ("COPY /x", &None)
    );
    let mut others = tools.keys().filter(|name| name.starts_with("copy_x_"));
    assert_eq!(request(others.next().unwrap())["method"], "copy");
    assert_eq!(request("discover")["method"], "M-SEARCH");
    assert_eq!(tools.len(), 4);

    for version in ["3.0.4", "3.1.2"] {
        document["openapi"] = json!(version);
        assert_eq!(codes(&document), ["NO_OPERATIONS"], "{version}");
    }
}

#[test]
fn a_method_that_has_a_field_or_is_none_is_refused() {
    let mut document = document("3.2.0", json!({}), json!({}));
    let methods = json!({ "POST": {}, "Query": {}, "NO GOOD": {}, "": {}, "LINK": {} });
    document["paths"]["/x"]["additionalOperations"] = methods;
    let refused = read(&document).unwrap_err();
    let at = "/paths/~1x/additionalOperations/";
    let mut found: Vec<_> = refused
        .iter()
        .map(|problem| (problem.place.strip_prefix(at).unwrap(), problem.code))
        .collect();
    found.sort_unstable();
    let expected = ["", "NO GOOD", "POST", "Query"].map(|method| (method, "INVALID_METHOD"));
    assert_eq!(found, expected);
}

#[test]
fn a_parameter_can_be_the_whole_query_string() {
    let filter = json!({ "type": "object", "properties": { "since": { "type": "string" } } });
    let content = json!({ "schema": { "$ref": "#/components/schemas/Filter" } });
    let whole = json!({
        "name": "filter", "in": "querystring", "required": true,
        "content": { "application/x-www-form-urlencoded": content },
    });
    let components = json!({ "schemas": { "Filter": filter } });
    let schema = tool(
        "3.2.0",
        json!({ "parameters": [whole] }),
        components.clone(),
    );
    let expected = json!({
        "type": "object",
        "properties": { "since": { "type": "string" } },
        "x-in": "querystring",
        "x-content-type": "application/x-www-form-urlencoded",
    });
    let schema = schema.input_schema.unwrap();
    assert_eq!(schema["properties"]["filter"], expected);
    assert_eq!(schema["required"], json!(["filter"]));

    let second = json!({ "name": "more", "in": "querystring", "content": whole["content"] });
    let of_schema = json!({ "name": "all", "in": "querystring", "schema": {} });
    let page = json!({ "name": "page", "in": "query", "schema": { "type": "integer" } });
    for (version, parameters) in [
        ("3.2.0", json!([whole, page])),
        ("3.2.0", json!([whole, second])),
        ("3.2.0", json!([of_schema])),
        ("3.1.0", json!([whole])),
    ] {
        let operation = json!({ "parameters": parameters });
        let document = document(version, operation, components.clone());
        assert_eq!(codes(&document), ["INVALID_PARAMETER"], "{parameters}");
    }
}

#[test]
fn a_reference_to_the_documents_own_address_stays_inside() {
    let components = json!({ "schemas": { "A": { "type": "integer" } } });
    let referring = |version: &str, to: &str| {
        let schema = json!({ "$ref": format!("{to}#/components/schemas/A") });
        let mut document = document(version, query(schema), components.clone());
        document["$self"] = json!("https://example.com/apis/x");
        document["servers"] = json!([{ "url": "/api" }]);
        document
    };
    // Addresses of servers begin where the document was fetched, whatever it calls itself.
    let options = Options {
        address: Some("https://device.example/specs/x.json".parse().unwrap()),
        ..Options::default()
    };
    for own in ["", "https://example.com/apis/x", "x", "/apis/x"] {
        let read = translate(&referring("3.2.0", own).to_string(), &options).unwrap();
        let tool = read.server.tools.into_values().next().unwrap();
        let schema = tool.input_schema.unwrap();
        assert_eq!(schema["properties"]["q"]["type"], "integer", "{own}");
        assert_eq!(schema["x-request"]["server"], "https://device.example/api");
    }
    for (version, other) in [("3.2.0", "y"), ("3.1.0", "https://example.com/apis/x")] {
        assert_eq!(codes(&referring(version, other)), ["REMOTE_REF"], "{other}");
    }
}

#[test]
fn content_can_be_given_by_reference_and_by_its_items() {
    let line = json!({ "type": "object", "properties": { "at": { "type": "string" } } });
    let components = json!({
        "schemas": { "Line": line },
        "mediaTypes": { "Lines": { "itemSchema": { "$ref": "#/components/schemas/Line" } } },
    });
    let lines = json!({ "$ref": "#/components/mediaTypes/Lines" });
    let operation = json!({
        "requestBody": { "required": true, "content": { "application/jsonl": lines } },
        "responses": { "200": { "content": { "text/event-stream": lines } } },
    });
    let read = tool("3.2.0", operation.clone(), components.clone());
    let schema = read.input_schema.unwrap();
    let expected = json!({ "type": "array", "items": line, "x-in": "wholeBody" });
    assert_eq!(schema["properties"]["body"], expected);
    assert_eq!(schema["x-request"]["contentType"], "application/jsonl");
    assert_eq!(read.output_schema, None);

    let earlier = tool("3.1.0", operation, components);
    assert_eq!(earlier.input_schema.unwrap()["properties"], json!({}));
}

#[test]
fn security_is_noted_with_what_is_deprecated_and_by_place() {
    let flow = json!({
        "deviceAuthorizationUrl": "https://example.com/device", "tokenUrl": "https://example.com/token",
        "scopes": { "read": "Read" },
    });
    let components = json!({ "securitySchemes": {
        "key": { "type": "apiKey", "in": "header", "name": "X-Key", "deprecated": true },
        "device": { "type": "oauth2", "flows": { "deviceAuthorization": flow } },
    } });
    let ways = json!([{ "key": [] }, { "#/components/securitySchemes/device": ["read"] }]);
    let operation = json!({ "security": ways });
    let said = |version: &str| tool(version, operation.clone(), components.clone()).description;
    assert_eq!(
        said("3.2.0"),
        "GET /x\n\nAuthentication: API key in header `X-Key` (deprecated), or OAuth 2 with scopes read."
    );
    assert!(!said("3.1.0").contains("deprecated"));
}

#[test]
fn what_is_said_of_tags_changes_no_tool() {
    let operation = json!({ "tags": ["loans"] });
    let mut document = document("3.2.0", operation, json!({}));
    let plain = read(&document).unwrap();
    document["tags"] = json!([
        { "name": "loans", "summary": "Loans", "parent": "desk", "kind": "nav" },
        { "name": "desk" },
    ]);
    assert_eq!(read(&document).unwrap(), plain);
    let tags: Vec<_> = plain.server.tools["get_x"].tags.iter().collect();
    assert_eq!(tags, ["loans"]);
}
