//! Who depends on a tool of one's own.

use super::loaders::DependentsOf;
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use crate::graphql::connection::{PageOf, connection, page_request};
use crate::graphql::session::Session;
use async_graphql::SimpleObject;
use async_graphql::connection::EmptyFields;
use chrono::{DateTime, Utc};
use projections::{Page, catalog, marketplace};
use std::sync::Arc;

/// A tenant that has installed a tool of yours.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Dependent {
    /// The tenant's slug.
    tenant: String,
    /// Which versions it uses, in the notation of Cargo.
    range: String,
    /// The version that the range means now; null while the tool is not offered, or has none within it.
    version: Option<String>,
    /// Since when.
    installed_at: DateTime<Utc>,
}

impl From<marketplace::Dependent> for Dependent {
    fn from(row: marketplace::Dependent) -> Self {
        Self {
            tenant: row.installer.to_string(),
            range: row.range.to_string(),
            version: row.tool_version.map(|version| version.to_string()),
            installed_at: row.installed_at,
        }
    }
}

/// A page of dependents.
pub(in crate::graphql) type DependentConnection = PageOf<Dependent, EmptyFields>;

/// The tenants that have installed a tool, now.
pub(in crate::graphql) async fn of_tool(
    session: &Session,
    tool: &catalog::Tool,
    first: i32,
    after: Option<String>,
) -> Result<DependentConnection, ApiError> {
    let resource = Resource::of_tool(tool, &session.caller);
    session.authorize(Action::ReadDependents, &resource)?;
    let request = page_request(session, first, after)?;
    let continues = request.after.is_some();
    let key = DependentsOf {
        tool: tool.id.clone(),
        first: request.first,
        after: request.after,
    };
    let page = session.loaders.load_one(key).await?;
    let page = page.map(Arc::unwrap_or_clone).unwrap_or(Page {
        items: Vec::new(),
        has_next: false,
    });
    Ok(connection(page, continues, EmptyFields, Dependent::from))
}
