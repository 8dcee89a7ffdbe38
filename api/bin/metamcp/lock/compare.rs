//! What differs between a lockfile and a registry.

use super::file::{Lockfile, Pinned, key};
use projections::catalog::{Pin, Pins, Status};
use std::collections::BTreeMap;
use std::fmt;

/// Digits of a hash that are shown.
const SHOWN: usize = 12;

/// What happened to a tool since it was pinned, or to one that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The tool, as the lockfile names it.
    pub tool: String,
    /// What happened.
    pub change: Change,
}

/// What happened to a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// It is in use and not in the file.
    Added(Pinned),
    /// It is in the file, and the registry has never had it: the file is of another registry.
    Removed,
    /// It is out of use.
    Retired,
    /// Another version is the latest one.
    Version {
        /// In the file.
        pinned: Pinned,
        /// In the registry.
        found: Pinned,
    },
    /// The same version is defined otherwise, which the registry's own rules do not allow.
    Definition {
        /// In the file.
        pinned: Pinned,
        /// In the registry.
        found: Pinned,
    },
}

/// All differences, by tool.
#[must_use]
pub(super) fn compare(locked: &Lockfile, pins: &Pins) -> Vec<Difference> {
    let found: BTreeMap<String, &Pin> = pins
        .tools
        .iter()
        .map(|pin| (key(&pin.server, &pin.name), pin))
        .collect();
    let mut differences = Vec::new();
    for (tool, pinned) in &locked.tools {
        if let Some(change) = since(pinned, found.get(tool).copied()) {
            let tool = tool.clone();
            differences.push(Difference { tool, change });
        }
    }
    for (tool, pin) in found {
        if pin.status == Status::Active && !locked.tools.contains_key(&tool) {
            let change = Change::Added(of(pin));
            differences.push(Difference { tool, change });
        }
    }
    differences.sort_by(|a, b| a.tool.cmp(&b.tool));
    differences
}

fn since(pinned: &Pinned, found: Option<&Pin>) -> Option<Change> {
    let Some(pin) = found else {
        return Some(Change::Removed);
    };
    if pin.status == Status::Retired {
        return Some(Change::Retired);
    }
    let (pinned, found) = (pinned.clone(), of(pin));
    if pinned.version != found.version {
        Some(Change::Version { pinned, found })
    } else if pinned.definition != found.definition {
        Some(Change::Definition { pinned, found })
    } else {
        None
    }
}

fn of(pin: &Pin) -> Pinned {
    Pinned {
        version: pin.tool_version.clone(),
        definition: pin.definition_hash.clone(),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tool = &self.tool;
        match &self.change {
            Change::Added(found) => write!(f, "added       {tool} {found}"),
            Change::Removed => write!(f, "removed     {tool}"),
            Change::Retired => write!(f, "retired     {tool}"),
            Change::Version { pinned, found } => {
                write!(f, "version     {tool} {pinned} -> {found}")
            }
            Change::Definition { pinned, found } => {
                write!(f, "definition  {tool} {pinned} -> {found}")
            }
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.definition.get(..SHOWN).unwrap_or(&self.definition);
        write!(f, "{} ({shown})", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::TenantId;

    fn pin(name: &str, version: &str, definition: &str, status: Status) -> Pin {
        Pin {
            server: "git".to_owned(),
            name: name.to_owned(),
            tool_version: version.to_owned(),
            definition_hash: definition.to_owned(),
            status,
        }
    }

    fn pins(tools: Vec<Pin>) -> Pins {
        Pins {
            stream_sequence: 9,
            tools,
        }
    }

    #[test]
    fn every_kind_of_difference_is_named_and_what_stayed_is_not() {
        let names = ["stays", "goes", "ends", "moves", "forged"];
        let before = names.map(|name| pin(name, "1.0.0", "aa", Status::Active));
        let tenant = TenantId::new("acme").unwrap();
        let locked = Lockfile::of(&tenant, &[], pins(before.to_vec()));
        let now = pins(vec![
            pin("stays", "1.0.0", "aa", Status::Active),
            pin("ends", "1.0.0", "aa", Status::Retired),
            pin("moves", "1.1.0", "bb", Status::Active),
            pin("forged", "1.0.0", "cc", Status::Active),
            pin("comes", "1.0.0", "dd", Status::Active),
            pin("came_and_went", "1.0.0", "ee", Status::Retired),
        ]);
        let lines: Vec<_> = compare(&locked, &now)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "added       git/comes 1.0.0 (dd)",
                "retired     git/ends",
                "definition  git/forged 1.0.0 (aa) -> 1.0.0 (cc)",
                "removed     git/goes",
                "version     git/moves 1.0.0 (aa) -> 1.1.0 (bb)",
            ]
        );
        assert_eq!(compare(&locked, &pins(before.to_vec())), []);
    }
}
