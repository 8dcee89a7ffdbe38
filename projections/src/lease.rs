//! Who leads: an advisory lock that belongs to one connection, and the lease of that connection.
//!
//! PostgreSQL itself ends a leader's connection that was silent for [`LEASE`], inside a transaction or
//! outside of one. So a process that is frozen, or cut off without a word, gives up the lock, and what it
//! sends when it wakes up meets a closed connection. No clock of two machines is compared.

use crate::error::ProjectionError;
use sqlx::{Executor, PgConnection};
use std::time::Duration;

/// Silence after which the lead is lost.
pub(crate) const LEASE: Duration = Duration::from_secs(15);
/// How often a leader that waits for something else says that it lives.
const RENEW: Duration = Duration::from_secs(3);

/// Takes the lock of a projector, or of a rebuild, for the life of the connection. False when another
/// connection holds it.
pub(crate) async fn try_lock(
    connection: &mut PgConnection,
    name: &str,
) -> Result<bool, ProjectionError> {
    let statement = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
    Ok(sqlx::query_scalar(statement)
        .bind(format!("metamcp.projector.{name}"))
        .fetch_one(connection)
        .await?)
}

/// Lets go of what [`try_lock`] took. Closing the connection does so, too, but only when the server notices.
pub(crate) async fn unlock(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    connection
        .execute("SELECT pg_advisory_unlock_all()")
        .await?;
    Ok(())
}

/// The same until the transaction ends.
pub(crate) async fn try_lock_for_transaction(
    connection: &mut PgConnection,
    name: &str,
) -> Result<bool, ProjectionError> {
    let statement = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))";
    Ok(sqlx::query_scalar(statement)
        .bind(format!("metamcp.projector.{name}"))
        .fetch_one(connection)
        .await?)
}

/// Waits for the lock until the transaction ends, and no longer than a lead lasts in silence. Whoever has it has to be
/// heard of, too.
pub(crate) async fn lock_for_transaction(
    connection: &mut PgConnection,
    name: &str,
) -> Result<(), ProjectionError> {
    let statement = "SELECT set_config('lock_timeout', $2, true),
                            set_config('idle_in_transaction_session_timeout', $2, true),
                            pg_advisory_xact_lock(hashtextextended($1, 0))";
    sqlx::query(statement)
        .bind(format!("metamcp.projector.{name}"))
        .bind(LEASE.as_millis().to_string())
        .execute(&mut *connection)
        .await?;
    connection
        .execute("SET LOCAL lock_timeout TO DEFAULT")
        .await?;
    Ok(())
}

/// From now on the connection has to be heard of.
pub(crate) async fn begin(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    let lease = LEASE.as_millis();
    let statement = format!(
        "SET idle_session_timeout = {lease}; SET idle_in_transaction_session_timeout = {lease}"
    );
    connection.execute(statement.as_str()).await?;
    Ok(())
}

/// Says that the leader lives, and learns whether it still leads.
pub(crate) async fn renew(connection: &mut PgConnection) -> Result<(), ProjectionError> {
    match tokio::time::timeout(LEASE, connection.execute("SELECT 1")).await {
        Ok(done) => done.map(drop).map_err(ProjectionError::Database),
        Err(_elapsed) => Err(ProjectionError::Deposed),
    }
}

/// Does work outside of PostgreSQL that belongs to an open transaction: begins it only while the
/// transaction is alive, and renews the lease until it is done.
pub(crate) async fn hold<T>(
    connection: &mut PgConnection,
    work: impl Future<Output = T>,
) -> Result<T, ProjectionError> {
    renew(connection).await?;
    tokio::pin!(work);
    loop {
        match tokio::time::timeout(RENEW, &mut work).await {
            Ok(done) => return Ok(done),
            Err(_elapsed) => renew(connection).await?,
        }
    }
}
