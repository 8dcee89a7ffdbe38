//! Each limit refuses what is above it and lets pass what is at it.

use super::source::{MAX_NESTING, scan};
use super::*;
use async_graphql::Variables;
use async_graphql::parser::parse_query;
use serde_json::json;

fn limits() -> LimitsConfig {
    LimitsConfig::default()
}

fn check_with(source: &str, variables: serde_json::Value) -> Result<(), (&'static str, String)> {
    let plain = |error: ApiError| (error.code(), error.to_string());
    check_source(source).map_err(plain)?;
    let document = parse_query(source).expect("the test's query is sound");
    check_document(&document, &Variables::from_json(variables), &limits()).map_err(plain)
}

fn check(source: &str) -> Result<(), (&'static str, String)> {
    check_with(source, json!({}))
}

fn code(source: &str) -> &'static str {
    check(source).expect_err("refused").0
}

fn nested(field: &str, depth: usize) -> String {
    format!(
        "{}{field}{}",
        format!("{{ {field} ").repeat(depth - 1) + "{ ",
        " }".repeat(depth)
    )
}

#[test]
fn depth_is_limited_and_named() {
    assert_eq!(check(&nested("a", 16)), Ok(()));
    let (code, message) = check(&nested("a", 17)).unwrap_err();
    assert_eq!(code, "QUERY_TOO_DEEP");
    assert!(
        message.contains("17") && message.contains("limits.graphql_depth"),
        "{message}"
    );
}

#[test]
fn depth_counts_through_fragments() {
    let spread = format!(
        "query {{ a {{ ...F }} }} fragment F on T {}",
        nested("b", 16)
    );
    assert_eq!(code(&spread), "QUERY_TOO_DEEP");
}

#[test]
fn the_source_is_limited_before_the_parser_sees_it() {
    let deep = "[".repeat(100_000);
    let (code, message) = check_source(&format!("{{ a(b: {deep}"))
        .map_err(|e| (e.code(), e.to_string()))
        .unwrap_err();
    assert_eq!(code, "TOO_MANY_TOKENS");
    assert!(message.contains("10000"), "{message}");
    let deep = check_source(&format!("{{ a(b: {}", "[".repeat(63))).unwrap_err();
    assert_eq!(deep.code(), "QUERY_TOO_DEEP");
}

#[test]
fn the_parser_survives_the_deepest_source_that_is_let_through() {
    let (open, close) = ("[".repeat(MAX_NESTING - 2), "]".repeat(MAX_NESTING - 2));
    assert_eq!(check(&format!("{{ a(b: {open}{close}) }}")), Ok(()));
}

#[test]
fn strings_and_comments_are_one_token_and_none() {
    assert_eq!(scan("{ a(b: \"}}} \\\" {{{\") # {{{{ \n }"), (8, 2));
    assert_eq!(scan("{ a(b: \"\"\" \" \\\"\"\" {{{ \"\"\") }"), (8, 2));
    assert_eq!(scan("{ a(b: \"never closed {{{"), (6, 2));
    assert_eq!(scan("{ ...F a: b }"), (6, 1));
}

#[test]
fn aliases_are_limited_also_through_fragments() {
    let aliases = |count: usize| {
        (0..count)
            .map(|n| format!("a{n}: viewer {{ handle }} "))
            .collect::<String>()
    };
    assert_eq!(check(&format!("{{ {} }}", aliases(30))), Ok(()));
    let (code, message) = check(&format!("{{ {} }}", aliases(31))).unwrap_err();
    assert_eq!(code, "TOO_MANY_ALIASES");
    assert!(
        message.contains("31") && message.contains("limits.graphql_aliases"),
        "{message}"
    );
    let spread = format!("{{ ...F ...F }} fragment F on Query {{ {} }}", aliases(16));
    assert_eq!(self::code(&spread), "TOO_MANY_ALIASES");
}

#[test]
fn directives_are_limited() {
    let directives = "@include(if: true) ".repeat(21);
    assert_eq!(
        code(&format!("{{ a {directives} }}")),
        "TOO_MANY_DIRECTIVES"
    );
    let many = "a @include(if: true) ".repeat(21);
    assert_eq!(code(&format!("{{ {many} }}")), "TOO_MANY_DIRECTIVES");
    let few = "a @include(if: true) ".repeat(20);
    assert_eq!(check(&format!("{{ {few} }}")), Ok(()));
}

#[test]
fn fragments_that_multiply_are_refused_in_no_time() {
    let mut source = "{ ...F0 }".to_owned();
    for n in 0..28 {
        source += &format!(
            " fragment F{n} on Query {{ {} }}",
            format!("...F{} ", n + 1).repeat(9)
        );
    }
    source += " fragment F28 on Query { viewer { handle } }";
    let began = std::time::Instant::now();
    assert_eq!(code(&source), "QUERY_TOO_COMPLEX");
    assert!(began.elapsed().as_secs() < 1);
}

#[test]
fn fragments_that_contain_themselves_are_refused() {
    for source in [
        "{ ...F } fragment F on Query { ...F }",
        "{ ...F } fragment F on Query { ...G } fragment G on Query { a { ...F } }",
        "{ a } fragment F on Query { ...F }",
    ] {
        assert_eq!(code(source), "QUERY_TOO_RECURSIVE", "{source}");
    }
}

#[test]
fn long_chains_of_fragments_are_refused() {
    for used in ["...F0", "a"] {
        let mut source = format!("{{ {used} }}");
        for n in 0..1_000 {
            source += &format!(" fragment F{n} on Query {{ ...F{} }}", n + 1);
        }
        source += " fragment F1000 on Query { a }";
        assert_eq!(code(&source), "QUERY_TOO_RECURSIVE");
    }
}

#[test]
fn pages_are_limited_in_literals_variables_and_defaults() {
    assert_eq!(check("{ tools(first: 100) { totalCount } }"), Ok(()));
    let (code, message) = check("{ tools(first: 101) { totalCount } }").unwrap_err();
    assert_eq!(code, "INVALID_PAGE_SIZE");
    assert!(
        message.contains("101") && message.contains("100"),
        "{message}"
    );
    for first in ["0", "-1", "2147483648"] {
        assert_eq!(
            self::code(&format!("{{ tools(first: {first}) {{ totalCount }} }}")),
            "INVALID_PAGE_SIZE"
        );
    }
    let variable = "query($n: Int!) { tools(first: $n) { totalCount } }";
    assert_eq!(check_with(variable, json!({"n": 5})), Ok(()));
    assert_eq!(
        check_with(variable, json!({"n": 500})).unwrap_err().0,
        "INVALID_PAGE_SIZE"
    );
    let default =
        "query($n: Int! = 500) { ...F } fragment F on Query { tools(first: $n) { totalCount } }";
    assert_eq!(self::code(default), "INVALID_PAGE_SIZE");
    assert_eq!(check_with(default, json!({"n": 5})), Ok(()));
}

#[test]
fn introspection_passes_unless_its_lists_are_nested() {
    let fine = "{ __schema { types { fields { args { type { ofType { ofType { ofType { ofType { ofType \
                { ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } } } } } } }";
    assert_eq!(check(fine), Ok(()));
    let bomb = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(code(bomb), "QUERY_TOO_DEEP");
}
