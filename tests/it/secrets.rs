//! No secret lies among the files of the repository.

use crate::support::{Need, cannot_run};
use std::path::Path;
use std::process::Command;

/// Files with keys that were made for a test or an example, and that nothing else knows.
const MADE_FOR_TESTS: [&str; 3] = [
    "api/src/trust/key.rs",
    "projections/src/ledger/note_tests.rs",
    "tests/it/nats_security.rs",
];

/// A private key in PEM is announced by a line with both of these.
const BEGIN: &[u8] = b"-----BEGIN ";
const PRIVATE: &[u8] = b"PRIVATE KEY-----";
/// What the private key of a ledger begins with.
const LEDGER: &[u8] = b"PRIVATE+KEY+";
/// What a user's seed of NATS begins with, and how long it is behind that.
const SEED: (&[u8], usize) = (b"SU", 56);
/// What a token begins with, and from how many characters on a part of it is more than an example.
const TOKEN: (&[u8], usize) = (b"eyJ", 10);

/// Where a text stands in another.
fn places<'a>(bytes: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(text.len()).enumerate();
    windows.filter_map(move |(at, window)| (window == text).then_some(at))
}

/// What follows each place of a text.
fn behind<'a>(bytes: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    places(bytes, text).map(|at| &bytes[at + text.len()..])
}

/// How many bytes of an alphabet a text begins with.
fn run(bytes: &[u8], alphabet: impl Fn(u8) -> bool) -> usize {
    let beyond = bytes.iter().position(|byte| !alphabet(*byte));
    beyond.unwrap_or(bytes.len())
}

fn in_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_token(rest: &[u8]) -> bool {
    let header = run(rest, in_a_token);
    let claims = rest[header..].strip_prefix(b".");
    header >= TOKEN.1 && claims.is_some_and(|claims| run(claims, in_a_token) >= TOKEN.1)
}

/// The kinds of secrets that a file holds.
fn secrets(bytes: &[u8]) -> Vec<&'static str> {
    let mut pem = behind(bytes, BEGIN).map(|rest| &rest[..run(rest, |byte| byte != b'\n')]);
    let mut ledger = behind(bytes, LEDGER);
    let mut seed = behind(bytes, SEED.0);
    let mut token = behind(bytes, TOKEN.0);
    let in_a_seed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let named = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_alphanumeric);
    [
        (
            "a private key",
            pem.any(|line| places(line, PRIVATE).next().is_some()),
        ),
        ("a private key of a ledger", ledger.any(named)),
        (
            "a seed of NATS",
            seed.any(|rest| run(rest, in_a_seed) >= SEED.1),
        ),
        ("a token", token.any(is_token)),
    ]
    .into_iter()
    .filter_map(|(kind, found)| found.then_some(kind))
    .collect()
}

/// The files that git keeps, or a message that says why the test is skipped.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["ls-files", "-z"]);
    match git.output() {
        Ok(listed) if listed.status.success() && !listed.stdout.is_empty() => {
            let names = String::from_utf8(listed.stdout).unwrap();
            Some(names.split_terminator('\0').map(str::to_owned).collect())
        }
        Ok(listed) => {
            let why = String::from_utf8_lossy(&listed.stderr).into_owned();
            let why = format!("git lists no files of this folder: {}", why.trim());
            cannot_run(Need::Program, &why);
            None
        }
        Err(error) => {
            cannot_run(Need::Program, &format!("there is no git: {error}"));
            None
        }
    }
}

#[test]
fn no_file_that_git_keeps_holds_a_secret() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(names) = tracked(root) else { return };
    assert!(names.len() > 100, "{names:?}");
    let mut found = Vec::new();
    for name in names {
        // A link leads to another file, and what was removed has not been committed yet.
        let Ok(bytes) = std::fs::read(root.join(&name)) else {
            continue;
        };
        let secrets = secrets(&bytes);
        let known = MADE_FOR_TESTS.contains(&name.as_str());
        assert!(!known || !secrets.is_empty(), "{name} needs no exception");
        if !known {
            found.extend(secrets.into_iter().map(|kind| format!("{name}: {kind}")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_looked_for_is_found() {
    let (begin, private) = (BEGIN.escape_ascii(), PRIVATE.escape_ascii());
    let seed = format!("SU{}", "A7".repeat(28));
    let part = "Abc_-01234";
    for (text, kind) in [
        (format!("x\n{begin}{private}\nAQID"), "a private key"),
        (format!("{begin}RSA {private}"), "a private key"),
        (format!("\"{seed}\""), "a seed of NATS"),
        (format!("Bearer eyJ{part}.eyJ{part}.{part}"), "a token"),
        (
            format!("{}name+0+A", LEDGER.escape_ascii()),
            "a private key of a ledger",
        ),
    ] {
        assert_eq!(secrets(text.as_bytes()), [kind], "{text}");
    }
    for text in [
        format!("{begin}PUBLIC KEY-----\n{private}"),
        seed[1..].to_owned(),
        seed[..57].to_owned(),
        format!("eyJ{part}…"),
        format!("eyJ{part}.x"),
        format!("{}<name>", LEDGER.escape_ascii()),
    ] {
        assert!(secrets(text.as_bytes()).is_empty(), "{text}");
    }
}
