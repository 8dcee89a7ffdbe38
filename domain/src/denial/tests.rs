use super::*;
use crate::id::{PrincipalId, TenantId};
use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;

type Given = TestFramework<Denial>;

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn refusal() -> Refusal {
    Refusal {
        principal_id: PrincipalId::derive(&tenant(), "bob"),
        action: "retire_tool".into(),
        resource_kind: "tool".into(),
        resource_id: Some("k3q".into()),
        decision: Decision::Forbidden,
        policy_version: "0123456789ab".into(),
        window_start: moment(60),
        window_seconds: 60,
    }
}

fn recorded(times: u64) -> DenialEvent {
    DenialEvent::Recorded(Box::new(DenialRecorded {
        refusal: refusal(),
        times,
    }))
}

fn record(times: u64) -> DenialCommand {
    DenialCommand::Record {
        refusal: refusal(),
        times,
    }
}

#[test]
fn the_first_refusal_of_a_window_is_recorded_whole() {
    Given::with(())
        .given_no_previous_events()
        .when(record(1))
        .then_expect_events(vec![recorded(1)]);
}

#[test]
fn what_follows_in_the_window_is_counted() {
    let again = DenialEvent::Repeated(DenialRepeated {
        times: 40,
        total: 41,
    });
    Given::with(())
        .given(vec![recorded(1)])
        .when(record(40))
        .then_expect_events(vec![again.clone()]);
    Given::with(())
        .given(vec![recorded(1), again])
        .when(record(2))
        .then_expect_events(vec![DenialEvent::Repeated(DenialRepeated {
            times: 2,
            total: 43,
        })]);
}

#[test]
fn rejects_a_record_of_nothing() {
    Given::with(())
        .given_no_previous_events()
        .when(record(0))
        .then_expect_error(DenialError::NothingRefused);
}

#[test]
fn rejects_names_that_nobody_can_read() {
    let spoilt = |field: &'static str, change: fn(&mut Refusal)| {
        let mut refusal = refusal();
        change(&mut refusal);
        Given::with(())
            .given_no_previous_events()
            .when(DenialCommand::Record { refusal, times: 1 })
            .then_expect_error(DenialError::InvalidName { field });
    };
    spoilt("action", |refusal| refusal.action.clear());
    spoilt("resource_kind", |refusal| {
        refusal.resource_kind = "a\u{202e}b".into();
    });
    spoilt("policy_version", |refusal| {
        refusal.policy_version = "x".repeat(65);
    });
    spoilt("resource_id", |refusal| {
        refusal.resource_id = Some(String::new());
    });
}

#[test]
fn one_window_one_denial() {
    assert_eq!(Refusal::window_of(moment(119), 60), moment(60));
    assert_eq!(Refusal::window_of(moment(120), 60), moment(120));
    assert_eq!(Refusal::window_of(moment(-1), 60), moment(-60));
    assert_eq!(Refusal::window_of(moment(7), 0), moment(7));

    let id = refusal().denial_id(&tenant());
    let later = Refusal {
        window_start: moment(120),
        ..refusal()
    };
    let elsewhere = Refusal {
        resource_id: None,
        ..refusal()
    };
    assert_eq!(refusal().denial_id(&tenant()), id);
    assert_ne!(later.denial_id(&tenant()), id);
    assert_ne!(elsewhere.denial_id(&tenant()), id);
    assert_ne!(refusal().denial_id(&TenantId::new("other").unwrap()), id);
}
