//! Commits that a projector could not apply and put aside, and applying them later.
//!
//! **Invariant.** The commits of one object are applied in order or not at all: once one is parked, later
//! ones of the same subject are parked behind it, and a retry stops at the first that still fails. Every
//! step holds the lock of the projector's checkpoint, so a retry and the running projector never mix.
//!
//! What is parked is the operator's to see. A tenant sees the positions of its own commits that its past lacks:
//! [`missing_from_catalog`], [`first_missing_of_tool`].

use crate::checkpoint::{self, to_i64, to_u64};
use crate::error::{ProjectionError, QueryError};
use crate::projector::{Projector, Recorded};
use crate::registry;
use crate::runner::{chain, log_replaced};
use crate::search::{SOURCES, SearchProjector};
use crate::store::{Database, TenantConnection};
use crate::vault::open_personal_fields;
use bus::{Log, LogEntry};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use domain::AnyEvent;
use domain::id::{PrincipalId, ServerId, TenantId, ToolId};
use domain::principal::Principal;
use domain::server::Server;
use domain::tool::Tool;
use sqlx::{Connection, PgConnection};
use std::collections::HashSet;

/// Parked commits that one answer names.
const MOST: i32 = 100;

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

/// Which of some projectors have parked commits of a principal, by name: whatever came of it later is parked behind them.
///
/// # Errors
/// When the database is away.
pub async fn holding_back(
    database: &Database,
    log: &Log,
    (tenant, principal): (&TenantId, &PrincipalId),
    projectors: &[&str],
) -> Result<Vec<String>, ProjectionError> {
    let (root, id) = (log.subject_root(), principal.as_str());
    let subject = bus::subject::of_aggregate(root, tenant, Principal::TYPE, id);
    let mut connection = database.connect().await?;
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT projector FROM metamcp.dead_letters
         WHERE subject = $1 AND projector = ANY ($2) ORDER BY projector",
    )
    .bind(subject)
    .bind(projectors)
    .fetch_all(&mut connection)
    .await?)
}

/// The commits of the connection's tenant, up to a position, that `catalog` has parked, oldest first and 100 at most.
/// What they changed is missing from its past as of that position. To be asked before that is read: what is applied in
/// between is then named although it is shown, and never the other way round.
///
/// # Errors
/// [`QueryError`].
pub async fn missing_from_catalog(
    connection: &mut TenantConnection,
    until: u64,
) -> Result<Vec<u64>, QueryError> {
    parked_in_catalog(connection, until, None, MOST).await
}

/// The first commit about a tool of the connection's tenant or about its server, up to a position, that `catalog` has
/// parked: when a server goes out of use, so do its tools. To be asked before the tool is read.
///
/// # Errors
/// [`QueryError`].
pub async fn first_missing_of_tool(
    connection: &mut TenantConnection,
    until: u64,
    tool: &ToolId,
    server: &ServerId,
) -> Result<Option<u64>, QueryError> {
    let objects = vec![
        format!("{}.{}", Tool::TYPE, tool.as_str()),
        format!("{}.{}", Server::TYPE, server.as_str()),
    ];
    let found = parked_in_catalog(connection, until, Some(objects), 1).await?;
    Ok(found.first().copied())
}

/// Applies what is parked, in order, after an upgrade or once the cause is gone. What the
/// models apply late of which the search index is made is brought into it as well: it had passed it before.
///
/// # Errors
/// [`ProjectionError::LogReplaced`] when the log does not hold what was parked; otherwise what the database, the log or
/// the index says. What was applied before stays applied.
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
            let applied = pass(projector.as_ref(), log, database, &mut connection).await?;
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
        let entered =
            checkpoint::enter(&mut transaction, search.name(), search.name(), true).await?;
        search
            .write_late(&mut transaction, entered.at.stream_sequence, &recorded)
            .await?;
        transaction.commit().await?;
    }
    Ok(retried)
}

/// Refuses a batch that holds a later commit of an object of which one is parked. An earlier one, which comes again to
/// a projector that has gone back, waits for nothing.
pub(crate) async fn refuse_overtaking(
    connection: &mut PgConnection,
    projector: &str,
    batch: &[LogEntry],
) -> Result<(), ProjectionError> {
    let subjects: Vec<&str> = batch.iter().map(|entry| entry.subject.as_str()).collect();
    let positions = batch.iter().map(|entry| to_i64(entry.stream_sequence));
    let positions: Vec<i64> = positions.collect();
    let found: Option<(i64, i64)> = sqlx::query_as(
        "SELECT waiting.stream_sequence, parked.stream_sequence
         FROM metamcp.dead_letters AS parked
         JOIN unnest($2::text[], $3::bigint[]) AS waiting (subject, stream_sequence)
           ON waiting.subject = parked.subject AND waiting.stream_sequence > parked.stream_sequence
         WHERE parked.projector = $1
         ORDER BY waiting.stream_sequence, parked.stream_sequence LIMIT 1",
    )
    .bind(projector)
    .bind(&subjects)
    .bind(&positions)
    .fetch_optional(connection)
    .await?;
    match found {
        None => Ok(()),
        Some((waiting, first)) => Err(ProjectionError::BehindParked {
            stream_sequence: to_u64(waiting),
            first: to_u64(first),
        }),
    }
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

async fn parked_in_catalog(
    connection: &mut TenantConnection,
    until: u64,
    objects: Option<Vec<String>>,
    most: i32,
) -> Result<Vec<u64>, QueryError> {
    let found: Vec<i64> = sqlx::query_scalar(
        "SELECT stream_sequence FROM metamcp.parked_in_catalog($1, $2, $3) ORDER BY stream_sequence",
    )
    .bind(to_i64(until))
    .bind(objects)
    .bind(most)
    .fetch_all(&mut **connection)
    .await?;
    Ok(found.into_iter().map(to_u64).collect())
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
    database: &Database,
    connection: &mut PgConnection,
) -> Result<Vec<u64>, ProjectionError> {
    let mut applied = Vec::new();
    let mut stuck = HashSet::new();
    for letter in read(connection, Some(projector.name())).await? {
        if stuck.contains(&letter.subject) {
            continue;
        }
        let entry = entry_at(log, letter.stream_sequence).await?;
        match unpark(projector, database, connection, &entry).await {
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

/// Removes the row and applies the commit, as the runner would have done, both or neither. False when somebody else
/// was first.
async fn unpark(
    projector: &dyn Projector,
    database: &Database,
    connection: &mut PgConnection,
    entry: &LogEntry,
) -> Result<bool, ProjectionError> {
    let (name, at) = (projector.name(), entry.stream_sequence);
    let mut transaction = connection.begin().await?;
    checkpoint::enter(&mut transaction, name, name, true).await?;
    let parked: Option<Vec<u8>> = sqlx::query_scalar(
        "DELETE FROM metamcp.dead_letters WHERE projector = $1 AND stream_sequence = $2 RETURNING body",
    )
    .bind(name)
    .bind(to_i64(at))
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(parked) = parked else {
        return Ok(false);
    };
    if parked != entry.body[..] {
        return Err(log_replaced(&format!(
            "position {at} of the log holds another commit than projector {name} has parked"
        )));
    }
    let mut recorded = [Recorded::decode(entry)?];
    if projector.sees_personal_fields() {
        let seen = |event: &AnyEvent| projector.listens_to(event);
        let keys = database.key_folder();
        open_personal_fields(&mut transaction, keys, &mut recorded, &seen).await?;
    }
    projector.apply(&mut transaction, &recorded).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn entry_at(log: &Log, at: u64) -> Result<LogEntry, ProjectionError> {
    log.entry_at(at).await?.ok_or_else(|| {
        log_replaced(&format!(
            "the log ends before position {at}, where a parked commit lies"
        ))
    })
}
