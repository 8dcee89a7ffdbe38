use super::tests::{accepts, definition, publish, registered, rejects, retired};
use super::*;
use crate::undo::{NotUndone, undoing};
use chrono::NaiveDate;
use cqrs_es::Aggregate;
use semver::Version;

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn stable() -> Alias {
    Alias::new("stable").unwrap()
}

fn published(version: &str, description: &str) -> ToolEvent {
    let definition = definition(description);
    ToolEvent::VersionPublished(Box::new(ToolVersionPublished {
        tool_version: v(version),
        definition_hash: definition.checked_hash("git_log").unwrap(),
        definition: definition.into(),
    }))
}

fn yank(version: &str) -> ToolCommand {
    ToolCommand::YankVersion {
        tool_version: v(version),
        reason: "wrong".into(),
    }
}

fn yanked(version: &str) -> ToolEvent {
    ToolEvent::VersionYanked(ToolVersionYanked {
        tool_version: v(version),
        reason: "wrong".into(),
    })
}

fn unyanked(version: &str) -> ToolEvent {
    let tool_version = v(version);
    ToolEvent::VersionUnyanked(ToolVersionUnyanked { tool_version })
}

fn move_to(version: &str) -> ToolCommand {
    ToolCommand::MoveAlias {
        alias: stable(),
        to: v(version),
    }
}

fn moved(from: Option<&str>, to: &str) -> ToolEvent {
    ToolEvent::AliasMoved(AliasMoved {
        alias: stable(),
        from: from.map(v),
        to: v(to),
    })
}

fn removed(from: &str) -> ToolEvent {
    ToolEvent::AliasRemoved(AliasRemoved {
        alias: stable(),
        from: v(from),
    })
}

fn deprecation() -> Deprecation {
    Deprecation {
        message: "The service moves".into(),
        successor: Some("git/git_history@^2".into()),
        sunset: NaiveDate::from_ymd_opt(2027, 1, 31),
    }
}

fn deprecate(version: Option<&str>, deprecation: Deprecation) -> ToolCommand {
    ToolCommand::Deprecate {
        tool_version: version.map(v),
        deprecation,
    }
}

fn deprecated(version: Option<&str>) -> ToolEvent {
    ToolEvent::Deprecated(ToolDeprecated {
        tool_version: version.map(v),
        deprecation: deprecation(),
    })
}

fn undeprecate(version: Option<&str>) -> ToolCommand {
    let tool_version = version.map(v);
    ToolCommand::Undeprecate { tool_version }
}

/// 1.0.0, which registered it, and 2.0.0.
fn two() -> Vec<ToolEvent> {
    vec![registered(), published("2.0.0", "Second")]
}

fn with(mut history: Vec<ToolEvent>, more: impl IntoIterator<Item = ToolEvent>) -> Vec<ToolEvent> {
    history.extend(more);
    history
}

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
    cqrs_es::test::TestFramework::<Tool>::with(())
        .given(two())
        .when(publish(v("2.0.0"), "Second"))
        .then_expect_events(vec![]);
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

#[test]
fn an_alias_moves_to_versions_in_use() {
    accepts(two(), move_to("1.0.0"), moved(None, "1.0.0"));
    let standing = with(two(), [moved(None, "1.0.0")]);
    accepts(
        standing.clone(),
        move_to("2.0.0"),
        moved(Some("1.0.0"), "2.0.0"),
    );
    rejects(standing, move_to("1.0.0"), ToolError::Unchanged);
    rejects(
        two(),
        move_to("9.9.9"),
        ToolError::VersionNotFound {
            version: v("9.9.9"),
        },
    );
    rejects(
        with(two(), [yanked("2.0.0")]),
        move_to("2.0.0"),
        ToolError::VersionYanked {
            version: v("2.0.0"),
        },
    );
}

#[test]
fn a_rollback_leads_where_the_alias_stood_before() {
    let back = ToolCommand::RollbackAlias { alias: stable() };
    let at_two = with(two(), [moved(None, "1.0.0"), moved(Some("1.0.0"), "2.0.0")]);
    accepts(at_two.clone(), back.clone(), moved(Some("2.0.0"), "1.0.0"));
    rejects(
        with(at_two, [yanked("1.0.0")]),
        back.clone(),
        ToolError::VersionYanked {
            version: v("1.0.0"),
        },
    );
    rejects(
        with(two(), [moved(None, "1.0.0")]),
        back.clone(),
        ToolError::NothingBefore { alias: stable() },
    );
    rejects(two(), back, ToolError::AliasNotFound { alias: stable() });
}

#[test]
fn an_alias_is_removed_once() {
    let remove = ToolCommand::RemoveAlias { alias: stable() };
    accepts(
        with(two(), [moved(None, "1.0.0")]),
        remove.clone(),
        removed("1.0.0"),
    );
    let gone = with(two(), [moved(None, "1.0.0"), removed("1.0.0")]);
    rejects(gone, remove, ToolError::AliasNotFound { alias: stable() });
}

#[test]
fn an_alias_looks_like_no_version() {
    for name in ["stable", "a", "lts-2", "x9"] {
        assert_eq!(Alias::new(name).unwrap().as_str(), name);
    }
    for name in [
        "",
        "1.0.0",
        "2",
        "-a",
        "Stable",
        "a_b",
        "a.b",
        "é",
        &"a".repeat(33),
    ] {
        assert_eq!(Alias::new(name), Err(ToolError::InvalidAlias), "{name}");
    }
    assert_eq!(Alias::new("latest"), Err(ToolError::AutomaticAlias));
}

#[test]
fn a_tool_has_32_aliases_at_most() {
    let aliases = (0..32).map(|n| {
        ToolEvent::AliasMoved(AliasMoved {
            alias: Alias::new(format!("a{n}")).unwrap(),
            from: None,
            to: v("1.0.0"),
        })
    });
    rejects(
        with(two(), aliases),
        move_to("1.0.0"),
        ToolError::TooManyAliases,
    );
}

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
    for (deprecation, error) in [
        (message(" "), ToolError::Missing { field: "message" }),
        (
            message("a\u{202e}b"),
            ToolError::HiddenCharacters { field: "message" },
        ),
        (successor("git_history"), ToolError::InvalidSuccessor),
        (successor("git/git_log"), ToolError::InvalidSuccessor),
        (successor("git/git_log@2.0.0"), ToolError::InvalidSuccessor),
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

#[test]
fn a_retired_tool_is_restored_and_nothing_else_is() {
    let restored = ToolEvent::Restored(ToolRestored {});
    accepts(
        with(two(), [retired()]),
        ToolCommand::Restore,
        restored.clone(),
    );
    rejects(two(), ToolCommand::Restore, ToolError::NotRetired);
    rejects(vec![], ToolCommand::Restore, ToolError::NotRegistered);
    let again = with(two(), [moved(None, "1.0.0"), retired(), restored]);
    accepts(again, move_to("2.0.0"), moved(Some("1.0.0"), "2.0.0"));
}

#[test]
fn a_retired_tool_is_restored_before_anything_else() {
    for command in [
        move_to("1.0.0"),
        ToolCommand::RollbackAlias { alias: stable() },
        ToolCommand::RemoveAlias { alias: stable() },
        deprecate(None, deprecation()),
        undeprecate(None),
        yank("1.0.0"),
        ToolCommand::UnyankVersion {
            tool_version: v("1.0.0"),
        },
    ] {
        rejects(
            with(two(), [retired()]),
            command.clone(),
            ToolError::Retired,
        );
        rejects(vec![], command, ToolError::NotRegistered);
    }
}

fn commits(history: Vec<ToolEvent>) -> Vec<Vec<ToolEvent>> {
    history.into_iter().map(|event| vec![event]).collect()
}

/// Each event is the third one of its history, and what takes it back leads to the state before it.
#[test]
fn undoing_an_event_restores_what_was_before_it() {
    let at_one = || with(two(), [moved(None, "1.0.0")]);
    let undeprecated = ToolEvent::Undeprecated(ToolUndeprecated { tool_version: None });
    let cases = [
        (two(), retired()),
        (
            with(two(), [retired()]),
            ToolEvent::Restored(ToolRestored {}),
        ),
        (two(), moved(None, "1.0.0")),
        (at_one(), moved(Some("1.0.0"), "2.0.0")),
        (at_one(), removed("1.0.0")),
        (two(), deprecated(None)),
        (two(), deprecated(Some("1.0.0"))),
        (with(two(), [deprecated(None)]), undeprecated),
        (two(), yanked("2.0.0")),
        (with(two(), [yanked("2.0.0")]), unyanked("2.0.0")),
    ];
    for (before, event) in cases {
        let history = with(before.clone(), [event.clone()]);
        let sequence = u64::try_from(history.len()).unwrap();
        let undo = undoing::<Tool>(&commits(history.clone()), sequence).unwrap();
        assert!(!undo.changed_since);
        let after = cqrs_es::test::TestFramework::<Tool>::with(())
            .given(history.clone())
            .when(undo.command)
            .inspect_result()
            .unwrap_or_else(|e| panic!("{event:?}: {e}"));
        let document = |history: &[ToolEvent]| {
            let mut state = crate::state::empty();
            for event in history {
                crate::state::apply(&mut state, &crate::AnyEvent::Tool(event.clone()));
            }
            let mut document = state.document;
            // An object that became empty is one that was not there.
            for member in ["aliases", "versions"] {
                if document[member]
                    .as_object()
                    .is_none_or(serde_json::Map::is_empty)
                {
                    document.as_object_mut().unwrap().remove(member);
                }
            }
            document
        };
        let undone = with(history, after);
        assert_eq!(document(&undone), document(&before), "{event:?}");
    }
}

#[test]
fn an_undo_looks_at_its_own_alias_and_version_only() {
    let history = commits(with(
        two(),
        [moved(None, "1.0.0"), yanked("2.0.0"), deprecated(None)],
    ));
    assert!(!undoing::<Tool>(&history, 3).unwrap().changed_since);
    let history = commits(with(two(), [moved(None, "1.0.0"), removed("1.0.0")]));
    assert!(undoing::<Tool>(&history, 3).unwrap().changed_since);
    let published = undoing::<Tool>(&history, 2);
    assert!(matches!(published, Err(NotUndone::Final { .. })));
}
