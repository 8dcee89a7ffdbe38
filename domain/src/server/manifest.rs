//! `server.json`: what a publisher says of one version of a server, in the form of the official MCP registry
//! (`domain/schemas`). The rules here are those of the published schema, and those of this registry for any
//! text of strangers.
//!
//! A document names the revision of the schema that it is written in. Revisions that only added to the ones
//! before are held to the newest of them; a revision that this build does not know is refused rather than
//! guessed at.

use super::{ManifestError, ServerProfile};
use crate::canonical::{self, Fault, MAX_PART_DEPTH};
use crate::id::TenantId;
use crate::text::{clean, is_clean};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::sync::LazyLock;

/// Largest document, in bytes of canonical JSON.
pub const MAX_MANIFEST_BYTES: usize = 65_536;
/// Longest title and description that the schema takes, in characters.
const MAX_SHORT_TEXT: usize = 100;
/// Longest text of a problem, in characters; it may quote the document.
const MAX_PROBLEM: usize = 300;
/// Where revisions of the schema are published.
const SCHEMAS: &str = "https://static.modelcontextprotocol.io/schemas/";
const SCHEMA_FILE: &str = "/server.schema.json";
/// The revisions that are read, oldest first: each accepts what the one before it does. What came before
/// the first has other names for its members.
const REVISIONS: [&str; 4] = ["2025-09-29", "2025-10-11", "2025-10-17", NEWEST];
const NEWEST: &str = "2025-12-11";
/// The word that stands for the newest version in addresses.
pub const LATEST: &str = "latest";

#[expect(
    clippy::expect_used,
    reason = "the schema is a part of the program, and every test of this file compiles it"
)]
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let text = include_str!("../../schemas/server-2025-12-11.schema.json");
    let schema = serde_json::from_str(text).expect("the schema is JSON");
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the schema is one")
});

/// A document that keeps the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    document: Value,
    hash: String,
}

impl Manifest {
    /// Checks a document.
    ///
    /// # Errors
    /// [`ManifestError`] that names the place.
    pub fn new(document: Value) -> Result<Self, ManifestError> {
        let canonical = canonical::to_vec_within(&document, MAX_PART_DEPTH);
        let canonical = canonical.map_err(|fault| match fault {
            Fault::TooDeep => ManifestError::TooDeep,
            Fault::NoForm(_) => ManifestError::Invalid {
                place: String::new(),
                problem: "it has no canonical JSON form".to_owned(),
            },
        })?;
        if canonical.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge {
                found: canonical.len(),
            });
        }
        check_revision(&document)?;
        check_texts(&document)?;
        if let Some(error) = SCHEMA.iter_errors(&document).next() {
            return Err(ManifestError::Invalid {
                place: error.instance_path().to_string(),
                problem: error.to_string().chars().take(MAX_PROBLEM).collect(),
            });
        }
        let manifest = Self {
            hash: hex::encode(Sha256::digest(&canonical)),
            document,
        };
        check_version(manifest.version())?;
        Ok(manifest)
    }

    /// The least that can be said of a server that has published nothing: its profile, as a document.
    ///
    /// Its name is the server's registry name, or `local.<tenant>/<slug>`. Its version is `0.0.<revision>`,
    /// so that another profile is another version.
    ///
    /// # Errors
    /// [`ManifestError`]; not for a profile that keeps the rules of profiles.
    pub fn of_profile(
        tenant: &TenantId,
        slug: &str,
        profile: &ServerProfile,
        revision: u64,
    ) -> Result<Self, ManifestError> {
        let local = || format!("local.{tenant}/{slug}");
        // A profile that is in the log may hold characters that are refused today.
        let first = |texts: &[&str]| {
            let mut texts = texts.iter().map(|text| shortened(&clean(text).text));
            texts.find(|text| !text.is_empty()).unwrap_or_default()
        };
        let (name, description) = (profile.name.as_str(), profile.description.as_str());
        let mut document = json!({
            "$schema": format!("{SCHEMAS}{NEWEST}{SCHEMA_FILE}"),
            "name": profile.registry_name.clone().unwrap_or_else(local),
            "title": first(&[name, slug]),
            "description": first(&[description, name, slug]),
            "version": format!("0.0.{revision}"),
        });
        let Some(homepage) = &profile.homepage else {
            return Self::new(document);
        };
        document["websiteUrl"] = json!(homepage);
        // An address that browsers accept need not be a URI, which the schema asks for.
        Self::new(document.clone()).or_else(|_| {
            document.as_object_mut().map(|all| all.remove("websiteUrl"));
            Self::new(document)
        })
    }

    /// Its name in registries, such as `io.github.acme/weather`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("name").unwrap_or_default()
    }

    /// The version that it describes; often, but not always, a semantic one.
    #[must_use]
    pub fn version(&self) -> &str {
        self.text("version").unwrap_or_default()
    }

    /// A member of the document that is a text.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.document.get(member).and_then(Value::as_str)
    }

    /// Hex SHA-256 of the canonical form (RFC 8785).
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The document.
    #[must_use]
    pub fn into_document(self) -> Value {
        self.document
    }
}

/// Which of two versions is the newer: semantic versions by their precedence, and above those that are none,
/// between which only the time of publication decides.
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    match (semver::Version::parse(a), semver::Version::parse(b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Greater,
        (Err(_), Ok(_)) => Ordering::Less,
        (Err(_), Err(_)) => Ordering::Equal,
    }
}

fn check_revision(document: &Value) -> Result<(), ManifestError> {
    let Some(named) = document.get("$schema").and_then(Value::as_str) else {
        return Ok(());
    };
    let revision = named.strip_prefix(SCHEMAS);
    let revision = revision.and_then(|rest| rest.strip_suffix(SCHEMA_FILE));
    match revision {
        Some(revision) if REVISIONS.contains(&revision) => Ok(()),
        _ => Err(ManifestError::UnknownSchema {
            found: named.chars().take(MAX_PROBLEM).collect(),
        }),
    }
}

/// Every text of the document is clean, names of members included.
fn check_texts(document: &Value) -> Result<(), ManifestError> {
    let hidden = |place: &str| ManifestError::HiddenCharacters {
        place: place.chars().filter(|c| is_clean(&c.to_string())).collect(),
    };
    let mut open = vec![(String::new(), document)];
    while let Some((place, value)) = open.pop() {
        match value {
            Value::String(text) if !is_clean(text) => return Err(hidden(&place)),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                open.extend(items.map(|(index, item)| (format!("{place}/{index}"), item)));
            }
            Value::Object(members) => {
                check_names(members).map_err(|()| hidden(&place))?;
                let members = members.iter();
                open.extend(members.map(|(name, item)| (format!("{place}/{name}"), item)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

fn check_names(members: &Map<String, Value>) -> Result<(), ()> {
    match members.keys().all(|name| is_clean(name)) {
        true => Ok(()),
        false => Err(()),
    }
}

/// The registry's own rule, which the schema only tells in words: one version, neither a range nor an alias.
fn check_version(version: &str) -> Result<(), ManifestError> {
    let is_wild = |part: &str| matches!(part, "x" | "X" | "*");
    let is_range = version.starts_with(['^', '~', '>', '<', '='])
        || version.contains(char::is_whitespace)
        || version.contains("||")
        || version.split('.').any(is_wild);
    if version.is_empty() || version == LATEST || is_range {
        return Err(ManifestError::Invalid {
            place: "/version".to_owned(),
            problem: "name one version: neither a range nor `latest`".to_owned(),
        });
    }
    Ok(())
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= MAX_SHORT_TEXT {
        return text.to_owned();
    }
    let kept: String = text.chars().take(MAX_SHORT_TEXT - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
