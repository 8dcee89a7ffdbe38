//! One request: the shared state, who asks, and the loaders that gather what its fields need.

use super::as_of::Missing;
use super::loaders::{Loaders, PrincipalKey, ServerKey, ToolKey};
use super::principal::Principal;
use super::scalars::Sequence;
use super::server::Server;
use super::tool::Tool;
use crate::authz::{Action, Resource, ResourceKind};
use crate::context::Caller;
use crate::error::ApiError;
use crate::resolution::Rules;
use crate::state::AppState;
use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use domain::id::{PrincipalId, ServerId, TenantId, ToolId};
use projections::{Moment, Sight, TenantConnection};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::Instrument;

/// How long a query waits for a read model to reach `minSequence`, and a mutation for its own commit.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// What the resolvers of one request share.
pub(super) struct Session {
    pub(super) state: AppState,
    pub(super) caller: Caller,
    /// Which tools the caller may read.
    pub(super) sight: Sight,
    /// Not cached: a mutation's second look must see what the first one changed.
    pub(super) loaders: Arc<DataLoader<Loaders>>,
    /// What the request is shown of the past without.
    pub(super) missing: Missing,
    /// The loaders of the other moments that the request looks at.
    past: Mutex<HashMap<Moment, Arc<DataLoader<Loaders>>>>,
}

impl Session {
    pub(super) fn new(state: AppState, caller: Caller) -> Self {
        let sight = state.authorizer.sight(&caller);
        let loaders = Loaders {
            reads: state.reads.clone(),
            tenant: caller.tenant.clone(),
            sight: sight.clone(),
            moment: Moment::Now,
            rules: Rules::of(&state),
        };
        Self {
            loaders: gather(loaders),
            missing: Missing::default(),
            past: Mutex::default(),
            state,
            caller,
            sight,
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

    /// A connection to what belongs to no tenant.
    pub(super) async fn reads_of_installation(&self) -> Result<TenantConnection, ApiError> {
        Ok(self.state.reads.tenant(&TenantId::installation()).await?)
    }

    /// The loaders of a moment: what is nested in an object is of the object's moment.
    pub(super) fn loaders_at(&self, moment: Moment) -> Arc<DataLoader<Loaders>> {
        if moment.is_now() {
            return Arc::clone(&self.loaders);
        }
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            gather(Loaders {
                moment,
                ..self.loaders.loader().clone()
            })
        };
        Arc::clone(past.entry(moment).or_insert_with(new))
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

    /// Waits, at most so long, until a read model has come to the end of the log: before something is counted, or
    /// said not to be there, that another caller may just have made.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] when the log is away, or the read model still behind: what it lacks is not known.
    pub(super) async fn reached_the_end(
        &self,
        projector: &'static str,
        patience: Duration,
    ) -> Result<(), ApiError> {
        let head = self.state.log.head().await?;
        let positions = &self.state.positions;
        Ok(positions.wait_for(projector, head, patience).await?)
    }

    /// A server of the caller's tenant, as it was.
    pub(super) async fn server_at(
        &self,
        id: ServerId,
        moment: Moment,
    ) -> Result<Option<Server>, ApiError> {
        let resource = Resource::server().named(id.as_str());
        self.authorize(Action::ReadServer, &resource)?;
        let found = self.loaders_at(moment).load_one(ServerKey(id)).await?;
        Ok(found.map(Server))
    }

    /// A tool that the caller may see.
    pub(super) async fn tool(&self, id: ToolId) -> Result<Option<Tool>, ApiError> {
        self.tool_at(id, Moment::Now).await
    }

    /// A tool that the caller may see, as it was. Asked for one by one, so nothing is gathered first.
    pub(super) async fn tool_at(
        &self,
        id: ToolId,
        moment: Moment,
    ) -> Result<Option<Tool>, ApiError> {
        self.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        let (key, loaders) = (ToolKey(id), self.loaders_at(moment));
        let mut found = loaders.loader().load(std::slice::from_ref(&key)).await?;
        Ok(found.remove(&key).map(Tool))
    }

    /// A principal that the caller may see, as it was.
    pub(super) async fn principal_at(
        &self,
        id: PrincipalId,
        moment: Moment,
    ) -> Result<Option<Principal>, ApiError> {
        let found = self.loaders_at(moment).load_one(PrincipalKey(id)).await?;
        let Some(principal) = found else {
            return Ok(None);
        };
        let resource = Resource::principal(&self.caller, &principal.id, &principal.roles);
        self.authorize(Action::ReadPrincipal, &resource)?;
        Ok(Some(Principal(principal, moment)))
    }
}

fn gather(loaders: Loaders) -> Arc<DataLoader<Loaders>> {
    let spawn =
        |load: futures::future::BoxFuture<'static, ()>| tokio::spawn(load.in_current_span());
    Arc::new(DataLoader::new(loaders, spawn))
}
