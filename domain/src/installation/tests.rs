use super::*;
use crate::id::TenantId;
use crate::undo::undoing;
use cqrs_es::test::TestFramework;
use semver::{Version, VersionReq};

type Given = TestFramework<Installation>;

fn tool() -> ForeignTool {
    ForeignTool::parse("@acme/git/git_log").unwrap()
}

fn range(text: &str) -> VersionReq {
    parse_range(text).unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn published() -> Vec<Version> {
    ["1.0.0", "1.4.2", "2.0.0", "2.1.0-beta.1"]
        .map(version)
        .to_vec()
}

fn install(wanted: &str) -> InstallationCommand {
    InstallationCommand::Install(Box::new(Install {
        tool: tool(),
        range: range(wanted),
        published: published(),
    }))
}

fn repin(wanted: &str) -> InstallationCommand {
    InstallationCommand::Repin(Repin {
        range: range(wanted),
        published: published(),
    })
}

fn installed(wanted: &str, meant: &str) -> InstallationEvent {
    InstallationEvent::Installed(Box::new(InstallationInstalled {
        tool: tool(),
        range: range(wanted),
        tool_version: version(meant),
    }))
}

fn repinned(wanted: &str, meant: &str) -> InstallationEvent {
    InstallationEvent::Repinned(InstallationRepinned {
        range: range(wanted),
        tool_version: version(meant),
    })
}

fn uninstalled() -> InstallationEvent {
    InstallationEvent::Uninstalled(InstallationUninstalled {})
}

fn accepts(
    history: Vec<InstallationEvent>,
    command: InstallationCommand,
    event: InstallationEvent,
) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_events(vec![event]);
}

fn rejects(
    history: Vec<InstallationEvent>,
    command: InstallationCommand,
    error: InstallationError,
) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_error(error);
}

#[test]
fn installs_the_highest_version_within_the_range() {
    accepts(vec![], install("^1"), installed("^1", "1.4.2"));
    accepts(vec![], install("*"), installed("*", "2.0.0"));
    let beta = "=2.1.0-beta.1";
    accepts(vec![], install(beta), installed(beta, "2.1.0-beta.1"));
}

#[test]
fn rejects_a_range_without_a_published_version() {
    let error = InstallationError::NoVersionInRange {
        range: range("^3"),
        highest: Some(version("2.1.0-beta.1")),
    };
    rejects(vec![], install("^3"), error.clone());
    rejects(vec![installed("^1", "1.4.2")], repin("^3"), error);
}

#[test]
fn rejects_a_second_installation_until_it_is_uninstalled() {
    let first = installed("^1", "1.4.2");
    rejects(
        vec![first.clone()],
        install("^2"),
        InstallationError::AlreadyInstalled,
    );
    let history = vec![first, uninstalled()];
    accepts(history, install("^2"), installed("^2", "2.0.0"));
}

#[test]
fn pins_another_range() {
    let history = vec![installed("^1", "1.4.2")];
    accepts(history.clone(), repin("~2.0"), repinned("~2.0", "2.0.0"));
    rejects(history, repin("^1"), InstallationError::Unchanged);
}

#[test]
fn rejects_changes_of_what_is_not_installed() {
    for history in [vec![], vec![installed("^1", "1.4.2"), uninstalled()]] {
        for command in [repin("^2"), InstallationCommand::Uninstall] {
            rejects(history.clone(), command, InstallationError::NotInstalled);
        }
    }
}

#[test]
fn every_event_is_taken_back_by_the_one_that_restores_the_range() {
    let events = [
        installed("^1", "1.4.2"),
        repinned("~2.0", "2.0.0"),
        uninstalled(),
    ];
    let history = events.map(|event| vec![event]);
    let back = |commits: usize| {
        let position = u64::try_from(commits).unwrap();
        undoing::<Installation>(&history[..commits], position)
            .unwrap()
            .command
    };
    assert_eq!(back(1), InstallationCommand::Uninstall);
    accepts(history[..2].concat(), back(2), repinned("^1", "1.4.2"));
    accepts(history.concat(), back(3), installed("~2.0", "2.0.0"));
    assert!(undoing::<Installation>(&history, 1).unwrap().changed_since);
}

#[test]
fn a_reference_is_read_as_it_is_written_and_nothing_else_passes() {
    for text in ["@acme/git/git_log", "@acme/nasa/nasa/apod", "@a/b/c d"] {
        assert_eq!(ForeignTool::parse(text).unwrap().to_string(), text);
    }
    for bad in [
        "acme/git/log",
        "@acme/git",
        "@/git/log",
        "@Acme/git/log",
        "@acme//log",
        "@acme/git/",
    ] {
        assert_eq!(ForeignTool::parse(bad), None, "{bad}");
    }
}

#[test]
fn an_installation_is_one_for_each_tenant_and_tool() {
    let (one, other) = (
        TenantId::new("one").unwrap(),
        TenantId::new("other").unwrap(),
    );
    let tool = tool();
    let elsewhere = ForeignTool::parse("@other/git/git_log").unwrap();
    let id = tool.installation_id(&one);
    assert_ne!(id, tool.installation_id(&other));
    assert_ne!(id, elsewhere.installation_id(&one));
    assert_eq!(id, tool.installation_id(&one));
}

#[test]
fn a_range_is_in_the_notation_of_cargo() {
    assert_eq!(range(" 1.2 "), range("^1.2"));
    for bad in ["", "latest", "^1 ^2", "1.2.3.4"] {
        assert!(parse_range(bad).is_err(), "{bad}");
    }
}
