//! The row of a version of a tool, which is written once.

use chrono::{DateTime, Utc};
use domain::tool::ToolDefinition;
use semver::Version;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct VersionRow<'a> {
    pub(super) tenant: &'a str,
    pub(super) tool_id: &'a str,
    pub(super) tool_version: &'a Version,
    #[serde(flatten)]
    pub(super) definition: &'a ToolDefinition,
    pub(super) definition_hash: &'a str,
    pub(super) stream_sequence: i64,
    pub(super) published_at: DateTime<Utc>,
    pub(super) actor_kind: &'static str,
    pub(super) actor_id: &'a str,
}
