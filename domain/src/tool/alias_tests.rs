//! Aliases: where they may stand, how they move back, and what they may be called.

use super::testing::{move_to, moved, removed, stable, two, v, with, yanked};
use super::tests::{accepts, rejects};
use super::*;

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
