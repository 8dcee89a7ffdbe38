use super::*;
use domain::merkle::leaf_hash;

/// The key pair that Go's `golang.org/x/mod/sumdb/note` shows in its documentation.
const PRIVATE: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn head(size: u64) -> TreeHead {
    TreeHead {
        origin: "PeterNeumann".to_owned(),
        size,
        root: leaf_hash(&size.to_be_bytes()),
    }
}

#[test]
fn keys_are_those_of_other_implementations() {
    let key = SigningKey::from_secret_text(&PRIVATE.into()).unwrap();
    assert_eq!(key.verifying().to_string(), PUBLIC);
    assert_eq!(
        key.to_secret_text().unwrap().expose_secret().trim(),
        PRIVATE
    );
    assert_eq!(PUBLIC.parse(), Ok(key.verifying().clone()));
    for bad in [
        "",
        "a+b",
        "a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc",
    ] {
        assert!(bad.parse::<VerifyingKey>().is_err(), "{bad}");
    }
}

#[test]
fn a_signed_head_is_read_back_and_verifies() {
    let (old, new) = (
        SigningKey::from_secret_text(&PRIVATE.into()).unwrap(),
        SigningKey::generate("PeterNeumann").unwrap(),
    );
    let signed = SignedHead::sign(head(17), &[&new, &old]);
    assert_eq!(SignedHead::sign(head(17), &[&new, &old]), signed);
    let read = SignedHead::parse(signed.note()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.head(), &head(17));
    let keys = [old.verifying().clone(), new.verifying().clone()];
    assert_eq!(read.verify(&keys).unwrap().len(), 2);
    assert_eq!(read.verify(&keys[..1]), Ok(vec![&keys[0]]));
    assert_eq!(read.verify(&[]), Ok(vec![]));
}

#[test]
fn an_altered_head_does_not_verify() {
    let key = SigningKey::from_secret_text(&PRIVATE.into()).unwrap();
    let keys = [key.verifying().clone()];
    let signed = SignedHead::sign(head(17), &[&key]);
    let altered = signed.note().replacen("\n17\n", "\n18\n", 1);
    let altered = SignedHead::parse(&altered).unwrap();
    assert!(altered.verify(&keys).is_err());
    let other = SigningKey::generate("other").unwrap();
    let of_another_log = SignedHead::sign(head(17), &[&other]);
    assert!(of_another_log.verify(&[other.verifying().clone()]).is_err());
}

#[test]
fn what_is_not_in_the_one_form_is_refused() {
    let key = SigningKey::from_secret_text(&PRIVATE.into()).unwrap();
    let note = SignedHead::sign(head(17), &[&key]).note().to_owned();
    for bad in [
        note.replacen("\n17\n", "\n+17\n", 1),
        note.replacen("\n17\n", "\n017\n", 1),
        note.replacen("\n\n", "\n", 1),
        note.replacen("\n\n", "\nextra\n\n", 1),
        note.replace('\u{2014}', "-"),
        note.trim_end().to_owned(),
        "x".repeat(MAX_NOTE + 1),
    ] {
        assert!(SignedHead::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_note_ends_with_its_signatures() {
    let key = SigningKey::from_secret_text(&PRIVATE.into()).unwrap();
    let signed = SignedHead::sign(head(17), &[&key]);
    assert!(ends(signed.note()));
    for unfinished in ["", "\n", &head(17).text(), "- PeterNeumann x\n"] {
        assert!(!ends(unfinished), "{unfinished}");
    }
}
