//! Commits that a projector could not apply and put aside, and applying them later.
//!
//! **Invariant.** The commits of one object are applied in order or not at all: once one is parked, later
//! ones of the same subject are parked behind it, and a retry stops at the first that still fails. Every
//! step holds the lock of the projector's checkpoint, so a retry and the running projector never mix.

use crate::checkpoint::{self, to_i64, to_u64};
use crate::error::ProjectionError;
use crate::projector::{Projector, Recorded};
use crate::registry;
use crate::runner::chain;
use crate::search::{SOURCES, SearchProjector};
use crate::store::Database;
use bus::{Log, LogEntry};
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use std::collections::HashSet;

/// A parked commit.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadLetter {
    /// Who could not apply it.
    pub projector: String,
    /// Where it lies in the log.
    #[sqlx(try_from = "i64")]
    pub stream_sequence: u64,
    /// Its subject, which names tenant and object.
    pub subject: String,
    /// Why, with the causes.
    pub error: String,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
}

/// What a retry did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// Projector and position of the commits that are applied now.
    pub applied: Vec<(String, u64)>,
    /// What is still parked, with the present reason.
    pub remaining: Vec<DeadLetter>,
}

/// What is parked, by projector and position.
///
/// # Errors
/// When the database is away.
pub async fn list(database: &Database) -> Result<Vec<DeadLetter>, ProjectionError> {
    let mut connection = database.connect().await?;
    read(&mut connection, None).await
}

/// Applies what is parked, in order, after an upgrade or once the cause is gone. What the
/// models apply late of which the search index is made is brought into it as well: it had passed it before.
///
/// # Errors
/// What the database, the log or the index says; what was applied before stays applied.
pub async fn retry(
    search: &SearchProjector,
    log: &Log,
    database: &Database,
) -> Result<Retried, ProjectionError> {
    let mut connection = database.connect().await?;
    let mut retried = Retried::default();
    let mut late = Vec::new();
    for projector in registry::projectors(search.clone()) {
        let name = projector.name();
        // A pass may meet commits that the running projector parks behind it meanwhile.
        loop {
            let applied = pass(projector.as_ref(), log, &mut connection).await?;
            if applied.is_empty() {
                break;
            }
            if SOURCES.contains(&name) {
                late.extend(applied.iter().copied());
            }
            let named = applied.into_iter().map(|at| (name.to_owned(), at));
            retried.applied.extend(named);
        }
        retried
            .remaining
            .extend(read(&mut connection, Some(name)).await?);
    }
    for at in late {
        let recorded = Recorded::decode(&entry_at(log, at).await?)?;
        let mut transaction = connection.begin().await?;
        checkpoint::enter(&mut transaction, search.name(), search.name(), true).await?;
        search.write_late(&mut transaction, &recorded).await?;
        transaction.commit().await?;
    }
    Ok(retried)
}

/// Refuses a batch that holds a later commit of an object of which one is parked.
pub(crate) async fn refuse_overtaking(
    connection: &mut PgConnection,
    projector: &str,
    batch: &[LogEntry],
) -> Result<(), ProjectionError> {
    let subjects: Vec<&str> = batch.iter().map(|entry| entry.subject.as_str()).collect();
    let parked: Option<(String, i64)> = sqlx::query_as(
        "SELECT subject, stream_sequence FROM metamcp.dead_letters
         WHERE projector = $1 AND subject = ANY ($2) ORDER BY stream_sequence LIMIT 1",
    )
    .bind(projector)
    .bind(&subjects)
    .fetch_optional(connection)
    .await?;
    let Some((subject, first)) = parked else {
        return Ok(());
    };
    let waiting = batch.iter().find(|entry| entry.subject == subject);
    Err(ProjectionError::BehindParked {
        stream_sequence: waiting.map_or(0, |entry| entry.stream_sequence),
        first: to_u64(first),
    })
}

/// Puts a commit aside, inside the transaction that moves the checkpoint over it.
pub(crate) async fn park(
    connection: &mut PgConnection,
    projector: &str,
    entry: &LogEntry,
    error: &str,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "INSERT INTO metamcp.dead_letters (projector, stream_sequence, subject, error, body)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(projector)
    .bind(to_i64(entry.stream_sequence))
    .bind(&entry.subject)
    .bind(error)
    .bind(&entry.body[..])
    .execute(connection)
    .await?;
    Ok(())
}

async fn read(
    connection: &mut PgConnection,
    projector: Option<&str>,
) -> Result<Vec<DeadLetter>, ProjectionError> {
    Ok(sqlx::query_as(
        "SELECT projector, stream_sequence, subject, error, parked_at FROM metamcp.dead_letters
         WHERE $1::text IS NULL OR projector = $1 ORDER BY projector, stream_sequence",
    )
    .bind(projector)
    .fetch_all(connection)
    .await?)
}

/// Tries each parked commit once, oldest first; returns the positions of those that are applied now.
async fn pass(
    projector: &dyn Projector,
    log: &Log,
    connection: &mut PgConnection,
) -> Result<Vec<u64>, ProjectionError> {
    let mut applied = Vec::new();
    let mut stuck = HashSet::new();
    for letter in read(connection, Some(projector.name())).await? {
        if stuck.contains(&letter.subject) {
            continue;
        }
        let entry = entry_at(log, letter.stream_sequence).await?;
        match unpark(projector, connection, &entry).await {
            Ok(true) => applied.push(letter.stream_sequence),
            Ok(false) => {}
            Err(error) if error.is_poison() => {
                sqlx::query(
                    "UPDATE metamcp.dead_letters SET error = $3
                     WHERE projector = $1 AND stream_sequence = $2",
                )
                .bind(&letter.projector)
                .bind(to_i64(letter.stream_sequence))
                .bind(chain(&error))
                .execute(&mut *connection)
                .await?;
                stuck.insert(letter.subject);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(applied)
}

/// Removes the row and applies the commit, both or neither. False when somebody else was first.
async fn unpark(
    projector: &dyn Projector,
    connection: &mut PgConnection,
    entry: &LogEntry,
) -> Result<bool, ProjectionError> {
    let name = projector.name();
    let recorded = Recorded::decode(entry)?;
    let mut transaction = connection.begin().await?;
    checkpoint::enter(&mut transaction, name, name, true).await?;
    let removed = sqlx::query(
        "DELETE FROM metamcp.dead_letters WHERE projector = $1 AND stream_sequence = $2",
    )
    .bind(name)
    .bind(to_i64(entry.stream_sequence))
    .execute(&mut *transaction)
    .await?;
    if removed.rows_affected() == 0 {
        return Ok(false);
    }
    projector.apply(&mut transaction, &[recorded]).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn entry_at(log: &Log, at: u64) -> Result<LogEntry, ProjectionError> {
    log.entry_at(at).await?.ok_or_else(|| {
        ProjectionError::LogReplaced(format!(
            "the log ends before position {at}, where a parked commit lies: restore the log first"
        ))
    })
}
