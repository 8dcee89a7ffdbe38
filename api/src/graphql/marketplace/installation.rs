//! Installations: the type and its list.

use super::listing::Listing;
use super::loaders::{InstallationKey, ListingAt, ListingKey};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::actor::Actor;
use crate::graphql::connection::{DEFAULT_FIRST, PageOf, connection, cost, page_request};
use crate::graphql::history::Historied;
use crate::graphql::loaders::OwnTenant;
use crate::graphql::node::NodeId;
use crate::graphql::review::{self, ReviewConnection, ReviewPart};
use crate::graphql::scalars::Sequence;
use crate::graphql::session::Session;
use crate::graphql::version::Deprecation;
use crate::resolution::{Rules, listing_warnings};
use async_graphql::connection::EmptyFields;
use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};
use domain::id::InstallationId;
use projections::marketplace;

/// Whether an installed tool can be used.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum InstallationStatus {
    /// It is offered and has a version within the range, whose sunset has not come.
    Available,
    /// It is not: `notice` says what to do.
    Unavailable,
}

/// A tool of another tenant that yours has installed.
pub(in crate::graphql) struct Installation(pub(in crate::graphql) marketplace::Installation);

/// A page of installations.
pub(in crate::graphql) type InstallationConnection = PageOf<Installation, EmptyFields>;

/// A tool of another tenant that yours has installed, pinned to a range of its versions. It is found and
/// described by its `reference`, in the highest version within the range.
#[Object]
impl Installation {
    /// Names this installation among all objects.
    pub(in crate::graphql) async fn id(&self) -> ID {
        NodeId::Installation(self.0.id.clone()).encode()
    }

    /// How the tool is named here: `@publisher/server/name`.
    async fn reference(&self) -> String {
        self.0.tool.to_string()
    }

    /// The slug of the tenant that offers it.
    async fn publisher(&self) -> &str {
        self.0.tool.publisher.as_str()
    }

    /// The slug of its server there.
    async fn server(&self) -> &str {
        &self.0.tool.server
    }

    /// Its name.
    async fn tool(&self) -> &str {
        &self.0.tool.name
    }

    /// Which versions are used, in the notation of Cargo, such as `^1.2`.
    async fn range(&self) -> String {
        self.0.range.to_string()
    }

    /// The version that the range means now; null when there is none. It is never a yanked one, unless the range
    /// is exactly that version.
    async fn version(&self) -> Option<String> {
        let version = self.0.tool_version.as_ref();
        version.map(ToString::to_string)
    }

    /// Whether it can be used.
    async fn status(&self, ctx: &Context<'_>) -> Result<InstallationStatus, ApiError> {
        let session = Session::of(ctx);
        Ok(match self.meant(session).await? {
            Some(listing) if !is_over(session, &listing).await? => InstallationStatus::Available,
            Some(_) | None => InstallationStatus::Unavailable,
        })
    }

    /// Why it cannot be used, and what to do.
    async fn notice(&self, ctx: &Context<'_>) -> Result<Option<String>, ApiError> {
        let session = Session::of(ctx);
        let (tool, range) = (&self.0.tool, &self.0.range);
        Ok(match self.meant(session).await? {
            Some(listing) if !is_over(session, &listing).await? => None,
            Some(listing) => {
                let told = listing_warnings(&listing).join("; ");
                Some(format!(
                    "{told}. Install what succeeds it, or pin another range."
                ))
            }
            None => Some(format!(
                "{tool} is not offered at the moment, or has no version within `{range}`: it is neither \
                 found nor described. It comes back by itself when it is offered again; pin \
                 another range, or uninstall it."
            )),
        })
    }

    /// What those are told who use the version that the range means; null when it is not deprecated.
    async fn deprecation(&self, ctx: &Context<'_>) -> Result<Option<Deprecation>, ApiError> {
        let listing = self.meant(Session::of(ctx)).await?;
        let told = listing.as_ref();
        let told = told.and_then(|listing| listing.deprecation_of(&listing.version));
        Ok(told.map(Deprecation::from))
    }

    /// What to know before using that version, such as that it is deprecated or yanked.
    async fn warnings(&self, ctx: &Context<'_>) -> Result<Vec<String>, ApiError> {
        let listing = self.meant(Session::of(ctx)).await?;
        Ok(listing.as_ref().map(listing_warnings).unwrap_or_default())
    }

    /// What the members of your tenant wrote about it, newest first, your own among it; none while it is not
    /// offered. Your moderators answer for these.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(
            desc = "Also those that moderators have hidden, if you may see them.",
            default
        )]
        include_hidden: bool,
    ) -> Option<Result<ReviewConnection, ApiError>> {
        let part = ReviewPart {
            first,
            after,
            include_hidden,
        };
        Some(review::of_installed(Session::of(ctx), &self.0.tool.tool_id(), part).await)
    }

    /// What its publisher offers now; null when that is nothing.
    async fn listing(&self, ctx: &Context<'_>) -> Result<Option<Listing>, ApiError> {
        let key = ListingKey(self.0.tool.tool_id());
        let found = Session::of(ctx).loaders.load_one(key).await?;
        Ok(found.map(Listing))
    }

    /// When it was installed.
    async fn installed_at(&self) -> DateTime<Utc> {
        self.0.installed_at
    }

    /// Who installed it.
    async fn installed_by(&self) -> Actor {
        Actor::from(&self.0.installed_by)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    #[graphql(flatten)]
    async fn historied(&self) -> Historied {
        Historied::of::<domain::installation::Installation>(self.0.id.as_str())
    }
}

impl Installation {
    /// What is installed, in the version that the range means.
    async fn meant(&self, session: &Session) -> Result<Option<marketplace::Listing>, ApiError> {
        let Some(version) = self.0.tool_version.clone() else {
            return Ok(None);
        };
        let key = ListingAt(self.0.tool.tool_id(), version);
        session.loaders.load_one(key).await
    }
}

/// Whether its sunset has come, and those who would use it are refused.
async fn is_over(session: &Session, listing: &marketplace::Listing) -> Result<bool, ApiError> {
    let told = listing.deprecation_of(&listing.version);
    let Some(told) = told.filter(|told| told.is_over(Utc::now().date_naive())) else {
        return Ok(false);
    };
    let tenant = session.loaders.load_one(OwnTenant).await?;
    let said = tenant.and_then(|tenant| tenant.after_sunset);
    Ok(Rules::of(&session.state).refuse(said, told))
}

impl Session {
    /// An installation of the caller's tenant.
    pub(in crate::graphql) async fn installation(
        &self,
        id: InstallationId,
    ) -> Result<Option<Installation>, ApiError> {
        let resource = Resource::any(ResourceKind::Installation);
        self.authorize(Action::ReadInstallation, &resource)?;
        let found = self.loaders.load_one(InstallationKey(id)).await?;
        Ok(found.map(Installation))
    }
}

/// The entry to installations.
#[derive(Default)]
pub(in crate::graphql) struct InstallationQueries;

#[Object]
impl InstallationQueries {
    /// The tools of other tenants that yours has installed, by name.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn installations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<InstallationConnection>, ApiError> {
        let session = Session::of(ctx);
        let resource = Resource::any(ResourceKind::Installation);
        session.authorize(Action::ReadInstallation, &resource)?;
        session.caught_up(marketplace::NAME, min_sequence).await?;
        let request = page_request(session, first, after)?;
        let mut reads = session.reads().await?;
        let page = marketplace::installations(&mut reads, &request).await?;
        let continues = request.after.is_some();
        Ok(Some(connection(page, continues, EmptyFields, Installation)))
    }
}
