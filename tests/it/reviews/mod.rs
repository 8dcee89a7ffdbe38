//! Reviews: written, revised, withdrawn, moderated, counted; and forgotten with their authors.

mod forgetting;
mod late;
mod moderation;
mod writing;

use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};

const REVIEW: &str = "mutation($name: String!, $version: String, $rating: Int!, $text: String) {
    reviewTool(input: { server: \"git\", name: $name, version: $version, rating: $rating, text: $text }) {
        review { id version rating text mine withdrawn moderation moderationReason appeal }
        sequence notice } }";
const RATING: &str = "query($name: String!) { tool(server: \"git\", name: $name) {
    rating { average bayesian count histogram byVersion { version average count } } } }";
const REVIEWS: &str = "query($name: String!, $hidden: Boolean!, $after: String, $first: Int!) {
    tool(server: \"git\", name: $name) { reviews(first: $first, after: $after, includeHidden: $hidden) {
        nodes { id rating text authorId mine withdrawn moderation moderationReason appeal }
        pageInfo { endCursor hasNextPage } } } }";

/// A tenant with a server and some tools of version 1.0.0.
async fn with_tools(tools: &[&str]) -> (Installation, Client) {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let server =
        "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";
    owner.data(server, json!({})).await;
    for name in tools {
        let tool = "mutation($name: String!) { registerTool(input: { server: \"git\", name: $name,
            description: \"Does it\" }) { sequence } }";
        owner.data(tool, json!({ "name": name })).await;
    }
    (installation, owner)
}

async fn review(client: &Client, name: &str, rating: i32, text: &str) -> Value {
    let variables = json!({ "name": name, "rating": rating, "text": text });
    client.data(REVIEW, variables).await["reviewTool"].take()
}

async fn rating(client: &Client, name: &str) -> Value {
    client.data(RATING, json!({ "name": name })).await["tool"]["rating"].take()
}

async fn reviews(client: &Client, name: &str, hidden: bool) -> Vec<Value> {
    let variables = json!({ "name": name, "hidden": hidden, "first": 20 });
    let mut answer = client.data(REVIEWS, variables).await;
    let nodes = answer["tool"]["reviews"]["nodes"].take();
    nodes.as_array().unwrap().clone()
}

/// A change of a review by its id, `input` beside it.
fn change(mutation: &str, review: &Value, input: &str) -> String {
    format!(
        "mutation {{ change: {mutation}(input: {{ review: {review} {input} }}) {{
            review {{ rating text withdrawn moderation moderationReason appeal }} sequence notice }} }}"
    )
}

async fn changed(client: &Client, mutation: &str, review: &Value, input: &str) -> Value {
    let change = change(mutation, review, input);
    client.data(&change, json!({})).await["change"]["review"].take()
}

async fn refused(client: &Client, mutation: &str, review: &Value, input: &str) -> String {
    client
        .code(&change(mutation, review, input), json!({}))
        .await
}
