use super::*;
use crate::personal::{Personal, Sealed};
use crate::principal::{
    Principal, PrincipalCommand, PrincipalDeactivated, PrincipalDescribed, PrincipalErased,
    PrincipalEvent, PrincipalKind, PrincipalReactivated, PrincipalRegistered, RoleGranted,
    RoleRevoked, TeamJoined, TeamLeft, TokensRevoked,
};
use crate::review::{
    Rating, Review, ReviewCommand, ReviewEvent, ReviewHidden, ReviewWithdrawn, ReviewWritten,
};
use crate::server::{
    Server, ServerCommand, ServerDescribed, ServerEvent, ServerProfile, ServerRegistered,
    ServerRestored, ServerRetired,
};
use crate::taxonomy::{
    Category, CategoryAdded, CategoryDescribed, CategoryRetired, Taxonomy, TaxonomyCommand,
    TaxonomyEvent,
};
use crate::tenant::{Tenant, TenantCommand, TenantEvent, TenantRegistered, TenantRenamed};

fn granted(role: Role) -> PrincipalEvent {
    PrincipalEvent::RoleGranted(RoleGranted { role })
}

fn revoked(role: Role) -> PrincipalEvent {
    PrincipalEvent::RoleRevoked(RoleRevoked { role })
}

fn principal(after: Vec<PrincipalEvent>) -> Vec<Vec<PrincipalEvent>> {
    let begun = PrincipalEvent::Registered(PrincipalRegistered {
        kind: PrincipalKind::Agent,
        handle: Personal::Plain("bot".into()),
        display_name: None,
        email: None,
        roles: [].into(),
    });
    std::iter::once(begun)
        .chain(after)
        .map(|event| vec![event])
        .collect()
}

fn profile(name: &str) -> ServerProfile {
    ServerProfile {
        name: name.into(),
        ..ServerProfile::default()
    }
}

#[test]
fn a_role_comes_and_goes_until_it_is_changed_again() {
    let admin = granted(Role::Admin);
    let history = principal(vec![admin.clone(), granted(Role::Agent)]);
    let undo = undoing::<Principal>(&history, 2).unwrap();
    assert_eq!(undo.command, PrincipalCommand::RevokeRole(Role::Admin));
    assert!(!undo.changed_since, "another role is another respect");
    assert_eq!(undo.now.roles().unwrap().len(), 2);

    let again = principal(vec![admin.clone(), revoked(Role::Admin), admin]);
    assert!(undoing::<Principal>(&again, 2).unwrap().changed_since);
    let undo = undoing::<Principal>(&again, 3).unwrap();
    assert_eq!(undo.command, PrincipalCommand::GrantRole(Role::Admin));
    assert!(undo.changed_since);
    assert!(!undoing::<Principal>(&again, 4).unwrap().changed_since);
}

#[test]
fn a_team_is_joined_and_left_until_it_is_changed_again() {
    let team = |name: &str| Team::new(name).unwrap();
    let joined = |name: &str| PrincipalEvent::TeamJoined(TeamJoined { team: team(name) });
    let left = PrincipalEvent::TeamLeft(TeamLeft {
        team: team("payments"),
    });
    let history = principal(vec![joined("payments"), joined("search"), left]);
    let first = undoing::<Principal>(&history, 2).unwrap();
    let leave = PrincipalCommand::LeaveTeam(team("payments"));
    assert_eq!((first.command, first.changed_since), (leave, true));
    let other = undoing::<Principal>(&history, 3).unwrap();
    let leave = PrincipalCommand::LeaveTeam(team("search"));
    assert_eq!((other.command, other.changed_since), (leave, false));
    let last = undoing::<Principal>(&history, 4).unwrap();
    let join = PrincipalCommand::JoinTeam(team("payments"));
    assert_eq!((last.command, last.changed_since), (join, false));
}

#[test]
fn deactivated_and_reactivated_take_each_other_back() {
    let history = principal(vec![
        PrincipalEvent::Deactivated(PrincipalDeactivated {}),
        PrincipalEvent::Reactivated(PrincipalReactivated {}),
    ]);
    let first = undoing::<Principal>(&history, 2).unwrap();
    assert_eq!(
        (first.command, first.changed_since),
        (PrincipalCommand::Reactivate, true)
    );
    let second = undoing::<Principal>(&history, 3).unwrap();
    assert_eq!(
        (second.command, second.changed_since),
        (PrincipalCommand::Deactivate, false)
    );
}

#[test]
fn a_description_goes_back_to_the_one_before() {
    let described = |name| {
        vec![ServerEvent::Described(ServerDescribed {
            profile: profile(name),
        })]
    };
    let begun = vec![ServerEvent::Registered(ServerRegistered {
        slug: "git".into(),
        profile: profile("first"),
    })];
    let history = [begun, described("second"), described("third")];
    let undo = undoing::<Server>(&history, 3).unwrap();
    assert_eq!(undo.command, ServerCommand::Describe(profile("second")));
    assert!(!undo.changed_since);
    let older = undoing::<Server>(&history, 2).unwrap();
    assert_eq!(older.command, ServerCommand::Describe(profile("first")));
    assert!(older.changed_since);
}

#[test]
fn a_server_comes_back_and_goes_again_for_the_same_reason() {
    let reason = "moved".to_owned();
    let history = [
        vec![ServerEvent::Registered(ServerRegistered {
            slug: "git".into(),
            profile: profile("first"),
        })],
        vec![ServerEvent::Retired(ServerRetired {
            reason: reason.clone(),
        })],
        vec![ServerEvent::Restored(ServerRestored {})],
    ];
    let undo = undoing::<Server>(&history[..2], 2).unwrap();
    assert_eq!(undo.command, ServerCommand::Restore);
    let undo = undoing::<Server>(&history, 3).unwrap();
    assert_eq!(undo.command, ServerCommand::Retire { reason });
}

#[test]
fn a_tenant_gets_its_former_name() {
    let named = |name: &str| name.to_owned();
    let history = [
        vec![TenantEvent::Registered(TenantRegistered {
            display_name: named("old"),
        })],
        vec![TenantEvent::Renamed(TenantRenamed {
            display_name: named("new"),
        })],
    ];
    let undo = undoing::<Tenant>(&history, 2).unwrap();
    let display_name = named("old");
    assert_eq!(undo.command, TenantCommand::Rename { display_name });
}

#[test]
fn what_is_final_says_what_to_do_instead() {
    let at = chrono::DateTime::from_timestamp(0, 0).unwrap();
    let last = |event: PrincipalEvent| undoing::<Principal>(&principal(vec![event]), 2);
    let events = [
        PrincipalEvent::Erased(PrincipalErased {}),
        PrincipalEvent::TokensRevoked(TokensRevoked { issued_before: at }),
    ];
    for event in events {
        assert!(matches!(last(event), Err(NotUndone::Final { .. })));
    }
    let begun = undoing::<Principal>(&principal(vec![]), 1);
    assert!(matches!(
        begun,
        Err(NotUndone::Final {
            wire_type: "principal.registered",
            ..
        })
    ));
}

#[test]
fn a_category_goes_back_to_what_was_said_before_and_others_do_not_matter() {
    let category = |slug: &str, title: &str| Category {
        slug: slug.into(),
        title: title.into(),
        description: String::new(),
        parent: None,
    };
    let added = |category| vec![TaxonomyEvent::CategoryAdded(CategoryAdded { category })];
    let told = vec![TaxonomyEvent::CategoryDescribed(CategoryDescribed {
        category: category("data", "Stores"),
    })];
    let retired = vec![TaxonomyEvent::CategoryRetired(CategoryRetired {
        slug: "data".into(),
        successor: None,
    })];
    let data = category("data", "Data");
    let history = [
        added(data.clone()),
        told,
        added(category("cloud", "Cloud")),
        retired,
    ];
    let undo = |upto: usize, at| undoing::<Taxonomy>(&history[..upto], at).unwrap();
    let first = undo(1, 1);
    let slug = "data".to_owned();
    let retire = TaxonomyCommand::Retire {
        slug,
        successor: None,
    };
    assert_eq!((first.command, first.changed_since), (retire, false));
    let second = undo(3, 2);
    let describe = TaxonomyCommand::Describe(data);
    assert_eq!((second.command, second.changed_since), (describe, false));
    assert!(undo(4, 2).changed_since);
    let back = TaxonomyCommand::Add(category("data", "Stores"));
    assert_eq!(undo(4, 4).command, back);
}

#[test]
fn hiding_and_writing_a_review_are_taken_back_and_the_rest_says_what_to_do() {
    let tenant = crate::id::TenantId::new("acme").unwrap();
    let author = crate::id::PrincipalId::derive(&tenant, "ada");
    let written = ReviewEvent::Written(ReviewWritten {
        tool_id: crate::id::ToolId::derive(&tenant, "git", "log"),
        tool_version: semver::Version::new(1, 0, 0),
        author,
        rating: Rating::new(1).unwrap(),
        text: None,
    });
    let reason = String::from("An advertisement");
    let hidden = ReviewEvent::Hidden(ReviewHidden { reason });
    let withdrawn = ReviewEvent::Withdrawn(ReviewWithdrawn {});
    let history = [vec![written], vec![hidden], vec![withdrawn]];
    let undo = |at| undoing::<Review>(&history, at);
    let first = undo(1).unwrap();
    assert_eq!(
        (first.command, first.changed_since),
        (ReviewCommand::Withdraw, true)
    );
    let reason = String::new();
    let second = undo(2).unwrap();
    assert_eq!(second.command, ReviewCommand::Restore { reason });
    assert!(!second.changed_since, "withdrawing is another respect");
    assert!(matches!(undo(3), Err(NotUndone::Final { .. })));
}

#[test]
fn only_commits_that_are_there_and_have_one_event() {
    let mut history = principal(vec![granted(Role::Admin)]);
    for absent in [0, 3, u64::MAX] {
        let undo = undoing::<Principal>(&history, absent);
        assert_eq!(undo.unwrap_err(), NotUndone::NoSuchCommit);
    }
    history[1].push(granted(Role::Owner));
    let undo = undoing::<Principal>(&history, 2);
    assert_eq!(undo.unwrap_err(), NotUndone::SeveralEvents);
}

#[test]
fn a_correction_is_taken_back_to_what_was_sealed_before() {
    let said = |name: &str| PrincipalDescribed {
        display_name: Some(Personal::Sealed(Sealed::new(name.to_owned()))),
        email: None,
    };
    let described = |name| PrincipalEvent::Described(said(name));
    let history = principal(vec![
        described("1.a"),
        granted(Role::Agent),
        described("1.b"),
    ]);
    let last = undoing::<Principal>(&history, 4).unwrap();
    assert_eq!(
        (last.command, last.changed_since),
        (PrincipalCommand::RestoreDescription(said("1.a")), false)
    );
    assert!(undoing::<Principal>(&history, 2).unwrap().changed_since);
}
