//! Which versions a tool has, as far as an agent chooses among them.

use crate::published::Published;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;

/// Versions that are listed; each costs tokens, and the newest are what one chooses from.
const MOST: usize = 10;

/// The versions of a tool.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Versions {
    /// The newest versions, the last published first.
    versions: Vec<Version>,
    /// How many older ones there are; absent when all are listed.
    #[serde(skip_serializing_if = "none")]
    more_versions: usize,
}

/// A published version.
#[derive(Debug, Serialize, JsonSchema)]
struct Version {
    /// The number: server/name@1.2.3 reads it.
    version: String,
    /// The day in UTC on which it was published.
    published: String,
    /// The names that stand at it, `latest` included; absent without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    /// It is hidden from resolution: only its exact number leads to it. Absent when it is not.
    #[serde(skip_serializing_if = "not")]
    yanked: bool,
    /// Those who use it are told to stop. Absent when they are not.
    #[serde(skip_serializing_if = "not")]
    deprecated: bool,
    /// It is outside of the range that is installed, so no reference leads to it. Absent when it is not.
    #[serde(skip_serializing_if = "not")]
    outside_range: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn not(mark: &bool) -> bool {
    !mark
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn none(number: &usize) -> bool {
    *number == 0
}

impl Versions {
    /// The newest of what was published, given newest first.
    pub(super) fn of(published: Vec<Published>) -> Self {
        let more_versions = published.len().saturating_sub(MOST);
        let listed = published.into_iter().take(MOST);
        Self {
            versions: listed.map(Version::from).collect(),
            more_versions,
        }
    }

    /// One line, behind a line break; nothing where there is no choice.
    pub(super) fn render(&self) -> String {
        if self.versions.len() < 2 {
            return String::new();
        }
        let told: Vec<_> = self.versions.iter().map(Version::render).collect();
        let mut out = format!("\nversions {}", told.join(", "));
        if self.more_versions > 0 {
            let _ = write!(out, " and {} older", self.more_versions);
        }
        out
    }
}

impl From<Published> for Version {
    fn from(published: Published) -> Self {
        Self {
            version: published.version,
            published: published.published_at.date_naive().to_string(),
            aliases: published.aliases,
            yanked: published.yanked,
            deprecated: published.deprecated,
            outside_range: published.outside_range,
        }
    }
}

impl Version {
    fn render(&self) -> String {
        let marks = [
            ("yanked", self.yanked),
            ("deprecated", self.deprecated),
            ("outside the installed range", self.outside_range),
        ];
        let marks = marks.iter().filter(|(_, holds)| *holds);
        let marks = marks.map(|(mark, _)| (*mark).to_owned());
        let told: Vec<String> = self.aliases.iter().cloned().chain(marks).collect();
        if told.is_empty() {
            self.version.clone()
        } else {
            format!("{} ({})", self.version, told.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use serde_json::json;

    fn published(version: String) -> Published {
        Published {
            version,
            published_at: DateTime::UNIX_EPOCH,
            aliases: Vec::new(),
            yanked: false,
            deprecated: false,
            outside_range: false,
        }
    }

    #[test]
    fn the_newest_are_listed_with_their_marks_and_the_others_counted() {
        let mut all: Vec<_> = (0..13)
            .map(|n| published(format!("1.{}.0", 12 - n)))
            .collect();
        all[0].yanked = true;
        all[1].aliases = vec!["latest".into(), "stable".into()];
        all[1].deprecated = true;
        let versions = Versions::of(all);
        let value = serde_json::to_value(&versions).unwrap();
        assert_eq!(value["versions"].as_array().unwrap().len(), MOST);
        assert_eq!(value["more_versions"], 3);
        let first = json!({ "version": "1.12.0", "published": "1970-01-01", "yanked": true });
        assert_eq!(value["versions"][0], first);
        let text = versions.render();
        let expected = "\nversions 1.12.0 (yanked), 1.11.0 (latest, stable, deprecated), 1.10.0, ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("1.3.0 and 3 older"), "{text}");
    }

    #[test]
    fn a_single_version_is_no_choice() {
        assert_eq!(Versions::of(vec![published("1.0.0".into())]).render(), "");
    }
}
