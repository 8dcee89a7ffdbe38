//! Steps of a plan that take the role of an owner away: the tenant keeps another one, whatever other processes do.

use super::{Commands, Object, Step};
use crate::app::Backend;
use domain::id::{PrincipalId, TenantId};
use domain::principal::{PrincipalCommand, Role};
use projections::owners::{self, OwnersError, OwnersHeld};
use projections::{Positions, access};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Whether a step may take an owner away. A plan does that by the role alone: it deactivates and erases nobody.
pub(super) fn takes_one(step: &Step) -> bool {
    match &step.commands {
        Commands::Principal(commands) => {
            commands.contains(&PrincipalCommand::RevokeRole(Role::Owner))
        }
        Commands::Tenant(_)
        | Commands::Taxonomy(_)
        | Commands::Server(_)
        | Commands::Tool(_)
        | Commands::Installation(_) => false,
    }
}

/// Nobody else takes an owner of the tenant away until this is dropped.
pub(super) struct HeldOwners {
    _held: OwnersHeld,
    positions: Positions,
    _stop: DropGuard,
}

impl HeldOwners {
    /// Makes sure that the tenant has another active owner than the principals of these steps, and that it stays so.
    pub(super) async fn besides(
        backend: &Backend,
        tenant: &TenantId,
        steps: &[&Step],
        patience: Duration,
    ) -> Result<Self, OwnersError> {
        let leaving = steps.iter().filter_map(|step| {
            let Object::Principal(handle) = &step.object else {
                return None;
            };
            Some(PrincipalId::derive(tenant, handle))
        });
        let leaving: Vec<PrincipalId> = leaving.collect();
        let stop = CancellationToken::new();
        let positions = Positions::start(&backend.database, &backend.log, &stop);
        let stop = stop.drop_guard();
        let reads = backend.database.read_pool(1);
        let log = &backend.log;
        let held =
            owners::keep_one_besides(&reads, log, &positions, tenant, patience, &leaving).await?;
        Ok(Self {
            _held: held,
            positions,
            _stop: stop,
        })
    }

    /// Lets others go on when `access` shows what was done meanwhile, up to this position. If that takes too long,
    /// they wait for it themselves before they count.
    pub(super) async fn until_seen(self, position: Option<u64>, patience: Duration) {
        if let Some(position) = position {
            let seen = self.positions.wait_for(access::NAME, position, patience);
            if let Err(error) = seen.await {
                tracing::warn!(%error, "owners were taken away, and permissions do not show it yet");
            }
        }
    }
}
