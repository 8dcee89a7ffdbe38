//! The installed tools that a tenant can use now: what its searches, descriptions and calls resolve.

use super::installations::all_installations;
use super::listings::{Listing, listings_at, tool_id};
use super::version;
use crate::error::QueryError;
use crate::search::{Hint, InForce, Scope};
use crate::store::TenantConnection;
use domain::id::ToolId;
use domain::installation::{ForeignTool, Version};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::{BTreeMap, HashMap};

/// Installed tools in their order, each in the version that its range means now. What is not listed any more, or has no
/// version within the range, is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed(BTreeMap<ToolId, InForce>);

impl Installed {
    /// Everything that the connection's tenant has installed.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn all(connection: &mut TenantConnection) -> Result<Self, QueryError> {
        let installations = all_installations(connection).await?;
        let usable = installations
            .into_iter()
            .filter_map(|installation| Some((installation.tool, installation.tool_version?)));
        let usable: Vec<_> = usable.collect();
        if usable.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self(in_force(connection, &usable).await?))
    }

    /// What a search of the tenant reaches.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::Tenant {
            installed: self.0.values().cloned().collect(),
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
            .filter_map(|tool| Some((tool, &self.0.get(tool)?.version)))
            .collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        listings_at(connection, &wanted).await
    }
}

/// What filters judge of some versions, in one statement. The rest of a definition, which is large, is not read.
async fn in_force(
    connection: &mut TenantConnection,
    wanted: &[(ForeignTool, Version)],
) -> Result<BTreeMap<ToolId, InForce>, QueryError> {
    let publishers: Vec<&str> = wanted
        .iter()
        .map(|(tool, _)| tool.publisher.as_str())
        .collect();
    let ids: Vec<String> = wanted
        .iter()
        .map(|(tool, _)| tool.tool_id().to_string())
        .collect();
    let versions: Vec<String> = wanted
        .iter()
        .map(|(_, version)| version.to_string())
        .collect();
    let rows = sqlx::query(
        "SELECT tool_id, tool_version, annotations FROM marketplace.versions
         JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (publisher, id, version)
           ON tenant = wanted.publisher AND tool_id = wanted.id AND tool_version = wanted.version",
    )
    .bind(publishers)
    .bind(ids)
    .bind(versions)
    .fetch_all(&mut **connection)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<(ToolId, InForce), QueryError> {
    let id = tool_id(row)?;
    let annotations: Option<Value> = row.try_get("annotations")?;
    let in_force = InForce {
        tool_id: id.to_string(),
        version: version(row.try_get("tool_version")?)?,
        hints: Hint::of(annotations.as_ref()).collect(),
    };
    Ok((id, in_force))
}
