//! The first tenant and its first administrator.

use anyhow::bail;
use bus::{CommandContext, DispatchError, Dispatcher};
use domain::envelope::Actor;
use domain::id::{PrincipalId, TenantId};
use domain::principal::{
    Principal, PrincipalCommand, PrincipalError, PrincipalKind, RegisterPrincipal, Role,
};
use domain::tenant::{Tenant, TenantCommand, TenantError};

/// Registers a tenant and an owner, unless they are there. Returns the owner's id, the last position of
/// the log that was written, and whether the owner is new.
///
/// # Errors
/// When the log is away, or a name is none.
pub async fn provision(
    dispatcher: &Dispatcher,
    tenant: &TenantId,
    owner: &str,
    actor: &Actor,
) -> anyhow::Result<(PrincipalId, u64, bool)> {
    let mut last = 0;
    let context = CommandContext::new(tenant.clone(), actor.clone());
    let register = TenantCommand::Register {
        display_name: tenant.to_string(),
    };
    match dispatcher
        .dispatch::<Tenant>(&context, tenant.as_str(), register)
        .await
    {
        Ok(committed) => last = committed.stream_sequence,
        Err(DispatchError::Rejected(TenantError::AlreadyRegistered)) => {}
        Err(error) => bail!(error),
    }
    let id = PrincipalId::derive(tenant, owner);
    let context = CommandContext::new(tenant.clone(), actor.clone());
    let register = PrincipalCommand::Register(RegisterPrincipal {
        kind: PrincipalKind::User,
        handle: owner.to_owned(),
        roles: vec![Role::Owner],
    });
    match dispatcher
        .dispatch::<Principal>(&context, id.as_str(), register)
        .await
    {
        Ok(committed) => Ok((id, committed.stream_sequence, true)),
        Err(DispatchError::Rejected(PrincipalError::AlreadyRegistered)) => Ok((id, last, false)),
        Err(error) => bail!(error),
    }
}
