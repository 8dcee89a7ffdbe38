use super::*;
use chrono::DateTime;
use cqrs_es::test::TestFramework;

type Given = TestFramework<Principal>;

fn register(handle: &str) -> PrincipalCommand {
    PrincipalCommand::Register(RegisterPrincipal {
        kind: PrincipalKind::Agent,
        handle: handle.into(),
        roles: vec![Role::Agent, Role::Agent],
    })
}

fn registered() -> PrincipalEvent {
    PrincipalEvent::Registered(PrincipalRegistered {
        kind: PrincipalKind::Agent,
        handle: "bot".into(),
        roles: [Role::Agent].into(),
    })
}

fn deactivated() -> PrincipalEvent {
    PrincipalEvent::Deactivated(PrincipalDeactivated {})
}

fn accepts(history: Vec<PrincipalEvent>, command: PrincipalCommand, event: PrincipalEvent) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_events(vec![event]);
}

fn rejects(history: Vec<PrincipalEvent>, command: PrincipalCommand, error: PrincipalError) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_error(error);
}

#[test]
fn registers_with_each_role_once() {
    accepts(vec![], register("bot"), registered());
}

#[test]
fn rejects_a_taken_handle() {
    rejects(
        vec![registered()],
        register("bot"),
        PrincipalError::AlreadyRegistered,
    );
}

#[test]
fn rejects_a_handle_that_is_no_slug() {
    let error = crate::id::check_slug("handle", "Bot 1").unwrap_err();
    rejects(
        vec![],
        register("Bot 1"),
        PrincipalError::InvalidHandle(error),
    );
}

#[test]
fn grants_a_role_once() {
    let granted = PrincipalEvent::RoleGranted(RoleGranted {
        role: Role::Publisher,
    });
    accepts(
        vec![registered()],
        PrincipalCommand::GrantRole(Role::Publisher),
        granted.clone(),
    );
    rejects(
        vec![registered(), granted],
        PrincipalCommand::GrantRole(Role::Publisher),
        PrincipalError::RoleAlreadyHeld(Role::Publisher),
    );
}

#[test]
fn revokes_only_a_held_role() {
    accepts(
        vec![registered()],
        PrincipalCommand::RevokeRole(Role::Agent),
        PrincipalEvent::RoleRevoked(RoleRevoked { role: Role::Agent }),
    );
    rejects(
        vec![registered()],
        PrincipalCommand::RevokeRole(Role::Owner),
        PrincipalError::RoleNotHeld(Role::Owner),
    );
}

#[test]
fn a_deactivated_principal_gets_no_role_until_it_is_reactivated() {
    rejects(
        vec![registered(), deactivated()],
        PrincipalCommand::GrantRole(Role::Admin),
        PrincipalError::Deactivated,
    );
    accepts(
        vec![registered(), deactivated()],
        PrincipalCommand::Reactivate,
        PrincipalEvent::Reactivated(PrincipalReactivated {}),
    );
    rejects(
        vec![registered()],
        PrincipalCommand::Reactivate,
        PrincipalError::Active,
    );
}

#[test]
fn deactivates_once() {
    accepts(
        vec![registered()],
        PrincipalCommand::Deactivate,
        deactivated(),
    );
    rejects(
        vec![registered(), deactivated()],
        PrincipalCommand::Deactivate,
        PrincipalError::Deactivated,
    );
}

#[test]
fn tokens_are_revoked_forwards_in_time_only() {
    let noon = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let revoked = PrincipalEvent::TokensRevoked(TokensRevoked {
        issued_before: noon,
    });
    let command = PrincipalCommand::RevokeTokens {
        issued_before: noon,
    };
    accepts(vec![registered()], command.clone(), revoked.clone());
    rejects(
        vec![registered(), revoked],
        command,
        PrincipalError::AlreadyRevoked,
    );
}

#[test]
fn every_command_but_the_first_needs_a_principal() {
    for command in [
        PrincipalCommand::GrantRole(Role::Admin),
        PrincipalCommand::RevokeRole(Role::Admin),
        PrincipalCommand::Deactivate,
        PrincipalCommand::Reactivate,
    ] {
        rejects(vec![], command, PrincipalError::NotRegistered);
    }
}
