//! What a registered tool remembers of its events.

use super::event::{AliasMoved, ToolRegistered, ToolVersionPublished};
use super::versions::{Standing, Versions};
use super::{Deprecation, ToolError, ToolEvent, ToolProfile};
use semver::Version;
use serde::{Deserialize, Serialize};

/// What a registered tool remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    pub(super) server: String,
    pub(super) name: String,
    pub(super) profile: ToolProfile,
    pub(super) versions: Versions,
    pub(super) deprecation: Option<Deprecation>,
}

impl Life {
    pub(super) fn begin(event: ToolRegistered) -> Self {
        let mut versions = Versions::default();
        versions.publish(event.tool_version, event.definition, event.definition_hash);
        Self {
            server: event.server,
            name: event.name,
            profile: event.profile,
            versions,
            deprecation: None,
        }
    }

    pub(super) fn apply(&mut self, event: ToolEvent) {
        match event {
            ToolEvent::Described(event) => self.profile = event.profile,
            ToolEvent::VersionPublished(event) => {
                let ToolVersionPublished {
                    tool_version,
                    definition,
                    definition_hash,
                } = *event;
                let versions = &mut self.versions;
                versions.publish(tool_version, definition, definition_hash);
            }
            ToolEvent::AliasMoved(AliasMoved { alias, from, to }) => {
                let standing = Standing {
                    at: to,
                    before: from,
                };
                self.versions.aliases.insert(alias, standing);
            }
            ToolEvent::AliasRemoved(event) => drop(self.versions.aliases.remove(&event.alias)),
            ToolEvent::Deprecated(event) => {
                if let Some(place) = self.deprecation_mut(event.tool_version.as_ref()) {
                    *place = Some(event.deprecation);
                }
            }
            ToolEvent::Undeprecated(event) => {
                if let Some(place) = self.deprecation_mut(event.tool_version.as_ref()) {
                    *place = None;
                }
            }
            ToolEvent::VersionYanked(event) => {
                if let Some(version) = self.versions.get_mut(&event.tool_version) {
                    version.yanked = Some(event.reason);
                }
            }
            ToolEvent::VersionUnyanked(event) => {
                if let Some(version) = self.versions.get_mut(&event.tool_version) {
                    version.yanked = None;
                }
            }
            ToolEvent::Registered(_) | ToolEvent::Retired(_) | ToolEvent::Restored(_) => {}
        }
    }

    /// A version under its whole name; none for the whole tool.
    pub(super) fn named(&self, version: Option<Version>) -> Result<Option<Version>, ToolError> {
        let named = version.map(|version| self.versions.named(&version));
        named.transpose()
    }

    /// What those are told who use a version, or the whole tool.
    pub(super) fn deprecation(
        &self,
        version: Option<&Version>,
    ) -> Result<Option<&Deprecation>, ToolError> {
        Ok(match version {
            None => self.deprecation.as_ref(),
            Some(version) => self.versions.get(version)?.deprecation.as_ref(),
        })
    }

    fn deprecation_mut(&mut self, version: Option<&Version>) -> Option<&mut Option<Deprecation>> {
        match version {
            None => Some(&mut self.deprecation),
            Some(version) => {
                let published = self.versions.get_mut(version)?;
                Some(&mut published.deprecation)
            }
        }
    }
}
