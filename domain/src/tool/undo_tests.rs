//! Taking an event of a tool back.

use super::testing::{deprecated, moved, removed, two, unyanked, with, yanked};
use super::tests::retired;
use super::*;
use crate::undo::{NotUndone, undoing};

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
