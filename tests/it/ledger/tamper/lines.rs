//! Every line of an export counts, has the members of its kind and no others, and a body has one form only.

use super::ways::{body, forged, renumber, set_body};
use super::{Tampered, text};
use crate::ledger::{Export, fill, installation, sign};
use crate::support::python;
use metamcp::audit::{Bounds, Fault};
use serde_json::json;

#[tokio::test]
async fn every_line_of_an_export_counts() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    sign(&installation).await;
    let export = Export::of(&installation, Bounds::default()).await;
    let sound = export.lines();
    let mut tampered = Tampered::of(&export);
    for at in 0..sound.len() {
        let mut lines = sound.clone();
        lines.remove(at);
        tampered.verify(format!("without {}", sound[at]), &text(&lines));
        tampered.verify(format!("cut off before line {at}"), &text(&sound[..at]));
    }
    // A head that says something else under the same signature.
    let head = sound
        .iter()
        .position(|line| line.get("tree_head").is_some())
        .unwrap();
    let note = sound[head]["tree_head"]["note"].as_str().unwrap();
    let place = note.len() - 6;
    let other = if note[place..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let mut signature = note.to_owned();
    signature.replace_range(place..=place, other);
    let mut lines = sound.clone();
    lines[head]["tree_head"]["note"] = json!(signature);
    let fault = tampered.verify("another signature".to_owned(), &text(&lines));
    assert!(matches!(fault, Fault::Signature { .. }), "{fault}");
    tampered.compare();
}

/// Lines that are none, whatever stands around them.
const MALFORMED: [&str; 17] = [
    "",
    "[]",
    "null",
    "7",
    "{",
    "{}",
    "\"log\"",
    "{\"note\":{}}",
    "{\"commit\":7}",
    "{\"commit\":null}",
    "{\"commit\":{}}",
    "{\"commit\":[1]}",
    "{\"tree_head\":{\"note\":7}}",
    "{\"tree_head\":{\"note\":\"a\"}}",
    "{\"tree_head\":{\"note\":\"a\",\"consistency\":[7]}}",
    "{\"end\":{\"commits\":\"1\",\"tree_heads\":1}}",
    "{\"end\":{\"commits\":1,\"tree_heads\":1},\"log\":{}}",
];

#[tokio::test]
async fn a_line_of_another_form_is_a_fault_and_ends_no_verifier() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    sign(&installation).await;
    let export = Export::of(&installation, Bounds::default()).await;
    let sound = export.lines();
    let mut tampered = Tampered::of(&export);
    let mut refuse = |at: usize, line: &str| {
        let (before, behind) = (text(&sound[..at]), text(&sound[at + 1..]));
        let fault = tampered.verify(line.to_owned(), &format!("{before}{line}\n{behind}"));
        let line = at as u64 + 1;
        assert!(
            matches!(&fault, Fault::Format { line: named, .. } if *named == line),
            "{fault}"
        );
    };
    for line in MALFORMED {
        refuse(1, line);
    }
    for (at, line) in sound.iter().enumerate() {
        let kind = line.as_object().unwrap().keys().next().unwrap();
        let mut more = line.clone();
        more[kind]["more"] = json!(1);
        refuse(at, &more.to_string());
    }
    let commit = sound[1].to_string();
    let twice = commit.replacen("\"subject\":", "\"subject\":\"\",\"subject\":", 1);
    let two_bodies = commit.replacen("\"subject\":", "\"body_base64\":\"\",\"subject\":", 1);
    let no_body = commit.replacen("\"body\":", "\"body_base64\":", 1);
    for line in [&twice, &two_bodies, &no_body] {
        assert_ne!(*line, commit);
        refuse(1, line);
    }
    tampered.compare();
}

#[tokio::test]
async fn numbers_names_and_texts_have_one_form() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let signed = sign(&installation).await.head().size;
    let export = Export::of(&installation, Bounds::default()).await;
    let mut sound = export.lines();
    let last = sound.len() - 1;
    let commit = forged(&sound[1], |body| {
        body["events"][0]["data"] = json!({
            "\u{fffd}": 1, "\u{10000}": 2,
            "numbers": [0.1, 1e-6, 1e-7, 1e20, 1e21, -1.5e300, 5e-324, -0.0, 9_007_199_254_740_993_u64],
            "text": "\u{1}\n\u{7f}\u{e9}\u{2028}\"/",
        });
    });
    sound.insert(last, commit);
    renumber(&mut sound);
    export.write(&sound);
    let verified = export.verify().unwrap();
    assert_eq!((verified.signed_to, verified.to), (signed, signed + 1));
    if let Some(python) = python() {
        let theirs = export.verify_in_python(&python).unwrap();
        assert_eq!(
            (&theirs["signed_to"], &theirs["to"]),
            (&json!(signed), &json!(signed + 1))
        );
    }
    let mut tampered = Tampered::of(&export);
    let sound_body = body(&sound[last]);
    for (form, other) in [
        ("0.1,", "0.10,"),
        ("0.000001", "1e-6"),
        ("1e-7", "1e-07"),
        ("100000000000000000000,", "1e+20,"),
        ("1e+21", "1e21"),
        ("5e-324", "4.9e-324"),
        (",0,", ",-0,"),
        ("9007199254740992", "9007199254740993"),
        ("\\u0001", "\\u0001\\u0041"),
        ("\u{7f}", "\\u007f"),
        ("\u{e9}", "\\u00e9"),
        ("\"/", "\"\\/"),
        ("\"\u{10000}\":2,", ""),
    ] {
        let mut other = sound_body.replacen(form, other, 1);
        assert_ne!(other, sound_body, "{form}");
        if form.starts_with("\"\u{10000}") {
            // Behind the name that it comes before.
            other = other.replacen(
                "\"\u{fffd}\":1",
                &format!("\"\u{fffd}\":1,{}", form.trim_end_matches(',')),
                1,
            );
        }
        let mut lines = sound.clone();
        set_body(&mut lines[last], &other);
        let fault = tampered.verify(other, &text(&lines));
        assert_eq!(fault, Fault::NotCanonical(signed + 1), "{form}");
    }
    tampered.compare();
}
