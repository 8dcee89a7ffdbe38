//! The search index is swapped with the models, or nothing is.

use super::fill;
use super::swap::generation;
use crate::support::{Installation, PATIENCE, serve};
use bus::CommandContext;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::Role;
use domain::tenant::{Tenant, TenantCommand};
use metamcp::app::Role as ProcessRole;
use projections::rebuild::{Finish, Progress, Rebuilt, rebuild_all};
use projections::search::{self, SearchRequest};
use projections::sight::Sight;
use projections::{Database, ProjectionError, registry};
use serde_json::json;
use sqlx::{Executor, Row};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

async fn rebuild_everything(
    installation: &Installation,
    finish: Finish,
) -> Result<Vec<Rebuilt>, ProjectionError> {
    let app = &installation.app;
    let silent: Progress = Arc::new(|_, _, _| {});
    rebuild_all(&app.index, &app.state.log, &app.database, finish, &silent).await
}

/// Which table of the index is live.
async fn index_table(database: &Database) -> String {
    let mut connection = database.connect().await.unwrap();
    let name = sqlx::query_scalar("SELECT table_name FROM search.index_table");
    name.fetch_one(&mut connection).await.unwrap()
}

/// What there is of it, live or not.
async fn tables_of_the_index(installation: &Installation) -> Vec<String> {
    let uri = &installation.config.search.index_uri;
    let connection = lancedb::connect(uri).execute().await.unwrap();
    connection.table_names().execute().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_is_swapped_in_the_moment_of_the_models() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let (database, stop) = (&installation.app.database, CancellationToken::new());
    let reader = tokio::spawn({
        let (database, stop) = (database.clone(), stop.clone());
        async move {
            let mut connection = database.connect().await.unwrap();
            let mut pairs = BTreeSet::new();
            while !stop.is_cancelled() {
                let row = connection
                    .fetch_one(
                        "SELECT oid::bigint, table_name FROM pg_namespace, search.index_table
                         WHERE nspname = 'catalog'",
                    )
                    .await
                    .unwrap();
                pairs.insert((row.get::<i64, _>(0), row.get::<String, _>(1)));
            }
            pairs
        }
    });
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    let (another, _) = serve(&installation.config, &[ProcessRole::Api]).await;
    for round in 0..3 {
        let before = (generation(database).await, index_table(database).await);
        let rebuilt = rebuild_everything(&installation, Finish::SwapIfEqual)
            .await
            .unwrap();
        assert!(
            rebuilt.iter().all(|one| one.swapped && one.is_equal()),
            "{rebuilt:?}"
        );
        let names: Vec<_> = rebuilt.iter().map(|one| one.projector.as_str()).collect();
        assert_eq!(names, registry::NAMES);
        let after = (generation(database).await, index_table(database).await);
        assert!(before.0.iter().all(|(name, oid)| after.0[name] != *oid));
        assert_ne!(before.1, after.1);
        // What is written to the new table at once is found by a process that has not looked for a swap since.
        let name = format!("new_{round}");
        let variables = json!({ "server": "one", "name": name });
        let written = publisher.data(super::REGISTER_TOOL, variables).await;
        let sequence = written["registerTool"]["sequence"].as_u64().unwrap();
        let positions = &another.state.positions;
        positions
            .wait_for(search::NAME, sequence, PATIENCE)
            .await
            .unwrap();
        let request = SearchRequest {
            sight: Sight::Everything,
            current: true,
            ..SearchRequest::new(TenantId::new("acme").unwrap(), &name)
        };
        let found = another.index.search(&request).await.unwrap();
        assert_eq!(found.hits.first().unwrap().name, name);
    }
    another.stop().await;
    stop.cancel();
    let pairs = reader.await.unwrap();
    assert_eq!(pairs.len(), 4, "{pairs:?}");
}

#[tokio::test]
async fn an_index_that_differs_keeps_the_models_as_they_are() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let database = &installation.app.database;
    let mut connection = database.connect().await.unwrap();
    let lost: Vec<String> =
        sqlx::query_scalar("SELECT tool_id FROM catalog.tools ORDER BY tool_id LIMIT 1")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let index = installation.app.index.get();
    index.delete(&tenant, &lost).await.unwrap();
    let before = (generation(database).await, index_table(database).await);
    for finish in [Finish::Check, Finish::SwapIfEqual] {
        let rebuilt = rebuild_everything(&installation, finish).await.unwrap();
        for one in &rebuilt {
            assert_eq!(one.is_equal(), one.projector != "search", "{one:?}");
            assert!(!one.swapped);
        }
        let after = (generation(database).await, index_table(database).await);
        assert_eq!(before, after);
    }

    let refuse = "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
                      $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
                  CREATE TRIGGER refuse BEFORE UPDATE ON search.index_table
                      FOR EACH ROW EXECUTE FUNCTION public.refuse();";
    connection.execute(refuse).await.unwrap();
    let refused = rebuild_everything(&installation, Finish::Swap).await;
    assert!(matches!(refused, Err(ProjectionError::Database(_))));
    let after = (generation(database).await, index_table(database).await);
    assert_eq!(before, after);
    assert_eq!(tables_of_the_index(&installation).await, [&*before.1]);
    connection
        .execute("DROP TRIGGER refuse ON search.index_table")
        .await
        .unwrap();

    let mended = rebuild_everything(&installation, Finish::Swap)
        .await
        .unwrap();
    assert!(mended.iter().all(|one| one.swapped), "{mended:?}");
    let after = (generation(database).await, index_table(database).await);
    assert!(before.0.iter().all(|(name, oid)| after.0[name] != *oid));
    assert_ne!(before.1, after.1);
    installation.settle().await;
    let checked = rebuild_everything(&installation, Finish::Check)
        .await
        .unwrap();
    assert!(checked.iter().all(Rebuilt::is_equal), "{checked:?}");
}

/// One that is being filled anew, say, can be compared with nothing, which is no reason to keep damaged models. It goes on
/// from where it stood.
#[tokio::test]
async fn an_index_that_is_far_behind_is_swapped_by_force_without_a_wait() {
    let mut installation = Installation::start().await;
    fill(&installation, "acme").await;
    let tenant = TenantId::new("acme").unwrap();
    for number in 0..1_100 {
        let context = CommandContext::new(tenant.clone(), Actor::system("test"));
        let rename = TenantCommand::Rename {
            display_name: format!("Acme {number}"),
        };
        let dispatcher = &installation.app.state.dispatcher;
        let renamed = dispatcher.dispatch::<Tenant>(&context, "acme", rename);
        renamed.await.unwrap();
    }
    installation.settle().await;
    installation.become_another(&[ProcessRole::Api]).await;
    let database = installation.app.database.clone();
    let mut connection = database.connect().await.unwrap();
    let go_back = "UPDATE metamcp.checkpoints SET stream_sequence = 1, commit_hash = NULL
                   WHERE projector = 'search'";
    connection.execute(go_back).await.unwrap();
    let begun = Instant::now();
    let forced = rebuild_everything(&installation, Finish::Swap)
        .await
        .unwrap();
    assert!(forced.iter().all(|one| one.swapped), "{forced:?}");
    assert_eq!(forced.last().unwrap().stream_sequence, 1);
    assert!(begun.elapsed() < PATIENCE);

    let roles = [ProcessRole::Api, ProcessRole::Projector];
    installation.become_another(&roles).await;
    installation.settle().await;
    let checked = rebuild_everything(&installation, Finish::Check)
        .await
        .unwrap();
    assert!(checked.iter().all(Rebuilt::is_equal), "{checked:?}");
}
