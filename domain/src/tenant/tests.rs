use super::*;
use cqrs_es::test::TestFramework;

type Given = TestFramework<Tenant>;

fn registered() -> TenantEvent {
    TenantEvent::Registered(TenantRegistered {
        display_name: "Acme".into(),
    })
}

fn register() -> TenantCommand {
    TenantCommand::Register {
        display_name: "Acme".into(),
    }
}

fn rename(display_name: &str) -> TenantCommand {
    TenantCommand::Rename {
        display_name: display_name.into(),
    }
}

#[test]
fn registers_a_new_tenant() {
    Given::with(())
        .given_no_previous_events()
        .when(register())
        .then_expect_events(vec![registered()]);
}

#[test]
fn rejects_a_second_registration() {
    Given::with(())
        .given(vec![registered()])
        .when(register())
        .then_expect_error(TenantError::AlreadyRegistered);
}

#[test]
fn renames_a_tenant() {
    Given::with(())
        .given(vec![registered()])
        .when(rename("Acme Tools"))
        .then_expect_events(vec![TenantEvent::Renamed(TenantRenamed {
            display_name: "Acme Tools".into(),
        })]);
}

#[test]
fn rejects_a_rename_to_the_present_name() {
    Given::with(())
        .given(vec![registered()])
        .when(rename("Acme"))
        .then_expect_error(TenantError::Unchanged);
}

#[test]
fn rejects_a_rename_before_the_registration() {
    Given::with(())
        .given_no_previous_events()
        .when(rename("Acme"))
        .then_expect_error(TenantError::NotRegistered);
}

#[test]
fn rejects_names_that_nobody_can_read() {
    for name in ["", "   ", "a\u{202e}b", &"x".repeat(201)] {
        Given::with(())
            .given(vec![registered()])
            .when(rename(name))
            .then_expect_error(TenantError::InvalidDisplayName);
    }
}

fn set(after_sunset: Option<AfterSunset>) -> TenantEvent {
    TenantEvent::AfterSunsetSet(TenantAfterSunsetSet { after_sunset })
}

#[test]
fn a_rule_for_sunsets_is_set_once_and_taken_back_to_none() {
    let warn = Some(AfterSunset::Warn);
    Given::with(())
        .given(vec![registered()])
        .when(TenantCommand::SetAfterSunset(warn))
        .then_expect_events(vec![set(warn)]);
    Given::with(())
        .given(vec![registered(), set(warn)])
        .when(TenantCommand::SetAfterSunset(warn))
        .then_expect_error(TenantError::Unchanged);
    Given::with(())
        .given(vec![registered(), set(warn)])
        .when(TenantCommand::SetAfterSunset(None))
        .then_expect_events(vec![set(None)]);
}

#[test]
fn rejects_a_rule_that_says_nothing_new_or_comes_before_the_registration() {
    Given::with(())
        .given(vec![registered()])
        .when(TenantCommand::SetAfterSunset(None))
        .then_expect_error(TenantError::Unchanged);
    Given::with(())
        .given_no_previous_events()
        .when(TenantCommand::SetAfterSunset(Some(AfterSunset::Refuse)))
        .then_expect_error(TenantError::NotRegistered);
}
