//! Changes of the caller's tenant.

use super::{dispatch, read_back, trimmed};
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::enums::AfterSunset;
use crate::graphql::loaders::OwnTenant;
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::Session;
use crate::graphql::tenant::Tenant;
use async_graphql::{Context, InputObject, Object, SimpleObject};
use domain::tenant::TenantCommand;
use projections::access;

/// A new name for your tenant.
#[derive(Debug, InputObject)]
struct RenameTenantInput {
    /// The name that people read, 1 to 200 characters.
    display_name: String,
}

/// What is to happen after a sunset.
#[derive(Debug, InputObject)]
struct SetAfterSunsetInput {
    /// The rule; left out or null, it is as the installation says.
    after_sunset: Option<AfterSunset>,
}

/// Your changed tenant.
#[derive(SimpleObject)]
struct TenantPayload {
    /// The tenant after the change; null when `notice` says why.
    tenant: Option<Tenant>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

/// The changes of the caller's tenant.
#[derive(Default)]
pub(super) struct TenantMutations;

#[Object]
impl TenantMutations {
    /// Changes the name of your tenant that people read.
    async fn rename_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new name.")] input: RenameTenantInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<TenantPayload>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::RenameTenant, &Resource::tenant())?;
        let command = TenantCommand::Rename {
            display_name: trimmed(&input.display_name),
        };
        send(session, command, command_id).await.map(Some)
    }

    /// Says what happens to those of your tenant who resolve a version after its sunset, be it of your own tools
    /// or of installed ones. For owners and administrators.
    async fn set_after_sunset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] input: SetAfterSunsetInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<TenantPayload>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::SetAfterSunset, &Resource::tenant())?;
        let command = TenantCommand::SetAfterSunset(input.after_sunset.map(Into::into));
        send(session, command, command_id).await.map(Some)
    }
}

async fn send(
    session: &Session,
    command: TenantCommand,
    command_id: Option<UuidScalar>,
) -> Result<TenantPayload, ApiError> {
    let id = session.caller.tenant.as_str();
    let sequence = dispatch::<domain::tenant::Tenant>(session, id, command, command_id).await?;
    let (tenant, notice) = read_back(session, access::NAME, sequence, OwnTenant).await?;
    let tenant = tenant.map(Tenant);
    Ok(TenantPayload {
        tenant,
        sequence,
        notice,
    })
}
