//! Whether the patterns of a schema are regular expressions.
//!
//! JSON Schema asks for those of ECMA-262 (2020-12, core, section 6.4). Many schemas are made by programs of other
//! languages, whose expressions differ in details that the validator knows; these are taken too.

use super::Dialect;
use jsonschema::PatternOptions;
use serde_json::json;

/// Longest pattern, in bytes. The longest that are in use, which name all emoji, have a good half of it.
const MAX_PATTERN: usize = 16 * 1024;
/// Patterns of one schema that are no ECMA-262. Each is compiled to know whether it is one at all.
const MAX_FOREIGN: usize = 32;
/// Largest compiled pattern that is no ECMA-262, in bytes.
const MAX_COMPILED: usize = 256 * 1024;

/// Judges the patterns of one schema.
#[derive(Default)]
pub(super) struct Patterns {
    foreign: usize,
}

impl Patterns {
    /// # Errors
    /// What is wrong with the pattern.
    pub(super) fn check(&mut self, pattern: &str) -> Result<(), &'static str> {
        if pattern.len() > MAX_PATTERN {
            return Err("the pattern is longer than 16 KiB");
        }
        if is_ecma(pattern) || is_ecma(&spelled_out(pattern)) {
            return Ok(());
        }
        self.foreign += 1;
        if self.foreign <= MAX_FOREIGN && compiles(pattern) {
            return Ok(());
        }
        Err("the pattern is no regular expression of ECMA-262")
    }
}

/// Draft 7 demands it in its own document, where later drafts only recommend it.
fn is_ecma(pattern: &str) -> bool {
    let schema = json!({ "pattern": pattern });
    Dialect::Draft7.validator().is_valid(&schema)
}

/// The pattern with a backslash before each hyphen beside `\d`, `\s`, `\w` or one of their opposites. In a class no
/// range can begin or end there, and the hyphen means itself (ECMA-262, annex B.1.2), as it does elsewhere anyway.
fn spelled_out(pattern: &str) -> String {
    let is_class = |c: char| matches!(c, 'd' | 'D' | 's' | 'S' | 'w' | 'W');
    let mut spelled = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    let mut beside = false;
    while let Some(c) = chars.next() {
        if c == '\\' {
            let escaped = chars.next();
            spelled.push(c);
            spelled.extend(escaped);
            beside = escaped.is_some_and(is_class);
            continue;
        }
        let before = chars.as_str().strip_prefix('\\');
        if c == '-' && (beside || before.is_some_and(|rest| rest.starts_with(is_class))) {
            spelled.push('\\');
        }
        spelled.push(c);
        beside = false;
    }
    spelled
}

fn compiles(pattern: &str) -> bool {
    let options = PatternOptions::fancy_regex().size_limit(MAX_COMPILED);
    jsonschema::draft202012::options()
        .with_pattern_options(options)
        .build(&json!({ "pattern": pattern }))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_other_languages_are_taken_and_broken_ones_are_not() {
        for pattern in [
            "^a+$",
            "(?i)^a$",
            "(?P<year>[0-9]{4})",
            "^[\\w-\\.]+$",
            "[a-\\d]",
            "(?=a)b",
        ] {
            assert_eq!(Patterns::default().check(pattern), Ok(()), "{pattern}");
        }
        for pattern in ["[", "(a", "*a", "a{2,1}", "\\", "(?<n>a)(?<n>b)"] {
            assert!(Patterns::default().check(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn the_work_for_one_schema_is_bounded() {
        let mut patterns = Patterns::default();
        for number in 0..MAX_FOREIGN {
            assert_eq!(patterns.check(&format!("(?i)a{number}")), Ok(()));
        }
        assert!(patterns.check("(?i)b").is_err());
        assert!(patterns.check("b").is_ok());
        assert!(patterns.check(&"a".repeat(MAX_PATTERN + 1)).is_err());
        assert!(patterns.check(&"a".repeat(MAX_PATTERN)).is_ok());
    }
}
