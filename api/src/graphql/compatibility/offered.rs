//! The versions of a tool of another tenant, of which two are compared: what its publisher offers to everybody, whether
//! the caller's tenant has installed it or not. Of what is not offered, or not any more, nothing is told but that it is
//! not there.

use super::named;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::scalars::Sequence;
use crate::graphql::session::Session;
use domain::id::ToolId;
use domain::tool::ToolDefinition;
use projections::marketplace::{self, ListedVersion};
use semver::Version;

/// The versions that are listed, yanked ones included.
pub(super) struct Offered {
    id: ToolId,
    versions: Vec<ListedVersion>,
}

impl Offered {
    pub(super) async fn of(
        session: &Session,
        id: ToolId,
        min_sequence: Option<Sequence>,
    ) -> Result<Self, ApiError> {
        session.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        session.caught_up(marketplace::NAME, min_sequence).await?;
        let mut reads = session.reads().await?;
        let ids = std::slice::from_ref(&id);
        let mut found = marketplace::versions_by_listing(&mut reads, ids).await?;
        let versions = found.remove(&id).ok_or(ApiError::NotFound)?;
        Ok(Self { id, versions })
    }

    /// The version that an argument names.
    pub(super) fn named(&self, argument: &str, text: &str) -> Result<&Version, ApiError> {
        let numbers = self.versions.iter().map(|row| &row.tool_version);
        named(numbers, argument, text)
    }

    pub(super) async fn definition(
        &self,
        session: &Session,
        version: &Version,
    ) -> Result<ToolDefinition, ApiError> {
        let key = (self.id.clone(), version.clone());
        let mut reads = session.reads().await?;
        let mut found = marketplace::definitions(&mut reads, std::slice::from_ref(&key)).await?;
        found.remove(&key).ok_or(ApiError::NotFound)
    }
}
