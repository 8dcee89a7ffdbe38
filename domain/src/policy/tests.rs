use super::*;
use cqrs_es::test::TestFramework;

type Given = TestFramework<Policy>;

fn adopt(text: &str) -> PolicyCommand {
    PolicyCommand::Adopt {
        text: text.into(),
        program_version: "1.2.3".into(),
    }
}

fn adopted(text: &str) -> PolicyEvent {
    PolicyEvent::Adopted(PolicyAdopted {
        policy_version: version_of(text),
        sha256: body_hash(text.as_bytes()),
        text: text.into(),
        program_version: Some("1.2.3".into()),
    })
}

#[test]
fn a_policy_is_recorded_whole_once_for_each_change() {
    Given::with(())
        .given_no_previous_events()
        .when(adopt("a"))
        .then_expect_events(vec![adopted("a")]);
    Given::with(())
        .given(vec![adopted("a")])
        .when(adopt("a"))
        .then_expect_error(PolicyError::AlreadyInForce);
    Given::with(())
        .given(vec![adopted("a")])
        .when(adopt("b"))
        .then_expect_events(vec![adopted("b")]);
}

#[test]
fn an_earlier_policy_can_come_back() {
    Given::with(())
        .given(vec![adopted("a"), adopted("b")])
        .when(adopt("a"))
        .then_expect_events(vec![adopted("a")]);
}

#[test]
fn rejects_a_policy_that_is_too_large_for_an_event() {
    let long = "#".repeat(MAX_TEXT + 1);
    Given::with(())
        .given_no_previous_events()
        .when(adopt(&long))
        .then_expect_error(PolicyError::TooLarge { found: long.len() });
}

#[test]
fn a_version_is_the_beginning_of_the_hash() {
    // SHA-256 of no bytes at all: e3b0c44298fc1c14…
    assert_eq!(version_of(""), "e3b0c44298fc");
}
