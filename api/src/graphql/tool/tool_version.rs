//! A version of a tool, and what was said of it since it was published.

use crate::error::ApiError;
use crate::graphql::actor::Actor;
use crate::graphql::connection::{PageOf, connection, page_request};
use crate::graphql::definition::{Defined, DefinitionOf};
use crate::graphql::loaders::{Loaders, by_part};
use crate::graphql::session::Session;
use crate::graphql::version::Deprecation;
use async_graphql::Object;
use async_graphql::connection::EmptyFields;
use async_graphql::dataloader::Loader;
use chrono::{DateTime, Utc};
use domain::id::ToolId;
use projections::{Page, catalog};
use std::collections::HashMap;
use std::sync::Arc;

/// One published version.
pub(in crate::graphql) struct ToolVersion(pub(in crate::graphql) catalog::ToolVersion);

/// A definition of a tool as it was published.
#[Object]
impl ToolVersion {
    /// Its semantic version.
    async fn version(&self) -> String {
        self.0.tool_version.to_string()
    }

    #[graphql(flatten)]
    async fn defined(&self) -> Defined {
        let (tool, version) = (self.0.tool_id.clone(), self.0.tool_version.clone());
        Defined::Own(DefinitionOf(tool, version))
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

    /// Who published it.
    async fn published_by(&self) -> Actor {
        Actor::from(&self.0.published_by)
    }

    /// The aliases that stand at it, `latest` included.
    async fn aliases(&self) -> &[String] {
        &self.0.aliases
    }

    /// Whether it is hidden from resolution; its exact number still leads to it.
    async fn yanked(&self) -> bool {
        self.0.mark.yanked.is_some()
    }

    /// Why it is, when somebody said so.
    async fn yanked_reason(&self) -> Option<&str> {
        let reason = self.0.mark.yanked.as_deref();
        reason.filter(|reason| !reason.is_empty())
    }

    /// What those are told who use this version, apart from what is said of the whole tool.
    async fn deprecation(&self) -> Option<Deprecation> {
        self.0.mark.deprecation.as_ref().map(Deprecation::from)
    }
}

/// A page of versions.
pub(in crate::graphql) type ToolVersionConnection = PageOf<ToolVersion, EmptyFields>;

/// The versions of a tool, newest first, as of the tool's moment.
pub(super) async fn of_tool(
    session: &Session,
    tool: &catalog::Tool,
    first: i32,
    after: Option<String>,
) -> Result<ToolVersionConnection, ApiError> {
    let request = page_request(session, first, after)?;
    let continues = request.after.is_some();
    let key = VersionsOf {
        tool: tool.id.clone(),
        first: request.first,
        after: request.after,
    };
    let page = session.loaders_at(tool.moment).load_one(key).await?;
    let page = page.map(Arc::unwrap_or_clone).unwrap_or(Page {
        items: Vec::new(),
        has_next: false,
    });
    Ok(connection(page, continues, EmptyFields, ToolVersion))
}

/// A part of the versions of a tool, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct VersionsOf {
    tool: ToolId,
    first: usize,
    after: Option<String>,
}

impl Loader<VersionsOf> for Loaders {
    type Value = Arc<Page<catalog::ToolVersion>>;
    type Error = ApiError;

    /// One statement for each part of versions that a query names.
    async fn load(
        &self,
        keys: &[VersionsOf],
    ) -> Result<HashMap<VersionsOf, Self::Value>, ApiError> {
        let mut reads = self.reads().await?;
        let mut pages = HashMap::with_capacity(keys.len());
        let asked = keys.iter().map(|key| (&key.tool, key.first, &key.after));
        for (tools, part) in by_part(asked) {
            let seen = &self.sight;
            let found = catalog::version_pages(&mut reads, &tools, seen, &part).await?;
            pages.extend(found.into_iter().map(|(tool, page)| {
                let (first, after) = (part.first, part.after.clone());
                let key = VersionsOf { tool, first, after };
                (key, Arc::new(page))
            }));
        }
        reads.keep();
        Ok(pages)
    }
}
