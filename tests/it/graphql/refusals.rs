//! What the endpoint refuses before anything is executed.

use crate::support::{Client, Installation};
use domain::principal::Role;
use reqwest::header;
use serde_json::{Value, json};

async fn post(client: &Client, content_type: &str, body: String) -> (u16, Value) {
    let request = client.http.post(format!("{}/graphql", client.base));
    let request = request
        .header(header::CONTENT_TYPE, content_type)
        .body(body);
    let response = client.authorize(request).send().await.unwrap();
    (
        response.status().as_u16(),
        response.json().await.unwrap_or(Value::Null),
    )
}

pub(super) fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or("none")
}

#[tokio::test]
async fn strangers_get_the_page_and_nothing_else() {
    let installation = Installation::start().await;
    let stranger = installation.stranger();
    for query in [
        "{ viewer { handle } }",
        "{ __schema { types { name } } }",
        "{ nonsense",
    ] {
        let request = stranger.http.post(format!("{}/graphql", stranger.base));
        let answer = request
            .json(&json!({ "query": query }))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{query}");
        let challenge = answer.headers()[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
    }
    let page = stranger
        .http
        .get(format!("{}/graphql", stranger.base))
        .header(header::ACCEPT, "text/html");
    let page = page.send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    assert!(page.text().await.unwrap().contains("GraphiQL"));
}

#[tokio::test]
async fn there_are_no_get_queries() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "admin", &[Role::Admin]).await;
    for path in [
        "/graphql",
        "/graphql?query=%7Bviewer%7Bhandle%7D%7D",
        "/graphql?query=mutation%7BretireServer(input%3A%7Bslug%3A%22a%22%7D)%7Bsequence%7D%7D",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.status(), 405, "{path}");
        assert!(answer.headers().contains_key(header::ALLOW), "{path}");
    }
}

#[tokio::test]
async fn only_one_json_operation_of_bounded_size_is_taken() {
    let installation = Installation::start_with(|config| config.limits.body_bytes = 20_000).await;
    let client = installation.client("acme", "admin", &[Role::Admin]).await;
    let query = json!({ "query": "{ viewer { handle } }" });
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let (status, answer) = post(&client, content_type, query.to_string()).await;
        assert_eq!(
            (status, code(&answer)),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
            "{content_type}"
        );
    }
    let batch = json!([query, query]).to_string();
    let (status, answer) = post(&client, "application/json", batch).await;
    assert_eq!((status, code(&answer)), (400, "BATCH_REFUSED"));
    let (status, answer) = post(&client, "application/json", "{".into()).await;
    assert_eq!((status, code(&answer)), (400, "INVALID_REQUEST"));
    let large = json!({ "query": format!("{{ viewer {{ handle }} }} #{}", "x".repeat(20_000)) });
    let (status, answer) = post(&client, "application/json", large.to_string()).await;
    assert_eq!((status, code(&answer)), (413, "TOO_LARGE"));
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("20000"),
        "{answer:#}"
    );
    let (status, _) = post(
        &client,
        "application/json; charset=utf-8",
        query.to_string(),
    )
    .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn documents_above_a_limit_are_refused_with_the_limit_named() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "admin", &[Role::Admin]).await;
    let aliases: String = (0..31)
        .map(|n| format!("a{n}: viewer {{ handle }} "))
        .collect();
    let server = "server { tools(first: 1) { nodes { ";
    let deep = format!(
        "{{ tools(first: 1) {{ nodes {{ {}name{} }} }} }}",
        server.repeat(5),
        " } } }".repeat(5)
    );
    let fields = "a: handle ".repeat(10_001);
    for (query, expected, limit) in [
        (format!("{{ {aliases} }}"), "TOO_MANY_ALIASES", "30"),
        (deep, "QUERY_TOO_DEEP", "16"),
        (
            "{ servers(first: 100) { nodes { tools(first: 100) { nodes { name } } } } }".into(),
            "QUERY_TOO_COMPLEX",
            "5000",
        ),
        (
            "{ tools(first: 101) { totalCount } }".into(),
            "INVALID_PAGE_SIZE",
            "100",
        ),
        (
            format!(
                "{{ viewer {} {{ handle }} }}",
                "@include(if: true) ".repeat(21)
            ),
            "TOO_MANY_DIRECTIVES",
            "20",
        ),
        (
            format!("{{ viewer {{ {fields} }} }}"),
            "TOO_MANY_TOKENS",
            "10000",
        ),
        (
            "{ ...A } fragment A on Query { ...A }".into(),
            "QUERY_TOO_RECURSIVE",
            "itself",
        ),
    ] {
        let (_, answer) = client.graphql(&query, json!({})).await;
        assert_eq!(code(&answer), expected, "{answer:#}");
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(limit), "{message}");
        assert!(answer["data"].is_null(), "{answer:#}");
    }
}

#[tokio::test]
async fn answers_follow_graphql_over_http() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "admin", &[Role::Admin]).await;
    for (query, old, new) in [
        ("{ viewer { handle } }", 200, 200),
        ("{ nonsense }", 200, 400),
        ("{ viewer {", 200, 400),
        ("{ server(slug: \"absent\") { id } }", 200, 200),
    ] {
        for (accept, expected) in [
            ("application/json", old),
            ("application/graphql-response+json", new),
        ] {
            let request = client.http.post(format!("{}/graphql", client.base));
            let request = request
                .header(header::ACCEPT, accept)
                .json(&json!({ "query": query }));
            let answer = client.authorize(request).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), expected, "{query} as {accept}");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], accept);
            let answer: Value = answer.json().await.unwrap();
            for error in answer["errors"].as_array().unwrap_or(&Vec::new()) {
                assert!(error["extensions"]["code"].is_string(), "{answer:#}");
            }
        }
    }
}
