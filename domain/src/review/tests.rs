use super::*;
use crate::id::{PrincipalId, TenantId, ToolId};
use crate::personal::{Personal, Sealed};
use cqrs_es::test::TestFramework;
use semver::Version;

type Given = TestFramework<Review>;

fn rating(stars: i64) -> Rating {
    Rating::new(stars).unwrap()
}

fn text(plain: &str) -> AuthorText {
    AuthorText::new(Some(plain)).with_sealed(Some(sealed()))
}

fn sealed() -> Sealed {
    Sealed::new("1.c2VhbGVk".into())
}

fn author() -> PrincipalId {
    PrincipalId::derive(&TenantId::new("acme").unwrap(), "ada")
}

fn write(text: AuthorText) -> ReviewCommand {
    ReviewCommand::Write(WriteReview {
        tool_id: ToolId::derive(&TenantId::new("acme").unwrap(), "git", "log"),
        tool_version: Version::new(1, 2, 0),
        author: author(),
        rating: rating(4),
        text,
    })
}

fn written() -> ReviewEvent {
    ReviewEvent::Written(ReviewWritten {
        tool_id: ToolId::derive(&TenantId::new("acme").unwrap(), "git", "log"),
        tool_version: Version::new(1, 2, 0),
        author: author(),
        rating: rating(4),
        text: Some(Personal::Sealed(sealed())),
    })
}

fn withdrawn() -> ReviewEvent {
    ReviewEvent::Withdrawn(ReviewWithdrawn {})
}

fn hidden() -> ReviewEvent {
    ReviewEvent::Hidden(ReviewHidden {
        reason: "an advertisement".into(),
    })
}

fn appealed() -> ReviewEvent {
    ReviewEvent::Appealed(ReviewAppealed {
        author: author(),
        text: Some(Personal::Sealed(sealed())),
    })
}

fn decided(decision: AppealDecision) -> ReviewEvent {
    ReviewEvent::AppealDecided(AppealDecided {
        decision,
        reason: "looked at again".into(),
    })
}

fn hide() -> ReviewCommand {
    ReviewCommand::Hide {
        reason: "an advertisement".into(),
    }
}

fn revise(stars: i64) -> ReviewCommand {
    ReviewCommand::Revise {
        rating: rating(stars),
        text: AuthorText::new(None),
    }
}

fn appeal(plain: &str) -> ReviewCommand {
    ReviewCommand::Appeal { text: text(plain) }
}

fn decide(decision: AppealDecision) -> ReviewCommand {
    ReviewCommand::DecideAppeal {
        decision,
        reason: "looked at again".into(),
    }
}

fn refused(given: Vec<ReviewEvent>, command: ReviewCommand, error: ReviewError) {
    let given = Given::with(()).given(given);
    given.when(command).then_expect_error(error);
}

fn decided_as(given: Vec<ReviewEvent>, command: ReviewCommand, event: ReviewEvent) {
    let given = Given::with(()).given(given);
    given.when(command).then_expect_events(vec![event]);
}

#[test]
fn a_rating_is_one_to_five() {
    for stars in 1..=5 {
        assert_eq!(i64::from(rating(stars).stars()), stars);
    }
    for given in [0, 6, -1, 300, i64::MAX] {
        let refused = Err(ReviewError::RatingOutOfRange { given });
        assert_eq!(Rating::new(given), refused);
    }
    assert!(serde_json::from_str::<Rating>("6").is_err());
}

#[test]
fn a_review_is_written_with_its_text_sealed() {
    decided_as(vec![], write(text("Good")), written());
}

#[test]
fn a_text_that_is_not_sealed_never_becomes_an_event() {
    let plain = AuthorText::new(Some("Good"));
    refused(vec![], write(plain), ReviewError::NotSealed);
}

#[test]
fn a_second_review_of_a_version_is_refused() {
    refused(vec![written()], write(text("Bad")), ReviewError::Exists);
}

#[test]
fn a_withdrawn_review_is_written_anew_unless_it_is_hidden() {
    decided_as(vec![written(), withdrawn()], write(text("Good")), written());
    let history = vec![written(), hidden(), withdrawn()];
    refused(history, write(text("Good")), ReviewError::Hidden);
}

#[test]
fn rejects_texts_that_are_too_long_or_hide_something() {
    let long = text(&"x".repeat(4_001));
    let (most, found) = (4_000, 4_001);
    refused(
        vec![],
        write(long),
        ReviewError::TextTooLong { most, found },
    );
    let dirty = text("Go\u{202e}od");
    refused(vec![], write(dirty), ReviewError::HiddenCharacters);
    assert_eq!(text("Good").check(), Ok(()));
}

#[test]
fn a_text_is_never_printed() {
    assert!(!format!("{:?}", write(text("the secret words"))).contains("secret"));
}

#[test]
fn revising_replaces_rating_and_text() {
    let revised = ReviewEvent::Revised(ReviewRevised {
        author: author(),
        rating: rating(2),
        text: None,
    });
    decided_as(vec![written()], revise(2), revised);
}

#[test]
fn what_is_not_there_is_neither_revised_nor_moderated() {
    for command in [
        revise(2),
        ReviewCommand::Withdraw,
        hide(),
        appeal("Please"),
        decide(AppealDecision::Upheld),
    ] {
        refused(vec![], command, ReviewError::NotWritten);
    }
    for command in [revise(2), ReviewCommand::Withdraw, hide()] {
        let history = vec![written(), withdrawn()];
        refused(history, command, ReviewError::Withdrawn);
    }
}

#[test]
fn a_hidden_review_is_withdrawn_but_not_revised_or_hidden_again() {
    let history = vec![written(), hidden()];
    decided_as(history.clone(), ReviewCommand::Withdraw, withdrawn());
    for command in [revise(5), hide()] {
        refused(history.clone(), command, ReviewError::Hidden);
    }
}

#[test]
fn hiding_needs_a_reason() {
    let reason = " ".to_owned();
    let hide = ReviewCommand::Hide { reason };
    refused(vec![written()], hide, ReviewError::ReasonMissing);
}

#[test]
fn a_hidden_review_is_appealed_once() {
    decided_as(vec![written(), hidden()], appeal("It is true"), appealed());
    refused(vec![written()], appeal("Why"), ReviewError::NotHidden);
    let silent = vec![written(), hidden()];
    refused(silent, appeal(" "), ReviewError::ReasonMissing);
    let upheld = decided(AppealDecision::Upheld);
    for history in [
        vec![written(), hidden(), appealed()],
        vec![written(), hidden(), appealed(), upheld],
    ] {
        refused(history, appeal("Again"), ReviewError::AlreadyAppealed);
    }
}

#[test]
fn an_appeal_is_decided_once_and_restores_or_not() {
    for decision in [AppealDecision::Upheld, AppealDecision::Restored] {
        let history = vec![written(), hidden(), appealed()];
        decided_as(history.clone(), decide(decision), decided(decision));
        let mut history = history;
        history.push(decided(decision));
        refused(history.clone(), decide(decision), ReviewError::NoAppeal);
        let mut review = Review::default();
        for event in history {
            cqrs_es::Aggregate::apply(&mut review, event);
        }
        assert_eq!(review.is_hidden(), decision == AppealDecision::Upheld);
    }
    let history = vec![written(), hidden()];
    let early = decide(AppealDecision::Restored);
    refused(history, early, ReviewError::NoAppeal);
}

#[test]
fn a_moderator_restores_what_is_hidden_only() {
    let restore = ReviewCommand::Restore {
        reason: String::new(),
    };
    refused(vec![written()], restore.clone(), ReviewError::NotHidden);
    let restored = ReviewEvent::Restored(ReviewRestored {
        reason: String::new(),
    });
    decided_as(vec![written(), hidden()], restore, restored);
}
