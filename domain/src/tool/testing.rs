//! What the tests of this folder share: the commands and events of versions, aliases and deprecations.

use super::tests::{definition, registered};
use super::*;
use chrono::NaiveDate;
use semver::Version;

pub(super) fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

pub(super) fn stable() -> Alias {
    Alias::new("stable").unwrap()
}

pub(super) fn published(version: &str, description: &str) -> ToolEvent {
    let definition = definition(description);
    ToolEvent::VersionPublished(Box::new(ToolVersionPublished {
        tool_version: v(version),
        definition_hash: definition.checked_hash("git_log").unwrap(),
        definition: definition.into(),
    }))
}

pub(super) fn yank(version: &str) -> ToolCommand {
    ToolCommand::YankVersion {
        tool_version: v(version),
        reason: "wrong".into(),
    }
}

pub(super) fn yanked(version: &str) -> ToolEvent {
    ToolEvent::VersionYanked(ToolVersionYanked {
        tool_version: v(version),
        reason: "wrong".into(),
    })
}

pub(super) fn unyanked(version: &str) -> ToolEvent {
    let tool_version = v(version);
    ToolEvent::VersionUnyanked(ToolVersionUnyanked { tool_version })
}

pub(super) fn move_to(version: &str) -> ToolCommand {
    ToolCommand::MoveAlias {
        alias: stable(),
        to: v(version),
    }
}

pub(super) fn moved(from: Option<&str>, to: &str) -> ToolEvent {
    ToolEvent::AliasMoved(AliasMoved {
        alias: stable(),
        from: from.map(v),
        to: v(to),
    })
}

pub(super) fn removed(from: &str) -> ToolEvent {
    ToolEvent::AliasRemoved(AliasRemoved {
        alias: stable(),
        from: v(from),
    })
}

pub(super) fn deprecation() -> Deprecation {
    Deprecation {
        message: "The service moves".into(),
        successor: Some("git/git_history@^2".into()),
        sunset: NaiveDate::from_ymd_opt(2027, 1, 31),
    }
}

pub(super) fn deprecate(version: Option<&str>, deprecation: Deprecation) -> ToolCommand {
    ToolCommand::Deprecate {
        tool_version: version.map(v),
        deprecation,
    }
}

pub(super) fn deprecated(version: Option<&str>) -> ToolEvent {
    ToolEvent::Deprecated(ToolDeprecated {
        tool_version: version.map(v),
        deprecation: deprecation(),
    })
}

pub(super) fn undeprecate(version: Option<&str>) -> ToolCommand {
    let tool_version = version.map(v);
    ToolCommand::Undeprecate { tool_version }
}

/// 1.0.0, which registered it, and 2.0.0.
pub(super) fn two() -> Vec<ToolEvent> {
    vec![registered(), published("2.0.0", "Second")]
}

pub(super) fn with(
    mut history: Vec<ToolEvent>,
    more: impl IntoIterator<Item = ToolEvent>,
) -> Vec<ToolEvent> {
    history.extend(more);
    history
}
