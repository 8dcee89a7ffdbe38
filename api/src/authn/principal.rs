//! The principal of a token, as the `access` read model knows it, through a cache of at most 2 s.

use super::token::Claims;
use crate::context::Caller;
use crate::error::{ApiError, TokenProblem};
use domain::id::{CorrelationId, PrincipalId, TenantId};
use moka::future::Cache;
use projections::access::{self, Principal};
use projections::{QueryError, ReadPool};
use std::sync::Arc;
use std::time::Duration;

/// Principals kept.
const CAPACITY: u64 = 10_000;
/// Time for the look-up.
const DEADLINE: Duration = Duration::from_secs(2);

type Key = (TenantId, PrincipalId);

/// Principals of the last moments. Absence and failure are not kept.
#[derive(Clone)]
pub struct PrincipalCache(Cache<Key, Arc<Principal>>);

impl PrincipalCache {
    /// Keeps each for `ttl`, which bounds how late a revocation takes effect.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self(
            Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(ttl)
                .build(),
        )
    }

    /// The caller behind the claims. Many requests of one principal at once cost one look-up.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] when the principal is unknown or deactivated or the token revoked,
    /// [`ApiError::Unavailable`] when the read model does not answer in time.
    pub async fn caller(
        &self,
        reads: &ReadPool,
        claims: Claims,
        correlation_id: CorrelationId,
    ) -> Result<Caller, ApiError> {
        let key = (claims.tenant.clone(), claims.sub.clone());
        let known = self.0.try_get_with(key, load(reads, &claims)).await;
        let principal = known.map_err(|error| ApiError::clone(&error))?;
        Ok(admit(claims, &principal, correlation_id)?)
    }
}

async fn load(reads: &ReadPool, claims: &Claims) -> Result<Arc<Principal>, ApiError> {
    let query = async {
        let mut connection = reads.tenant(&claims.tenant).await?;
        access::principal(&mut connection, &claims.sub).await
    };
    let found: Result<_, QueryError> =
        tokio::time::timeout(DEADLINE, query).await.map_err(|_| {
            tracing::warn!("the permissions did not arrive in time");
            ApiError::Unavailable {
                message: "the permissions are unavailable; retry later".into(),
            }
        })?;
    found?
        .map(Arc::new)
        .ok_or(TokenProblem::Invalid("its principal is unknown").into())
}

/// Decides whether the principal may act with this token.
fn admit(
    claims: Claims,
    principal: &Principal,
    correlation_id: CorrelationId,
) -> Result<Caller, TokenProblem> {
    if !principal.active {
        return Err(TokenProblem::Invalid("its principal is deactivated"));
    }
    if principal
        .tokens_revoked_before
        .is_some_and(|moment| claims.issued_before(moment))
    {
        return Err(TokenProblem::Invalid("it was revoked"));
    }
    Ok(Caller {
        tenant: claims.tenant,
        principal: claims.sub,
        handle: principal.handle.clone(),
        kind: principal.kind,
        roles: principal.roles.clone(),
        teams: principal.teams.clone(),
        correlation_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};
    use domain::principal::{PrincipalKind, Role};
    use uuid::Uuid;

    fn moment(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn claims(issued: i64) -> Claims {
        let tenant = TenantId::new("acme").unwrap();
        Claims {
            iss: String::new(),
            aud: String::new().into(),
            sub: PrincipalId::derive(&tenant, "alice"),
            tenant,
            jti: Uuid::nil(),
            iat: issued as f64,
            nbf: issued,
            exp: issued + 60,
        }
    }

    fn principal() -> Principal {
        Principal {
            id: claims(0).sub,
            kind: PrincipalKind::User,
            handle: "alice".into(),
            display_name: None,
            email: None,
            roles: [Role::Agent].into(),
            teams: [].into(),
            active: true,
            tokens_revoked_before: None,
            erased_at: None,
            registered_at: moment(0),
            updated_at: moment(0),
        }
    }

    #[test]
    fn an_active_principal_acts_with_its_roles_of_now() {
        let caller = admit(claims(100), &principal(), CorrelationId(Uuid::nil())).unwrap();
        assert_eq!((caller.handle.as_str(), caller.roles.len()), ("alice", 1));
    }

    #[test]
    fn a_deactivated_principal_does_not_act() {
        let gone = Principal {
            active: false,
            ..principal()
        };
        assert!(admit(claims(100), &gone, CorrelationId(Uuid::nil())).is_err());
    }

    #[test]
    fn tokens_issued_up_to_the_revocation_are_refused() {
        let revoked = Principal {
            tokens_revoked_before: Some(moment(100)),
            ..principal()
        };
        assert!(admit(claims(99), &revoked, CorrelationId(Uuid::nil())).is_err());
        assert!(admit(claims(100), &revoked, CorrelationId(Uuid::nil())).is_err());
        assert!(admit(claims(101), &revoked, CorrelationId(Uuid::nil())).is_ok());
    }
}
