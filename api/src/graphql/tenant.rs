//! The caller's tenant. There is no way to another one.

use super::as_of::AsOf;
use super::connection::{DEFAULT_FIRST, cost};
use super::enums::{AfterSunset, Direction};
use super::history::{self, HistoryConnection, HistoryPart};
use super::loaders::OwnTenant;
use super::node::NodeId;
use super::scalars::Sequence;
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

    /// What has happened to it and what each event changed. For owners, administrators and
    /// auditors.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Newest or oldest first.", default_with = "Direction::Desc")]
        direction: Direction,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Option<Result<HistoryConnection, ApiError>> {
        let part = HistoryPart {
            first,
            after,
            direction,
            min_sequence,
        };
        let (session, id) = (Session::of(ctx), self.0.id.as_str());
        Some(history::of::<domain::tenant::Tenant>(session, id, part).await)
    }
}

/// The tenant of the caller, when the read model knows it already.
pub(super) async fn own_tenant(session: &Session) -> Result<Option<Tenant>, ApiError> {
    session.authorize(Action::ReadTenant, &Resource::tenant())?;
    Ok(session.loaders.load_one(OwnTenant).await?.map(Tenant))
}
