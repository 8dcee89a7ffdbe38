//! Counts the stream of usage. Any number of processes may run it: one leads, and the lock on the position is the
//! fence of what it writes.

use super::count::{Counts, Session};
use super::days;
use crate::checkpoint::{to_i64, to_u64};
use crate::error::ProjectionError;
use crate::lease;
use crate::store::Database;
use bus::usage::UsageBatch;
use bus::{LogEntry, LogReader, Usage, Use};
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The name of its lock.
const NAME: &str = "usage";
/// Pause before another try to lead, or after a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// Silence after which the lease is renewed.
const QUIET: Duration = Duration::from_secs(3);
/// Messages counted in one transaction.
const BATCH: usize = 100;

/// (tenant, session).
type SessionKey = (String, String);

/// The counting task.
#[derive(Debug, Clone)]
pub struct Counter {
    usage: Usage,
    database: Database,
}

impl Counter {
    /// Counts into `database`.
    #[must_use]
    pub fn new(usage: Usage, database: Database) -> Self {
        Self { usage, database }
    }

    /// Counts until `stop`, whatever fails in between.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.lead() => outcome,
            };
            if let Err(error) = outcome {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "usage is not counted at the moment"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Counts for as long as this process leads; returns at once where another one does.
    async fn lead(&self) -> Result<(), ProjectionError> {
        let mut connection = self.database.connect().await?;
        if !lease::try_lock(&mut connection, NAME).await? {
            return Ok(());
        }
        lease::begin(&mut connection).await?;
        let mut position = position(&mut connection).await?;
        let mut reader = self.usage.read_from(position + 1).await?;
        loop {
            match tokio::time::timeout(QUIET, next(&mut reader)).await {
                Ok(batch) => position = apply(&mut connection, position, &batch?).await?,
                Err(_elapsed) => {
                    lease::renew(&mut connection).await?;
                    days::forget(&mut connection).await?;
                }
            }
        }
    }
}

async fn next(reader: &mut LogReader) -> Result<Vec<LogEntry>, ProjectionError> {
    Ok(reader.next_batch(BATCH).await?)
}

async fn position(connection: &mut PgConnection) -> Result<u64, ProjectionError> {
    let at: i64 = sqlx::query_scalar("SELECT stream_sequence FROM usage.position")
        .fetch_one(connection)
        .await?;
    Ok(to_u64(at))
}

/// Counts messages that follow on `position`, and moves it.
async fn apply(
    connection: &mut PgConnection,
    position: u64,
    batch: &[LogEntry],
) -> Result<u64, ProjectionError> {
    let mut transaction = connection.begin().await?;
    let at: i64 = sqlx::query_scalar("SELECT stream_sequence FROM usage.position FOR UPDATE")
        .fetch_one(&mut *transaction)
        .await?;
    if to_u64(at) != position {
        return Err(ProjectionError::Deposed);
    }
    // Telemetry that cannot be read is passed over: nothing is decided by it.
    let uses = batch
        .iter()
        .filter_map(|entry| serde_json::from_slice::<UsageBatch>(&entry.body).ok())
        .flat_map(|batch| batch.uses);
    let uses: Vec<Use> = uses.collect();
    if !uses.is_empty() {
        count(&mut transaction, &uses).await?;
    }
    let last = batch.last().map_or(position, |entry| entry.stream_sequence);
    sqlx::query("UPDATE usage.position SET stream_sequence = $1")
        .bind(to_i64(last))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(last)
}

async fn count(connection: &mut PgConnection, uses: &[Use]) -> Result<(), ProjectionError> {
    let key = |one: &Use| (one.tenant.to_string(), one.session.clone());
    let mut sessions = load(connection, &uses.iter().map(key).collect()).await?;
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for one in uses {
        let session = sessions.entry(key(one)).or_default();
        let counts = counts.entry(one.tenant.to_string()).or_default();
        session.count(one.tool_id.as_str(), one.at, counts);
    }
    save_sessions(connection, &sessions).await?;
    save_tools(connection, &counts).await?;
    days::save(connection, &counts).await?;
    days::forget(connection).await?;
    save_pairs(connection, &counts).await
}

async fn load(
    connection: &mut PgConnection,
    keys: &BTreeSet<SessionKey>,
) -> Result<BTreeMap<SessionKey, Session>, ProjectionError> {
    let (tenants, names): (Vec<&str>, Vec<&str>) = keys
        .iter()
        .map(|(tenant, session)| (tenant.as_str(), session.as_str()))
        .unzip();
    let rows: Vec<(String, String, String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT tenant, session, tool_id, used_at FROM usage.sessions
         JOIN unnest($1::text[], $2::text[]) AS wanted (t, s) ON tenant = t AND session = s",
    )
    .bind(tenants)
    .bind(names)
    .fetch_all(connection)
    .await?;
    let mut tools: BTreeMap<SessionKey, Vec<_>> = BTreeMap::new();
    for (tenant, session, tool, at) in rows {
        tools.entry((tenant, session)).or_default().push((tool, at));
    }
    let sessions = tools.into_iter();
    Ok(sessions
        .map(|(key, tools)| (key, Session::new(tools)))
        .collect())
}

/// Replaces the rows of these sessions, and forgets those that are over.
async fn save_sessions(
    connection: &mut PgConnection,
    sessions: &BTreeMap<SessionKey, Session>,
) -> Result<(), ProjectionError> {
    let (mut tenants, mut names, mut tools, mut times) = (vec![], vec![], vec![], vec![]);
    for ((tenant, session), state) in sessions {
        for (tool, at) in state.tools() {
            tenants.push(tenant.as_str());
            names.push(session.as_str());
            tools.push(tool.as_str());
            times.push(*at);
        }
    }
    sqlx::query("DELETE FROM usage.sessions WHERE used_at < now() - interval '1 day'")
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO usage.sessions (tenant, session, tool_id, used_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
         ON CONFLICT (tenant, session, tool_id) DO UPDATE SET used_at = excluded.used_at",
    )
    .bind(tenants)
    .bind(names)
    .bind(tools)
    .bind(times)
    .execute(connection)
    .await?;
    Ok(())
}

async fn save_tools(
    connection: &mut PgConnection,
    counts: &BTreeMap<String, Counts>,
) -> Result<(), ProjectionError> {
    let (mut tenants, mut tools, mut sessions, mut steps) = (vec![], vec![], vec![], vec![]);
    for (tenant, counts) in counts {
        for (tool, (in_sessions, led_on)) in &counts.tools {
            tenants.push(tenant.as_str());
            tools.push(tool.as_str());
            sessions.push(to_i64(*in_sessions));
            steps.push(to_i64(*led_on));
        }
    }
    sqlx::query(
        "INSERT INTO usage.tools AS known (tenant, tool_id, sessions, steps, recent)
         SELECT t, i, n, s, n FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS counted (t, i, n, s)
         ON CONFLICT (tenant, tool_id) DO UPDATE
         SET sessions = known.sessions + excluded.sessions, steps = known.steps + excluded.steps,
             recent = known.recent + excluded.recent",
    )
    .bind(tenants)
    .bind(tools)
    .bind(sessions)
    .bind(steps)
    .execute(connection)
    .await?;
    Ok(())
}

async fn save_pairs(
    connection: &mut PgConnection,
    counts: &BTreeMap<String, Counts>,
) -> Result<(), ProjectionError> {
    let (mut tenants, mut tools, mut others) = (vec![], vec![], vec![]);
    let (mut together, mut next) = (vec![], vec![]);
    for (tenant, counts) in counts {
        for ((tool, other), (in_sessions, steps)) in &counts.pairs {
            tenants.push(tenant.as_str());
            tools.push(tool.as_str());
            others.push(other.as_str());
            together.push(to_i64(*in_sessions));
            next.push(to_i64(*steps));
        }
    }
    sqlx::query(
        "INSERT INTO usage.pairs AS known (tenant, tool_id, other_id, together, next)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
         ON CONFLICT (tenant, tool_id, other_id) DO UPDATE
         SET together = known.together + excluded.together, next = known.next + excluded.next",
    )
    .bind(tenants)
    .bind(tools)
    .bind(others)
    .bind(together)
    .bind(next)
    .execute(connection)
    .await?;
    Ok(())
}
