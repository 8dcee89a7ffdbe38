//! One request: the shared state, who asks, and the loaders that gather what its fields need.

use super::loaders::{Loaders, PrincipalKey, ServerKey, ToolKey};
use super::principal::Principal;
use super::scalars::Sequence;
use super::server::Server;
use super::tool::Tool;
use crate::authz::{Action, Resource, ResourceKind};
use crate::context::Caller;
use crate::error::ApiError;
use crate::state::AppState;
use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use domain::id::{PrincipalId, ServerId, ToolId};
use domain::tool::Visibility;
use projections::TenantConnection;
use std::time::Duration;
use tracing::Instrument;

/// How long a query waits for a read model to reach `minSequence`, and a mutation for its own commit.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// What the resolvers of one request share.
pub(super) struct Session {
    pub(super) state: AppState,
    pub(super) caller: Caller,
    /// The visibilities of the tools that the caller may read.
    pub(super) visibilities: Vec<Visibility>,
    /// Not cached: a mutation's second look must see what the first one changed.
    pub(super) loaders: DataLoader<Loaders>,
}

impl Session {
    pub(super) fn new(state: AppState, caller: Caller) -> Self {
        let visibilities = state.authorizer.visibilities(&caller);
        let loaders = Loaders {
            reads: state.reads.clone(),
            tenant: caller.tenant.clone(),
            visibilities: visibilities.clone(),
        };
        let spawn =
            |load: futures::future::BoxFuture<'static, ()>| tokio::spawn(load.in_current_span());
        Self {
            loaders: DataLoader::new(loaders, spawn),
            state,
            caller,
            visibilities,
        }
    }

    /// The session that the endpoint put into the request.
    pub(super) fn of<'a>(ctx: &Context<'a>) -> &'a Self {
        ctx.data_unchecked()
    }

    pub(super) fn authorize(&self, action: Action, resource: &Resource) -> Result<(), ApiError> {
        Ok(self
            .state
            .authorizer
            .authorize(&self.caller, action, resource)?)
    }

    /// A connection to the caller's rows. A resolver gives it back before its children are resolved, so
    /// that a request never waits for connections that it holds itself.
    pub(super) async fn reads(&self) -> Result<TenantConnection, ApiError> {
        Ok(self.state.reads.tenant(&self.caller.tenant).await?)
    }

    /// Waits, bounded, until a read model has reached a position.
    pub(super) async fn caught_up(
        &self,
        projector: &'static str,
        position: Option<Sequence>,
    ) -> Result<(), ApiError> {
        if let Some(Sequence(position)) = position {
            self.state
                .positions
                .wait_for(projector, position, WAIT)
                .await?;
        }
        Ok(())
    }

    /// A server of the caller's tenant.
    pub(super) async fn server(&self, id: ServerId) -> Result<Option<Server>, ApiError> {
        self.authorize(Action::ReadServer, &Resource::server())?;
        Ok(self.loaders.load_one(ServerKey(id)).await?.map(Server))
    }

    /// A tool that the caller may see. Asked for one by one, so nothing is gathered first.
    pub(super) async fn tool(&self, id: ToolId) -> Result<Option<Tool>, ApiError> {
        self.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        let key = ToolKey(id);
        let mut found = self
            .loaders
            .loader()
            .load(std::slice::from_ref(&key))
            .await?;
        Ok(found.remove(&key).map(Tool))
    }

    /// A principal that the caller may see.
    pub(super) async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>, ApiError> {
        let Some(principal) = self.loaders.load_one(PrincipalKey(id)).await? else {
            return Ok(None);
        };
        let resource = Resource::principal(&self.caller, &principal.id, &principal.roles);
        self.authorize(Action::ReadPrincipal, &resource)?;
        Ok(Some(Principal(principal)))
    }
}
