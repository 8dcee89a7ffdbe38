//! A tool as it is, with all its versions.

use super::{DeprecationSpec, ToolSpec, VersionSpec, spec::sorted};
use projections::catalog;
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};

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

impl ObservedTool {
    /// From the catalogue. The definitions of other versions are kept where something is said of them, so that
    /// what the files say can be made anywhere.
    pub(super) fn new(
        tool: catalog::Tool,
        versions: Vec<catalog::ToolVersion>,
    ) -> Result<Self, semver::Error> {
        let definition_hash = tool.definition_hash.clone();
        let mut spec = ToolSpec::try_from(tool)?;
        let aliased: BTreeSet<Version> = spec.aliases.values().cloned().collect();
        let mut published = BTreeMap::new();
        for row in versions {
            let version = Version::parse(&row.tool_version)?;
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
            } else if is_said || aliased.contains(&version) {
                let documents = [row.input_schema, row.output_schema, row.annotations];
                [said.input_schema, said.output_schema, said.annotations] = sorted(documents);
                said.description = Some(row.description);
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
