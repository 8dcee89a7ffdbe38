//! A tenant keeps an owner. Owners are counted in a read model and lose their role in the log, each for itself, so two
//! commands at once could each count the other's owner, and nobody could let anybody in any more.
//!
//! **Invariant.** Whoever may take an owner away, in whatever process, first holds the lock of the tenant's owners in
//! PostgreSQL, and counts then: after `access` has come to the end of the log. The lock is given up when the command's
//! commit is in `access`, or with the connection that holds it; PostgreSQL ends that one after 15 seconds of silence.
//! So one gap remains: a process that is frozen for so long between its count and its commit.

use crate::access;
use crate::error::{ProjectionError, QueryError};
use crate::lease::{self, LEASE};
use crate::position::Positions;
use crate::store::ReadPool;
use bus::{BusError, Log};
use domain::id::{PrincipalId, TenantId};
use sqlx::{Connection, Executor, PgConnection};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long one waits for others that hold the same tenant's owners.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often who holds them says that it lives.
const RENEW: Duration = Duration::from_secs(3);
/// What PostgreSQL says when `lock_timeout` is over.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Who holds or waits has a connection of its own. Such commands are rare, and a flood of them must not take all the
/// connections that PostgreSQL has.
static PLACES: Semaphore = Semaphore::const_new(8);

/// Why an owner cannot be taken away.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    /// Nobody else would be left: give another principal the role first.
    #[error("this is the tenant's last active owner; give another principal the role first")]
    LastOwner,
    /// Others are at it: try again.
    #[error("another command that may take an owner away is under way; retry later")]
    Busy,
    /// The lock cannot be had, or was lost: try again.
    #[error("the lock of the tenant's owners cannot be held")]
    Lock(#[source] ProjectionError),
    /// How many there are is not known.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The log does not say how far it goes.
    #[error(transparent)]
    Log(#[from] BusError),
}

/// Nobody else takes an owner of the tenant away until this is dropped.
#[derive(Debug)]
#[must_use = "others go on as soon as it is dropped"]
pub struct OwnersHeld {
    _released: DropGuard,
}

/// Makes sure that a tenant has another active owner, and that it stays so: keep what it returns until the command that
/// takes one away is committed and seen by `access`, which may take so long to come to the end of the log.
///
/// # Errors
/// [`OwnersError`], within a bounded time.
pub async fn keep_one(
    reads: &ReadPool,
    log: &Log,
    positions: &Positions,
    tenant: &TenantId,
    patience: Duration,
) -> Result<OwnersHeld, OwnersError> {
    // Who asks has one of them in mind.
    keep(reads, log, positions, tenant, patience, &[], 2).await
}

/// The same for several that may be taken away together: makes sure that there is an active owner besides them.
///
/// # Errors
/// [`OwnersError`], within a bounded time.
pub async fn keep_one_besides(
    reads: &ReadPool,
    log: &Log,
    positions: &Positions,
    tenant: &TenantId,
    patience: Duration,
    leaving: &[PrincipalId],
) -> Result<OwnersHeld, OwnersError> {
    keep(reads, log, positions, tenant, patience, leaving, 1).await
}

/// Holds the owners of a tenant that has at least so many active ones besides those that leave.
async fn keep(
    reads: &ReadPool,
    log: &Log,
    positions: &Positions,
    tenant: &TenantId,
    patience: Duration,
    leaving: &[PrincipalId],
    least: i64,
) -> Result<OwnersHeld, OwnersError> {
    // Twice: once for a place, once for the lock, which ends by itself unless PostgreSQL is not heard of.
    let locked = tokio::time::timeout(2 * PATIENCE, lock(reads, tenant)).await;
    let (mut connection, place) = locked.map_err(|_elapsed| OwnersError::Busy)??;
    let counted = async {
        let head = log.head().await?;
        positions.wait_for(access::NAME, head, patience).await?;
        let mut reads = reads.tenant(tenant).await?;
        let owners = access::count_active_owners_besides(&mut reads, leaving).await?;
        reads.keep();
        Ok::<i64, OwnersError>(owners)
    };
    let counted = lease::hold(&mut connection, counted).await;
    let owners = counted.map_err(OwnersError::Lock)??;
    if owners < least {
        return Err(OwnersError::LastOwner);
    }
    // The count is worth nothing if the lock was lost meanwhile.
    let held = lease::renew(&mut connection).await;
    held.map_err(OwnersError::Lock)?;
    let released = CancellationToken::new();
    let guard = released.clone().drop_guard();
    tokio::spawn(hold(connection, place, released));
    Ok(OwnersHeld { _released: guard })
}

/// A connection that holds the lock of a tenant's owners, and its place.
async fn lock(
    reads: &ReadPool,
    tenant: &TenantId,
) -> Result<(PgConnection, SemaphorePermit<'static>), OwnersError> {
    let place = PLACES
        .acquire()
        .await
        .map_err(|_closed| OwnersError::Busy)?;
    let connection = reads.connect_apart().await;
    let mut connection = connection.map_err(QueryError::Unavailable)?;
    lease::begin(&mut connection)
        .await
        .map_err(OwnersError::Lock)?;
    let bounded = format!("SET lock_timeout = {}", PATIENCE.as_millis());
    let bounded = connection.execute(bounded.as_str()).await;
    bounded.map_err(QueryError::Unavailable)?;
    let locked = sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
        .bind(format!("metamcp.owners.{tenant}"))
        .execute(&mut connection)
        .await;
    match locked {
        Ok(_) => Ok((connection, place)),
        Err(sqlx::Error::Database(error))
            if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
        {
            Err(OwnersError::Busy)
        }
        Err(error) => Err(QueryError::Unavailable(error).into()),
    }
}

/// Renews the lease until the owners are released. Closing the connection gives the lock up.
async fn hold(
    mut connection: PgConnection,
    _place: SemaphorePermit<'static>,
    released: CancellationToken,
) {
    while tokio::time::timeout(RENEW, released.cancelled())
        .await
        .is_err()
    {
        if let Err(error) = lease::renew(&mut connection).await {
            tracing::warn!(%error, "the lock of a tenant's owners was lost");
            return;
        }
    }
    // Dropped, it is closed as well, with less grace.
    let _ = tokio::time::timeout(LEASE, connection.close()).await;
}
