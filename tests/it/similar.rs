//! Tools like a tool, through both surfaces; by words, which needs no embedding model.

use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const REGISTER_SERVER: &str =
    "mutation { registerServer(input: { slug: \"mail\", name: \"Mail\" }) { sequence } }";
const REGISTER_TOOL: &str = "mutation($name: String!, $visibility: Visibility!) {
    registerTool(input: { server: \"mail\", name: $name, description: \"Sends a message\",
                          visibility: $visibility }) { sequence } }";
const SIMILAR: &str = "{ tools(filter: { text: \"send_mail_later\" }) { nodes {
    similar(first: 2) { tool { name } score reason } } } }";

async fn similar(client: &Client) -> Vec<Value> {
    let mut answer = client.data(SIMILAR, json!({})).await;
    let similar = answer["tools"]["nodes"][0]["similar"].take();
    similar.as_array().unwrap().clone()
}

#[tokio::test]
async fn similar_tools_are_told_with_their_reason_and_hidden_ones_are_not() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    publisher.data(REGISTER_SERVER, json!({})).await;
    for (name, visibility) in [
        ("send_mail", "TENANT"),
        ("send_mail_later", "TENANT"),
        ("send_mail_secretly", "PRIVATE"),
    ] {
        let variables = json!({ "name": name, "visibility": visibility });
        publisher.data(REGISTER_TOOL, variables).await;
    }
    installation.settle().await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    let seen = similar(&agent).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["tool"]["name"], "send_mail");
    assert!(
        seen[0]["reason"].as_str().unwrap().contains("mail"),
        "{seen:?}"
    );
    assert_eq!(similar(&publisher).await.len(), 2);

    let described = agent.describe("mail/send_mail_later").await;
    assert!(
        described.contains("Similar tools: mail/send_mail\n"),
        "{described}"
    );
    let described = agent.describe("mail/send_mail").await;
    assert!(!described.contains("secretly"), "{described}");
}
