//! The published definitions of tools, for the moment at which another one becomes the current one.

use super::fold::Key;
use super::save::fetch;
use crate::error::ProjectionError;
use domain::tool::{ToolDefinition, ToolEvent};
use semver::Version;
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The definitions of one tool with their hashes.
pub(super) type Shelf = BTreeMap<Version, (Arc<ToolDefinition>, String)>;

/// Those of the tools of a batch.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    shelves: BTreeMap<Key, Shelf>,
    none: Shelf,
}

#[derive(Deserialize)]
struct Row {
    tenant: String,
    tool_id: String,
    tool_version: Version,
    #[serde(flatten)]
    definition: ToolDefinition,
    definition_hash: String,
}

/// Whether an event can bring back an older definition, so that all have to be known.
pub(super) fn is_needed_by(event: &ToolEvent) -> bool {
    match event {
        ToolEvent::VersionYanked(_) | ToolEvent::VersionUnyanked(_) => true,
        ToolEvent::Registered(_)
        | ToolEvent::Described(_)
        | ToolEvent::VersionPublished(_)
        | ToolEvent::Retired(_)
        | ToolEvent::Restored(_)
        | ToolEvent::AliasMoved(_)
        | ToolEvent::AliasRemoved(_)
        | ToolEvent::Deprecated(_)
        | ToolEvent::Undeprecated(_) => false,
    }
}

impl Shelves {
    /// The definitions that were published before the batch.
    pub(super) async fn load(
        connection: &mut PgConnection,
        tools: &BTreeSet<Key>,
    ) -> Result<Self, ProjectionError> {
        let mut shelves = Self::default();
        if tools.is_empty() {
            return Ok(shelves);
        }
        let statement = "SELECT to_jsonb(tool_versions) FROM tool_versions
            JOIN unnest($1::text[], $2::text[]) AS wanted (t, i) ON tenant = t AND tool_id = i";
        for Json(row) in fetch::<Row>(connection, statement, tools).await? {
            let shelf = shelves
                .shelves
                .entry((row.tenant, row.tool_id))
                .or_default();
            let definition = Arc::new(row.definition);
            shelf.insert(row.tool_version, (definition, row.definition_hash));
        }
        Ok(shelves)
    }

    pub(super) fn add(
        &mut self,
        tool: Key,
        version: &Version,
        (definition, hash): (&Arc<ToolDefinition>, &str),
    ) {
        let shelf = self.shelves.entry(tool).or_default();
        let published = (Arc::clone(definition), hash.to_owned());
        shelf.insert(version.clone(), published);
    }

    pub(super) fn of(&self, tool: &Key) -> &Shelf {
        self.shelves.get(tool).unwrap_or(&self.none)
    }
}
