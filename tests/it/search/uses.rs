//! What agents use most, and for how long that counts.

use super::standing::{fill, found, names, rebuilt, references};
use crate::mcp::call;
use crate::support::{Installation, PATIENCE, Servers};
use bus::Use;
use bus::usage::UsageBatch;
use chrono::TimeDelta;
use domain::id::{TenantId, ToolId};
use domain::principal::Role;
use projections::Database;
use serde_json::json;
use sqlx::{Executor, PgConnection};
use std::time::{Duration, Instant};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
/// The migration that brought days.
const DAYS: i64 = 21;

#[tokio::test]
async fn what_agents_use_most_comes_first_for_their_tenant() {
    let installation = Installation::start().await;
    let owner = fill(
        &installation,
        "acme",
        "com.acme/db",
        &["copy", "drop", "read"],
    )
    .await;
    let rival = installation.client("beta", "owner", &[Role::Owner]).await;
    let install = "mutation($tool: String!) { installTool(input: {
        publisher: \"acme\", server: \"db\", tool: $tool, range: \"^1\" }) { sequence } }";
    for tool in ["copy", "read"] {
        rival.data(install, json!({ "tool": tool })).await;
    }
    installation.settle().await;
    for (handle, tools) in [("one", &["read", "drop"] as &[&str]), ("two", &["read"])] {
        let agent = installation.client("acme", handle, &[Role::Agent]).await;
        for tool in tools {
            call(
                &agent,
                "describe_tool",
                json!({ "tool": format!("db/{tool}") }),
            )
            .await;
        }
    }
    call(&rival, "describe_tool", json!({ "tool": "@acme/db/copy" })).await;
    let begun = Instant::now();
    for (client, line, expected) in [
        (
            &owner,
            "rows",
            &["db/read", "db/drop", "db/copy"] as &[&str],
        ),
        (&rival, "server:db", &["@acme/db/copy", "@acme/db/read"]),
    ] {
        let wanted = json!({ "query": line, "sort": "USE" });
        while references(&found(client, wanted.clone()).await) != expected {
            assert!(begun.elapsed() < PATIENCE, "{line}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(names(client, line, "USE").await.len(), expected.len());
    }
    assert!(rebuilt(&installation).await, "a rebuild has the same uses");
}

/// Waits until midnight has passed when it is near, as the database tells the time: what it counts changes with the
/// day.
async fn well_before_midnight(connection: &mut PgConnection) {
    let left = "SELECT extract(epoch FROM (
                    date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day'
                    - (now() AT TIME ZONE 'UTC')))::float8";
    let left: f64 = sqlx::query_scalar(left)
        .fetch_one(connection)
        .await
        .unwrap();
    if left < 240.0 {
        tokio::time::sleep(Duration::from_secs_f64(left + 1.0)).await;
    }
}

/// Each tool in so many sessions of its own, some days ago.
async fn used(installation: &Installation, uses: &[(&str, i64, i64)]) {
    let tenant = TenantId::new("acme").unwrap();
    let now = chrono::Utc::now();
    let uses = uses.iter().flat_map(|&(tool, sessions, days)| {
        let tenant = &tenant;
        (0..sessions).map(move |n| Use {
            tenant: tenant.clone(),
            session: format!("{tool} {n}"),
            tool_id: ToolId::derive(tenant, "db", tool),
            at: now - TimeDelta::days(days),
        })
    });
    let batch = UsageBatch {
        uses: uses.collect(),
    };
    let usage = installation.app.state.log.usage().await.unwrap();
    usage.send(&batch).await.unwrap();
}

#[tokio::test]
async fn what_was_used_most_once_goes_down_again() {
    let installation = Installation::start().await;
    let tools = ["copy", "drop", "read"];
    let owner = fill(&installation, "acme", "com.acme/db", &tools).await;
    let first = async |expected: &[&str]| {
        let begun = Instant::now();
        loop {
            let answer = json!({ "query": "rows", "sort": "USE" });
            let answer = found(&owner, answer).await;
            if references(&answer)[..expected.len()] == *expected {
                return;
            }
            // The days are looked at every 3 seconds, and what they add up to every 5.
            assert!(begun.elapsed() < PATIENCE * 2, "{expected:?}: {answer}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let mut connection = installation.app.database.connect().await.unwrap();
    well_before_midnight(&mut connection).await;
    // The window holds the present day and 29 before it.
    used(
        &installation,
        &[("copy", 9, 30), ("drop", 4, 29), ("read", 2, 0)],
    )
    .await;
    first(&["db/drop", "db/read", "db/copy"]).await;

    // A day passes.
    sqlx::query("UPDATE usage.days SET day = day - 1")
        .execute(&mut connection)
        .await
        .unwrap();
    first(&["db/read"]).await;
    let left: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT tool_id, sessions, recent FROM usage.tools ORDER BY sessions DESC")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let counts: Vec<_> = left.iter().map(|row| (row.1, row.2)).collect();
    assert_eq!(counts, [(9, 0), (4, 0), (2, 2)], "the totals stay");
    assert!(rebuilt(&installation).await, "a rebuild has the same uses");
}

#[tokio::test]
async fn what_was_counted_without_days_counts_as_of_the_migration() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared().await;
    let config = servers.fresh_config(folder.path()).await;
    let database = Database::new(&config.postgres.address().unwrap()).unwrap();
    let mut connection = database.connect().await.unwrap();
    let older = MIGRATIONS.iter().filter(|one| one.version < DAYS).cloned();
    let older = sqlx::migrate::Migrator {
        migrations: older.collect::<Vec<_>>().into(),
        ..sqlx::migrate::Migrator::DEFAULT
    };
    older.run(&mut connection).await.unwrap();
    well_before_midnight(&mut connection).await;
    let counted = "INSERT INTO usage.tools VALUES ('acme', 'read', 7, 2), ('acme', 'drop', 0, 1)";
    connection.execute(counted).await.unwrap();
    database.migrate().await.unwrap();
    let recent: Vec<(String, i64)> =
        sqlx::query_as("SELECT tool_id, recent FROM usage.tools ORDER BY recent")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(recent, [("drop".to_owned(), 0), ("read".to_owned(), 7)]);
    let days: Vec<(String, i64)> = sqlx::query_as(
        "SELECT tool_id, sessions FROM usage.days WHERE day = (now() AT TIME ZONE 'UTC')::date",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(days, [("read".to_owned(), 7)]);
}
