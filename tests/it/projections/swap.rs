//! Rebuilt models take the places of the live ones all together, or none does.

use super::fill;
use crate::support::{Installation, PATIENCE};
use metamcp::app::Role as ProcessRole;
use projections::rebuild::{Finish, Progress, Rebuilt, rebuild_all, rebuild_together};
use projections::{Database, ProjectionError, registry};
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

/// The live schemas themselves, whatever their names are later.
pub(super) async fn generation(database: &Database) -> BTreeMap<String, i64> {
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
    installation.become_another(&[ProcessRole::Api]).await;
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
