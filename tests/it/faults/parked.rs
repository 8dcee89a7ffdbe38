//! A commit of `search` that was parked, when its index is built anew.

use super::world::eventually;
use crate::support::{Client, Installation};
use domain::principal::Role;
use projections::dead_letter;
use projections::rebuild::{Finish, rebuild_search};
use projections::search;
use serde_json::json;
use sqlx::Executor;

const TOOL: &str = "mutation($name: String!) { registerTool(
    input: { server: \"git\", name: $name, description: \"Does it\" }) { sequence } }";
const PUBLISH: &str = "mutation($version: String!, $text: String!) { publishToolVersion(
    input: { server: \"git\", name: \"broken\", version: $version, description: $text }) { sequence } }";

#[tokio::test]
async fn a_rebuilt_index_has_nothing_parked_and_takes_later_commits_of_the_same_object() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let server =
        "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";
    owner.data(server, json!({})).await;
    let mut database = installation.app.database.connect().await.unwrap();
    // The document of one tool cannot be read, as with a defect in the projector.
    let defect = "ALTER TABLE search.uses RENAME TO kept;
                  CREATE VIEW search.uses AS SELECT tool_id, tenant, 1 / (length(name) - 6) AS bucket
                      FROM catalog.tools WHERE name = 'broken'";
    database.execute(defect).await.unwrap();
    for name in ["broken", "sound"] {
        owner.data(TOOL, json!({ "name": name })).await;
    }
    installation.settle().await;
    assert_eq!(parked(&installation).await, 1);
    let mended = "DROP VIEW search.uses; ALTER TABLE search.kept RENAME TO uses";
    database.execute(mended).await.unwrap();
    publish(&owner, "1.1.0", "Weighs parcels").await;
    installation.settle().await;
    assert_eq!(parked(&installation).await, 2, "it waits behind the first");

    let rebuilt = rebuild(&installation, Finish::Swap).await;
    assert!(rebuilt.swapped && !rebuilt.is_equal(), "{rebuilt:?}");
    assert_eq!(parked(&installation).await, 0);
    finds(&owner, "weighs parcels").await;
    publish(&owner, "1.2.0", "Measures lengths").await;
    installation.settle().await;
    assert_eq!(parked(&installation).await, 0);
    finds(&owner, "measures lengths").await;
    let checked = rebuild(&installation, Finish::Check).await;
    assert!(checked.is_equal(), "{checked:?}");
}

async fn parked(installation: &Installation) -> usize {
    let letters = dead_letter::list(&installation.app.database).await.unwrap();
    let of_search = letters.iter().filter(|one| one.projector == search::NAME);
    of_search.count()
}

async fn rebuild(installation: &Installation, finish: Finish) -> projections::rebuild::Rebuilt {
    let app = &installation.app;
    let rebuilt = rebuild_search(
        &app.index,
        &app.state.log,
        &app.database,
        finish,
        &|_, _| {},
    );
    rebuilt.await.unwrap()
}

async fn publish(owner: &Client, version: &str, text: &str) {
    let variables = json!({ "version": version, "text": text });
    owner.data(PUBLISH, variables).await;
}

/// Waits until the tool is found: a process follows a swap within a second.
async fn finds(owner: &Client, query: &str) {
    let search = "query($query: String!) { searchTools(query: $query) { hits { tool { name } } } }";
    eventually("the tool is found", async || {
        let answer = owner.data(search, json!({ "query": query })).await;
        answer["searchTools"]["hits"][0]["tool"]["name"] == "broken"
    })
    .await;
}
