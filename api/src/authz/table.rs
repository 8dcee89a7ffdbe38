//! All decisions of a policy: role × action × flags of the resource.
//!
//! A caller with several roles may do what one of them permits, and what is permitted without a role;
//! that this equals the policy for every set of roles is a test.

use super::{Action, Resource, ResourceKind};
use domain::principal::Role;
use std::collections::HashSet;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// The only role of the caller, or none.
    pub(super) role: Option<Role>,
    /// What is asked.
    pub(super) action: Action,
    /// Of what.
    pub(super) resource: Resource,
}

/// The cells that say yes.
#[derive(Debug)]
pub(super) struct Table(HashSet<Question>);

impl Table {
    /// Asks every question once. The first error ends it: there is no table with holes.
    pub(super) fn compute<E>(ask: impl Fn(&Question) -> Result<bool, E>) -> Result<Self, E> {
        let mut allowed = HashSet::new();
        for question in questions() {
            if ask(&question)? {
                allowed.insert(question);
            }
        }
        Ok(Self(allowed))
    }

    /// The answer; a question that was not asked is denied.
    pub(super) fn allows(&self, question: &Question) -> bool {
        self.0.contains(&Question {
            resource: normal(question.resource),
            ..*question
        })
    }
}

/// Every action with every resource that it can concern.
pub(super) fn cases() -> impl Iterator<Item = (Action, Resource)> {
    Action::ALL
        .iter()
        .flat_map(|action| resources(action.kind()).map(move |resource| (*action, resource)))
}

fn questions() -> impl Iterator<Item = Question> {
    let roles = std::iter::once(None).chain(Role::ALL.iter().copied().map(Some));
    roles.flat_map(|role| {
        cases().map(move |(action, resource)| Question {
            role,
            action,
            resource,
        })
    })
}

fn resources(kind: ResourceKind) -> impl Iterator<Item = Resource> {
    // Only a tool is reserved.
    let flags: u8 = if kind == ResourceKind::Tool { 4 } else { 3 };
    (0u8..1 << flags).map(move |bits| Resource {
        unlisted: bits & 1 != 0,
        owner: bits & 2 != 0,
        own: bits & 4 != 0,
        reserved: bits & 8 != 0,
        ..Resource::any(kind)
    })
}

/// Rules do not see whether an object exists already, nor which one it is.
fn normal(resource: Resource) -> Resource {
    Resource {
        existing: false,
        id: None,
        ..resource
    }
}
