//! Ranges of semantic versions as ranges of texts, so that the index can compare them before it ranks.
//!
//! A release is written with numbers of equal length, which sort as the versions do. A pre-release is in no range
//! (as Cargo has it) and is found by `=` with its whole name only; its text is empty and sorts before all others.

use lancedb::expr::{DfExpr, col, lit};
use semver::{Comparator, Op, Version, VersionReq};

/// The column that holds [`version_key`].
const COLUMN: &str = "version_key";

/// A release as a text that sorts as releases do; empty for a pre-release and for what is no version.
pub(in super::super) fn version_key(version: &str) -> String {
    match Version::parse(version) {
        Ok(version) if version.pre.is_empty() => key(version.major, version.minor, version.patch),
        Ok(_) | Err(_) => String::new(),
    }
}

fn key(major: u64, minor: u64, patch: u64) -> String {
    format!("{major:020}.{minor:020}.{patch:020}")
}

/// The range in its one form; `None` for what is no range, or one that reaches into pre-releases.
pub(super) fn canonical(text: &str) -> Option<String> {
    let range = VersionReq::parse(text).ok()?;
    let ordinary = range.comparators.iter().all(|one| one.pre.is_empty());
    (ordinary || exact(&range).is_some()).then(|| range.to_string())
}

/// The one version that the range names, pre-release and all.
fn exact(range: &VersionReq) -> Option<String> {
    let [one] = range.comparators.as_slice() else {
        return None;
    };
    let whole = one.op == Op::Exact && !one.pre.is_empty();
    whole.then(|| one.to_string().trim_start_matches('=').to_owned())
}

/// Whether a version is in the range, by what [`condition`] compares as texts.
pub(super) fn is_within(range: &str, version: &Version) -> bool {
    VersionReq::parse(range).is_ok_and(|range| range.matches(version))
}

/// What a tool's version fulfils.
pub(super) fn condition(range: &str) -> DfExpr {
    let Ok(range) = VersionReq::parse(range) else {
        // A term holds the canonical form only.
        return lit(false);
    };
    if let Some(version) = exact(&range) {
        // Build metadata is no part of the number; no other text stands between these two.
        let built = col("tool_version").gt_eq(lit(format!("{version}+")));
        let built = built.and(col("tool_version").lt(lit(format!("{version},"))));
        return built.or(col("tool_version").eq(lit(version)));
    }
    let release = col(COLUMN).gt_eq(lit(key(0, 0, 0)));
    range.comparators.iter().fold(release, |held, comparator| {
        let (from, to) = bounds(comparator);
        let held = match from {
            Some(from) => held.and(col(COLUMN).gt_eq(lit(from))),
            None => held,
        };
        match to {
            Some(to) => held.and(col(COLUMN).lt(lit(to))),
            None => held,
        }
    })
}

/// The first release of a comparator's range, and the first one behind it.
fn bounds(comparator: &Comparator) -> (Option<String>, Option<String>) {
    let Comparator {
        op,
        major,
        minor,
        patch,
        ..
    } = *comparator;
    let first = key(major, minor.unwrap_or(0), patch.unwrap_or(0));
    let next_major = key(major.saturating_add(1), 0, 0);
    let next_minor = |minor: u64| key(major, minor.saturating_add(1), 0);
    // The first release behind all that share the numbers which are given.
    let behind = match (minor, patch) {
        (None, _) => next_major.clone(),
        (Some(minor), None) => next_minor(minor),
        (Some(minor), Some(patch)) => key(major, minor, patch.saturating_add(1)),
    };
    match op {
        Op::Exact | Op::Wildcard => (Some(first), Some(behind)),
        Op::Greater => (Some(behind), None),
        Op::GreaterEq => (Some(first), None),
        Op::Less => (None, Some(first)),
        Op::LessEq => (None, Some(behind)),
        Op::Tilde => {
            let end = minor.map_or(next_major, next_minor);
            (Some(first), Some(end))
        }
        Op::Caret => {
            let end = match (major, minor, patch) {
                (0, Some(0), Some(_)) => behind,
                (0, Some(minor), _) => next_minor(minor),
                _ => next_major,
            };
            (Some(first), Some(end))
        }
        // The library may learn further operators; until then none of them is parsed.
        _ => (Some(behind.clone()), Some(behind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(range: &VersionReq, version: &Version) -> bool {
        let key = version_key(&version.to_string());
        range.comparators.iter().all(|comparator| {
            let (from, to) = bounds(comparator);
            !key.is_empty() && from.is_none_or(|from| key >= from) && to.is_none_or(|to| key < to)
        })
    }

    proptest! {
        #[test]
        fn a_range_of_texts_holds_what_the_range_of_versions_holds(
            op in prop::sample::select(vec!["", "=", ">", ">=", "<", "<=", "~", "^"]),
            numbers in prop::collection::vec(0u64..4, 1..=3),
            version in (0u64..5, 0u64..5, 0u64..5),
            second in prop::sample::select(vec!["", ", <2", ", >=0.1", ", 1.*"]),
        ) {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let range = VersionReq::parse(&format!("{op}{}{second}", numbers.join("."))).unwrap();
            let version = Version::new(version.0, version.1, version.2);
            prop_assert_eq!(holds(&range, &version), range.matches(&version), "{} {}", range, version);
        }
    }

    #[test]
    fn a_pre_release_is_named_whole_or_not_at_all() {
        assert_eq!(canonical("=1.2.0-beta.1").unwrap(), "=1.2.0-beta.1");
        for refused in [">=1.2.0-beta.1", "^1.0.0-rc", "=1.2.0-a, <2", "new", ""] {
            assert_eq!(canonical(refused), None, "{refused}");
        }
        assert_eq!(version_key("1.2.0-beta.1"), "");
        assert_eq!(canonical("*").unwrap(), "*");
    }
}
