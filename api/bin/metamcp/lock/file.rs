//! The lockfile: JSON with one tool a line, sorted, so that a difference of two files is a difference of
//! tools. It is written by hand to keep those lines; any JSON reader reads it.

use domain::id::TenantId;
use projections::catalog::{Pins, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The format that this build writes and reads.
const FORMAT: u32 = 1;

/// The tools in use of a registry, or of some of its servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lockfile {
    /// The format's version.
    #[serde(rename = "metamcpLock")]
    pub format: u32,
    /// Whose registry.
    pub tenant: String,
    /// The position of the last change among these tools: as of it, the registry is what the file says.
    pub sequence: u64,
    /// The slugs of the servers, sorted; all of them when empty.
    pub servers: Vec<String>,
    /// The tools in use, by server and name, see [`key`].
    pub tools: BTreeMap<String, Pinned>,
}

/// What is pinned of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pinned {
    /// Its version, a semantic version.
    pub version: String,
    /// Hex SHA-256 of the canonical JSON of name, description and schemas.
    pub definition: String,
}

/// A text that is no lockfile.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockfileError {
    /// It is not the JSON of one: write it again with `metamcp lock`.
    #[error("this is no lockfile")]
    Malformed(#[from] serde_json::Error),
    /// A newer release wrote it: use that one, or write it again.
    #[error("the lockfile has format {0}; this build reads format {FORMAT}")]
    UnknownFormat(u32),
}

impl Lockfile {
    /// Pins the tools that are in use.
    #[must_use]
    pub(super) fn of(tenant: &TenantId, servers: &[String], pins: Pins) -> Self {
        let mut servers = servers.to_vec();
        servers.sort();
        servers.dedup();
        let in_use = pins
            .tools
            .into_iter()
            .filter(|pin| pin.status == Status::Active);
        let tools = in_use.map(|pin| {
            let pinned = Pinned {
                version: pin.tool_version,
                definition: pin.definition_hash,
            };
            (key(&pin.server, &pin.name), pinned)
        });
        Self {
            format: FORMAT,
            tenant: tenant.to_string(),
            sequence: pins.stream_sequence,
            servers,
            tools: tools.collect(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`LockfileError`].
    pub(super) fn parse(text: &str) -> Result<Self, LockfileError> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        // The version first: of a newer format nothing else is known.
        let format = value.get("metamcpLock").and_then(serde_json::Value::as_u64);
        match format.and_then(|format| u32::try_from(format).ok()) {
            Some(format) if format != FORMAT => Err(LockfileError::UnknownFormat(format)),
            _ => Ok(serde_json::from_value(value)?),
        }
    }
}

/// A tool's name in the file. A slug holds no `/`, so the first one ends it.
#[must_use]
pub(super) fn key(server: &str, name: &str) -> String {
    format!("{server}/{name}")
}

impl fmt::Display for Lockfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{{")?;
        writeln!(f, "  \"metamcpLock\": {},", self.format)?;
        writeln!(f, "  \"tenant\": {},", json(&self.tenant))?;
        writeln!(f, "  \"sequence\": {},", self.sequence)?;
        writeln!(f, "  \"servers\": {},", json(&self.servers))?;
        write!(f, "  \"tools\": {{")?;
        for (place, (tool, pinned)) in self.tools.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}\n    {}: {}", json(tool), json(pinned))?;
        }
        let end = if self.tools.is_empty() { "" } else { "\n  " };
        writeln!(f, "{end}}}\n}}")
    }
}

/// Texts and structs of texts, for which JSON cannot fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lockfile() -> Lockfile {
        let pinned = |version: &str| Pinned {
            version: version.to_owned(),
            definition: "ab12".to_owned(),
        };
        Lockfile {
            format: FORMAT,
            tenant: "acme".to_owned(),
            sequence: 42,
            servers: Vec::new(),
            tools: BTreeMap::from([
                (key("mail", "send"), pinned("2.0.0")),
                (key("git", "quo\"te"), pinned("1.0.0")),
            ]),
        }
    }

    #[test]
    fn a_tool_is_a_line_and_the_lines_are_sorted() {
        assert_eq!(
            lockfile().to_string(),
            r#"{
  "metamcpLock": 1,
  "tenant": "acme",
  "sequence": 42,
  "servers": [],
  "tools": {
    "git/quo\"te": {"version":"1.0.0","definition":"ab12"},
    "mail/send": {"version":"2.0.0","definition":"ab12"}
  }
}
"#
        );
    }

    #[test]
    fn a_file_is_read_back_as_it_was_written() {
        let empty = Lockfile {
            tools: BTreeMap::new(),
            ..lockfile()
        };
        for lockfile in [lockfile(), empty] {
            assert_eq!(Lockfile::parse(&lockfile.to_string()).unwrap(), lockfile);
        }
    }

    #[test]
    fn what_is_no_lockfile_or_a_newer_one_is_refused() {
        for text in ["", "[]", "{}", "{\"metamcpLock\": 1}"] {
            let refused = Lockfile::parse(text);
            assert!(
                matches!(refused, Err(LockfileError::Malformed(_))),
                "{text}"
            );
        }
        let newer = Lockfile::parse("{\"metamcpLock\": 2, \"pins\": []}");
        assert!(matches!(newer, Err(LockfileError::UnknownFormat(2))));
    }
}
