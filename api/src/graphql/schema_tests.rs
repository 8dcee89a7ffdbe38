//! The snapshot, the descriptions, and the limits that need the schema.

use super::*;
use crate::graphql::error::{code, finish};
use crate::graphql::limits::{check_document, check_source};
use async_graphql::Variables;
use async_graphql::parser::parse_query;
use serde_json::Value;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");

/// The query that GraphiQL sends when it opens.
const GRAPHIQL_INTROSPECTION: &str = r"query IntrospectionQuery { __schema { queryType { name } mutationType { name }
  subscriptionType { name } types { ...FullType } directives { name description locations args { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";

async fn introspect() -> Value {
    let response = build(&LimitsConfig::default())
        .execute(GRAPHIQL_INTROSPECTION)
        .await;
    assert!(response.is_ok(), "{:?}", response.errors);
    response.data.into_json().expect("data is JSON")
}

#[test]
fn the_committed_schema_is_the_schema() {
    let committed = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    if committed != sdl() {
        std::fs::write(SNAPSHOT, sdl()).expect("the snapshot can be written");
        panic!("api/schema.graphql was out of date and is written anew: look at the difference");
    }
}

#[tokio::test]
async fn everything_is_described() {
    let answer = introspect().await;
    let mut silent = Vec::new();
    let mut check = |item: &Value, place: &str| {
        let name = item["name"].as_str().unwrap_or_default();
        if item["description"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            silent.push(format!("{place}{name}"));
        }
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for kind in list(&answer["__schema"]["types"]) {
        let name = kind["name"].as_str().unwrap_or_default().to_owned();
        if name.starts_with("__") {
            continue;
        }
        check(&kind, "");
        for field in list(&kind["fields"]) {
            check(&field, &format!("{name}."));
            for argument in list(&field["args"]) {
                check(
                    &argument,
                    &format!("{name}.{}.", field["name"].as_str().unwrap_or_default()),
                );
            }
        }
        for part in list(&kind["inputFields"])
            .iter()
            .chain(&list(&kind["enumValues"]))
        {
            check(part, &format!("{name}."));
        }
    }
    assert!(silent.is_empty(), "without description: {silent:#?}");
}

#[test]
fn graphiql_may_introspect_within_the_limits() {
    let document = parse_query(GRAPHIQL_INTROSPECTION).expect("sound");
    check_source(GRAPHIQL_INTROSPECTION).expect("small enough");
    check_document(&document, &Variables::default(), &LimitsConfig::default()).expect("allowed");
}

async fn refusal_of(query: &str) -> (String, String) {
    let limits = LimitsConfig::default();
    let mut response = build(&limits).execute(query).await;
    finish(&mut response, &limits);
    let error = response.errors.first().expect("refused");
    (
        code(error).unwrap_or("none").to_owned(),
        error.message.clone(),
    )
}

#[tokio::test]
async fn pages_multiply_what_is_in_them() {
    let (code, message) = refusal_of(
        "{ servers(first: 100) { nodes { tools(first: 100) { nodes { name description } } } } }",
    )
    .await;
    assert_eq!(code, "QUERY_TOO_COMPLEX");
    assert!(
        message.contains("5000") && message.contains("limits.graphql_complexity"),
        "{message}"
    );
}

#[tokio::test]
async fn what_does_not_fit_the_schema_has_a_code() {
    assert_eq!(
        refusal_of("{ nonsense }").await.0,
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(
        refusal_of("{ tools(minSequence: -1) { totalCount } }")
            .await
            .0,
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(
        refusal_of("query A { viewer { id } } query B { viewer { id } }")
            .await
            .0,
        "GRAPHQL_VALIDATION_FAILED"
    );
}

#[tokio::test]
async fn errors_of_resolvers_carry_the_code_of_the_taxonomy() {
    use crate::error::ApiError;
    struct Failing;
    #[async_graphql::Object]
    impl Failing {
        async fn hidden(&self) -> Result<Option<i32>, ApiError> {
            Err(ApiError::NotFound)
        }
        async fn refused(&self) -> Result<Option<i32>, ApiError> {
            Err(ApiError::Rejected {
                code: "TOOL_RETIRED",
                message: "the tool is retired".into(),
            })
        }
        async fn away(&self) -> Result<Option<i32>, ApiError> {
            Err(ApiError::Unavailable {
                message: "the event log is unavailable".into(),
            })
        }
    }
    let empty = async_graphql::EmptyMutation;
    let schema = async_graphql::Schema::new(Failing, empty, async_graphql::EmptySubscription);
    let mut response = schema.execute("{ hidden refused away }").await;
    finish(&mut response, &LimitsConfig::default());
    let mut codes: Vec<_> = response.errors.iter().filter_map(code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["NOT_FOUND", "TOOL_RETIRED", "UNAVAILABLE"]);
    let away = response
        .errors
        .iter()
        .find(|error| code(error) == Some("UNAVAILABLE"));
    let retryable = away.and_then(|error| error.extensions.as_ref()?.get("retryable").cloned());
    assert_eq!(retryable, Some(async_graphql::Value::Boolean(true)));
}
