//! The category taxonomy: the types and the entry.

use super::enums::Status;
use super::history::Historied;
use super::loaders::Loaders;
use super::node::NodeId;
use super::scalars::Sequence;
use super::session::Session;
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use domain::id::TaxonomyId;
use projections::{catalog, taxonomy};
use std::collections::HashMap;

/// The taxonomy of the caller's tenant.
pub(super) struct Taxonomy(pub(super) taxonomy::Taxonomy);

/// The categories that the servers and tools of your tenant may name. While there is none, any word will do.
#[Object]
impl Taxonomy {
    /// Names this taxonomy among all objects.
    pub(super) async fn id(&self, ctx: &Context<'_>) -> ID {
        let id = TaxonomyId::derive(&Session::of(ctx).caller.tenant);
        NodeId::Taxonomy(id).encode()
    }

    /// How often it has changed; 0 before its first category.
    async fn version(&self) -> u64 {
        self.0.version
    }

    /// Whether servers and tools may have its categories only: from the first category on.
    async fn controlled(&self) -> bool {
        self.0.version > 0
    }

    /// Its categories by slug; those in use, unless retired ones are asked for, too.
    async fn categories(
        &self,
        #[graphql(desc = "Also those that are accepted no more.", default)] include_retired: bool,
    ) -> Vec<Category> {
        let rows = self.0.categories.iter();
        let shown = rows.filter(|row| include_retired || row.active);
        shown.cloned().map(Category).collect()
    }

    #[graphql(flatten)]
    async fn historied(&self, ctx: &Context<'_>) -> Historied {
        let id = TaxonomyId::derive(&Session::of(ctx).caller.tenant);
        Historied::of::<domain::taxonomy::Taxonomy>(id.as_str())
    }
}

/// A category of the caller's tenant.
pub(super) struct Category(taxonomy::CategoryRow);

/// A category: what servers and tools are grouped by.
#[Object]
impl Category {
    /// What servers and tools name; it never changes.
    async fn slug(&self) -> &str {
        &self.0.category.slug
    }

    /// The name that people read.
    async fn title(&self) -> &str {
        &self.0.category.title
    }

    /// What belongs to it.
    async fn description(&self) -> &str {
        &self.0.category.description
    }

    /// The slug of the wider category that it is a part of.
    async fn parent(&self) -> Option<&str> {
        self.0.category.parent.as_deref()
    }

    /// Whether servers and tools may be given it.
    async fn status(&self) -> Status {
        match self.0.active {
            true => Status::Active,
            false => Status::Retired,
        }
    }

    /// What to use instead of a retired one.
    async fn successor(&self) -> Option<&str> {
        self.0.successor.as_deref()
    }

    /// How many tools in use name it, of those that you may see. Its parts are not counted in.
    async fn tool_count(&self, ctx: &Context<'_>) -> Result<i64, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadTool, &Resource::any(ResourceKind::Tool))?;
        let key = CategoryCountOf(self.0.category.slug.clone());
        Ok(session.loaders.load_one(key).await?.unwrap_or(0))
    }

    /// When it was first added.
    async fn added_at(&self) -> DateTime<Utc> {
        self.0.added_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// The number of active tools of a category.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CategoryCountOf(String);

impl Loader<CategoryCountOf> for Loaders {
    type Value = i64;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[CategoryCountOf],
    ) -> Result<HashMap<CategoryCountOf, i64>, ApiError> {
        let slugs: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut reads = self.reads.tenant(&self.tenant).await?;
        let found = catalog::category_counts(&mut reads, &slugs, &self.sight).await?;
        let keyed = |(slug, count)| (CategoryCountOf(slug), count);
        Ok(found.into_iter().map(keyed).collect())
    }
}

/// The caller's taxonomy, which a mutation reads back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct OwnTaxonomy;

impl Loader<OwnTaxonomy> for Loaders {
    type Value = taxonomy::Taxonomy;
    type Error = ApiError;

    async fn load(&self, _: &[OwnTaxonomy]) -> Result<HashMap<OwnTaxonomy, Self::Value>, ApiError> {
        let mut reads = self.reads.tenant(&self.tenant).await?;
        let taxonomy = taxonomy::taxonomy(&mut reads).await?;
        Ok([(OwnTaxonomy, taxonomy)].into())
    }
}

/// The taxonomy of the caller's tenant.
pub(super) async fn own_taxonomy(session: &Session) -> Result<Option<Taxonomy>, ApiError> {
    session.authorize(Action::ReadTaxonomy, &Resource::any(ResourceKind::Taxonomy))?;
    let taxonomy = session.loaders.load_one(OwnTaxonomy).await?;
    Ok(taxonomy.map(Taxonomy))
}

/// The entry to the taxonomy.
#[derive(Default)]
pub(super) struct TaxonomyQueries;

#[Object]
impl TaxonomyQueries {
    /// The category taxonomy of your tenant.
    async fn taxonomy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<Taxonomy>, ApiError> {
        let session = Session::of(ctx);
        session.caught_up(taxonomy::NAME, min_sequence).await?;
        own_taxonomy(session).await
    }
}
