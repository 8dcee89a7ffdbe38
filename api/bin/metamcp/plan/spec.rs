//! What a registry is to be. The same types are the format of the files of `metamcp export`: a field here is a
//! key there, and what has its default is not written. That of a server is in `spec_server.rs`.

use super::ServerSpec;
use chrono::NaiveDate;
use domain::installation::VersionReq;
use domain::principal::{PrincipalKind, Role};
use domain::taxonomy::Category;
use domain::team::Team;
use domain::tenant::AfterSunset;
use domain::tool::{Alias, Deprecation, ToolDefinition, ToolProfile, Visibility};
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
    /// What it says of versions past their sunset; told with the name, and where `lives` are.
    pub after_sunset: Option<AfterSunset>,
    /// Its servers by slug.
    pub servers: BTreeMap<String, ServerSpec>,
    /// Whether aliases, deprecations and other versions of tools are said, too; otherwise they stay as they are.
    pub lives: bool,
    /// Its categories by slug; none to leave them as they are.
    pub categories: Option<BTreeMap<String, CategorySpec>>,
    /// The ranges of what it has installed, by `@publisher/server/name`; none to leave them as they are.
    pub installations: Option<BTreeMap<String, VersionReq>>,
    /// Its agents and services by handle; none to leave them as they are.
    pub principals: Option<BTreeMap<String, PrincipalSpec>>,
}

/// A category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategorySpec {
    /// The name that people read.
    pub title: String,
    /// What belongs to it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The wider category that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// An agent or a service, without anything personal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalSpec {
    /// Which of the two.
    pub kind: PrincipalKind,
    /// What it may do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
    /// The teams that it is in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<Team>,
}

/// What those who use a tool or a version are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeprecationSpec {
    /// Why, and what to do.
    pub message: String,
    /// What to use instead: `server/name` or `server/name@reference`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// The first day, in UTC, on which it is no longer to be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<NaiveDate>,
}

/// A version that is not the current one, or what is said of one that is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionSpec {
    /// What the tool did; not given for the current version, and not needed for one that is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Hints about its behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Value>,
    /// Why it is hidden from resolution, if it is; may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
    /// What those are told who use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<DeprecationSpec>,
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
    /// The team that it belongs to, and that it is kept to while it is private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Team>,
    /// JSON Schema of the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Hints about its behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Value>,
    /// Where its aliases stand, `latest` aside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<Alias, Version>,
    /// What those are told who use any version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<DeprecationSpec>,
    /// Versions of which something is said: an alias stands there, or they are yanked or deprecated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<Version, VersionSpec>,
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

impl ToolSpec {
    /// What the domain is told around the tool.
    #[must_use]
    pub fn profile(&self) -> ToolProfile {
        ToolProfile {
            title: self.title.clone(),
            category: self.category.clone(),
            tags: self.tags.clone(),
            visibility: self.visibility,
            team: self.team.clone(),
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

impl ToolSpec {
    /// The tool without what is said beside its current definition.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self {
            aliases: BTreeMap::new(),
            deprecated: None,
            versions: BTreeMap::new(),
            ..self.clone()
        }
    }
}

impl VersionSpec {
    /// What a model read; none when it is not given.
    #[must_use]
    pub fn definition(&self) -> Option<ToolDefinition> {
        Some(ToolDefinition {
            description: self.description.clone()?,
            input_schema: self.input_schema.clone(),
            output_schema: self.output_schema.clone(),
            annotations: self.annotations.clone(),
        })
    }

    /// Whether a definition, or a part of one, is given.
    #[must_use]
    pub fn has_definition(&self) -> bool {
        let schemas = [&self.input_schema, &self.output_schema, &self.annotations];
        self.description.is_some() || schemas.iter().any(|it| it.is_some())
    }

    /// What is said of the version, without its definition.
    #[must_use]
    pub fn said(&self) -> Self {
        Self {
            yanked: self.yanked.clone(),
            deprecated: self.deprecated.clone(),
            ..Self::default()
        }
    }
}

impl CategorySpec {
    /// What the domain is told of the category.
    #[must_use]
    pub fn category(&self, slug: &str) -> Category {
        Category {
            slug: slug.to_owned(),
            title: self.title.clone(),
            description: self.description.clone(),
            parent: self.parent.clone(),
        }
    }
}

impl From<&Category> for CategorySpec {
    fn from(category: &Category) -> Self {
        Self {
            title: category.title.clone(),
            description: category.description.clone(),
            parent: category.parent.clone(),
        }
    }
}

impl From<DeprecationSpec> for Deprecation {
    fn from(spec: DeprecationSpec) -> Self {
        let DeprecationSpec {
            message,
            successor,
            sunset,
        } = spec;
        Self {
            message,
            successor,
            sunset,
        }
    }
}

impl From<Deprecation> for DeprecationSpec {
    fn from(deprecation: Deprecation) -> Self {
        let Deprecation {
            message,
            successor,
            sunset,
        } = deprecation;
        Self {
            message,
            successor,
            sunset,
        }
    }
}

/// The order of members that the store happens to give becomes one that does not depend on it.
pub(super) fn sorted<const N: usize>(mut documents: [Option<Value>; N]) -> [Option<Value>; N] {
    documents
        .iter_mut()
        .flatten()
        .for_each(Value::sort_all_objects);
    documents
}

impl TryFrom<catalog::Tool> for ToolSpec {
    type Error = semver::Error;

    /// What is said of other versions is not in the row: [`ObservedTool`](super::ObservedTool) adds it.
    fn try_from(tool: catalog::Tool) -> Result<Self, semver::Error> {
        let schema = |stored: Option<catalog::StoredJson>| stored.map(|stored| stored.value());
        let [input_schema, output_schema, annotations] = sorted([
            schema(tool.input_schema),
            schema(tool.output_schema),
            tool.annotations,
        ]);
        Ok(Self {
            version: Version::parse(&tool.tool_version)?,
            title: tool.title,
            description: tool.description,
            category: tool.category,
            tags: tool.tags.into_iter().collect(),
            visibility: tool.visibility,
            team: tool.team,
            input_schema,
            output_schema,
            annotations,
            aliases: tool.aliases,
            deprecated: tool.deprecation.map(DeprecationSpec::from),
            versions: BTreeMap::new(),
        })
    }
}
