//! The row of a tool, and what events make of it.

use super::past::Dated;
use super::shelf::Shelf;
use crate::checkpoint::to_i64;
use crate::projector::Recorded;
use chrono::{DateTime, Utc};
use domain::tool::reference::{Offer, current};
use domain::tool::{Alias, Deprecation, ToolDefinition, ToolProfile, ToolRegistered};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const ACTIVE: &str = "active";
pub(super) const RETIRED: &str = "retired";

/// What was said of a version after it was published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionMark {
    /// Why it was yanked, if it was; may be empty.
    pub yanked: Option<String>,
    /// What those are told who use it.
    pub deprecation: Option<Deprecation>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ToolRow {
    pub(super) tenant: String,
    pub(super) tool_id: String,
    pub(super) server_id: String,
    pub(super) server: String,
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) profile: ToolProfile,
    #[serde(flatten)]
    pub(super) definition: Arc<ToolDefinition>,
    pub(super) definition_hash: String,
    pub(super) tool_version: Version,
    pub(super) aliases: BTreeMap<Alias, Version>,
    /// What was said of versions after they were published; most have none.
    pub(super) version_marks: BTreeMap<Version, VersionMark>,
    pub(super) deprecation: Option<Deprecation>,
    pub(super) status: String,
    pub(super) retired_reason: Option<String>,
    /// It went out of use with its server, and comes back with it.
    pub(super) retired_with_server: bool,
    pub(super) registered_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) valid_from: i64,
}

impl Dated for ToolRow {
    fn valid_from(&mut self) -> &mut i64 {
        &mut self.valid_from
    }
}

impl ToolRow {
    pub(super) fn begin(recorded: &Recorded, event: &ToolRegistered) -> Self {
        let at = recorded.commit.recorded_at;
        Self {
            tenant: recorded.commit.tenant.to_string(),
            tool_id: recorded.commit.aggregate_id.clone(),
            server_id: event.server_id.to_string(),
            server: event.server.clone(),
            name: event.name.clone(),
            profile: event.profile.clone(),
            definition: Arc::clone(&event.definition),
            definition_hash: event.definition_hash.clone(),
            tool_version: event.tool_version.clone(),
            aliases: BTreeMap::new(),
            version_marks: BTreeMap::new(),
            deprecation: None,
            status: ACTIVE.to_owned(),
            retired_reason: None,
            retired_with_server: false,
            registered_at: at,
            updated_at: at,
            valid_from: to_i64(recorded.stream_sequence),
        }
    }

    /// A version was published: it is shown if it is the current one now. Versions that are neither it nor
    /// the one shown so far cannot become current by this, so they need not be known.
    pub(super) fn offer(
        &mut self,
        version: &Version,
        (definition, hash): (&Arc<ToolDefinition>, &str),
    ) {
        let offers = [&self.tool_version, version].map(|version| Offer {
            version,
            yanked: false,
        });
        if current(offers) == Some(version) {
            self.show(version, (definition, hash));
        }
    }

    /// Shows the current version of all that were published; none when there is none.
    pub(super) fn settle(&mut self, shelf: &Shelf) -> Option<()> {
        let offers = shelf.keys().map(|version| Offer {
            version,
            yanked: self
                .version_marks
                .get(version)
                .is_some_and(|mark| mark.yanked.is_some()),
        });
        let version = current(offers)?;
        let (definition, hash) = shelf.get(version)?;
        self.show(version, (definition, hash));
        Some(())
    }

    fn show(&mut self, version: &Version, (definition, hash): (&Arc<ToolDefinition>, &str)) {
        self.tool_version = version.clone();
        self.definition = Arc::clone(definition);
        hash.clone_into(&mut self.definition_hash);
    }

    pub(super) fn mark(&mut self, version: &Version, change: impl FnOnce(&mut VersionMark)) {
        let mark = self.version_marks.entry(version.clone()).or_default();
        change(mark);
        if *mark == VersionMark::default() {
            self.version_marks.remove(version);
        }
    }

    pub(super) fn warn(&mut self, version: Option<&Version>, deprecation: Option<&Deprecation>) {
        match version {
            None => self.deprecation = deprecation.cloned(),
            Some(version) => {
                self.mark(version, |mark| mark.deprecation = deprecation.cloned());
            }
        }
    }

    pub(super) fn retire(&mut self, reason: String, with_server: bool) {
        RETIRED.clone_into(&mut self.status);
        self.retired_reason = Some(reason);
        self.retired_with_server = with_server;
    }

    pub(super) fn restore(&mut self) {
        ACTIVE.clone_into(&mut self.status);
        self.retired_reason = None;
        self.retired_with_server = false;
    }
}
