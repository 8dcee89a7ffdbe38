//! A version of a listing: what was said of it since it was published, and the definition for whom asks.

use super::loaders::{ListedDefinitionOf, ListedVersionsOf};
use crate::error::ApiError;
use crate::graphql::connection::{PageOf, connection, page_request};
use crate::graphql::session::Session;
use crate::graphql::version::Deprecation;
use async_graphql::connection::EmptyFields;
use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use domain::id::ToolId;
use domain::tool::ToolDefinition;
use projections::{Page, marketplace};
use serde_json::Value;
use std::sync::Arc;

/// One published version of a tool.
pub(in crate::graphql) struct ListedVersion {
    tool: ToolId,
    version: marketplace::ListedVersion,
}

/// A definition of a listing as it was published.
#[Object]
impl ListedVersion {
    /// Its semantic version.
    async fn version(&self) -> String {
        self.version.tool_version.to_string()
    }

    /// What the tool does, as a model reads it.
    async fn description(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let definition = self.definition(Session::of(ctx)).await?;
        Ok(definition.description.clone())
    }

    /// JSON Schema of the arguments; null when the source gave none.
    async fn input_schema(&self, ctx: &Context<'_>) -> Option<Result<Value, ApiError>> {
        let definition = self.definition(Session::of(ctx)).await;
        let schema = definition.map(|definition| definition.input_schema.clone());
        schema.transpose()
    }

    /// JSON Schema of the structured result, when the tool declares one.
    async fn output_schema(&self, ctx: &Context<'_>) -> Option<Result<Value, ApiError>> {
        let definition = self.definition(Session::of(ctx)).await;
        let schema = definition.map(|definition| definition.output_schema.clone());
        schema.transpose()
    }

    /// Hints about its behaviour, as its maker gives them (MCP specification, "ToolAnnotations").
    async fn annotations(&self, ctx: &Context<'_>) -> Option<Result<Value, ApiError>> {
        let definition = self.definition(Session::of(ctx)).await;
        let hints = definition.map(|definition| definition.annotations.clone());
        hints.transpose()
    }

    /// What identifies the definition: hex SHA-256 of the canonical JSON of name, description, schemas
    /// and annotations.
    async fn definition_hash(&self) -> &str {
        &self.version.definition_hash
    }

    /// When it was published.
    async fn published_at(&self) -> DateTime<Utc> {
        self.version.published_at
    }

    /// Whether it is hidden from resolution; its exact number still leads to it.
    async fn yanked(&self) -> bool {
        self.version.yanked.is_some()
    }

    /// Why it was yanked.
    async fn yanked_reason(&self) -> Option<&str> {
        let reason = self.version.yanked.as_deref();
        reason.filter(|reason| !reason.is_empty())
    }

    /// What those are told who use this version, when more is said of it than of the whole tool.
    async fn deprecation(&self) -> Option<Deprecation> {
        self.version.deprecation.as_ref().map(Deprecation::from)
    }
}

impl ListedVersion {
    /// A list has many versions and a definition is large: it is read when a field of it is asked for.
    async fn definition(&self, session: &Session) -> Result<Arc<ToolDefinition>, ApiError> {
        let key = ListedDefinitionOf(self.tool.clone(), self.version.tool_version.clone());
        let found = session.loaders.load_one(key).await?;
        found.ok_or(ApiError::NotFound)
    }
}

/// A page of versions.
pub(in crate::graphql) type ListedVersionConnection = PageOf<ListedVersion, EmptyFields>;

/// The versions of a listing, newest first.
pub(super) async fn of_listing(
    session: &Session,
    tool: &ToolId,
    first: i32,
    after: Option<String>,
) -> Result<ListedVersionConnection, ApiError> {
    let request = page_request(session, first, after)?;
    let continues = request.after.is_some();
    let key = ListedVersionsOf {
        tool: tool.clone(),
        first: request.first,
        after: request.after,
    };
    let page = session.loaders.load_one(key).await?;
    let page = page.map(Arc::unwrap_or_clone).unwrap_or(Page {
        items: Vec::new(),
        has_next: false,
    });
    let shown = |version| ListedVersion {
        tool: tool.clone(),
        version,
    };
    Ok(connection(page, continues, EmptyFields, shown))
}
