//! The first tenant and its first administrator.

use anyhow::bail;
use bus::{CommandContext, DispatchError, Dispatcher};
use domain::envelope::Actor;
use domain::id::{PrincipalId, TenantId};
use domain::principal::{
    Principal, PrincipalCommand, PrincipalError, PrincipalKind, RegisterPrincipal, Role,
    SealedFields,
};
use domain::tenant::{Tenant, TenantCommand, TenantError};
use projections::Vault;

/// Registers a tenant and an owner, unless they are there. Returns the owner's id, the last position of
/// the log that was written, and whether the owner is new.
///
/// # Errors
/// When the log is away, or a name is none.
pub async fn provision(
    dispatcher: &Dispatcher,
    vault: &Vault,
    tenant: &TenantId,
    owner: &str,
    actor: &Actor,
) -> anyhow::Result<(PrincipalId, u64, bool)> {
    let last = provision_tenant(dispatcher, tenant, actor).await?;
    let id = PrincipalId::derive(tenant, owner);
    // Not left to the refusal: sealing would make a key, another one than that of a vault which was lost.
    if dispatcher
        .load::<Principal>(tenant, id.as_str())
        .await?
        .is_some()
    {
        return Ok((id, last, false));
    }
    let context = CommandContext::new(tenant.clone(), actor.clone());
    let register = RegisterPrincipal {
        kind: PrincipalKind::User,
        handle: owner.to_owned(),
        roles: vec![Role::Owner],
        display_name: None,
        email: None,
        sealed: SealedFields::default(),
    };
    register.check()?;
    let register = PrincipalCommand::Register(vault.seal(tenant, &id, register).await?);
    match dispatcher
        .dispatch::<Principal>(&context, id.as_str(), register)
        .await
    {
        Ok(committed) => Ok((id, committed.stream_sequence, true)),
        Err(DispatchError::Rejected(PrincipalError::AlreadyRegistered)) => Ok((id, last, false)),
        Err(error) => bail!(error),
    }
}

/// Registers a tenant, unless it is there. Returns the position of the log that was written, or 0.
///
/// # Errors
/// When the log is away, or the name is none.
pub async fn provision_tenant(
    dispatcher: &Dispatcher,
    tenant: &TenantId,
    actor: &Actor,
) -> anyhow::Result<u64> {
    let context = CommandContext::new(tenant.clone(), actor.clone());
    let register = TenantCommand::Register {
        display_name: tenant.to_string(),
    };
    match dispatcher
        .dispatch::<Tenant>(&context, tenant.as_str(), register)
        .await
    {
        Ok(committed) => Ok(committed.stream_sequence),
        Err(DispatchError::Rejected(TenantError::AlreadyRegistered)) => Ok(0),
        Err(error) => bail!(error),
    }
}
