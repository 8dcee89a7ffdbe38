//! Several writers of one object at the same time: who changes one field leaves what the others say in the rest.

use super::{register_server, register_tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

const TOOL: &str = "mutation($input: DescribeToolInput!, $id: UUID) {
    done: describeTool(input: $input, commandId: $id) { sequence } }";
const SERVER: &str = "mutation($input: DescribeServerInput!) {
    done: describeServer(input: $input) { sequence } }";
const CATEGORY: &str = "mutation($input: DescribeCategoryInput!) {
    done: describeCategory(input: $input) { sequence } }";

/// Sends all changes at the same time and answers the position of the last one.
async fn at_once(client: &Client, mutation: &str, inputs: impl IntoIterator<Item = Value>) -> u64 {
    let sent = inputs.into_iter().map(|input| {
        let variables = json!({ "input": input });
        async move { client.data(mutation, variables).await }
    });
    let positions = join_all(sent).await.into_iter();
    let positions = positions.map(|done| done["done"]["sequence"].as_u64().unwrap());
    positions.max().unwrap()
}

#[tokio::test]
async fn a_tool_that_is_hidden_while_another_titles_it_stays_hidden_and_has_the_title() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    register_tool(&client, "git", "commit", json!({ "visibility": "PUBLIC" })).await;
    let seen = "query($at: Sequence!) {
        tool(server: \"git\", name: \"commit\", minSequence: $at) { title visibility } }";
    for round in 0..20 {
        // Hidden, and in the next round shown again.
        let visibility = ["PRIVATE", "PUBLIC"][round % 2];
        let title = format!("Round {round}");
        let inputs = [
            json!({ "server": "git", "name": "commit", "visibility": visibility }),
            json!({ "server": "git", "name": "commit", "title": title }),
        ];
        let at = at_once(&client, TOOL, inputs).await;
        let tool = client.data(seen, json!({ "at": at })).await["tool"].take();
        assert_eq!(tool, json!({ "title": title, "visibility": visibility }));
    }
}

/// As many at once as a round has fields; a writer loses at most against each of the others.
#[tokio::test]
async fn every_field_of_a_server_that_is_changed_at_the_same_time_holds() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    let seen = "query($at: Sequence!) { server(slug: \"git\", minSequence: $at) {
        name description homepage license category tags } }";
    for round in 0..4 {
        let (license, word) = (["GPL-2.0-only", "MIT"][round % 2], format!("round-{round}"));
        let wanted = json!({ "name": format!("Git {round}"), "description": word, "license": license,
            "homepage": format!("https://git-scm.com/{round}"), "category": word, "tags": [word] });
        let fields = wanted.as_object().unwrap().iter();
        let inputs = fields.map(|(field, value)| json!({ "slug": "git", field.as_str(): value }));
        let at = at_once(&client, SERVER, inputs).await;
        let server = client.data(seen, json!({ "at": at })).await["server"].take();
        assert_eq!(server, wanted);
    }
}

#[tokio::test]
async fn title_and_description_of_a_category_that_are_changed_at_the_same_time_both_hold() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "owner", &[Role::Owner]).await;
    let add = "mutation { addCategory(input: { slug: \"vcs\", title: \"Old\" }) { sequence } }";
    client.data(add, json!({})).await;
    let seen =
        "query($at: Sequence!) { taxonomy(minSequence: $at) { categories { title description } } }";
    for round in 0..5 {
        let (title, description) = (format!("Title {round}"), format!("Text {round}"));
        let inputs = [
            json!({ "slug": "vcs", "title": title }),
            json!({ "slug": "vcs", "description": description }),
        ];
        let at = at_once(&client, CATEGORY, inputs).await;
        let taxonomy = client.data(seen, json!({ "at": at })).await["taxonomy"].take();
        assert_eq!(
            taxonomy["categories"],
            json!([{ "title": title, "description": description }])
        );
    }
}

#[tokio::test]
async fn a_description_that_is_sent_twice_at_once_is_answered_once() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    register_server(&client, "git").await;
    register_tool(&client, "git", "commit", json!({})).await;
    for round in 0..5 {
        let said = |title: String| json!({ "server": "git", "name": "commit", "title": title });
        let input = said(format!("Round {round}"));
        let variables = json!({ "input": input, "id": Uuid::now_v7() });
        let (one, two) = tokio::join!(
            client.data(TOOL, variables.clone()),
            client.data(TOOL, variables.clone()),
        );
        assert_eq!(one, two);
        // Nor does it come back over what was said later.
        let later = said(format!("After round {round}"));
        client.data(TOOL, json!({ "input": later })).await;
        assert_eq!(client.data(TOOL, variables).await, one);
        let seen = "{ tool(server: \"git\", name: \"commit\") { title } }";
        let tool = client.data(seen, json!({})).await["tool"].take();
        assert_eq!(tool["title"], format!("After round {round}"));
    }
}
