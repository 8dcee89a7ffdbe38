//! The caller's tenant. There is no way to another one.

use super::as_of::AsOf;
use super::enums::AfterSunset;
use super::history::Historied;
use super::loaders::OwnTenant;
use super::node::NodeId;
use super::session::Session;
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use projections::access;

/// The caller's tenant.
pub(super) struct Tenant(pub(super) access::Tenant);

/// An organisation's registry, isolated from every other.
#[Object]
impl Tenant {
    /// Names this tenant among all objects.
    pub(super) async fn id(&self) -> ID {
        NodeId::Tenant(self.0.id.clone()).encode()
    }

    /// Its name in addresses and tokens, which never changes.
    async fn slug(&self) -> &str {
        self.0.id.as_str()
    }

    /// The name that people read.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// What happens to those of your tenant who resolve a version after its sunset, be it of your own tools or of
    /// installed ones; null while your tenant says nothing, and the installation decides.
    async fn after_sunset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<AfterSunset>, ApiError> {
        let session = Session::of(ctx);
        let moment = session.moment(access::NAME, as_of).await?;
        let rule = match moment.is_now() {
            true => self.0.after_sunset,
            false => access::after_sunset(&mut session.reads().await?.at(moment)).await?,
        };
        Ok(rule.map(AfterSunset::from))
    }

    /// When it was registered.
    async fn registered_at(&self) -> DateTime<Utc> {
        self.0.registered_at
    }

    #[graphql(flatten)]
    async fn historied(&self) -> Historied {
        Historied::of::<domain::tenant::Tenant>(self.0.id.as_str())
    }
}

/// The tenant of the caller, when the read model knows it already.
pub(super) async fn own_tenant(session: &Session) -> Result<Option<Tenant>, ApiError> {
    session.authorize(Action::ReadTenant, &Resource::tenant())?;
    Ok(session.loaders.load_one(OwnTenant).await?.map(Tenant))
}
