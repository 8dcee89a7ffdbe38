use super::*;
use crate::id::TenantId;
use crate::tool::reference::{Offer, Reference};
use crate::tool::{Alias, ToolError};
use crate::undo::undoing;
use cqrs_es::test::TestFramework;
use semver::{Version, VersionReq};
use std::collections::BTreeMap;

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

/// 1.0.0, 1.1.0 (yanked), 2.0.0, 3.0.0-rc.1 and the aliases `stable` and `next` at 1.0.0 and 3.0.0-rc.1.
fn leads(wanted: &str, reference: &str) -> String {
    let versions = ["1.0.0", "1.1.0", "2.0.0", "3.0.0-rc.1"].map(version);
    let offer = |version| Offer {
        version,
        yanked: version == &versions[1],
    };
    let offers: Vec<_> = versions.iter().map(offer).collect();
    let alias = |name: &str, at: &str| (Alias::new(name).unwrap(), version(at));
    let aliases = BTreeMap::from([alias("stable", "1.0.0"), alias("next", "3.0.0-rc.1")]);
    match within(
        &range(wanted),
        &reference.parse().unwrap(),
        &offers,
        &aliases,
    ) {
        Within::To(version) => version.to_string(),
        Within::Outside(version) => format!("outside {version}"),
        Within::Nowhere => "nowhere".to_owned(),
    }
}

#[test]
fn a_reference_leads_within_the_range_that_is_installed() {
    for (range, reference, expected) in [
        ("^1", "latest", "1.0.0"),
        ("^1", "1.0.0", "1.0.0"),
        ("^1", "1.1.0", "1.1.0"),
        ("^1", ">=1", "1.0.0"),
        ("^1", "stable", "1.0.0"),
        ("^1", "2.0.0", "outside 2.0.0"),
        ("^1", "^2", "outside 2.0.0"),
        ("^2", "stable", "outside 1.0.0"),
        ("*", "next", "outside 3.0.0-rc.1"),
        ("^3.0.0-rc", "next", "3.0.0-rc.1"),
        ("^1", "^9", "nowhere"),
        ("^1", "absent", "nowhere"),
        ("^9", "latest", "outside 2.0.0"),
    ] {
        assert_eq!(leads(range, reference), expected, "{reference} in {range}");
    }
}

#[test]
fn a_yanked_version_is_meant_by_its_exact_pin_alone() {
    assert_eq!(leads("=1.1.0", "latest"), "1.1.0");
    assert_eq!(leads("~1.1", "latest"), "outside 2.0.0");
    assert_eq!(leads("=1.1", "latest"), "outside 2.0.0");
}

#[test]
fn a_foreign_reference_names_a_version_behind_the_tool() {
    let read = |text: &str| ForeignReference::parse(text);
    let found = read("@acme/git/git_log@^1.2").unwrap().unwrap();
    assert_eq!(
        (found.tool, found.reference),
        (tool(), "^1.2".parse().unwrap())
    );
    let bare = read("@acme/git/git_log").unwrap().unwrap();
    assert_eq!(bare.reference, Reference::Latest);
    for none in ["git/git_log@1.0.0", "@acme/git", "@acme/git/@1.0.0"] {
        assert_eq!(read(none), Ok(None), "{none}");
    }
    assert_eq!(read("@acme/git/git_log@"), Err(ToolError::InvalidReference));
}
