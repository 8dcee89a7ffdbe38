//! Principals: the type, its list, its look-up, and the viewer.

use super::as_of::AsOf;
use super::connection::{DEFAULT_FIRST, PageOf, connection, cost, filter_text, page_request};
use super::enums::{PrincipalKind, Role};
use super::history::Historied;
use super::node::NodeId;
use super::scalars::Sequence;
use super::session::Session;
use super::tenant::{Tenant, own_tenant};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::connection::EmptyFields;
use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use domain::id::PrincipalId;
use domain::team::Team;
use projections::{Moment, access};

/// A principal of the tenant, and the moment that it is shown as of.
pub(super) struct Principal(pub(super) access::Principal, pub(super) Moment);

/// A page of principals.
pub(super) type PrincipalConnection = PageOf<Principal, EmptyFields>;

/// A person, an agent or a program that acts in your tenant.
#[Object]
impl Principal {
    /// Names this principal among all objects.
    pub(super) async fn id(&self) -> ID {
        NodeId::Principal(self.0.id.clone()).encode()
    }

    /// Its name in your tenant, which never changes; `erased:` and an id when the person was erased.
    async fn handle(&self) -> &str {
        &self.0.handle
    }

    /// The name that people read.
    async fn display_name(&self) -> Option<&str> {
        self.0.display_name.as_deref()
    }

    /// An e-mail address.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// When it was forgotten; null for all others.
    async fn erased_at(&self) -> Option<DateTime<Utc>> {
        self.0.erased_at
    }

    /// What it is.
    async fn kind(&self) -> PrincipalKind {
        self.0.kind.into()
    }

    /// What it may do.
    async fn roles(&self) -> Vec<Role> {
        self.0.roles.iter().copied().map(Into::into).collect()
    }

    /// The teams that it is in.
    async fn teams(&self) -> Vec<&str> {
        self.0.teams.iter().map(Team::as_str).collect()
    }

    /// False when its requests are refused.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// Tokens that were issued before this moment are refused.
    async fn tokens_revoked_before(&self) -> Option<DateTime<Utc>> {
        self.0.tokens_revoked_before
    }

    /// When it was registered.
    async fn registered_at(&self) -> DateTime<Utc> {
        self.0.registered_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    #[graphql(flatten)]
    async fn historied(&self) -> Historied {
        Historied::of::<domain::principal::Principal>(self.0.id.as_str()).at(self.1)
    }
}

/// The caller.
pub(super) struct Viewer;

/// You: the principal that this request's token names.
#[Object]
impl Viewer {
    /// Names this principal among all objects.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        NodeId::Principal(Session::of(ctx).caller.principal.clone()).encode()
    }

    /// Your name in your tenant.
    async fn handle<'a>(&self, ctx: &Context<'a>) -> &'a str {
        &Session::of(ctx).caller.handle
    }

    /// What you are.
    async fn kind(&self, ctx: &Context<'_>) -> PrincipalKind {
        Session::of(ctx).caller.kind.into()
    }

    /// What you may do.
    async fn roles(&self, ctx: &Context<'_>) -> Vec<Role> {
        Session::of(ctx)
            .caller
            .roles
            .iter()
            .copied()
            .map(Into::into)
            .collect()
    }

    /// The teams that you are in.
    async fn teams<'a>(&self, ctx: &Context<'a>) -> Vec<&'a str> {
        let teams = Session::of(ctx).caller.teams.iter();
        teams.map(Team::as_str).collect()
    }

    /// The tenant that you act in; null when you hold no role that may see it.
    async fn tenant(&self, ctx: &Context<'_>) -> Option<Result<Tenant, ApiError>> {
        own_tenant(Session::of(ctx)).await.transpose()
    }
}

/// The entries to principals.
#[derive(Default)]
pub(super) struct PrincipalQueries;

#[Object]
impl PrincipalQueries {
    /// You.
    async fn viewer(&self) -> Viewer {
        Viewer
    }

    /// The principals of your tenant, by handle. For owners, administrators and auditors.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn principals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Only those in this team; all when left out.")] team: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<PrincipalConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(
            Action::ReadPrincipal,
            &Resource::any(ResourceKind::Principal),
        )?;
        session.caught_up(access::NAME, min_sequence).await?;
        let moment = session.moment(access::NAME, as_of).await?;
        let request = page_request(session, first, after)?;
        let mut reads = session.reads().await?.at(moment);
        let page = access::principals(&mut reads, filter_text(team).as_deref(), &request).await?;
        let continues = request.after.is_some();
        let shown = |principal| Principal(principal, moment);
        Ok(Some(connection(page, continues, EmptyFields, shown)))
    }

    /// One principal; all may see themselves. What does not exist and what you may not see answer the same
    /// error, `NOT_FOUND`.
    async fn principal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its handle.")] handle: String,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
        #[graphql(desc = "As of which moment; now when left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<Principal>, ApiError> {
        let session = Session::of(ctx);
        session.caught_up(access::NAME, min_sequence).await?;
        let moment = session.moment(access::NAME, as_of).await?;
        let id = PrincipalId::named(&session.caller.tenant, handle.trim());
        session
            .principal_at(id, moment)
            .await?
            .ok_or(ApiError::NotFound)
            .map(Some)
    }
}
