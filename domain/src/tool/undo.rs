//! What takes an event of a tool back.

use super::{Alias, Tool, ToolCommand, ToolEvent};
use crate::undo::{Respect, Undo};
use semver::Version;

impl Undo for Tool {
    fn respect(event: &ToolEvent) -> Respect {
        match event {
            ToolEvent::Registered(_) | ToolEvent::Retired(_) | ToolEvent::Restored(_) => {
                Respect::Life
            }
            ToolEvent::Described(_) => Respect::Profile,
            ToolEvent::VersionPublished(event) => Respect::Version(event.tool_version.clone()),
            ToolEvent::AliasMoved(event) => Respect::Alias(event.alias.clone()),
            ToolEvent::AliasRemoved(event) => Respect::Alias(event.alias.clone()),
            ToolEvent::Deprecated(event) => Respect::Deprecation(event.tool_version.clone()),
            ToolEvent::Undeprecated(event) => Respect::Deprecation(event.tool_version.clone()),
            ToolEvent::VersionYanked(event) => Respect::Version(event.tool_version.clone()),
            ToolEvent::VersionUnyanked(event) => Respect::Version(event.tool_version.clone()),
        }
    }

    fn compensation(event: &ToolEvent, before: &Self) -> Result<ToolCommand, &'static str> {
        match event {
            ToolEvent::Described(_) => before
                .profile()
                .cloned()
                .map(ToolCommand::Describe)
                .ok_or("nothing was said of the tool before"),
            ToolEvent::Registered(_) => Err("a tool stays registered; retire it"),
            ToolEvent::VersionPublished(_) => {
                Err("a version stays as it was published, because agents may rely on it; yank it")
            }
            ToolEvent::Retired(_) => Ok(ToolCommand::Restore),
            ToolEvent::Restored(_) => Ok(ToolCommand::Retire {
                reason: before.retired_reason().unwrap_or_default().to_owned(),
            }),
            ToolEvent::AliasMoved(event) => Ok(match &event.from {
                Some(from) => move_alias(&event.alias, from),
                None => ToolCommand::RemoveAlias {
                    alias: event.alias.clone(),
                },
            }),
            ToolEvent::AliasRemoved(event) => Ok(move_alias(&event.alias, &event.from)),
            ToolEvent::Deprecated(event) => Ok(said_before(before, event.tool_version.as_ref())),
            ToolEvent::Undeprecated(event) => Ok(said_before(before, event.tool_version.as_ref())),
            ToolEvent::VersionYanked(event) => Ok(ToolCommand::UnyankVersion {
                tool_version: event.tool_version.clone(),
            }),
            ToolEvent::VersionUnyanked(event) => {
                let reason = before.yanked_reason(&event.tool_version);
                Ok(ToolCommand::YankVersion {
                    tool_version: event.tool_version.clone(),
                    reason: reason.unwrap_or_default().to_owned(),
                })
            }
        }
    }
}

fn move_alias(alias: &Alias, to: &Version) -> ToolCommand {
    ToolCommand::MoveAlias {
        alias: alias.clone(),
        to: to.clone(),
    }
}

/// The warning that there was, or none.
fn said_before(before: &Tool, version: Option<&Version>) -> ToolCommand {
    let tool_version = version.cloned();
    match before.deprecation(version) {
        Some(deprecation) => ToolCommand::Deprecate {
            tool_version,
            deprecation: deprecation.clone(),
        },
        None => ToolCommand::Undeprecate { tool_version },
    }
}
