//! Connections that stay bound to the tenant that has just used them, so that its next query need not bind one.
//!
//! **Invariants.** A connection is handed out only to the tenant that it is bound to; anybody else binds it
//! anew. Only one whose queries have all come to their end is kept: who is cut off in the middle gives it back
//! to the pool, which puts it in order first.

use domain::id::TenantId;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a silent connection is believed to be alive.
const FRESH: Duration = Duration::from_secs(1);
/// After so long a connection goes back to the pool, which closes those that are old.
const LONGEST: Duration = Duration::from_secs(60);

/// A connection that is bound to a tenant.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) connection: PoolConnection<Postgres>,
    pub(super) tenant: TenantId,
    taken: Instant,
    used: Instant,
}

impl Bound {
    /// Of a connection that was just bound.
    pub(super) fn new(connection: PoolConnection<Postgres>, tenant: &TenantId) -> Self {
        let now = Instant::now();
        Self {
            connection,
            tenant: tenant.clone(),
            taken: now,
            used: now,
        }
    }
}

/// The connections that nobody uses, oldest first.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<Bound>>);

impl Kept {
    /// One that is bound to a tenant and surely alive.
    pub(super) fn of(&self, tenant: &TenantId) -> Option<Bound> {
        let mut kept = self.lock();
        let fresh = |bound: &Bound| bound.tenant == *tenant && bound.used.elapsed() < FRESH;
        let found = kept.iter().rposition(fresh)?;
        Some(kept.remove(found))
    }

    /// The oldest, for whoever binds it.
    pub(super) fn any(&self) -> Option<PoolConnection<Postgres>> {
        let mut kept = self.lock();
        (!kept.is_empty()).then(|| kept.remove(0).connection)
    }

    pub(super) fn keep(&self, mut bound: Bound) {
        bound.used = Instant::now();
        if bound.used - bound.taken < LONGEST {
            self.lock().push(bound);
        }
    }

    /// Gives all back to the pool.
    pub(super) fn clear(&self) {
        let kept = std::mem::take(&mut *self.lock());
        drop(kept);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Bound>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
