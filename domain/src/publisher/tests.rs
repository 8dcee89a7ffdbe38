use super::*;
use crate::aggregate::Rejection;
use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;

type Given = TestFramework<Publisher>;

const SIGNED_AT: &str = "2026-01-31T12:00:00Z";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn key(byte: u8) -> PublicKey {
    PublicKey::new(KeyAlgorithm::Ed25519, &[byte; 32])
}

fn claim(namespace: &str) -> PublisherCommand {
    PublisherCommand::Claim {
        namespace: namespace.into(),
        nonce: "n1".into(),
    }
}

fn claimed() -> PublisherEvent {
    PublisherEvent::Claimed(PublisherClaimed {
        namespace: Namespace::parse("com.example").unwrap(),
        nonce: "n1".into(),
    })
}

fn proof() -> Proof {
    Proof {
        method: ProofMethod::Dns,
        record: key(1).record(),
        public_key: key(1),
        challenge: challenge("com.example", "n1"),
        signed_at: SIGNED_AT.into(),
        signature: "00".into(),
        now: at("2026-01-31T12:00:05Z"),
    }
}

fn verify(proof: Proof) -> PublisherCommand {
    PublisherCommand::Verify(Box::new(proof))
}

fn verified() -> PublisherEvent {
    let proof = proof();
    PublisherEvent::Verified(PublisherVerified {
        method: proof.method,
        record: proof.record,
        public_key: proof.public_key,
        challenge: proof.challenge,
        signed_at: proof.signed_at,
        signature: proof.signature,
    })
}

fn revoke() -> PublisherCommand {
    PublisherCommand::Revoke {
        reason: "sold".into(),
    }
}

fn revoked() -> PublisherEvent {
    PublisherEvent::Revoked(PublisherRevoked {
        reason: "sold".into(),
    })
}

fn lapse(byte: u8) -> PublisherCommand {
    PublisherCommand::Lapse {
        public_key: key(byte),
        reason: LapseReason::KeyMissing,
    }
}

fn lapsed() -> PublisherEvent {
    PublisherEvent::Lapsed(PublisherLapsed {
        reason: LapseReason::KeyMissing,
    })
}

fn accepts(history: Vec<PublisherEvent>, command: PublisherCommand, event: PublisherEvent) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_events(vec![event]);
}

fn rejects(history: Vec<PublisherEvent>, command: PublisherCommand, error: PublisherError) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_error(error);
}

#[test]
fn a_claim_is_proved_and_then_verified() {
    accepts(vec![], claim("com.example"), claimed());
    accepts(vec![claimed()], verify(proof()), verified());
    rejects(vec![], verify(proof()), PublisherError::NotClaimed);
    rejects(
        vec![claimed()],
        claim("com.example"),
        PublisherError::AlreadyClaimed,
    );
}

#[test]
fn a_namespace_is_a_domain_backwards() {
    for (namespace, domain) in [
        ("com.example", "example.com"),
        ("io.github.acme", "acme.github.io"),
        ("uk.co.my-shop", "my-shop.co.uk"),
    ] {
        assert_eq!(Namespace::parse(namespace).unwrap().domain(), domain);
    }
    let long = "a".repeat(64);
    for bad in [
        "",
        "com.",
        ".example",
        "com..example",
        "Com.Example",
        "com.exa mple",
        "com.-a",
        "com.a-",
        "com.exämple",
        "com.example/weather",
        "1.0.0.127",
        &format!("com.{long}"),
        &format!("com.{}", "a.".repeat(130)),
    ] {
        let error = Namespace::parse(bad).unwrap_err();
        assert_eq!(error.code(), "INVALID_NAMESPACE", "{bad}");
    }
    let hidden = Namespace::parse("com.\u{202e}example").unwrap_err();
    assert!(hidden.to_string().starts_with("`com.\\u{202e}example`"));
}

#[test]
fn a_public_suffix_alone_is_nobodys() {
    // Of registries, of providers, and by a wildcard (`*.ck`).
    for suffix in [
        "com",
        "uk.co",
        "jp.kobe.city-of-nobody",
        "io.github",
        "com.appspot",
        "dev.workers",
        "app.vercel",
        "ck.co",
    ] {
        let error = Namespace::parse(suffix).unwrap_err();
        assert_eq!(error.code(), "PUBLIC_SUFFIX", "{suffix}");
    }
    // Below one, an exception to a wildcard (`!www.ck`), and an ending that the list does not know.
    for owned in ["io.github.acme", "ck.www", "internal.acme"] {
        assert!(Namespace::parse(owned).is_ok(), "{owned}");
    }
}

#[test]
fn a_namespace_of_the_log_is_read_whatever_the_list_says_today() {
    let stored = Namespace::try_from("com.appspot".to_owned());
    assert_eq!(stored.unwrap().domain(), "appspot.com");
    assert!(Namespace::try_from("com..".to_owned()).is_err());
}

#[test]
fn a_signature_is_young() {
    let moments = [
        ("2026-01-31T12:15:00Z", true),
        ("2026-01-31T12:15:01Z", false),
        ("2026-01-31T11:59:00Z", true),
        ("2026-01-31T11:58:59Z", false),
    ];
    for (now, young) in moments {
        let command = verify(Proof {
            now: at(now),
            ..proof()
        });
        if young {
            accepts(vec![claimed()], command, verified());
        } else {
            let signed_at = SIGNED_AT.to_owned();
            let error = PublisherError::SignatureExpired { signed_at };
            rejects(vec![claimed()], command, error);
        }
    }
    let unread = Proof {
        signed_at: "yesterday".into(),
        ..proof()
    };
    rejects(
        vec![claimed()],
        verify(unread),
        PublisherError::InvalidMoment,
    );
}

#[test]
fn a_signature_of_another_claim_proves_nothing() {
    let other = Proof {
        challenge: challenge("com.example", "n2"),
        ..proof()
    };
    rejects(
        vec![claimed()],
        verify(other),
        PublisherError::ChallengeChanged,
    );
}

#[test]
fn the_key_that_signed_stands_in_the_record() {
    let other = Proof {
        record: key(2).record(),
        ..proof()
    };
    rejects(
        vec![claimed()],
        verify(other),
        PublisherError::KeyNotInRecord,
    );
}

#[test]
fn a_key_is_changed_by_proving_the_new_one() {
    rejects(
        vec![claimed(), verified()],
        verify(proof()),
        PublisherError::AlreadyVerified,
    );
    let record = key(2).record();
    let PublisherEvent::Verified(event) = verified() else {
        unreachable!("made above")
    };
    accepts(
        vec![claimed(), verified()],
        verify(Proof {
            record: record.clone(),
            public_key: key(2),
            ..proof()
        }),
        PublisherEvent::Verified(PublisherVerified {
            record,
            public_key: key(2),
            ..event
        }),
    );
}

#[test]
fn only_the_verified_key_lapses_and_may_be_proved_again() {
    accepts(vec![claimed(), verified()], lapse(1), lapsed());
    rejects(
        vec![claimed(), verified()],
        lapse(2),
        PublisherError::KeyChanged,
    );
    rejects(vec![claimed()], lapse(1), PublisherError::NotVerified);
    rejects(
        vec![claimed(), verified(), lapsed()],
        lapse(1),
        PublisherError::NotVerified,
    );
    accepts(
        vec![claimed(), verified(), lapsed()],
        verify(proof()),
        verified(),
    );
}

#[test]
fn what_is_revoked_is_claimed_again_before_anything_else() {
    accepts(vec![claimed(), verified()], revoke(), revoked());
    rejects(vec![], revoke(), PublisherError::NotClaimed);
    let given_up = vec![claimed(), verified(), revoked()];
    rejects(given_up.clone(), revoke(), PublisherError::Revoked);
    rejects(given_up.clone(), verify(proof()), PublisherError::Revoked);
    rejects(given_up.clone(), lapse(1), PublisherError::Revoked);
    accepts(given_up.clone(), claim("com.example"), claimed());
    let again = [given_up, vec![claimed()]].concat();
    accepts(again, verify(proof()), verified());
    let hidden = PublisherCommand::Revoke {
        reason: "a\u{202e}b".into(),
    };
    rejects(vec![claimed()], hidden, PublisherError::InvalidReason);
}

#[test]
fn records_are_read_as_the_official_registry_writes_them() {
    let (one, two) = (key(1), key(2));
    let text = format!(
        "google-site-verification=x\nv=MCPv1;k=ed25519;p={}\n  {}  \n",
        one.key,
        two.record()
    );
    let found: Vec<_> = keys_in(&text).collect();
    assert_eq!(found, [Ok(one.clone()), Ok(two)]);
    assert_eq!(one.bytes(), [1; 32]);
    let point = PublicKey::new(KeyAlgorithm::EcdsaP384, &[3; 49]);
    assert_eq!(keys_in(&point.record()).next(), Some(Ok(point)));
    for (bad, error) in [
        ("v=MCPv1; k=rsa; p=AQID", BadRecord::Algorithm),
        ("v=MCPv1; p=AQID", BadRecord::Algorithm),
        ("v=MCPv1; k=ed25519; p=AQID", BadRecord::Key),
        ("v=MCPv1; k=ed25519; p=***", BadRecord::Key),
        ("v=MCPv1; k=ed25519", BadRecord::Key),
    ] {
        assert_eq!(keys_in(bad).next(), Some(Err(error)), "{bad}");
    }
    assert_eq!(keys_in("v=MCPv2; k=ed25519; p=AQID").next(), None);
}

#[test]
fn no_event_is_undone() {
    use crate::undo::Undo;
    for event in [claimed(), verified(), lapsed(), revoked()] {
        assert!(Publisher::compensation(&event, &Publisher::default()).is_err());
    }
}
