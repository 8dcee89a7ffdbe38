//! Deprecations: of a version and of the whole tool, and what one may say.

use super::testing::{deprecate, deprecated, deprecation, two, undeprecate, v, with};
use super::tests::{accepts, rejects};
use super::*;
use chrono::NaiveDate;

#[test]
fn a_version_or_the_whole_tool_is_deprecated() {
    for version in [None, Some("1.0.0")] {
        let undeprecated = ToolEvent::Undeprecated(ToolUndeprecated {
            tool_version: version.map(v),
        });
        accepts(
            two(),
            deprecate(version, deprecation()),
            deprecated(version),
        );
        let standing = with(two(), [deprecated(version)]);
        rejects(
            standing.clone(),
            deprecate(version, deprecation()),
            ToolError::Unchanged,
        );
        accepts(standing, undeprecate(version), undeprecated);
        rejects(two(), undeprecate(version), ToolError::NotDeprecated);
    }
    let absent = ToolError::VersionNotFound {
        version: v("9.9.9"),
    };
    rejects(two(), deprecate(Some("9.9.9"), deprecation()), absent);
}

#[test]
fn a_deprecation_is_checked() {
    let successor = |successor: &str| Deprecation {
        successor: Some(successor.into()),
        ..deprecation()
    };
    let message = |message: &str| Deprecation {
        message: message.into(),
        ..deprecation()
    };
    let sunset = |year| Deprecation {
        sunset: NaiveDate::from_ymd_opt(year, 1, 1),
        ..deprecation()
    };
    for (deprecation, error) in [
        (message(" "), ToolError::Missing { field: "message" }),
        (
            message("a\u{202e}b"),
            ToolError::HiddenCharacters { field: "message" },
        ),
        (successor("git_history"), ToolError::InvalidSuccessor),
        (successor("git/git_log"), ToolError::InvalidSuccessor),
        (successor("git/git_log@2.0.0"), ToolError::InvalidSuccessor),
        (sunset(1969), ToolError::SunsetOutOfRange),
        (sunset(10_000), ToolError::SunsetOutOfRange),
    ] {
        rejects(two(), deprecate(None, deprecation), error);
    }
    let own_next = deprecate(Some("1.0.0"), successor("git/git_log@2.0.0"));
    let events = cqrs_es::test::TestFramework::<Tool>::with(())
        .given(two())
        .when(own_next)
        .inspect_result();
    assert!(events.is_ok(), "a later version may succeed an earlier one");
}

#[test]
fn a_sunset_is_the_first_day_that_is_too_late() {
    let day = |day| NaiveDate::from_ymd_opt(2027, 1, day).unwrap();
    let deprecation = deprecation();
    assert!(!deprecation.is_over(day(30)));
    assert!(deprecation.is_over(day(31)));
    let forever = Deprecation {
        sunset: None,
        ..deprecation
    };
    assert!(!forever.is_over(NaiveDate::MAX));
}
