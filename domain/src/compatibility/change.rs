//! What a comparison says: single changes, the verdict over all of them, and the version that follows.

use crate::named::named;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Changes that are told one by one. Further ones are left out, but the verdict is that of all.
pub const MOST_CHANGES: usize = 200;

named! {
    /// The part of a definition that changed.
    pub enum Part {
        /// The text that a model reads.
        Description = "description",
        /// The schema of the arguments.
        InputSchema = "input_schema",
        /// The schema of the structured result.
        OutputSchema = "output_schema",
        /// The hints about behaviour.
        Annotations = "annotations",
    }
}

named! {
    /// What a change means for those who use the tool.
    pub enum ChangeKind {
        /// Nothing that a program depends on.
        Cosmetic = "cosmetic",
        /// What worked goes on working.
        Compatible = "compatible",
        /// What worked may fail, or nobody can tell.
        Breaking = "breaking",
    }
}

named! {
    /// The worst of all changes; the order is from harmless to harmful.
    pub enum Verdict {
        /// Nothing changed.
        Identical = "identical",
        /// Texts changed.
        Cosmetic = "cosmetic",
        /// What worked goes on working.
        Compatible = "compatible",
        /// What worked may fail, or nobody can tell.
        Breaking = "breaking",
    }
}

named! {
    /// Why a change is what it is. The names are stable: programs may depend on them.
    pub enum Reason {
        /// The description reads differently.
        DescriptionChanged = "description_changed",
        /// A keyword that asserts nothing changed.
        AnnotationChanged = "annotation_changed",
        /// What an argument is when it is left out changed.
        DefaultChanged = "default_changed",
        /// There was no schema, and there is one.
        SchemaAdded = "schema_added",
        /// There was a schema, and there is none.
        SchemaRemoved = "schema_removed",
        /// More is accepted here.
        AcceptsMore = "accepts_more",
        /// Less is accepted here.
        AcceptsLess = "accepts_less",
        /// More JSON types are accepted.
        TypeWidened = "type_widened",
        /// Fewer JSON types are accepted.
        TypeNarrowed = "type_narrowed",
        /// Some JSON types are no longer accepted, and others are.
        TypeChanged = "type_changed",
        /// More values are listed.
        ValuesAdded = "values_added",
        /// Fewer values are listed.
        ValuesRemoved = "values_removed",
        /// A property must now be given.
        RequiredAdded = "required_added",
        /// A property need not be given any more.
        RequiredRemoved = "required_removed",
        /// A property is new.
        PropertyAdded = "property_added",
        /// A property is gone.
        PropertyRemoved = "property_removed",
        /// A bound is stricter.
        BoundTightened = "bound_tightened",
        /// A bound is laxer.
        BoundLoosened = "bound_loosened",
        /// A further rule applies.
        ConstraintAdded = "constraint_added",
        /// A rule no longer applies.
        ConstraintRemoved = "constraint_removed",
        /// There is one more way to be valid.
        AlternativeAdded = "alternative_added",
        /// There is one way less to be valid.
        AlternativeRemoved = "alternative_removed",
        /// A hint promises less than before.
        HintWeakened = "hint_weakened",
        /// A hint promises more than before.
        HintStrengthened = "hint_strengthened",
        /// The difference cannot be decided, so it counts as breaking.
        Undecidable = "undecidable",
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// In which part of the definition.
    pub part: Part,
    /// Where in that part: a JSON Pointer (RFC 6901) into the new schema, or into the old one for what is
    /// gone; empty for the whole.
    pub path: String,
    /// What it means.
    pub kind: ChangeKind,
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
}

/// What differs between two definitions of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The changes, part by part; at most [`MOST_CHANGES`] for each part.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// The worst of all changes.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.changes.iter().map(|change| change.kind).max() {
            None => Verdict::Identical,
            Some(ChangeKind::Cosmetic) => Verdict::Cosmetic,
            Some(ChangeKind::Compatible) => Verdict::Compatible,
            Some(ChangeKind::Breaking) => Verdict::Breaking,
        }
    }

    /// The changes that may break a user.
    pub fn breaking(&self) -> impl Iterator<Item = &Change> {
        let breaking = |change: &&Change| change.kind == ChangeKind::Breaking;
        self.changes.iter().filter(breaking)
    }

    /// The lowest version, without a pre-release, that the new definition deserves after `current`
    /// (Semantic Versioning 2.0.0): breaking raises major, or minor while major is 0 (its rule 4);
    /// compatible raises minor; cosmetic raises patch; no change keeps the version.
    #[must_use]
    pub fn suggested_version(&self, current: &Version) -> Version {
        match self.verdict() {
            Verdict::Identical => current.clone(),
            Verdict::Cosmetic => Version::new(current.major, current.minor, current.patch + 1),
            Verdict::Breaking if current.major > 0 => Version::new(current.major + 1, 0, 0),
            Verdict::Compatible | Verdict::Breaking => {
                Version::new(current.major, current.minor + 1, 0)
            }
        }
    }

    /// Whether the new definition may follow `current` as `proposed`: a breaking change needs a higher
    /// major version, or a higher minor one while major is 0. A pre-release promises nothing (rule 9), so
    /// everything may follow one.
    #[must_use]
    pub fn permits(&self, current: &Version, proposed: &Version) -> bool {
        self.verdict() != Verdict::Breaking
            || !current.pre.is_empty()
            || proposed.major > current.major
            || (current.major == 0 && proposed.major == 0 && proposed.minor > current.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Option<ChangeKind>) -> Comparison {
        let change = |kind| Change {
            part: Part::InputSchema,
            path: String::new(),
            kind,
            reason: Reason::Undecidable,
            message: String::new(),
        };
        Comparison {
            changes: kind.map(change).into_iter().collect(),
        }
    }

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn the_suggested_version_follows_the_verdict() {
        use ChangeKind::{Breaking, Compatible, Cosmetic};
        let cases = [
            ("1.2.3", None, "1.2.3"),
            ("1.2.3", Some(Cosmetic), "1.2.4"),
            ("1.2.3", Some(Compatible), "1.3.0"),
            ("1.2.3", Some(Breaking), "2.0.0"),
            ("0.2.3", Some(Cosmetic), "0.2.4"),
            ("0.2.3", Some(Compatible), "0.3.0"),
            ("0.2.3", Some(Breaking), "0.3.0"),
            ("2.0.0-rc.1", Some(Compatible), "2.1.0"),
        ];
        for (current, kind, expected) in cases {
            let suggested = of(kind).suggested_version(&version(current));
            assert_eq!(suggested, version(expected), "{current} {kind:?}");
        }
    }

    #[test]
    fn a_breaking_change_needs_a_major_version_or_a_minor_one_before_1() {
        let cases = [
            ("1.2.3", "1.2.4", false),
            ("1.2.3", "1.9.0", false),
            ("1.2.3", "2.0.0", true),
            ("1.2.3", "2.0.0-rc.1", true),
            ("0.2.3", "0.2.4", false),
            ("0.2.3", "0.3.0", true),
            ("0.2.3", "1.0.0", true),
            ("2.0.0-rc.1", "2.0.0-rc.2", true),
        ];
        for (current, proposed, allowed) in cases {
            let (current, proposed) = (version(current), version(proposed));
            let breaking = of(Some(ChangeKind::Breaking));
            assert_eq!(
                breaking.permits(&current, &proposed),
                allowed,
                "{current} {proposed}"
            );
            assert!(of(Some(ChangeKind::Compatible)).permits(&current, &proposed));
        }
    }
}
