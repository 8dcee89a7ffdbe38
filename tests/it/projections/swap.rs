//! Rebuilt models take the places of the live ones all together, or none does.

use super::fill;
use crate::support::{Installation, PATIENCE, serve};
use bus::CommandContext;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::Role;
use domain::tenant::{Tenant, TenantCommand};
use metamcp::app::Role as ProcessRole;
use projections::rebuild::{Finish, Progress, Rebuilt, rebuild_all, rebuild_together};
use projections::search::{self, SearchRequest};
use projections::sight::Sight;
use projections::{Database, ProjectionError, registry};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

async fn rebuild_models(
    installation: &Installation,
    finish: Finish,
) -> Result<Vec<Rebuilt>, ProjectionError> {
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    let silent: Progress = Arc::new(|_, _, _| {});
    rebuild_together(registry::relational(), log, database, finish, &silent).await
}

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

/// The live schemas themselves, whatever their names are later.
async fn generation(database: &Database) -> BTreeMap<String, i64> {
    let mut connection = database.connect().await.unwrap();
    let names: Vec<_> = registry::relational()
        .iter()
        .map(|one| one.name())
        .collect();
    let rows =
        sqlx::query("SELECT nspname::text, oid::bigint FROM pg_namespace WHERE nspname = ANY($1)")
            .bind(names)
            .fetch_all(&mut connection)
            .await
            .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Which table a name stands for, for somebody who reads a row of it.
async fn table_behind(connection: &mut PgConnection, name: &str) -> i64 {
    let statement = format!("SELECT tableoid::bigint FROM {name} LIMIT 1");
    let found = sqlx::query_scalar(&statement).fetch_one(connection).await;
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_find_every_model_of_one_generation() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let stop = CancellationToken::new();
    let reader = |first: &'static str, second: &'static str| {
        let (database, stop) = (installation.app.database.clone(), stop.clone());
        tokio::spawn(async move {
            let mut connection = database.connect().await.unwrap();
            let mut pairs = BTreeSet::new();
            while !stop.is_cancelled() {
                let mut transaction = connection.begin().await.unwrap();
                let first = table_behind(&mut transaction, first).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
                pairs.insert((first, table_behind(&mut transaction, second).await));
                transaction.commit().await.unwrap();
                // Two that never let go, each with what the other one wants next, would keep every swap away.
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            pairs
        })
    };
    let readers = [
        reader("catalog.tools", "access.principals"),
        reader("access.principals", "catalog.tools"),
    ];
    for _ in 0..3 {
        let before = generation(&installation.app.database).await;
        let rebuilt = rebuild_models(&installation, Finish::SwapIfEqual)
            .await
            .unwrap();
        assert!(rebuilt.iter().all(|one| one.swapped), "{rebuilt:?}");
        let positions: BTreeSet<_> = rebuilt.iter().map(|one| one.stream_sequence).collect();
        assert_eq!(positions.len(), 1, "{rebuilt:?}");
        let after = generation(&installation.app.database).await;
        assert!(before.iter().all(|(name, oid)| after[name] != *oid));
    }
    stop.cancel();
    for reader in readers {
        let pairs = reader.await.unwrap();
        let firsts: BTreeSet<_> = pairs.iter().map(|(first, _)| first).collect();
        let seconds: BTreeSet<_> = pairs.iter().map(|(_, second)| second).collect();
        assert!(pairs.len() > 1, "nothing was read beside the swaps");
        assert_eq!((firsts.len(), seconds.len()), (pairs.len(), pairs.len()));
    }
}

#[tokio::test]
async fn rebuilt_models_have_the_indexes_of_the_live_ones() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let database = &installation.app.database;
    let before = indexes(database).await;
    let waited = "events USING btree (tenant, event_type, stream_sequence, event_index)";
    assert!(
        before.iter().any(|one| one.ends_with(waited)),
        "{before:#?}"
    );
    for projector in registry::relational() {
        for (table, columns) in projector.looks_up_by().unwrap_or_default() {
            let its = format!("{}.{table} USING btree ({columns})", projector.name());
            assert!(
                before.iter().any(|one| one.contains(&its)),
                "no index: {its}"
            );
        }
    }
    // Once more: what was made from a copy is copied.
    for _ in 0..2 {
        let rebuilt = rebuild_models(&installation, Finish::SwapIfEqual).await;
        assert!(rebuilt.unwrap().iter().all(|one| one.swapped));
        assert_eq!(indexes(database).await, before);
    }
}

/// The indexes of the live models, as one would make them, without their names.
async fn indexes(database: &Database) -> Vec<String> {
    let mut connection = database.connect().await.unwrap();
    let names: Vec<_> = registry::relational()
        .iter()
        .map(|one| one.name())
        .collect();
    sqlx::query_scalar(
        "SELECT regexp_replace(indexdef, 'INDEX .* ON ', 'INDEX ON ') FROM pg_indexes
         WHERE schemaname = ANY($1) ORDER BY 1",
    )
    .bind(names)
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_swap_that_fails_in_the_middle_swaps_nothing() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let database = &installation.app.database;
    let mut connection = database.connect().await.unwrap();
    connection
        .execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON metamcp.checkpoints
                 FOR EACH ROW WHEN (OLD.projector = 'reviews') EXECUTE FUNCTION public.refuse();",
        )
        .await
        .unwrap();
    let before = generation(database).await;
    let refused = rebuild_models(&installation, Finish::SwapIfEqual).await;
    assert!(matches!(refused, Err(ProjectionError::Database(_))));
    assert_eq!(generation(database).await, before);
    connection
        .execute("DROP TRIGGER refuse ON metamcp.checkpoints")
        .await
        .unwrap();
    let rebuilt = rebuild_models(&installation, Finish::SwapIfEqual)
        .await
        .unwrap();
    assert!(rebuilt.iter().all(|one| one.swapped), "{rebuilt:?}");
}

#[tokio::test]
async fn one_model_that_differs_keeps_all_as_they_are() {
    let installation = Installation::start().await;
    fill(&installation, "acme").await;
    let database = &installation.app.database;
    let mut connection = database.connect().await.unwrap();
    connection
        .execute("UPDATE catalog.tools SET title = '' WHERE name = 'tool_0' AND title IS NULL")
        .await
        .unwrap();
    let before = generation(database).await;
    for finish in [Finish::Check, Finish::SwapIfEqual] {
        let rebuilt = rebuild_models(&installation, finish).await.unwrap();
        for one in &rebuilt {
            // An empty text is not the same as none.
            assert_eq!(one.is_equal(), one.projector != "catalog", "{one:?}");
            assert!(!one.swapped);
        }
        assert_eq!(generation(database).await, before);
    }
    let mended = rebuild_models(&installation, Finish::Swap).await.unwrap();
    assert!(mended.iter().all(|one| one.swapped), "{mended:?}");
    let checked = rebuild_models(&installation, Finish::Check).await.unwrap();
    assert!(checked.iter().all(Rebuilt::is_equal), "{checked:?}");
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
    let (next, _) = serve(&installation.config, &[ProcessRole::Api]).await;
    std::mem::replace(&mut installation.app, next).stop().await;
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
    let (next, _) = serve(&installation.config, &roles).await;
    std::mem::replace(&mut installation.app, next).stop().await;
    installation.settle().await;
    let checked = rebuild_everything(&installation, Finish::Check)
        .await
        .unwrap();
    assert!(checked.iter().all(Rebuilt::is_equal), "{checked:?}");
}

/// After the loss of PostgreSQL: models that have not begun are filled up to the head of the log, and the index with
/// them, which begins anew.
#[tokio::test]
async fn empty_models_are_filled_from_the_log() {
    let mut installation = Installation::start().await;
    fill(&installation, "acme").await;
    let head = installation.app.state.log.head().await.unwrap();
    let database = installation.app.database.clone();
    let log = installation.app.state.log.clone();
    // Without projectors, which would fill them, too.
    let (next, _) = serve(&installation.config, &[ProcessRole::Api]).await;
    std::mem::replace(&mut installation.app, next).stop().await;
    let mut connection = database.connect().await.unwrap();
    for projector in registry::relational() {
        for table in projector.tables() {
            let statement = format!("TRUNCATE {}.{table}", projector.name());
            connection.execute(statement.as_str()).await.unwrap();
        }
    }
    connection
        .execute("DELETE FROM metamcp.checkpoints")
        .await
        .unwrap();
    let silent: Progress = Arc::new(|_, _, _| {});
    let index = &installation.app.index;
    let rebuilt = rebuild_all(index, &log, &database, Finish::Swap, &silent).await;
    let rebuilt = rebuilt.unwrap();
    assert_eq!(rebuilt.len(), registry::NAMES.len());
    for one in rebuilt {
        assert!(one.swapped, "{one:?}");
    }
    let positions: Vec<i64> =
        sqlx::query_scalar("SELECT stream_sequence FROM metamcp.checkpoints ORDER BY 1")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let head = i64::try_from(head).unwrap();
    assert_eq!(positions, vec![head; registry::NAMES.len()]);
    let begun = Instant::now();
    while installation.app.index.get().count().await.unwrap() != 6 {
        assert!(
            begun.elapsed() < PATIENCE,
            "the new index is not the live one"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let tools: i64 = sqlx::query_scalar("SELECT count(*) FROM catalog.tools")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(tools, 6);
}
