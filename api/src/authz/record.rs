//! The policy in force is on record: before a process serves, the log says by which rules it judges. So what
//! was possible at any moment can be computed again, whatever has become of the files.
//!
//! A process records only at its start, and only rules that differ from the last recorded ones. While two
//! releases with different rules run side by side, each start of one of them may be a record, and nothing
//! else is: they do not answer each other. What is on record then is what the last one to start judges by; a
//! denial names the policy that really decided it.

use super::{PolarAuthorizer, PolicyError};
use bus::{CommandContext, DispatchError, Dispatcher};
use domain::envelope::Actor;
use domain::id::{PolicyId, TenantId};
use domain::policy::{self, Policy, PolicyCommand};
use moka::sync::Cache;
use projections::access::AdoptedPolicy;
use std::sync::Arc;

/// Past policies whose tables are kept.
const KEPT: u64 = 16;

/// Records the policy, unless it is the one on record. The object is the same for all processes: of several
/// that start at once with the same rules, one appends. True when this one did.
///
/// # Errors
/// When the log is away or full, or the rules are too long for it: a process must not judge by them then.
pub async fn put_on_record(
    dispatcher: &Dispatcher,
    policy: &PolarAuthorizer,
) -> Result<bool, DispatchError<policy::PolicyError>> {
    let context = CommandContext::new(TenantId::installation(), Actor::system("start"));
    let command = PolicyCommand::Adopt {
        text: policy.text().to_owned(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let id = PolicyId::derive();
    let sent = dispatcher.dispatch::<Policy>(&context, id.as_str(), command);
    match sent.await {
        Ok(_) => Ok(true),
        Err(DispatchError::Rejected(policy::PolicyError::AlreadyInForce)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Policies on record, evaluated when somebody asks what they allowed.
pub struct RecordedPolicies {
    in_force: Arc<PolarAuthorizer>,
    past: Cache<String, Arc<PolarAuthorizer>>,
}

impl RecordedPolicies {
    /// Knows the one in force already.
    #[must_use]
    pub fn new(in_force: Arc<PolarAuthorizer>) -> Self {
        Self {
            in_force,
            past: Cache::new(KEPT),
        }
    }

    /// The one that this process judges by.
    #[must_use]
    pub fn in_force(&self) -> &PolarAuthorizer {
        &self.in_force
    }

    /// The policy, ready to be asked. The first question about a past one takes as long as a start.
    ///
    /// # Errors
    /// [`PolicyError`] for rules that this build cannot evaluate any more.
    pub async fn of(
        &self,
        adopted: AdoptedPolicy,
    ) -> Result<Arc<PolarAuthorizer>, Arc<PolicyError>> {
        if adopted.text == self.in_force.text() {
            return Ok(Arc::clone(&self.in_force));
        }
        let past = self.past.clone();
        let evaluated = tokio::task::spawn_blocking(move || {
            // By the whole text: a name is short enough to be forged.
            past.try_get_with_by_ref(&adopted.text, || {
                PolarAuthorizer::from_text(&adopted.text).map(Arc::new)
            })
        });
        evaluated
            .await
            .unwrap_or_else(|ended| Err(Arc::new(PolicyError::Ended(ended))))
    }
}
