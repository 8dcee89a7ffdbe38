//! Whoever changes an export is found out: each commit of it altered, dropped, inserted or moved, carelessly
//! or with everything made to fit that fits without the signing key.

use super::{Export, fill, installation, sign};
use crate::support::python;
use domain::merkle::leaf_hash;
use metamcp::audit::{Bounds, Fault};
use serde_json::{Value, json};

/// A way of tampering with the commit at an index of the lines.
type Tamper = fn(&mut Vec<Value>, usize);

const WAYS: [(&str, Tamper); 9] = [
    ("altered", |lines, at| {
        let body = body(&lines[at]).replace("Z\",\"sequence", "1Z\",\"sequence");
        lines[at]["commit"]["body"] = json!(body);
    }),
    ("altered and fitted", |lines, at| {
        let body = body(&lines[at]).replacen("\"actor\":{\"id\":\"", "\"actor\":{\"id\":\"x", 1);
        set_body(&mut lines[at], &body);
    }),
    ("written in another form", |lines, at| {
        let body = body(&lines[at]).replacen(':', ": ", 1);
        set_body(&mut lines[at], &body);
    }),
    ("dropped", |lines, at| drop(lines.remove(at))),
    ("dropped and renumbered", |lines, at| {
        lines.remove(at);
        renumber(lines);
    }),
    ("repeated", |lines, at| lines.insert(at, lines[at].clone())),
    ("repeated and renumbered", |lines, at| {
        lines.insert(at, lines[at].clone());
        renumber(lines);
    }),
    ("moved", |lines, at| lines.swap(at, at + 1)),
    ("moved and renumbered", |lines, at| {
        lines.swap(at, at + 1);
        renumber(lines);
    }),
];

fn body(line: &Value) -> String {
    line["commit"]["body"].as_str().unwrap().to_owned()
}

fn set_body(line: &mut Value, body: &str) {
    line["commit"]["body"] = json!(body);
    line["commit"]["leaf_hash"] = json!(leaf_hash(body.as_bytes()).to_string());
}

/// Gives every commit the position where it stands, and the last line the counts that there are.
fn renumber(lines: &mut [Value]) {
    let mut position = 0;
    for line in lines.iter_mut() {
        if line.get("commit").is_some() {
            position += 1;
            line["commit"]["stream_sequence"] = json!(position);
        }
    }
    lines[0]["log"]["to"] = json!(position);
    let last = lines.len() - 1;
    lines[last]["end"]["commits"] = json!(position);
}

#[tokio::test]
async fn every_commit_altered_dropped_inserted_or_moved_is_found_and_named() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    sign(&installation).await;
    fill(&installation, "other").await;
    let signed = sign(&installation).await.head().size;
    let export = Export::of(&installation, Bounds::default()).await;
    assert_eq!(export.verify().unwrap().signed_to, signed);
    let sound = export.lines();
    let python = python();
    let places = sound.iter().enumerate();
    let places = places.filter(|(_, line)| line.get("commit").is_some());
    let mut found = 0;
    for (at, line) in places {
        let position = line["commit"]["stream_sequence"].as_u64().unwrap();
        for (way, tamper) in WAYS {
            let mut lines = sound.clone();
            // The neighbour with which it changes places may be a tree head.
            tamper(&mut lines, at);
            export.write(&lines);
            let fault = export.verify().expect_err(way);
            let commits = fault.commits();
            let named = commits.is_some_and(|commits| commits.contains(&position));
            assert!(named, "{position} {way}: {fault}");
            found += 1;
        }
        // Each commit once in another language: starting Python costs more than the check.
        if let Some(python) = &python {
            let (way, tamper) = WAYS[at % WAYS.len()];
            let mut lines = sound.clone();
            tamper(&mut lines, at);
            export.write(&lines);
            if way != "written in another form" {
                let fault = export.verify_in_python(python);
                assert!(fault.is_err(), "{position} {way}: {fault:?}");
            }
        }
    }
    assert_eq!(found, WAYS.len() * usize::try_from(signed).unwrap());
}

#[tokio::test]
async fn every_line_of_an_export_counts() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    sign(&installation).await;
    let export = Export::of(&installation, Bounds::default()).await;
    let sound = export.lines();
    for at in 0..sound.len() {
        let mut lines = sound.clone();
        lines.remove(at);
        export.write(&lines);
        assert!(export.verify().is_err(), "without {}", sound[at]);
        export.write(&sound[..at]);
        assert!(export.verify().is_err(), "cut off before line {at}");
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
    export.write(&lines);
    assert!(matches!(export.verify(), Err(Fault::Signature { .. })));
}
