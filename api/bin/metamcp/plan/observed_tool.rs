//! A tool as it is, with all its versions.

use super::{DeprecationSpec, ToolSpec, VersionSpec, spec::sorted};
use domain::id::ToolId;
use domain::tool::{Alias, ToolDefinition};
use projections::catalog;
use semver::Version;
use std::collections::{BTreeMap, HashMap};

/// A tool as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedTool {
    /// What is said of it.
    pub spec: ToolSpec,
    /// The identity of its definition.
    pub definition_hash: String,
    /// Every version that was published.
    pub published: BTreeMap<Version, PublishedVersion>,
}

/// A version as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedVersion {
    /// The identity of its definition.
    pub hash: String,
    /// Why it was yanked, if it was.
    pub yanked: Option<String>,
    /// What those are told who use it.
    pub deprecated: Option<DeprecationSpec>,
}

/// Of which versions the definition is kept beside that of the current one, which is the tool's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Of those of which something is said, so that what the files say can be made anywhere.
    Said,
    /// Of every one.
    All,
}

impl Kept {
    /// Whether it is kept of this one.
    pub(super) fn keeps(self, version: &catalog::ToolVersion) -> bool {
        let is_current = version.aliases.iter().any(|alias| alias == Alias::LATEST);
        let is_said =
            version.mark != catalog::VersionMark::default() || !version.aliases.is_empty();
        !is_current && (is_said || self == Self::All)
    }
}

impl ObservedTool {
    /// From the catalogue, with the definitions that are kept.
    pub(super) fn new(
        tool: catalog::Tool,
        versions: Vec<catalog::ToolVersion>,
        definitions: &mut HashMap<(ToolId, Version), ToolDefinition>,
    ) -> Result<Self, semver::Error> {
        let definition_hash = tool.definition_hash.clone();
        let mut spec = ToolSpec::try_from(tool)?;
        let mut published = BTreeMap::new();
        for row in versions {
            let version = row.tool_version;
            let deprecated = row.mark.deprecation.map(DeprecationSpec::from);
            let yanked = row.mark.yanked;
            let mut said = VersionSpec {
                yanked: yanked.clone(),
                deprecated: deprecated.clone(),
                ..VersionSpec::default()
            };
            let is_said = said != VersionSpec::default();
            if version == spec.version {
                spec.versions
                    .extend(is_said.then_some((version.clone(), said)));
            } else if let Some(of) = definitions.remove(&(row.tool_id, version.clone())) {
                let documents = [of.input_schema, of.output_schema, of.annotations];
                [said.input_schema, said.output_schema, said.annotations] = sorted(documents);
                said.description = Some(of.description);
                spec.versions.insert(version.clone(), said);
            }
            let row = PublishedVersion {
                hash: row.definition_hash,
                yanked,
                deprecated,
            };
            published.insert(version, row);
        }
        Ok(Self {
            spec,
            definition_hash,
            published,
        })
    }

    /// One that is still to be registered.
    pub(super) fn unpublished(wanted: &ToolSpec) -> Self {
        Self {
            spec: wanted.alone(),
            definition_hash: String::new(),
            published: BTreeMap::new(),
        }
    }

    /// What is said in `spec`, as a plan shows it: the definitions of published versions never change.
    pub(super) fn shown(&self, spec: &ToolSpec) -> ToolSpec {
        let mut shown = spec.clone();
        for (version, said) in &mut shown.versions {
            if self.published.contains_key(version) {
                *said = said.said();
            }
        }
        shown
            .versions
            .retain(|_, said| *said != VersionSpec::default());
        shown
    }
}
