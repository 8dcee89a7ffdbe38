//! Grants: who holds which role, since when and by whom.

use super::actor::Actor;
use super::as_of::AsOf;
use super::connection::{DEFAULT_FIRST, PageOf, connection, cost, page_request};
use super::enums::Role;
use super::principal::Principal;
use super::scalars::Sequence;
use super::session::Session;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::connection::EmptyFields;
use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use projections::{Moment, access};

/// A role that a principal holds, read as of a moment.
pub(super) struct Grant {
    pub(super) row: access::Grant,
    pub(super) moment: Moment,
}

/// A page of grants.
pub(super) type GrantConnection = PageOf<Grant, EmptyFields>;

/// A role that a principal holds, and the event that gave it. What a role permits is the policy's.
#[Object]
impl Grant {
    /// Who holds it.
    async fn principal(&self, ctx: &Context<'_>) -> Result<Principal, ApiError> {
        let (id, moment) = (self.row.principal.clone(), self.moment);
        let principal = Session::of(ctx).principal_at(id, moment).await?;
        principal.ok_or(ApiError::NotFound)
    }

    /// The role.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// The position of the commit that gave it.
    async fn sequence(&self) -> Sequence {
        Sequence(self.row.stream_sequence)
    }

    /// The event that gave it: `principal.registered` or `principal.role_granted`.
    async fn event_type(&self) -> &str {
        &self.row.event_type
    }

    /// When it was given.
    async fn granted_at(&self) -> DateTime<Utc> {
        self.row.granted_at
    }

    /// Who gave it.
    async fn granted_by(&self) -> Actor {
        Actor::from(&self.row.granted_by)
    }
}

/// The entry to grants.
#[derive(Default)]
pub(super) struct GrantQueries;

#[Object]
impl GrantQueries {
    /// The roles that the principals of your tenant hold, in the order in which they were given. For
    /// owners, administrators and auditors.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn grants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<GrantConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(
            Action::ReadPrincipal,
            &Resource::any(ResourceKind::Principal),
        )?;
        session.caught_up(access::NAME, min_sequence).await?;
        let moment = session.moment(access::NAME, as_of).await?;
        let request = page_request(session, first, after)?;
        let mut reads = session.reads().await?.at(moment);
        let page = access::grants(&mut reads, &request).await?;
        let continues = request.after.is_some();
        let node = |row| Grant { row, moment };
        Ok(Some(connection(page, continues, EmptyFields, node)))
    }
}
