//! Which files there are, and those that are not servers.

use data_encoding::HEXLOWER;
use domain::tenant::AfterSunset;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The format that this build writes.
pub const FORMAT: u32 = 2;
/// The older one that it reads as well: it says nothing of aliases, deprecations and other versions, which stay as
/// they are then.
pub(super) const WITHOUT_LIVES: u32 = 1;
/// What the folder is: format, tenant, position.
pub(super) const MANIFEST: &str = "registry.yaml";
/// The tenant itself.
pub(super) const TENANT: &str = "tenant.yaml";
/// The categories.
pub(super) const CATEGORIES: &str = "categories.yaml";
/// What is installed of other tenants.
pub(super) const INSTALLATIONS: &str = "installations.yaml";
/// Agents and services.
pub(super) const PRINCIPALS: &str = "principals.yaml";
/// The files beside the manifest that are there only while they say something.
pub(super) const OPTIONAL: [&str; 4] = [TENANT, CATEGORIES, INSTALLATIONS, PRINCIPALS];
/// One file for each server, named for its slug.
pub(super) const SERVERS: &str = "servers";
/// How a file of ours ends.
pub(super) const EXTENSION: &str = "yaml";
/// How the file of a document ends that a server publishes.
pub(super) const DOCUMENT: &str = "json";
/// Longest version that is the name of its file as it is, in characters.
const MAX_PLAIN: usize = 100;

/// What a folder is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format's version.
    pub format: u32,
    /// Whose registry it was.
    pub tenant: String,
    /// The position of the log as of which the registry was what the files say.
    pub position: u64,
}

/// The file of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantFile {
    /// The name that people read.
    pub(super) name: String,
    /// What happens after a sunset, if the tenant says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after_sunset: Option<AfterSunset>,
}

/// The file of a server.
pub(super) fn server_file(slug: &str) -> String {
    format!("{SERVERS}/{slug}.{EXTENSION}")
}

/// The file of a version that a server publishes: in a folder beside the server's file.
pub(crate) fn manifest_file(slug: &str, version: &str) -> String {
    format!("{SERVERS}/{slug}/{}.{DOCUMENT}", manifest_name(version))
}

/// Two versions have two names, also where a system takes upper and lower case for one; and no name leads elsewhere.
/// What is not plain is kept as far as it goes, and told apart by its hash.
fn manifest_name(version: &str) -> String {
    let is_plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_' | '+');
    let starts_plain = version.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_plain && version.len() <= MAX_PLAIN && version.chars().all(is_plain) {
        return version.to_owned();
    }
    let kept = version.to_ascii_lowercase();
    let kept = kept.chars().filter(|c| is_plain(*c)).take(MAX_PLAIN);
    let kept: String = kept.skip_while(|c| !c.is_ascii_alphanumeric()).collect();
    let hash = HEXLOWER.encode(&Sha256::digest(version)[..6]);
    format!("{kept}~{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_name_of_its_file_unless_a_system_could_mistake_it() {
        for version in ["1.0.0", "2.0.0-rc.1+build_5", "2026-01-31", "v1"] {
            let file = manifest_file("weather", version);
            assert_eq!(file, format!("servers/weather/{version}.json"));
        }
        let long = "9".repeat(255);
        let names = [
            "1.0.0-RC1",
            "1.0.0-Rc1",
            "../../1",
            ".1",
            "-",
            "1/2",
            "1\\2",
            "é",
            long.as_str(),
        ];
        let names = names.map(manifest_name);
        for (index, name) in names.iter().enumerate() {
            let (kept, hash) = name.split_once('~').unwrap();
            let is_plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
            assert!(kept.len() <= MAX_PLAIN && hash.len() == 12, "{name}");
            assert!(
                kept.chars().all(is_plain) && !kept.starts_with(['.', '-']),
                "{name}"
            );
            assert!(!names[..index].contains(name), "{name}");
        }
    }
}
