//! Versions: how they are published and yanked, which one is current, and what their numbers promise.

use super::testing::{
    deprecate, deprecated, deprecation, move_to, moved, published, two, undeprecate, unyanked, v,
    with, yank, yanked,
};
use super::tests::{accepts, definition, publish, registered, rejects};
use super::*;
use crate::aggregate::AggregateRoot;
use cqrs_es::Aggregate;

/// The description of the version that registered the tool.
const FIRST: &str = "Shows the history";

fn folded(history: Vec<ToolEvent>) -> Tool {
    let mut tool = Tool::default();
    history.into_iter().for_each(|event| tool.apply(event));
    tool
}

fn current(history: Vec<ToolEvent>) -> String {
    folded(history).current_version().unwrap().to_string()
}

#[test]
fn a_version_is_published_once_and_never_changes() {
    accepts(
        vec![registered()],
        publish(v("2.0.0"), "Second"),
        published("2.0.0", "Second"),
    );
    for (taken, given) in [
        ("2.0.0", "2.0.0"),
        ("1.0.0", "1.0.0"),
        ("2.0.0", "2.0.0+build"),
    ] {
        rejects(
            two(),
            publish(v(given), "Another"),
            ToolError::VersionTaken { version: v(taken) },
        );
    }
}

/// Build metadata makes no other number, so what differs by it alone is the same publication.
#[test]
fn the_same_again_is_the_first_publication_under_whatever_build_metadata() {
    let built = || published("3.0.0+b.7", "Third");
    for (first, description, given) in [
        (registered(), FIRST, "1.0.0"),
        (registered(), FIRST, "1.0.0+other"),
        (published("2.0.0", "Second"), "Second", "2.0.0"),
        (published("2.0.0", "Second"), "Second", "2.0.0+other"),
        (built(), "Third", "3.0.0"),
        (built(), "Third", "3.0.0+b.7"),
        (built(), "Third", "3.0.0+other"),
    ] {
        let again = publish(v(given), description);
        let history = with(two(), [built()]);
        let by: Vec<bool> = history
            .iter()
            .map(|event| Tool::is_done_by(&again, event))
            .collect();
        let expected: Vec<bool> = history.iter().map(|event| *event == first).collect();
        assert_eq!(by, expected, "{given}");
        cqrs_es::test::TestFramework::<Tool>::with(())
            .given(history)
            .when(again)
            .then_expect_events(vec![]);
    }
}

/// Events name the version as it was published, so that everything that is made of them finds it.
#[test]
fn a_version_is_named_with_or_without_its_build_metadata() {
    let built = with(two(), [published("3.0.0+b.7", "Third")]);
    for number in ["3.0.0", "3.0.0+b.7", "3.0.0+other"] {
        accepts(built.clone(), move_to(number), moved(None, "3.0.0+b.7"));
        accepts(built.clone(), yank(number), yanked("3.0.0+b.7"));
        let hidden = with(built.clone(), [yanked("3.0.0+b.7")]);
        let tool_version = v(number);
        accepts(
            hidden,
            ToolCommand::UnyankVersion { tool_version },
            unyanked("3.0.0+b.7"),
        );
        accepts(
            built.clone(),
            deprecate(Some(number), deprecation()),
            deprecated(Some("3.0.0+b.7")),
        );
        let old = with(built.clone(), [deprecated(Some("3.0.0+b.7"))]);
        let tool_version = Some(v("3.0.0+b.7"));
        accepts(
            old,
            undeprecate(Some(number)),
            ToolEvent::Undeprecated(ToolUndeprecated { tool_version }),
        );
    }
    let standing = with(built, [moved(None, "3.0.0+b.7")]);
    rejects(standing, move_to("3.0.0"), ToolError::Unchanged);
}

#[test]
fn the_same_definition_is_not_published_again_as_the_next_version() {
    rejects(
        two(),
        publish(v("2.1.0"), "Second"),
        ToolError::DefinitionUnchanged { latest: v("2.0.0") },
    );
    let candidate = with(two(), [published("3.0.0-rc.1", "Third")]);
    accepts(
        candidate,
        publish(v("3.0.0"), "Third"),
        published("3.0.0", "Third"),
    );
}

#[test]
fn a_version_may_be_published_below_the_current_one() {
    accepts(
        two(),
        publish(v("1.2.4"), "Older"),
        published("1.2.4", "Older"),
    );
    assert_eq!(current(with(two(), [published("1.2.4", "Older")])), "2.0.0");
}

/// The definition with one more argument, which breaks callers where it must be given.
fn with_one_more(description: &str, required: &[&str]) -> ToolDefinition {
    ToolDefinition {
        input_schema: Some(serde_json::json!({
            "type": "object",
            "properties": { "path": { "type": "string" }, "to": { "type": "string" } },
            "required": required,
        })),
        ..definition(description)
    }
}

fn stricter() -> ToolDefinition {
    with_one_more("Stricter", &["to"])
}

fn published_laxer(version: &str) -> ToolEvent {
    let definition = with_one_more("Laxer", &[]);
    ToolEvent::VersionPublished(Box::new(ToolVersionPublished {
        tool_version: v(version),
        definition_hash: definition.checked_hash("git_log").unwrap(),
        definition: definition.into(),
    }))
}

fn publish_stricter(version: &str) -> ToolCommand {
    ToolCommand::PublishVersion(Box::new(PublishToolVersion {
        tool_version: v(version),
        definition: stricter().into(),
    }))
}

fn published_stricter(version: &str) -> ToolEvent {
    ToolEvent::VersionPublished(Box::new(ToolVersionPublished {
        tool_version: v(version),
        definition_hash: stricter().checked_hash("git_log").unwrap(),
        definition: stricter().into(),
    }))
}

/// The version that a refusal compares with and the one that it suggests; none when it is accepted.
fn breaks(history: Vec<ToolEvent>, command: ToolCommand) -> Option<(String, String)> {
    let outcome = cqrs_es::test::TestFramework::<Tool>::with(())
        .given(history)
        .when(command)
        .inspect_result();
    match outcome {
        Ok(_) => None,
        Err(ToolError::BreakingChange {
            neighbour,
            changes,
            suggested,
        }) => {
            assert!(!changes.is_empty());
            Some((neighbour.to_string(), suggested.to_string()))
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_breaking_change_needs_a_number_that_says_so() {
    let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
    for (version, expected) in [
        ("1.0.1", pair("1.0.0", "3.0.0")),
        ("1.1.0", pair("1.0.0", "3.0.0")),
        ("2.1.0", pair("2.0.0", "3.0.0")),
        ("3.0.0", None),
        ("1.1.0-rc.1", None),
        ("0.9.0", None),
    ] {
        assert_eq!(
            breaks(two(), publish_stricter(version)),
            expected,
            "{version}"
        );
    }
}

#[test]
fn a_version_in_between_fits_what_is_above_it_too() {
    let between = ToolCommand::PublishVersion(Box::new(PublishToolVersion {
        tool_version: v("3.1.0"),
        definition: with_one_more("Between", &[]).into(),
    }));
    let laxer_above = with(
        two(),
        [published_stricter("3.0.0"), published_laxer("3.2.0")],
    );
    assert_eq!(breaks(laxer_above, between.clone()), None);
    let stricter_above = with(two(), [published_stricter("3.2.0")]);
    assert_eq!(
        breaks(stricter_above, between),
        Some(("3.2.0".into(), "4.0.0".into()))
    );
}

#[test]
fn a_yanked_version_is_compared_when_it_comes_back() {
    let unyank = ToolCommand::UnyankVersion {
        tool_version: v("2.1.0"),
    };
    let history = with(
        two(),
        [
            published_laxer("2.1.0"),
            yanked("2.1.0"),
            yanked("2.0.0"),
            published_stricter("2.0.1"),
        ],
    );
    assert_eq!(breaks(history, unyank.clone()), None, "laxer than before");
    let history = with(
        two(),
        [
            published_laxer("2.1.0"),
            yanked("2.1.0"),
            yanked("2.0.0"),
            published_stricter("2.2.0"),
        ],
    );
    assert_eq!(
        breaks(history, unyank),
        Some(("2.2.0".into(), "3.0.0".into()))
    );
}

#[test]
fn the_current_version_is_the_highest_release_that_is_not_yanked() {
    assert_eq!(
        current(with(two(), [published("3.0.0-rc.1", "x")])),
        "2.0.0"
    );
    assert_eq!(current(with(two(), [yanked("2.0.0")])), "1.0.0");
    assert_eq!(
        current(with(two(), [yanked("2.0.0"), unyanked("2.0.0")])),
        "2.0.0"
    );
}

#[test]
fn a_version_is_yanked_unless_something_needs_it() {
    accepts(two(), yank("2.0.0"), yanked("2.0.0"));
    let version = v("2.0.0");
    rejects(
        with(two(), [yanked("2.0.0")]),
        yank("2.0.0"),
        ToolError::VersionYanked {
            version: version.clone(),
        },
    );
    rejects(
        with(two(), [yanked("2.0.0")]),
        yank("1.0.0"),
        ToolError::LastVersion {
            version: v("1.0.0"),
        },
    );
    rejects(
        with(two(), [moved(None, "2.0.0")]),
        yank("2.0.0"),
        ToolError::VersionHasAliases {
            version,
            aliases: "stable".into(),
        },
    );
    rejects(
        two(),
        yank("9.9.9"),
        ToolError::VersionNotFound {
            version: v("9.9.9"),
        },
    );
}

#[test]
fn only_a_yanked_version_is_unyanked() {
    let unyank = |version| ToolCommand::UnyankVersion {
        tool_version: v(version),
    };
    accepts(
        with(two(), [yanked("1.0.0")]),
        unyank("1.0.0"),
        unyanked("1.0.0"),
    );
    rejects(
        two(),
        unyank("1.0.0"),
        ToolError::VersionNotYanked {
            version: v("1.0.0"),
        },
    );
    rejects(
        two(),
        unyank("9.9.9"),
        ToolError::VersionNotFound {
            version: v("9.9.9"),
        },
    );
}
