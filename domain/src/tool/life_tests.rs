//! A tool goes out of use and comes back; what is retired takes no other command.

use super::testing::{
    deprecate, deprecation, move_to, moved, stable, two, undeprecate, v, with, yank,
};
use super::tests::{accepts, rejects, retired};
use super::*;

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
