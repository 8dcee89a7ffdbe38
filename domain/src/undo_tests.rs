use super::*;
use crate::personal::Personal;
use crate::principal::{
    Principal, PrincipalCommand, PrincipalDeactivated, PrincipalErased, PrincipalEvent,
    PrincipalKind, PrincipalReactivated, PrincipalRegistered, RoleGranted, RoleRevoked,
    TokensRevoked,
};
use crate::server::{
    Server, ServerCommand, ServerDescribed, ServerEvent, ServerProfile, ServerRegistered,
    ServerRestored, ServerRetired,
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
