use super::aggregate::MAX_TEAMS;
use super::*;
use crate::personal::{Personal, PersonalField, Sealed};
use crate::team::Team;
use chrono::DateTime;
use cqrs_es::test::TestFramework;

type Given = TestFramework<Principal>;

fn register(handle: &str) -> PrincipalCommand {
    PrincipalCommand::Register(RegisterPrincipal {
        kind: PrincipalKind::Agent,
        handle: handle.into(),
        roles: vec![Role::Agent, Role::Agent],
        display_name: None,
        email: None,
        sealed: SealedFields::default(),
    })
}

fn registered() -> PrincipalEvent {
    PrincipalEvent::Registered(PrincipalRegistered {
        kind: PrincipalKind::Agent,
        handle: Personal::Plain("bot".into()),
        display_name: None,
        email: None,
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

fn team(name: &str) -> Team {
    Team::new(name).unwrap()
}

fn joined(name: &str) -> PrincipalEvent {
    PrincipalEvent::TeamJoined(TeamJoined { team: team(name) })
}

#[test]
fn joins_a_team_once_and_leaves_only_a_team_that_it_is_in() {
    let left = PrincipalEvent::TeamLeft(TeamLeft {
        team: team("payments"),
    });
    accepts(
        vec![registered()],
        PrincipalCommand::JoinTeam(team("payments")),
        joined("payments"),
    );
    rejects(
        vec![registered(), joined("payments")],
        PrincipalCommand::JoinTeam(team("payments")),
        PrincipalError::AlreadyInTeam(team("payments")),
    );
    accepts(
        vec![registered(), joined("payments")],
        PrincipalCommand::LeaveTeam(team("payments")),
        left.clone(),
    );
    for history in [
        vec![registered()],
        vec![registered(), joined("payments"), left],
    ] {
        rejects(
            history,
            PrincipalCommand::LeaveTeam(team("payments")),
            PrincipalError::NotInTeam(team("payments")),
        );
    }
}

#[test]
fn is_in_as_many_teams_as_one_may_be_in() {
    let full = || {
        let teams = (0..MAX_TEAMS).map(|n| joined(&format!("team-{n}")));
        std::iter::once(registered()).chain(teams)
    };
    rejects(
        full().collect(),
        PrincipalCommand::JoinTeam(team("one-more")),
        PrincipalError::TooManyTeams,
    );
    let last = PrincipalEvent::TeamLeft(TeamLeft {
        team: team("team-0"),
    });
    accepts(
        full().chain([last]).collect(),
        PrincipalCommand::JoinTeam(team("one-more")),
        joined("one-more"),
    );
}

#[test]
fn a_deactivated_principal_joins_no_team_and_can_leave_one() {
    rejects(
        vec![registered(), deactivated()],
        PrincipalCommand::JoinTeam(team("payments")),
        PrincipalError::Deactivated,
    );
    accepts(
        vec![registered(), joined("payments"), deactivated()],
        PrincipalCommand::LeaveTeam(team("payments")),
        PrincipalEvent::TeamLeft(TeamLeft {
            team: team("payments"),
        }),
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

fn person() -> RegisterPrincipal {
    let sealed = |text: &str| Some(Sealed::new(text.to_owned()));
    RegisterPrincipal {
        kind: PrincipalKind::User,
        handle: "ada".into(),
        roles: vec![],
        display_name: Some("Ada Lovelace".into()),
        email: Some("ada@example.org".into()),
        sealed: SealedFields {
            handle: sealed("1.h"),
            display_name: sealed("1.d"),
            email: sealed("1.e"),
        },
    }
}

fn erased() -> PrincipalEvent {
    PrincipalEvent::Erased(PrincipalErased {})
}

#[test]
fn an_event_carries_a_persons_fields_sealed_only() {
    let sealed = |text: &str| Personal::Sealed(Sealed::new(text.to_owned()));
    accepts(
        vec![],
        PrincipalCommand::Register(person()),
        PrincipalEvent::Registered(PrincipalRegistered {
            kind: PrincipalKind::User,
            handle: sealed("1.h"),
            display_name: Some(sealed("1.d")),
            email: Some(sealed("1.e")),
            roles: [].into(),
        }),
    );
    let printed = format!("{:?}", PrincipalCommand::Register(person()));
    assert!(!printed.to_lowercase().contains("ada"), "{printed}");
}

#[test]
fn rejects_a_personal_field_that_was_not_sealed() {
    let without = |take: fn(&mut SealedFields) -> &mut Option<Sealed>| {
        let mut register = person();
        *take(&mut register.sealed) = None;
        PrincipalCommand::Register(register)
    };
    for (command, field) in [
        (without(|sealed| &mut sealed.handle), PersonalField::Handle),
        (
            without(|sealed| &mut sealed.display_name),
            PersonalField::DisplayName,
        ),
        (without(|sealed| &mut sealed.email), PersonalField::Email),
    ] {
        rejects(vec![], command, PrincipalError::NotSealed(field));
    }
}

#[test]
fn rejects_what_is_no_name_or_address() {
    for name in ["", " ", "A\u{202e}B", &"x".repeat(201)] {
        let register = RegisterPrincipal {
            display_name: Some(name.into()),
            ..person()
        };
        assert_eq!(register.check(), Err(PrincipalError::InvalidDisplayName));
    }
    for email in [
        "ada",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        &format!("{}@b", "a".repeat(254)),
    ] {
        let register = RegisterPrincipal {
            email: Some(email.into()),
            ..person()
        };
        assert_eq!(
            register.check(),
            Err(PrincipalError::InvalidEmail),
            "{email}"
        );
    }
}

#[test]
fn an_erased_principal_holds_nothing_and_takes_no_command() {
    accepts(vec![registered()], PrincipalCommand::Erase, erased());
    accepts(
        vec![registered(), deactivated()],
        PrincipalCommand::Erase,
        erased(),
    );
    rejects(
        vec![],
        PrincipalCommand::Erase,
        PrincipalError::NotRegistered,
    );
    for command in [
        register("bot"),
        PrincipalCommand::GrantRole(Role::Admin),
        PrincipalCommand::RevokeRole(Role::Agent),
        PrincipalCommand::Deactivate,
        PrincipalCommand::Reactivate,
        PrincipalCommand::Erase,
    ] {
        rejects(
            vec![registered(), erased()],
            command,
            PrincipalError::Erased,
        );
    }
    let mut principal = Principal::default();
    for event in [registered(), erased()] {
        cqrs_es::Aggregate::apply(&mut principal, event);
    }
    assert!(
        !principal.is_active() && principal.roles() == Some(&std::collections::BTreeSet::new())
    );
}

fn described(display_name: Option<&str>, email: Option<&str>) -> PrincipalDescribed {
    let sealed = |text: &str| Personal::Sealed(Sealed::new(text.to_owned()));
    PrincipalDescribed {
        display_name: display_name.map(sealed),
        email: email.map(sealed),
    }
}

fn set(text: &str, sealed: &str) -> FieldChange {
    FieldChange::Set {
        text: text.into(),
        sealed: Some(Sealed::new(sealed.into())),
    }
}

#[test]
fn a_description_changes_in_what_is_said_and_stays_in_the_rest() {
    let history = || {
        let first = described(Some("1.d"), Some("1.e"));
        vec![registered(), PrincipalEvent::Described(first)]
    };
    let describe = |display_name, email| {
        PrincipalCommand::Describe(DescribePrincipal {
            display_name,
            email,
        })
    };
    for (command, event) in [
        (
            describe(set("Ada King", "1.k"), FieldChange::Keep),
            described(Some("1.k"), Some("1.e")),
        ),
        (
            describe(FieldChange::Keep, FieldChange::Clear),
            described(Some("1.d"), None),
        ),
        (
            PrincipalCommand::RestoreDescription(described(None, None)),
            described(None, None),
        ),
    ] {
        accepts(history(), command, PrincipalEvent::Described(event));
    }
    rejects(
        history(),
        describe(FieldChange::Keep, FieldChange::Keep),
        PrincipalError::Unchanged,
    );
    rejects(
        vec![registered()],
        describe(FieldChange::Keep, FieldChange::Clear),
        PrincipalError::Unchanged,
    );
}

#[test]
fn a_correction_follows_the_rules_of_a_registration() {
    let describe = |display_name, email| DescribePrincipal {
        display_name,
        email,
    };
    for (describe, error) in [
        (
            describe(set(" ", "1.d"), FieldChange::Keep),
            PrincipalError::InvalidDisplayName,
        ),
        (
            describe(FieldChange::Keep, set("ada", "1.e")),
            PrincipalError::InvalidEmail,
        ),
        (
            describe(FieldChange::to("Ada".into()), FieldChange::Keep),
            PrincipalError::NotSealed(PersonalField::DisplayName),
        ),
    ] {
        let command = PrincipalCommand::Describe(describe);
        rejects(vec![registered()], command, error);
    }
    let command = PrincipalCommand::Describe(describe(set("Ada", "1.d"), FieldChange::Keep));
    assert!(!format!("{command:?}").contains("Ada"));
    rejects(
        vec![registered(), erased()],
        command.clone(),
        PrincipalError::Erased,
    );
    rejects(vec![], command, PrincipalError::NotRegistered);
}
