//! The installed tools that a tenant can use now: what its searches, descriptions and calls resolve.

use super::installations::all_installations;
use super::listings::{Listing, listings_at};
use crate::error::QueryError;
use crate::search::Scope;
use crate::store::TenantConnection;
use domain::id::ToolId;
use domain::installation::Version;
use std::collections::HashMap;

/// Installed tools, each with the version that its range means now. What is not listed any more, or has no
/// version within the range, is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed(HashMap<ToolId, Version>);

impl Installed {
    /// Everything that the connection's tenant has installed.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn all(connection: &mut TenantConnection) -> Result<Self, QueryError> {
        let installations = all_installations(connection).await?;
        let usable = installations.into_iter().filter_map(|installation| {
            let tool = installation.tool.tool_id();
            installation.tool_version.map(|version| (tool, version))
        });
        Ok(Self(usable.collect()))
    }

    /// What a search of the tenant reaches.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::Tenant {
            installed: self.0.keys().map(ToString::to_string).collect(),
        }
    }

    /// The listings of those of the tools that are installed, each with the definition of its version.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn listings(
        &self,
        connection: &mut TenantConnection,
        tools: &[ToolId],
    ) -> Result<HashMap<ToolId, Listing>, QueryError> {
        let wanted: Vec<_> = tools
            .iter()
            .filter_map(|tool| Some((tool, self.0.get(tool)?)))
            .collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        listings_at(connection, &wanted).await
    }
}
