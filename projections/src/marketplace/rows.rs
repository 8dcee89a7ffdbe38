//! The rows that the projector keeps, in memory while it folds a batch.

use crate::error::ProjectionError;
use crate::projector::Recorded;
use chrono::{DateTime, Utc};
use domain::installation::Version;
use domain::tool::{Alias, Deprecation, ToolDefinition, ToolProfile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// (tenant, aggregate id).
pub(super) type Key = (String, String);

/// The object of a commit.
pub(super) fn key(recorded: &Recorded) -> Key {
    let commit = &recorded.commit;
    (commit.tenant.to_string(), commit.aggregate_id.clone())
}

/// A row that should be there and is not.
pub(super) fn absent(recorded: &Recorded, kind: &str, id: &str) -> ProjectionError {
    ProjectionError::Inconsistent {
        stream_sequence: recorded.stream_sequence,
        reason: format!("{kind} {id} has no row"),
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ServerRow {
    pub(super) tenant: String,
    pub(super) server_id: String,
    pub(super) name: String,
    pub(super) registry_name: Option<String>,
}

pub(super) const SERVER_COLUMNS: &[&str] = &["name", "registry_name"];

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ListingRow {
    pub(super) tenant: String,
    pub(super) tool_id: String,
    pub(super) server_id: String,
    pub(super) server: String,
    pub(super) server_name: String,
    /// The server's name across registries, by which its publisher's namespace is known.
    pub(super) registry_name: Option<String>,
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) profile: ToolProfile,
    pub(super) aliases: BTreeMap<Alias, Version>,
    /// What those are told who use any version of it.
    pub(super) deprecation: Option<Deprecation>,
    /// Out of use by itself.
    pub(super) retired: bool,
    /// Out of use with its server.
    pub(super) server_retired: bool,
    /// The highest published.
    pub(super) tool_version: Version,
    pub(super) updated_at: DateTime<Utc>,
}

pub(super) const LISTING_COLUMNS: &[&str] = &[
    "server_id",
    "server",
    "server_name",
    "registry_name",
    "name",
    "title",
    "category",
    "tags",
    "visibility",
    "aliases",
    "deprecation",
    "retired",
    "server_retired",
    "tool_version",
    "updated_at",
];

#[derive(Debug, Serialize)]
pub(super) struct VersionRow<'a> {
    pub(super) tenant: &'a str,
    pub(super) tool_id: &'a str,
    pub(super) tool_version: &'a Version,
    #[serde(flatten)]
    pub(super) definition: &'a ToolDefinition,
    pub(super) definition_hash: &'a str,
    pub(super) published_at: DateTime<Utc>,
    /// Set from the listing, once it is written.
    pub(super) listed: bool,
}

pub(super) const VERSION_COLUMNS: &[&str] = &[
    "description",
    "input_schema",
    "output_schema",
    "annotations",
    "definition_hash",
    "published_at",
    "listed",
];

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InstallationRow {
    pub(super) tenant: String,
    pub(super) installation_id: String,
    pub(super) publisher: String,
    pub(super) tool_id: String,
    pub(super) server: String,
    pub(super) name: String,
    pub(super) version_range: String,
    pub(super) installed_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) actor_kind: String,
    pub(super) actor_id: String,
}

pub(super) const INSTALLATION_COLUMNS: &[&str] = &[
    "publisher",
    "tool_id",
    "server",
    "name",
    "version_range",
    "installed_at",
    "updated_at",
    "actor_kind",
    "actor_id",
];

#[derive(Debug, Serialize)]
pub(super) struct DependentRow<'a> {
    pub(super) tenant: &'a str,
    pub(super) tool_id: &'a str,
    pub(super) installer: &'a str,
    pub(super) version_range: &'a str,
    pub(super) installed_at: DateTime<Utc>,
}

pub(super) const DEPENDENT_COLUMNS: &[&str] = &["version_range", "installed_at"];

impl InstallationRow {
    /// What the publisher sees of it.
    pub(super) fn dependent(&self) -> DependentRow<'_> {
        DependentRow {
            tenant: &self.publisher,
            tool_id: &self.tool_id,
            installer: &self.tenant,
            version_range: &self.version_range,
            installed_at: self.installed_at,
        }
    }
}
