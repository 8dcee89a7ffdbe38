//! Teams in read models that are built anew: the same rows, and the same is seen.

use super::{TOOL, begin, change, describe, joining, leaving, member, tool};
use crate::mcp::{call, names};
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild, rebuild_search};
use projections::registry;
use serde_json::json;

#[tokio::test]
async fn a_rebuilt_model_shows_each_team_what_the_live_one_did() {
    let (installation, owner) = begin().await;
    tool(&owner, "count", "TENANT", None).await;
    let private = json!({ "visibility": "PRIVATE", "team": "search" });
    describe(&owner, "count", &private).await;
    describe(&owner, "count", &json!({ "team": "payments" })).await;
    tool(&owner, "sort", "PRIVATE", Some("search")).await;
    let payments = member(&installation, &owner, "bot", Role::Agent, &["payments"]).await;
    let search = member(&installation, &owner, "pub", Role::Publisher, &["search"]).await;
    change(&owner, &joining("pub", "payments")).await;
    change(&owner, &leaving("pub", "payments")).await;
    installation.settle().await;

    let (log, database) = (&installation.app.state.log, &installation.app.database);
    let concerned = registry::relational().into_iter();
    for projector in concerned.filter(|one| ["access", "catalog"].contains(&one.name())) {
        let name = projector.name();
        let rebuilt = rebuild(projector, log, database, Finish::SwapIfEqual, &|_, _| {})
            .await
            .unwrap();
        assert!(rebuilt.is_equal() && rebuilt.swapped, "{name}: {rebuilt:?}");
    }
    let index = &installation.app.index;
    let rebuilt = rebuild_search(index, log, database, Finish::SwapIfEqual, &|_, _| {})
        .await
        .unwrap();
    assert!(rebuilt.is_equal() && rebuilt.swapped, "{rebuilt:?}");
    for (client, own, other) in [(&payments, "count", "sort"), (&search, "sort", "count")] {
        client.data(TOOL, json!({ "name": own })).await;
        assert_eq!(
            client.code(TOOL, json!({ "name": other })).await,
            "NOT_FOUND"
        );
        let task = json!({ "query": "count the money of a till" });
        let found = call(client, "search_tools", task).await;
        assert_eq!(names(&found), [own], "{found:#}");
    }
}
