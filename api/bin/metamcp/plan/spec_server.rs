//! What a server is to be, with the versions that it publishes.

use super::ToolSpec;
use domain::server::{ManifestStatus, ServerProfile, Transport};
use projections::catalog;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A server and its tools.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// The name that people read.
    pub name: String,
    /// Its name in the registry of all, in reverse-DNS form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// SPDX identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// How it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// One word to group by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Words to filter by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// The versions that it publishes; in its file, those of which something is said beside their documents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub manifests: BTreeMap<String, ManifestSpec>,
    /// Its tools by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, ToolSpec>,
}

/// A version that a server publishes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSpec {
    /// Whether it is to be used.
    #[serde(default = "usual_status", skip_serializing_if = "is_usual")]
    pub status: ManifestStatus,
    /// Why, for those who use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its `server.json` document, which has a file of its own and is not read under this key; not needed for a
    /// version that is published.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
}

fn usual_status() -> ManifestStatus {
    ManifestStatus::Active
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
fn is_usual(status: &ManifestStatus) -> bool {
    *status == usual_status()
}

impl Default for ManifestSpec {
    fn default() -> Self {
        Self {
            status: usual_status(),
            message: None,
            document: None,
        }
    }
}

impl ManifestSpec {
    /// What is said of the version, without its document.
    #[must_use]
    pub fn said(&self) -> Self {
        Self {
            status: self.status,
            message: self.message.clone(),
            document: None,
        }
    }
}

impl ServerSpec {
    /// What the domain is told of the server.
    #[must_use]
    pub fn profile(&self) -> ServerProfile {
        ServerProfile {
            name: self.name.clone(),
            registry_name: self.registry_name.clone(),
            description: self.description.clone(),
            homepage: self.homepage.clone(),
            license: self.license.clone(),
            transport: self.transport,
            category: self.category.clone(),
            tags: self.tags.clone(),
        }
    }

    /// The server without its tools.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self {
            tools: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// The server as its own file has it: a version of which nothing but its document is said has no key there.
    #[must_use]
    pub fn without_documents(&self) -> Self {
        let said = self.manifests.iter();
        let said = said.map(|(version, it)| (version.clone(), it.said()));
        let said = said.filter(|(_, it)| *it != ManifestSpec::default());
        Self {
            manifests: said.collect(),
            ..self.clone()
        }
    }
}

impl From<catalog::Server> for ServerSpec {
    fn from(server: catalog::Server) -> Self {
        Self {
            name: server.name,
            registry_name: server.registry_name,
            description: server.description,
            homepage: server.homepage,
            license: server.license,
            transport: server.transport,
            category: server.category,
            tags: server.tags.into_iter().collect(),
            manifests: BTreeMap::new(),
            tools: BTreeMap::new(),
        }
    }
}
