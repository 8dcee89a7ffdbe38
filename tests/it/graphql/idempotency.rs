//! The HTTP header `Idempotency-Key` beside `commandId`.

use super::refusals::code;
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const KEY: &str = "0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e";
const OTHER: &str = "0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5f";

/// The answer to an operation with these keys.
async fn send(client: &Client, keys: &[&str], query: &str) -> (u16, Value) {
    let mut request = client.http.post(format!("{}/graphql", client.base));
    for key in keys {
        request = request.header("Idempotency-Key", *key);
    }
    let request = request
        .header("Accept", "application/graphql-response+json")
        .json(&json!({ "query": query }));
    let response = client.authorize(request).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

const ONE: &str =
    "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";

#[tokio::test]
async fn a_key_makes_a_repetition_safe_as_a_command_id_does() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let first = send(&owner, &[KEY], ONE).await;
    assert!(
        first.1["data"]["registerServer"]["sequence"].is_u64(),
        "{first:?}"
    );
    // In quotes it is the same key, and `commandId` the same id.
    assert_eq!(send(&owner, &[&format!("\"{KEY}\"")], ONE).await, first);
    let by_argument = ONE.replace("})", &format!("}}, commandId: \"{KEY}\")"));
    assert_eq!(send(&owner, &[], &by_argument).await, first);
    // The same document without it, and with another one, is another command.
    for keys in [&[] as &[&str], &[OTHER]] {
        let (_, answer) = send(&owner, keys, ONE).await;
        assert_eq!(code(&answer), "SERVER_ALREADY_REGISTERED");
    }
    // A query has nothing to repeat.
    let (status, answer) = send(&owner, &["x"], "{ viewer { handle } }").await;
    assert_eq!(
        (status, &answer["data"]["viewer"]["handle"]),
        (200, &json!("owner"))
    );
}

#[tokio::test]
async fn a_key_that_is_no_command_id_is_refused_and_nothing_is_done() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let before = installation.settle().await;
    let two = "mutation { a: registerServer(input: { slug: \"a\", name: \"A\" }) { sequence }
        b: registerServer(input: { slug: \"b\", name: \"B\" }) { sequence } }";
    let behind_a_fragment = format!(
        "{} fragment all on Mutation {{ {}",
        "mutation { ...all }",
        &ONE[11..]
    );
    let own = ONE.replace("})", &format!("}}, commandId: \"{OTHER}\")"));
    let cases: [(&[&str], &str); 6] = [
        (&["x"], ONE),
        (&[""], ONE),
        (&[KEY, OTHER], ONE),
        (&[KEY], two),
        (&[KEY], &behind_a_fragment),
        (&[KEY], &own),
    ];
    for (keys, query) in cases {
        let (status, answer) = send(&owner, keys, query).await;
        assert_eq!(
            (status, code(&answer)),
            (400, "INVALID_IDEMPOTENCY_KEY"),
            "{keys:?} {query}"
        );
    }
    // A mutation that takes no command id, even when the schema has found it valid without one.
    let sign = "mutation { signTreeHead { size } }";
    send(&owner, &[], sign).await;
    let (status, answer) = send(&owner, &[KEY], sign).await;
    assert_eq!((status, code(&answer)), (400, "GRAPHQL_VALIDATION_FAILED"));
    assert_eq!(installation.settle().await, before);
}
