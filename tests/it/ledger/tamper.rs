//! Whoever changes an export is found out: each commit of it altered, dropped, inserted or moved, carelessly
//! or with everything made to fit that fits without the signing key. What is found, and which commits are named, is
//! told for each way of tampering, and a verifier that shares no code names the same.

mod lines;
mod ways;

use super::{Export, fill, installation, sign};
use crate::support::{python, said};
use crate::up::run;
use domain::envelope::body_hash;
use metamcp::audit::{Bounds, Fault};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use ways::{Site, WAYS, body, position_and_subject, renumber, rewrite, signed_size, subject};

/// Verifies the exports `0.jsonl`, `1.jsonl` and so on of a folder in one process: starting Python costs more than
/// verifying one.
const ALL: &str = "
import json, sys
folder, scripts, count = sys.argv[1:]
sys.path.insert(0, scripts)
import verify_log
for n in range(int(count)):
    print(json.dumps(verify_log.verify(f'{folder}/{n}.jsonl', f'{folder}/ledger.pub')))
";

/// Tampered exports, and what was found in each.
struct Tampered<'a> {
    export: &'a Export,
    found: Vec<(String, Fault)>,
}

impl<'a> Tampered<'a> {
    fn of(export: &'a Export) -> Self {
        Self {
            export,
            found: Vec::new(),
        }
    }

    /// Verifies an export, and keeps it for the other verifier.
    fn verify(&mut self, what: String, text: &str) -> Fault {
        std::fs::write(self.export.path(), text).unwrap();
        let copy = format!("{}.jsonl", self.found.len());
        std::fs::write(self.export.folder.path().join(copy), text).unwrap();
        let fault = self.export.verify().expect_err(&what);
        self.found.push((what, fault.clone()));
        fault
    }

    /// Holds the other verifier to the same commits, where there is a Python.
    fn compare(&self) {
        let Some(python) = python() else { return };
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients");
        let run = Command::new(python)
            .args(["-B", "-c", ALL])
            .args([self.export.folder.path(), &scripts])
            .arg(self.found.len().to_string())
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", said(&run).0);
        let text = String::from_utf8(run.stdout).unwrap();
        assert_eq!(text.lines().count(), self.found.len());
        for ((what, fault), line) in self.found.iter().zip(text.lines()) {
            let theirs: Value = serde_json::from_str(line).unwrap();
            let ours = fault.commits().map(|named| [*named.start(), *named.end()]);
            assert!(theirs["fault"].is_string(), "{what}: {theirs}");
            assert_eq!(theirs["commits"], json!(ours), "{what}: {fault}, {theirs}");
        }
    }
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
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
    let mut tampered = Tampered::of(&export);
    for site in Site::all(&sound) {
        for way in &WAYS {
            let mut lines = sound.clone();
            (way.tamper)(&mut lines, site.at);
            let what = format!("{} {}", site.position, way.name);
            let fault = tampered.verify(what.clone(), &text(&lines));
            let (expected, named) = (way.finds)(&site);
            assert_eq!(fault, expected, "{what}");
            assert_eq!(fault.commits(), Some(named), "{what}");
        }
    }
    let tried = WAYS.len() * usize::try_from(signed).unwrap();
    assert_eq!(tampered.found.len(), tried);
    tampered.compare();
}

#[tokio::test]
async fn a_part_that_ends_before_a_head_is_held_by_the_proof_that_leads_to_it() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let early = sign(&installation).await.head().size;
    fill(&installation, "other").await;
    let size = sign(&installation).await.head().size;
    // From a power of two on, a proof has one hash only, of which none can be taken away.
    let end = if (size - 1).is_power_of_two() {
        size - 2
    } else {
        size - 1
    };
    let bounds = Bounds {
        from: Some(early - 2),
        to: Some(end),
    };
    let export = Export::of(&installation, bounds).await;
    assert_eq!(export.verify().unwrap().signed_to, end);
    let sound = export.lines();
    let index_of = |kind: &str| {
        sound
            .iter()
            .rposition(|line| line.get(kind).is_some())
            .unwrap()
    };
    let (last, proof) = (index_of("commit"), index_of("tree_head"));
    let mut tampered = Tampered::of(&export);
    let mut find = |what: &str, tamper: &dyn Fn(&mut Vec<Value>)| {
        let mut lines = sound.clone();
        tamper(&mut lines);
        tampered.verify(what.to_owned(), &text(&lines))
    };
    // Behind the last commit of the part stands the proof alone.
    let fault = find("altered and fitted", &|lines| {
        rewrite(&mut lines[last], |body| body["actor"]["id"] = json!("x"));
    });
    let broken = Fault::Consistency {
        size,
        end,
        after: early,
    };
    assert_eq!(fault, broken);
    assert_eq!(fault.commits(), Some(early + 1..=end));
    let fault = find("proof altered", &|lines| {
        lines[proof]["tree_head"]["consistency"][0] = json!("0".repeat(64));
    });
    assert_eq!(fault, broken);
    let fault = find("proof too short", &|lines| {
        let part = &sound[proof]["tree_head"]["consistency"].as_array().unwrap()[1..];
        lines[proof]["tree_head"]["consistency"] = json!(part);
    });
    assert_eq!(fault, broken);
    let fault = find("proof taken out", &|lines| {
        lines[proof]["tree_head"] = json!({ "note": sound[proof]["tree_head"]["note"] });
    });
    assert_eq!(fault, Fault::Root { size, after: early });
    assert_eq!(fault.commits(), Some(early + 1..=size));
    tampered.compare();
}

#[tokio::test]
async fn heads_that_were_taken_out_are_missed_by_who_insists_on_them() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let first = sign(&installation).await.head().size;
    fill(&installation, "other").await;
    let last = sign(&installation).await;
    let end = last.head().size;
    let export = Export::of(&installation, Bounds::default()).await;
    let heads = export.folder.path().join("heads.txt");
    std::fs::write(&heads, last.note()).unwrap();
    let heads = heads.display().to_string();
    let (text, code) = program(&export, &["--signed-to", "end"]).await;
    assert_eq!(code, Some(0), "{text}");

    let mut lines = export.lines();
    write_anew_behind(first, &mut lines);
    export.write(&lines);
    // The file alone cannot tell.
    let (text, code) = program(&export, &[]).await;
    assert_eq!(code, Some(0), "{text}");
    let not_signed = format!("NOT SIGNED    commits {} to {end}", first + 1);
    assert!(text.contains(&not_signed), "{text}");
    if let Some(python) = python() {
        let theirs = export.verify_in_python(&python).unwrap();
        assert_eq!(theirs["signed_to"], first);
    }
    for (asked, expected) in [
        (first.to_string(), 0),
        ((first + 1).to_string(), 4),
        ("end".to_owned(), 4),
    ] {
        let (text, code) = program(&export, &["--signed-to", &asked]).await;
        assert_eq!(code, Some(expected), "{asked}: {text}");
    }
    // A head that was kept elsewhere finds it, asked for or not.
    for more in [
        &["--heads", &heads][..],
        &["--heads", &heads, "--signed-to", "end"],
    ] {
        let (text, code) = program(&export, more).await;
        assert_eq!(code, Some(3), "{text}");
    }
    let fault = export.verify_with(vec![last]).unwrap_err();
    assert_eq!(
        fault,
        Fault::Root {
            size: end,
            after: first
        }
    );
}

/// What `metamcp audit verify` says of an export, and its exit code.
async fn program(export: &Export, more: &[&str]) -> (String, Option<i32>) {
    let (log, key) = (export.path(), export.key());
    let (log, key) = (log.display().to_string(), key.display().to_string());
    let arguments = [&["audit", "verify", &log, "--key", &key][..], more].concat();
    said(&run(export.folder.path(), &arguments).await)
}

/// Takes out the heads over more commits than these, and writes what they covered anew, each object's chain with it.
fn write_anew_behind(kept: u64, lines: &mut Vec<Value>) {
    lines.retain(|line| signed_size(line).is_none_or(|size| size <= kept));
    let mut hashes: HashMap<String, String> = HashMap::new();
    for line in lines.iter_mut() {
        let Some((position, _)) = position_and_subject(line) else {
            continue;
        };
        let subject = subject(line);
        if position > kept {
            rewrite(line, |body| {
                body["actor"]["id"] = json!("somebody else");
                body["previous_hash"] = json!(hashes.get(&subject));
            });
        }
        hashes.insert(subject, body_hash(body(line).as_bytes()));
    }
    renumber(lines);
}
