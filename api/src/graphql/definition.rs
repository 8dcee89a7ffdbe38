//! The definition of a published version, for whom asks for a field of it: a list has many versions, and a
//! definition is large. It never changes, so it is that of any moment.

use super::loaders::Loaders;
use super::session::Session;
use crate::error::ApiError;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Object};
use domain::id::ToolId;
use domain::tool::ToolDefinition;
use projections::{catalog, marketplace};
use semver::Version;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Which definition. Its fields are fields of the version.
pub(super) enum Defined {
    /// That of a version of a tool.
    Own(DefinitionOf),
    /// That of a version of a listing.
    Listed(ListedDefinitionOf),
}

#[Object]
impl Defined {
    /// What the tool does, as a model reads it.
    async fn description(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let definition = self.load(ctx).await?;
        Ok(definition.description.clone())
    }

    /// JSON Schema of the arguments; null when the source gave none.
    async fn input_schema(&self, ctx: &Context<'_>) -> Option<Result<Value, ApiError>> {
        let definition = self.load(ctx).await;
        let schema = definition.map(|definition| definition.input_schema.clone());
        schema.transpose()
    }

    /// JSON Schema of the structured result, when the tool declares one.
    async fn output_schema(&self, ctx: &Context<'_>) -> Option<Result<Value, ApiError>> {
        let definition = self.load(ctx).await;
        let schema = definition.map(|definition| definition.output_schema.clone());
        schema.transpose()
    }

    /// Hints about its behaviour, as its maker gives them (MCP specification, "ToolAnnotations").
    async fn annotations(&self, ctx: &Context<'_>) -> Option<Result<Value, ApiError>> {
        let definition = self.load(ctx).await;
        let hints = definition.map(|definition| definition.annotations.clone());
        hints.transpose()
    }
}

impl Defined {
    async fn load(&self, ctx: &Context<'_>) -> Result<Arc<ToolDefinition>, ApiError> {
        let loaders = &Session::of(ctx).loaders;
        let found = match self {
            Self::Own(key) => loaders.load_one(key.clone()).await?,
            Self::Listed(key) => loaders.load_one(key.clone()).await?,
        };
        found.ok_or(ApiError::NotFound)
    }
}

/// The definition of a version of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DefinitionOf(pub(super) ToolId, pub(super) Version);

impl Loader<DefinitionOf> for Loaders {
    type Value = Arc<ToolDefinition>;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[DefinitionOf],
    ) -> Result<HashMap<DefinitionOf, Self::Value>, ApiError> {
        let wanted: Vec<_> = keys
            .iter()
            .map(|key| (key.0.clone(), key.1.clone()))
            .collect();
        let mut reads = self.reads().await?;
        let found = catalog::definitions(&mut reads, &wanted).await?;
        reads.keep();
        Ok(found
            .into_iter()
            .map(|((tool, version), definition)| {
                (DefinitionOf(tool, version), Arc::new(definition))
            })
            .collect())
    }
}

/// The definition of a version of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ListedDefinitionOf(pub(super) ToolId, pub(super) Version);

impl Loader<ListedDefinitionOf> for Loaders {
    type Value = Arc<ToolDefinition>;
    type Error = ApiError;

    async fn load(
        &self,
        keys: &[ListedDefinitionOf],
    ) -> Result<HashMap<ListedDefinitionOf, Self::Value>, ApiError> {
        let wanted: Vec<_> = keys
            .iter()
            .map(|key| (key.0.clone(), key.1.clone()))
            .collect();
        let found = marketplace::definitions(&mut self.reads().await?, &wanted).await?;
        Ok(found
            .into_iter()
            .map(|((id, version), definition)| {
                (ListedDefinitionOf(id, version), Arc::new(definition))
            })
            .collect())
    }
}
