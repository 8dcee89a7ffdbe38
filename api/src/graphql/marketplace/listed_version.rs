//! A version of a listing, and what was said of it since it was published.

use super::loaders::ListedVersionsOf;
use crate::error::ApiError;
use crate::graphql::connection::{PageOf, connection, page_request};
use crate::graphql::definition::{Defined, ListedDefinitionOf};
use crate::graphql::session::Session;
use crate::graphql::version::Deprecation;
use async_graphql::Object;
use async_graphql::connection::EmptyFields;
use chrono::{DateTime, Utc};
use domain::id::ToolId;
use projections::{Page, marketplace};
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

    #[graphql(flatten)]
    async fn defined(&self) -> Defined {
        let (tool, version) = (self.tool.clone(), self.version.tool_version.clone());
        Defined::Listed(ListedDefinitionOf(tool, version))
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
