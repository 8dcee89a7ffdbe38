use super::report::{Kind, Outcome, Reason, Report};
use super::standing::{Duplicates, Servers};
use super::{Note, Observer, Severity};
use std::sync::Mutex;

#[test]
fn a_duplicate_names_the_first_line_and_parts_do_not_run_together() {
    let mut seen = Duplicates::default();
    assert!(seen.check(&["a", "bc"], b"one", 1).is_ok());
    assert!(seen.check(&["ab", "c"], b"one", 2).is_ok());
    let error = seen.check(&["a", "bc"], b"one", 9).unwrap_err();
    assert_eq!(error, Reason::new("DUPLICATE", "the same tool as line 1"));
    let error = seen.check(&["a", "bc"], b"two", 9).unwrap_err();
    assert!(error.message.contains("line 1 counts"), "{}", error.message);
}

#[test]
fn a_tool_needs_a_server_in_use() {
    let mut servers = Servers::default();
    servers.registered("one".into());
    servers.learn("two", None);
    assert!(servers.has("one") && servers.has("two") && !servers.has("three"));
    assert!(servers.check("one", "one").is_ok());
    assert_eq!(
        servers.check("two", "two").unwrap_err().code,
        "SERVER_NOT_FOUND"
    );
}

/// Keeps the notes that it is shown.
#[derive(Default)]
struct Shown(Mutex<Vec<Note>>);

impl Observer for Shown {
    fn noted(&self, note: &Note) {
        self.0.lock().unwrap().push(note.clone());
    }
}

#[test]
fn counts_every_line_and_shows_the_first_of_each_reason() {
    let shown = Shown::default();
    let mut report = Report::new(&shown, 2);
    for line in 1..=5 {
        let bad = Outcome::Rejected(Reason::new("NOT_JSON", "not JSON"));
        report.line(Kind::Servers, ("s", line), bad, vec![]);
    }
    let warning = vec![Reason::new("TEXT_CUT", "cut")];
    report.line(
        Kind::Tools,
        ("t", 1),
        Outcome::Registered(7),
        warning.clone(),
    );
    report.line(Kind::Tools, ("t", 2), Outcome::Registered(5), vec![]);
    report.line(Kind::Tools, ("t", 3), Outcome::AlreadyThere(None), vec![]);
    report.line(Kind::Tools, ("t", 4), Outcome::Abandoned, warning);
    let summary = report.finish(true);
    assert_eq!(summary.servers.rejected, 5);
    assert_eq!(
        summary.tools.to_string(),
        "2 registered, 1 already there, 0 rejected"
    );
    assert_eq!(summary.rejected, [("NOT_JSON", 5)].into());
    assert_eq!(summary.warnings, [("TEXT_CUT", 1)].into());
    assert_eq!(summary.last_stream_sequence, Some(7));
    assert_eq!(summary.notes, *shown.0.lock().unwrap());
    let notes: Vec<String> = summary.notes.iter().map(ToString::to_string).collect();
    let expected = [
        "s:1: not JSON (NOT_JSON)",
        "s:2: not JSON (NOT_JSON)",
        "t:1: warning: cut (TEXT_CUT)",
    ];
    assert_eq!(notes, expected);
    assert_eq!(summary.notes[2].severity, Severity::Warning);
    let text = summary.to_string();
    assert!(text.contains("rejected  5 × NOT_JSON"), "{text}");
    assert!(text.contains("for 8 lines"), "{text}");
    assert!(
        text.contains("interrupted: run the same command again"),
        "{text}"
    );
    assert_eq!(
        serde_json::to_value(&summary).unwrap()["tools"]["already_there"],
        1
    );
    assert!(!summary.is_whole());
}

#[test]
fn a_message_cannot_write_to_a_terminal() {
    let reason = Reason::new("X", format!("\u{1b}[2J\nline\u{202e} {}", "x".repeat(1000)));
    assert!(
        reason.message.starts_with("[2J line x"),
        "{}",
        reason.message
    );
    assert_eq!(reason.message.chars().count(), 300);
}
