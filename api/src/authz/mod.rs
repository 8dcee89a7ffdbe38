//! Who may do what. The rules are the Polar policies of `api/policy`; this module asks them.
//!
//! Invariants: what the policy does not allow is denied, errors included. A decision depends on the
//! caller's roles, the action and a few flags of the resource, all finite: so the policy is evaluated
//! once, into a table, and a request costs one look-up. Every refusal becomes an event: see `denials`; so does
//! every change of the policy: see `record`.

mod denials;
mod policy;
mod record;
mod resource;
mod table;

pub use denials::{DenialRecorder, Denials, MOST_OBJECTS, RecordingAuthorizer, SETTLE};
pub use policy::{PolarAuthorizer, PolicyError};
pub use record::{RecordedPolicies, put_on_record};
pub use resource::{Action, Resource, ResourceKind};

use crate::context::Caller;
use domain::principal::Role;
use projections::Sight;
use std::collections::BTreeSet;

/// Decides what callers may do.
pub trait Authorizer: Send + Sync {
    /// Allows or denies what a caller wants to do now. Not for questions like "could she?": a refusal goes
    /// on record.
    ///
    /// # Errors
    /// [`Denied`], which becomes 403, or 404 when the caller may not even see the object.
    fn authorize(&self, caller: &Caller, action: Action, resource: &Resource)
    -> Result<(), Denied>;

    /// Whether somebody who holds just these roles may: a question about others or about the past, after
    /// which nothing is done, so nothing is logged.
    fn permits(&self, roles: &BTreeSet<Role>, action: Action, resource: &Resource) -> bool;

    /// Which tools of the tenant the caller may read; for filters of queries and searches.
    fn sight(&self, caller: &Caller) -> Sight;

    /// Names the policy in force: the first 12 hex digits of its text's SHA-256.
    fn policy_version(&self) -> &str;
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the action {action} on {} {kind} is not allowed to you",
    article(kind)
)]
pub struct Denied {
    /// What was asked.
    pub action: Action,
    /// On what.
    pub kind: ResourceKind,
    /// True when the caller may not read the object either, and so must not learn that it exists.
    pub hidden: bool,
    /// The policy that decided.
    pub policy_version: String,
}

/// The article that goes before the kind.
fn article(kind: &ResourceKind) -> &'static str {
    match kind.as_str().starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_sentence() {
        let told = |action: Action| {
            let denied = Denied {
                action,
                kind: action.kind(),
                hidden: false,
                policy_version: String::new(),
            };
            denied.to_string()
        };
        assert!(told(Action::InstallTool).contains(" on an installation "));
        assert!(told(Action::RegisterTool).contains(" on a tool "));
    }
}
