//! What nested fields of the marketplace need, gathered.

use crate::error::ApiError;
use crate::graphql::loaders::{Loaders, by_part};
use async_graphql::dataloader::Loader;
use domain::id::{InstallationId, ToolId};
use projections::Page;
use projections::marketplace::{
    Dependent, Installation, ListedVersion, Listing, dependents_by_tool, installations_by_id,
    listings_at, listings_by_id, version_pages,
};
use projections::publishers::{self, VerifiedPublisher};
use semver::Version;
use std::collections::HashMap;
use std::sync::Arc;

/// A listing by the id of its tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::graphql) struct ListingKey(pub(in crate::graphql) ToolId);

/// A listing with the definition of one version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ListingAt(pub(super) ToolId, pub(super) Version);

/// The verified publisher behind a listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PublisherOf(pub(super) ToolId);

/// A part of the versions of a listing, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ListedVersionsOf {
    pub(super) tool: ToolId,
    pub(super) first: usize,
    pub(super) after: Option<String>,
}

/// An installation of the caller's tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::graphql) struct InstallationKey(pub(in crate::graphql) InstallationId);

/// A part of the tenants that depend on a tool of the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DependentsOf {
    pub(super) tool: ToolId,
    pub(super) first: usize,
    pub(super) after: Option<String>,
}

impl Loader<ListingKey> for Loaders {
    type Value = Listing;
    type Error = ApiError;

    async fn load(&self, keys: &[ListingKey]) -> Result<HashMap<ListingKey, Listing>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let found = listings_by_id(&mut self.reads().await?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, listing)| (ListingKey(id), listing))
            .collect())
    }
}

impl Loader<ListingAt> for Loaders {
    type Value = Listing;
    type Error = ApiError;

    async fn load(&self, keys: &[ListingAt]) -> Result<HashMap<ListingAt, Listing>, ApiError> {
        let wanted: Vec<_> = keys.iter().map(|key| (&key.0, &key.1)).collect();
        let found = listings_at(&mut self.reads().await?, &wanted).await?;
        let keyed = |(id, listing): (ToolId, Listing)| {
            let version = listing.version.tool_version.clone();
            (ListingAt(id, version), listing)
        };
        Ok(found.into_iter().map(keyed).collect())
    }
}

impl Loader<PublisherOf> for Loaders {
    type Value = VerifiedPublisher;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[PublisherOf],
    ) -> Result<HashMap<PublisherOf, VerifiedPublisher>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let found = publishers::of_tools(&mut self.reads().await?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, publisher)| (PublisherOf(id), publisher))
            .collect())
    }
}

impl Loader<ListedVersionsOf> for Loaders {
    type Value = Arc<Page<ListedVersion>>;
    type Error = ApiError;

    /// One statement for each part of lists that a query names.
    async fn load(
        &self,
        keys: &[ListedVersionsOf],
    ) -> Result<HashMap<ListedVersionsOf, Self::Value>, ApiError> {
        let mut reads = self.reads().await?;
        let mut pages = HashMap::with_capacity(keys.len());
        let asked = keys.iter().map(|key| (&key.tool, key.first, &key.after));
        for (tools, part) in by_part(asked) {
            let found = version_pages(&mut reads, &tools, &part).await?;
            pages.extend(found.into_iter().map(|(tool, page)| {
                let (first, after) = (part.first, part.after.clone());
                let key = ListedVersionsOf { tool, first, after };
                (key, Arc::new(page))
            }));
        }
        Ok(pages)
    }
}

impl Loader<InstallationKey> for Loaders {
    type Value = Installation;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[InstallationKey],
    ) -> Result<HashMap<InstallationKey, Installation>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let found = installations_by_id(&mut self.reads().await?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, installation)| (InstallationKey(id), installation))
            .collect())
    }
}

impl Loader<DependentsOf> for Loaders {
    type Value = Arc<Page<Dependent>>;
    type Error = ApiError;

    /// One statement for each part of lists that a query names.
    async fn load(
        &self,
        keys: &[DependentsOf],
    ) -> Result<HashMap<DependentsOf, Self::Value>, ApiError> {
        let mut reads = self.reads().await?;
        let mut pages = HashMap::with_capacity(keys.len());
        let asked = keys.iter().map(|key| (&key.tool, key.first, &key.after));
        for (tools, part) in by_part(asked) {
            let found = dependents_by_tool(&mut reads, &tools, &part).await?;
            pages.extend(found.into_iter().map(|(tool, page)| {
                let (first, after) = (part.first, part.after.clone());
                let key = DependentsOf { tool, first, after };
                (key, Arc::new(page))
            }));
        }
        Ok(pages)
    }
}
