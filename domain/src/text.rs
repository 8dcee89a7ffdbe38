//! Rules for text that strangers write. Names and descriptions of upstream tools are untrusted: control,
//! bidirectional and zero-width characters can hide instructions from a reviewer while a model reads them.

use crate::run::run;

/// What [`clean`] took out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The text without the hidden characters, trimmed.
    pub text: String,
    /// How many characters were removed, not counting white space at the ends.
    pub removed: usize,
}

/// True for a character that a reader cannot see or that reorders what he sees: controls (except line
/// feed and tab), bidirectional marks and isolates, zero-width and invisible formatting characters,
/// and the tag block.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
            | '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// True when the text holds no hidden character.
#[must_use]
pub fn is_clean(text: &str) -> bool {
    // Nearly every text is of printable ASCII, which is told without decoding it.
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    run(text.as_bytes(), plain) == text.len() || !text.chars().any(is_hidden)
}

/// Removes hidden characters and surrounding white space. CR LF becomes LF and is not counted.
#[must_use]
pub fn clean(text: &str) -> Cleaned {
    let unix = text.replace("\r\n", "\n");
    let kept: String = unix.chars().filter(|c| !is_hidden(*c)).collect();
    let removed = unix.chars().count() - kept.chars().count();
    Cleaned {
        text: kept.trim().to_owned(),
        removed,
    }
}

/// The text with each hidden character, line break and tab written out, such as `\u{202e}`: for a refusal that
/// repeats what a stranger wrote.
#[must_use]
pub fn written_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_and_counts_what_hides() {
        let dirty = "List\u{200b} files\u{202e}\u{e0041} \r\nnow\u{7}\t日本語 ";
        let cleaned = clean(dirty);
        assert_eq!(cleaned.text, "List files \nnow\t日本語");
        assert_eq!(cleaned.removed, 4);
        assert!(is_clean(&cleaned.text) && !is_clean(dirty));
    }

    #[test]
    fn what_hides_is_written_out_and_the_rest_stays() {
        assert_eq!(
            written_out("a\u{202e}b\u{200b}\n日本語"),
            "a\\u{202e}b\\u{200b}\\n日本語"
        );
    }
}
