//! Who did it: the actor of a commit, as events, grants, versions and installations tell it.

use super::enums::ActorKind;
use async_graphql::SimpleObject;

/// Who caused a change, as the log recorded it.
#[derive(SimpleObject)]
pub(super) struct Actor {
    /// What kind of actor.
    pub(super) kind: ActorKind,
    /// The principal's id in the log, or the name of the part of the system that acted.
    pub(super) id: String,
}

impl From<&domain::envelope::Actor> for Actor {
    fn from(actor: &domain::envelope::Actor) -> Self {
        Self {
            kind: actor.kind.into(),
            id: actor.id.clone(),
        }
    }
}
