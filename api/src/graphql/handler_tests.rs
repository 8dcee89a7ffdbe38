//! What is refused at the door, and how.

use super::*;
use async_graphql::parser::parse_query;

fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
}

#[test]
fn only_json_is_taken() {
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
    ] {
        assert!(is_json(&headers(header::CONTENT_TYPE, good)), "{good}");
    }
    for bad in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json5",
        "",
    ] {
        assert!(!is_json(&headers(header::CONTENT_TYPE, bad)), "{bad}");
    }
    assert!(!is_json(&HeaderMap::new()));
}

fn refused(body: &str) -> &'static str {
    parse_body(body.as_bytes()).expect_err("refused").code()
}

#[test]
fn one_operation_a_request() {
    assert_eq!(
        refused(r#"[{"query": "{ viewer { id } }"}]"#),
        "BATCH_REFUSED"
    );
    assert_eq!(refused(" \n[]"), "BATCH_REFUSED");
    for bad in [
        "",
        "{}",
        "null",
        "{\"query\": \" \"}",
        "query { a }",
        "{\"query\": 1}",
    ] {
        assert_eq!(refused(bad), "INVALID_REQUEST", "{bad}");
    }
    let variables = r#"{"query": "{ a }", "variables": null, "operationName": null}"#;
    assert!(parse_body(variables.as_bytes()).is_ok());
}

#[test]
fn variables_that_nest_without_end_are_refused() {
    let body = format!(
        r#"{{"query": "{{ a }}", "variables": {{"x": {}"#,
        "[".repeat(100_000)
    );
    assert_eq!(refused(&body), "INVALID_REQUEST");
}

#[test]
fn answers_are_typed_as_asked() {
    assert!(accepts_graphql_response(&headers(
        header::ACCEPT,
        "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"
    )));
    assert!(!accepts_graphql_response(&headers(
        header::ACCEPT,
        "application/json"
    )));
    assert!(!accepts_graphql_response(&HeaderMap::new()));
}

#[test]
fn traces_name_the_operation() {
    let operation = |source: &str, wanted: Option<&str>| {
        Operation::of(&parse_query(source).expect("sound"), wanted).span_name()
    };
    assert_eq!(operation("{ a }", None), "query");
    assert_eq!(
        operation("mutation Register { a }", None),
        "mutation Register"
    );
    assert_eq!(
        operation("query A { a } mutation B { b }", Some("B")),
        "mutation B"
    );
    assert_eq!(operation("query A { a } mutation B { b }", None), "unknown");
}

#[test]
fn a_late_mutation_says_how_to_repeat_it() {
    let mutation = Operation {
        kind: "mutation",
        name: None,
    };
    let error = past_deadline(&mutation, std::time::Duration::from_secs(15));
    assert!(error.is_retryable());
    assert!(error.to_string().contains("commandId"), "{error}");
}
