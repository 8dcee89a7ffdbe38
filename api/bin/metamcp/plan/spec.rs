//! What a registry is to be. The same types are the format of the files of `metamcp export`: a field here is a
//! key there, and what has its default is not written.

use domain::server::{ServerProfile, Transport};
use domain::tool::{ToolDefinition, ToolProfile, Visibility};
use projections::catalog;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A tenant's registry.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegistrySpec {
    /// The tenant's name; none to leave it as it is.
    pub tenant_name: Option<String>,
    /// Its servers by slug.
    pub servers: BTreeMap<String, ServerSpec>,
}

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
    /// Its tools by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, ToolSpec>,
}

/// A tool with its current definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSpec {
    /// The version of this definition.
    pub version: Version,
    /// A title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// One word to group by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Words to filter by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Who may see it.
    #[serde(default = "usual_visibility", skip_serializing_if = "is_usual")]
    pub visibility: Visibility,
    /// JSON Schema of the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Hints about its behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Value>,
}

fn usual_visibility() -> Visibility {
    ToolProfile::default().visibility
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
fn is_usual(visibility: &Visibility) -> bool {
    *visibility == usual_visibility()
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
}

impl ToolSpec {
    /// What the domain is told around the tool.
    #[must_use]
    pub fn profile(&self) -> ToolProfile {
        ToolProfile {
            title: self.title.clone(),
            category: self.category.clone(),
            tags: self.tags.clone(),
            visibility: self.visibility,
        }
    }

    /// What a model reads.
    #[must_use]
    pub fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            description: self.description.clone(),
            input_schema: self.input_schema.clone(),
            output_schema: self.output_schema.clone(),
            annotations: self.annotations.clone(),
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
            tools: BTreeMap::new(),
        }
    }
}

impl TryFrom<catalog::Tool> for ToolSpec {
    type Error = semver::Error;

    /// The order of members that the store happens to give becomes one that does not depend on it.
    fn try_from(tool: catalog::Tool) -> Result<Self, semver::Error> {
        let schema = |stored: Option<catalog::StoredJson>| stored.map(|stored| stored.value());
        let mut documents = [
            schema(tool.input_schema),
            schema(tool.output_schema),
            tool.annotations,
        ];
        documents
            .iter_mut()
            .flatten()
            .for_each(Value::sort_all_objects);
        let [input_schema, output_schema, annotations] = documents;
        Ok(Self {
            version: Version::parse(&tool.tool_version)?,
            title: tool.title,
            description: tool.description,
            category: tool.category,
            tags: tool.tags.into_iter().collect(),
            visibility: tool.visibility,
            input_schema,
            output_schema,
            annotations,
        })
    }
}
