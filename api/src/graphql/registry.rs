//! The state of the machinery, for those who look after it.

use super::enums::{AfterSunset, ProjectorState};
use super::scalars::Sequence;
use super::session::Session;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::{Context, Object, SimpleObject};

/// The machinery.
pub(super) struct Registry;

/// The version in force and how far the read models are.
#[Object]
impl Registry {
    /// The version of MetaMCP that answers.
    async fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// Names the authorization policy in force.
    async fn policy_version<'a>(&self, ctx: &Context<'a>) -> &'a str {
        Session::of(ctx).state.authorizer.policy_version()
    }

    /// What happens to who resolves a version after its sunset, in tenants that say nothing of it.
    async fn after_sunset(&self, ctx: &Context<'_>) -> AfterSunset {
        Session::of(ctx).state.config.registry.after_sunset.into()
    }

    /// The position of the last commit in the log; null, with an error, while the log is away.
    async fn head(&self, ctx: &Context<'_>) -> Option<Result<Sequence, ApiError>> {
        let head = Session::of(ctx).state.log.head().await;
        Some(head.map(Sequence).map_err(ApiError::from))
    }

    /// How far each projector is.
    async fn projectors(&self, ctx: &Context<'_>) -> Vec<Projector> {
        let health = Session::of(ctx).state.positions.health();
        let shown = health.into_iter().map(|health| Projector {
            name: health.projector,
            position: Sequence(health.position),
            lag: Sequence(health.lag),
            parked: Sequence(health.parked),
            state: ProjectorState::from(&health.state),
        });
        shown.collect()
    }
}

/// What keeps one read model.
#[derive(SimpleObject)]
struct Projector {
    /// Its name, such as `catalog`.
    name: &'static str,
    /// The position of the last commit that it has applied.
    position: Sequence,
    /// How many commits it is behind.
    lag: Sequence,
    /// How many events it has set aside because they could not be applied.
    parked: Sequence,
    /// Whether it works.
    state: ProjectorState,
}

/// The entry to the machinery's state.
#[derive(Default)]
pub(super) struct RegistryQueries;

#[Object]
impl RegistryQueries {
    /// The state of the registry's machinery. For owners, administrators and auditors.
    async fn registry(&self, ctx: &Context<'_>) -> Result<Option<Registry>, ApiError> {
        let everybody = Resource::any(ResourceKind::Principal);
        Session::of(ctx).authorize(Action::ReadPrincipal, &everybody)?;
        Ok(Some(Registry))
    }
}
