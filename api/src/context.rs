//! Who is asking: the verified caller of a request.
//!
//! Invariant: a [`Caller`] is made by the authentication layer only, from a verified token and the
//! `access` read model. The tenant of everything that a request does is this one, never an argument.

use crate::error::{ApiError, TokenProblem};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use bus::CommandContext;
use domain::envelope::Actor;
use domain::id::{CommandId, CorrelationId, PrincipalId, TenantId};
use domain::principal::{PrincipalKind, Role};
use domain::team::Team;
use std::collections::BTreeSet;

/// The principal behind a request, as the read model knew it when the request began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant of the token.
    pub tenant: TenantId,
    /// The principal of the token.
    pub principal: PrincipalId,
    /// The principal's name in its tenant.
    pub handle: String,
    /// What the principal is.
    pub kind: PrincipalKind,
    /// The roles it holds now.
    pub roles: BTreeSet<Role>,
    /// The teams it is in now.
    pub teams: BTreeSet<Team>,
    /// The request: what it commits carries this id.
    pub correlation_id: CorrelationId,
}

impl Caller {
    /// The actor that the caller's commits name.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            kind: self.kind.actor_kind(),
            id: self.principal.to_string(),
        }
    }

    /// The context of a command of this caller. A command id that the client chose makes a retry safe.
    #[must_use]
    pub fn command_context(&self, command_id: Option<CommandId>) -> CommandContext {
        let context = CommandContext::new(self.tenant.clone(), self.actor())
            .with_correlation_id(self.correlation_id);
        match command_id {
            Some(id) => context.with_command_id(id),
            None => context,
        }
    }
}

/// Takes the caller that the authentication layer left in the request; a route outside that layer
/// answers 401.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or(ApiError::Unauthenticated(TokenProblem::Missing))
    }
}
