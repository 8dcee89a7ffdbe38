//! How many connections there may be: in this process, and of one principal.

use crate::config::LimitsConfig;
use crate::context::Caller;
use crate::error::ApiError;
use crate::telemetry::LIVE_CONNECTIONS;
use domain::id::{PrincipalId, TenantId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Owner = (TenantId, PrincipalId);

/// The places for connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Slots {
    taken: Arc<Mutex<Taken>>,
    most: usize,
    most_of_one: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_owner: HashMap<Owner, usize>,
}

/// A place of one connection, given back when it is dropped.
pub(super) struct Slot {
    slots: Slots,
    owner: Option<Owner>,
}

impl Slots {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        Self {
            taken: Arc::default(),
            most: limits.live_connections,
            most_of_one: limits.live_connections_per_principal,
        }
    }

    /// A place, before it is known for whom.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] when all are taken.
    pub(super) fn take(&self) -> Result<Slot, ApiError> {
        let mut taken = self.lock();
        if taken.all >= self.most {
            return Err(ApiError::Unavailable {
                message:
                    "too many connections follow the log (limits.live_connections); retry later"
                        .into(),
            });
        }
        taken.all += 1;
        metrics::gauge!(LIVE_CONNECTIONS).increment(1);
        Ok(Slot {
            slots: self.clone(),
            owner: None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Makes it the caller's; the first caller keeps it.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] when the caller has as many as it may.
    pub(super) fn give_to(&mut self, caller: &Caller) -> Result<(), ApiError> {
        if self.owner.is_some() {
            return Ok(());
        }
        let owner = (caller.tenant.clone(), caller.principal.clone());
        let mut taken = self.slots.lock();
        let own = taken.by_owner.entry(owner.clone()).or_default();
        if *own >= self.slots.most_of_one {
            return Err(ApiError::Unavailable {
                message: "you have too many connections (limits.live_connections_per_principal): \
                          close one, or use one for several subscriptions"
                    .into(),
            });
        }
        *own += 1;
        drop(taken);
        self.owner = Some(owner);
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.all -= 1;
        metrics::gauge!(LIVE_CONNECTIONS).decrement(1);
        if let Some(owner) = &self.owner
            && let Some(own) = taken.by_owner.get_mut(owner)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_owner.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::CorrelationId;
    use domain::principal::PrincipalKind;
    use std::collections::BTreeSet;

    fn caller(tenant: &str) -> Caller {
        let tenant = TenantId::new(tenant).unwrap();
        Caller {
            principal: PrincipalId::derive(&tenant, "ada"),
            tenant,
            handle: "ada".into(),
            kind: PrincipalKind::User,
            roles: BTreeSet::new(),
            teams: BTreeSet::new(),
            correlation_id: CorrelationId(uuid::Uuid::nil()),
        }
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let slots = Slots::new(&LimitsConfig {
            live_connections: 3,
            live_connections_per_principal: 1,
            ..LimitsConfig::default()
        });
        let mut first = slots.take().unwrap();
        first.give_to(&caller("acme")).unwrap();
        first.give_to(&caller("acme")).unwrap();
        let mut second = slots.take().unwrap();
        assert!(second.give_to(&caller("acme")).is_err());
        second.give_to(&caller("other")).unwrap();
        let third = slots.take().unwrap();
        assert!(slots.take().is_err());
        drop((first, third));
        let mut again = slots.take().unwrap();
        again.give_to(&caller("acme")).unwrap();
        drop((second, again));
        let taken = slots.lock();
        assert_eq!((taken.all, taken.by_owner.len()), (0, 0));
    }
}
