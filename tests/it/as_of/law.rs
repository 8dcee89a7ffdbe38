//! The law: as of a position, the registry is what its log up to there makes of it. Random histories of two
//! tenants are written to a real log. One database gets them in random batches and is asked about every
//! position; another gets them commit by commit, so that it *is* the registry of that position.

mod history;
mod seen;

use crate::support::Servers;
use chrono::{DateTime, TimeDelta, Utc};
use domain::id::TenantId;
use history::{Step, steps, write};
use projections::access::AccessProjector;
use projections::catalog::{self, CatalogProjector};
use projections::{Database, Moment, Projector, Recorded, TenantConnection};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seen::look;
use sqlx::{Connection, Executor, PgConnection};
use std::cell::Cell;
use std::collections::BTreeMap;

#[test]
fn as_of_a_position_is_what_the_log_up_to_there_makes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: 6,
        max_shrink_iters: 30,
        failure_persistence: None,
        ..Config::default()
    };
    let histories = (steps(), prop::collection::vec(1..9usize, 50));
    let superseded = Cell::new(0);
    let law = |(steps, cuts): (Vec<Step>, Vec<usize>)| {
        superseded.set(superseded.get() + runtime.block_on(holds(&steps, &cuts)));
        Ok(())
    };
    // The servers live as long as somebody holds them.
    let servers = runtime.block_on(Servers::shared());
    TestRunner::new(config).run(&histories, law).unwrap();
    assert!(superseded.get() > 6, "hardly anything had a past");
    drop(servers);
}

/// Checks the law for one history; how many images it left in the past.
async fn holds(steps: &[Step], cuts: &[usize]) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared().await;
    let config = servers.fresh_config(folder.path()).await;
    let log = Servers::log(&config).await;
    let history = write(&log, steps).await;

    let (past, mut connection) = database(&config).await;
    let mut rest = &history[..];
    for cut in cuts.iter().cycle() {
        let (batch, later) = rest.split_at((*cut).min(rest.len()));
        apply(&mut connection, batch).await;
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let other_config = servers.fresh_config(folder.path()).await;
    let (prefix, mut step_by_step) = database(&other_config).await;
    let (past_reads, prefix_reads) = (past.read_pool(1), prefix.read_pool(1));
    for position in 0..=history.len() {
        if position > 0 {
            apply(&mut step_by_step, &history[position - 1..position]).await;
        }
        for tenant in tenants() {
            let at = Moment::At(position.try_into().unwrap());
            let was = look(past_reads.tenant(&tenant).await.unwrap().at(at)).await;
            let is = look(prefix_reads.tenant(&tenant).await.unwrap()).await;
            assert_eq!(was, is, "{tenant} as of {position} of {steps:#?}");
        }
    }
    for tenant in tenants() {
        let mut reads = past_reads.tenant(&tenant).await.unwrap();
        times_mean_positions(&mut reads, &history, &tenant).await;
    }
    assert_eq!(
        tables(&mut connection).await,
        tables(&mut step_by_step).await
    );
    let images = "SELECT (SELECT count(*) FROM catalog.servers_past)
        + (SELECT count(*) FROM catalog.tools_past) + (SELECT count(*) FROM access.principals_past)";
    let images = sqlx::query_scalar(images).fetch_one(&mut connection).await;
    images.unwrap()
}

async fn database(config: &api::config::Config) -> (Database, PgConnection) {
    let database = Database::new(&config.postgres.address().unwrap()).unwrap();
    database.migrate().await.unwrap();
    let connection = database.connect().await.unwrap();
    (database, connection)
}

fn tenants() -> [TenantId; 2] {
    ["acme", "other"].map(|tenant| TenantId::new(tenant).unwrap())
}

/// As a runner does it, without its checkpoint.
async fn apply(connection: &mut PgConnection, batch: &[Recorded]) {
    for projector in projectors() {
        let mut transaction = connection.begin().await.unwrap();
        let path = format!("SET LOCAL search_path = {}, public", projector.name());
        transaction.execute(path.as_str()).await.unwrap();
        projector.apply(&mut transaction, batch).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

fn projectors() -> [&'static dyn Projector; 2] {
    [&CatalogProjector, &AccessProjector]
}

/// The position before a tenant's first commit that was recorded after the time.
async fn times_mean_positions(
    reads: &mut TenantConnection,
    history: &[Recorded],
    tenant: &TenantId,
) {
    let its: Vec<&Recorded> = history
        .iter()
        .filter(|recorded| recorded.commit.tenant == *tenant)
        .collect();
    for recorded in &its {
        for micros in [-1, 0, 1] {
            let time: DateTime<Utc> = recorded.commit.recorded_at + TimeDelta::microseconds(micros);
            let later = its.iter().find(|other| other.commit.recorded_at > time);
            let expected = later.map(|later| later.stream_sequence - 1);
            let found = catalog::position_at(reads, time).await.unwrap();
            assert_eq!(found, expected, "{tenant} at {time}");
        }
    }
}

/// The rows of every table: how the log was cut into batches leaves no trace.
async fn tables(connection: &mut PgConnection) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for projector in projectors() {
        for table in projector.tables() {
            let table = format!("{}.{table}", projector.name());
            let statement = format!(
                "SELECT coalesce(string_agg(rows::text, E'\\n' ORDER BY rows::text), '') FROM {table} AS rows"
            );
            let rows = sqlx::query_scalar(&statement)
                .fetch_one(&mut *connection)
                .await;
            all.insert(table, rows.unwrap());
        }
    }
    all
}
