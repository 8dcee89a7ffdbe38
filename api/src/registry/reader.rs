//! Whose servers a request reads.

use super::error::RegistryError;
use crate::authn::{admit, bearer};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::{ApiError, TokenProblem};
use crate::http::correlation;
use crate::state::AppState;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use domain::id::TenantId;

/// The tenant of the token; without one, the tenant that strangers may read. A bad token is refused, not
/// taken for none.
pub(super) struct Reader(pub(super) TenantId);

impl FromRequestParts<AppState> for Reader {
    type Rejection = RegistryError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, RegistryError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            let tenant = state.config.registry.anonymous();
            let tenant = tenant.ok_or(ApiError::Unauthenticated(TokenProblem::Missing))?;
            return Ok(Self(tenant));
        }
        let token = bearer(&parts.headers).map_err(ApiError::from)?;
        let caller = admit(state, token, correlation::of(&parts.extensions)).await?;
        let servers = Resource::any(ResourceKind::Server);
        state
            .authorizer
            .authorize(&caller, Action::ReadServer, &servers)
            .map_err(ApiError::from)?;
        Ok(Self(caller.tenant))
    }
}
