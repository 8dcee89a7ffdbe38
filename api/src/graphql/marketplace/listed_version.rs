//! A version of a listing: the definition as it was published, and what was said of it since.

use crate::graphql::version::Deprecation;
use async_graphql::Object;
use chrono::{DateTime, Utc};
use projections::marketplace;
use serde_json::Value;

/// One published definition.
pub(in crate::graphql) struct ListedVersion(pub(super) marketplace::ListedVersion);

/// A definition of a listing as it was published.
#[Object]
impl ListedVersion {
    /// Its semantic version.
    async fn version(&self) -> String {
        self.0.tool_version.to_string()
    }

    /// What the tool does, as a model reads it.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// JSON Schema of the arguments; null when the source gave none.
    async fn input_schema(&self) -> Option<&Value> {
        self.0.input_schema.as_ref()
    }

    /// JSON Schema of the structured result, when the tool declares one.
    async fn output_schema(&self) -> Option<&Value> {
        self.0.output_schema.as_ref()
    }

    /// Hints about its behaviour, as its maker gives them (MCP specification, "ToolAnnotations").
    async fn annotations(&self) -> Option<&Value> {
        self.0.annotations.as_ref()
    }

    /// What identifies the definition: hex SHA-256 of the canonical JSON of name, description, schemas
    /// and annotations.
    async fn definition_hash(&self) -> &str {
        &self.0.definition_hash
    }

    /// When it was published.
    async fn published_at(&self) -> DateTime<Utc> {
        self.0.published_at
    }

    /// Whether it is hidden from resolution; its exact number still leads to it.
    async fn yanked(&self) -> bool {
        self.0.yanked.is_some()
    }

    /// Why it was yanked.
    async fn yanked_reason(&self) -> Option<&str> {
        self.0.yanked.as_deref().filter(|reason| !reason.is_empty())
    }

    /// What those are told who use this version, when more is said of it than of the whole tool.
    async fn deprecation(&self) -> Option<Deprecation> {
        self.0.deprecation.as_ref().map(Deprecation::from)
    }
}
