//! Which tools are offered to all tenants, and by whom, as far as reviews depend on it: those of a tool that is
//! not offered (any more) are shown to nobody else. The same rule as that of a listing in `marketplace`, kept
//! here once more so that both models follow from the log alone.

use super::rows::Key;
use crate::catalog::save::{fetch, save};
use crate::error::ProjectionError;
use crate::projector::Recorded;
use domain::server::ServerEvent;
use domain::tool::{ToolEvent, Visibility};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: &[&str] = &["server_id", "visibility", "retired", "server_retired"];

/// A row of `tools`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ToolRow {
    tenant: String,
    tool_id: String,
    server_id: String,
    visibility: Visibility,
    /// Out of use by itself.
    retired: bool,
    /// Out of use with its server.
    server_retired: bool,
}

/// The tools that a batch changes.
#[derive(Debug, Default)]
pub(super) struct Tools(BTreeMap<Key, ToolRow>);

/// Whether the event decides what is offered.
pub(super) fn concerns_tools(event: &ToolEvent) -> bool {
    match event {
        ToolEvent::Registered(_)
        | ToolEvent::Described(_)
        | ToolEvent::Retired(_)
        | ToolEvent::Restored(_) => true,
        ToolEvent::VersionPublished(_)
        | ToolEvent::VersionYanked(_)
        | ToolEvent::VersionUnyanked(_)
        | ToolEvent::AliasMoved(_)
        | ToolEvent::AliasRemoved(_)
        | ToolEvent::Deprecated(_)
        | ToolEvent::Undeprecated(_) => false,
    }
}

/// Whether the event decides what is offered, for all tools of the server.
pub(super) fn concerns_server(event: &ServerEvent) -> bool {
    match event {
        ServerEvent::Retired(_) | ServerEvent::Restored(_) => true,
        ServerEvent::Registered(_)
        | ServerEvent::Described(_)
        | ServerEvent::ManifestPublished(_)
        | ServerEvent::ManifestStatusChanged(_) => false,
    }
}

impl Tools {
    /// The tools themselves, and those of servers.
    pub(super) async fn load(
        connection: &mut PgConnection,
        tools: &BTreeSet<Key>,
        servers: &BTreeSet<Key>,
    ) -> Result<Self, ProjectionError> {
        let mut rows = BTreeMap::new();
        for (column, keys) in [("tool_id", tools), ("server_id", servers)] {
            let statement = format!(
                "SELECT to_jsonb(tools) FROM tools
                 JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND {column} = i"
            );
            for Json(row) in fetch::<ToolRow>(connection, &statement, keys).await? {
                rows.insert((row.tenant.clone(), row.tool_id.clone()), row);
            }
        }
        Ok(Self(rows))
    }

    pub(super) fn apply(
        &mut self,
        recorded: &Recorded,
        event: &ToolEvent,
    ) -> Result<(), ProjectionError> {
        let commit = &recorded.commit;
        let key = (commit.tenant.to_string(), commit.aggregate_id.clone());
        if let ToolEvent::Registered(event) = event {
            let row = ToolRow {
                tenant: key.0.clone(),
                tool_id: key.1.clone(),
                server_id: event.server_id.to_string(),
                visibility: event.profile.visibility,
                retired: false,
                server_retired: false,
            };
            self.0.insert(key, row);
            return Ok(());
        }
        if !concerns_tools(event) {
            return Ok(());
        }
        let row = self.0.get_mut(&key);
        let row = row.ok_or_else(|| ProjectionError::Inconsistent {
            stream_sequence: recorded.stream_sequence,
            reason: format!("tool {} has no row", key.1),
        })?;
        match event {
            ToolEvent::Described(event) => row.visibility = event.profile.visibility,
            ToolEvent::Retired(_) => row.retired = true,
            ToolEvent::Restored(_) => row.retired = false,
            ToolEvent::Registered(_)
            | ToolEvent::VersionPublished(_)
            | ToolEvent::VersionYanked(_)
            | ToolEvent::VersionUnyanked(_)
            | ToolEvent::AliasMoved(_)
            | ToolEvent::AliasRemoved(_)
            | ToolEvent::Deprecated(_)
            | ToolEvent::Undeprecated(_) => {}
        }
        Ok(())
    }

    pub(super) fn apply_server(&mut self, recorded: &Recorded, event: &ServerEvent) {
        if !concerns_server(event) {
            return;
        }
        let (tenant, server) = (
            recorded.commit.tenant.as_str(),
            &recorded.commit.aggregate_id,
        );
        let its = |row: &&mut ToolRow| row.tenant == tenant && row.server_id == *server;
        for row in self.0.values_mut().filter(its) {
            row.server_retired = matches!(event, ServerEvent::Retired(_));
        }
    }

    /// Whose tool an id names, as far as the batch registers it.
    pub(super) fn tenant_of(&self, tool: &str) -> Option<&str> {
        let found = self.0.keys().find(|(_, id)| id == tool);
        found.map(|(tenant, _)| tenant.as_str())
    }

    /// Writes the rows, and answers which they are.
    pub(super) async fn save(
        self,
        connection: &mut PgConnection,
    ) -> Result<BTreeSet<Key>, ProjectionError> {
        let keys = self.0.keys().cloned().collect();
        let rows: Vec<_> = self.0.into_values().collect();
        save(connection, "tools", "tool_id", COLUMNS, &rows).await?;
        Ok(keys)
    }
}

/// Whose tools some ids name, as far as they are known before the batch.
pub(super) async fn tenants_of(
    connection: &mut PgConnection,
    tools: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, ProjectionError> {
    if tools.is_empty() {
        return Ok(BTreeMap::new());
    }
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    let statement = "SELECT tool_id, tenant FROM tools WHERE tool_id = ANY ($1)";
    let found: Vec<(String, String)> = sqlx::query_as(statement)
        .bind(tools)
        .fetch_all(connection)
        .await?;
    Ok(found.into_iter().collect())
}
