//! Which files there are, and those that are not servers.

use domain::tenant::AfterSunset;
use serde::{Deserialize, Serialize};

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
