//! Rules for text that strangers write. Names and descriptions of upstream tools are untrusted: control,
//! bidirectional and invisible characters can hide instructions from a reviewer while a model reads them.
//!
//! The rules hold for what comes in. Events are never judged by them, so a rule may become stricter.

use crate::run::run;

/// What [`clean`] took out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The text without the hidden characters, trimmed.
    pub text: String,
    /// How many characters were removed, not counting white space at the ends.
    pub removed: usize,
}

/// What [`is_hidden`] finds, in the words of a refusal.
pub const HIDDEN_KINDS: &str =
    "control, bidirectional, zero-width, fillers, variation selectors other than U+FE0F";

/// True for a character that a reader cannot see or that reorders what he sees: controls (except line
/// feed and tab), bidirectional marks and isolates, zero-width and invisible formatting characters,
/// fillers and blanks that look like nothing, variation selectors, and the block of tags.
///
/// Variation selectors carry any bytes unseen, one in each of them. U+FE0F alone is let through: it makes emoji of
/// characters that are text otherwise, and stands in many honest descriptions. Those of Mongolian (U+180B to U+180D,
/// U+180F) and its vowel separator (U+180E) are refused as those of Han characters are: they choose the form of a
/// letter, and the text is read without them.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
            | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}'
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
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
    use std::ops::RangeInclusive;

    /// What shows nothing where a font does not know it: `Default_Ignorable_Code_Point` of Unicode 14.0,
    /// `DerivedCoreProperties.txt`.
    const DEFAULT_IGNORABLE: [RangeInclusive<char>; 17] = [
        '\u{ad}'..='\u{ad}',
        '\u{34f}'..='\u{34f}',
        '\u{61c}'..='\u{61c}',
        '\u{115f}'..='\u{1160}',
        '\u{17b4}'..='\u{17b5}',
        '\u{180b}'..='\u{180f}',
        '\u{200b}'..='\u{200f}',
        '\u{202a}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{3164}'..='\u{3164}',
        '\u{fe00}'..='\u{fe0f}',
        '\u{feff}'..='\u{feff}',
        '\u{ffa0}'..='\u{ffa0}',
        '\u{fff0}'..='\u{fff8}',
        '\u{1bca0}'..='\u{1bca3}',
        '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e0fff}',
    ];

    #[test]
    fn what_unicode_calls_ignorable_hides_but_for_the_selector_of_emoji() {
        for c in DEFAULT_IGNORABLE.into_iter().flatten() {
            assert_eq!(is_hidden(c), c != '\u{fe0f}', "{}", c.escape_unicode());
        }
    }

    #[test]
    fn strips_and_counts_what_hides() {
        let dirty = "List\u{200b} files\u{202e}\u{e0041} \r\nnow\u{7}\t日本語 ";
        let cleaned = clean(dirty);
        assert_eq!(cleaned.text, "List files \nnow\t日本語");
        assert_eq!(cleaned.removed, 4);
        assert!(is_clean(&cleaned.text) && !is_clean(dirty));
    }

    #[test]
    fn variation_selectors_and_fillers_hide_and_emoji_do_not() {
        let selectors = ('\u{fe00}'..='\u{fe0e}')
            .chain('\u{e0100}'..='\u{e01ef}')
            .chain('\u{180b}'..='\u{180f}');
        let fillers = "\u{115f}\u{1160}\u{3164}\u{ffa0}\u{34f}\u{17b4}\u{17b5}\u{2800}";
        for hiding in selectors.chain(fillers.chars()) {
            let dirty = format!("Lists{hiding} files");
            assert!(!is_clean(&dirty), "{}", written_out(&dirty));
            let (text, removed) = ("Lists files".to_owned(), 1);
            assert_eq!(clean(&dirty), Cleaned { text, removed });
        }
        let honest = [
            "Sends \u{2764}\u{fe0f} to all",
            "한국어",
            "ភាសាខ្មែរ",
            "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ",
            "⠓⠊",
        ];
        for sound in honest {
            assert!(is_clean(sound), "{sound}");
        }
    }

    #[test]
    fn what_hides_is_written_out_and_the_rest_stays() {
        assert_eq!(
            written_out("a\u{202e}b\u{200b}\n日本語"),
            "a\\u{202e}b\\u{200b}\\n日本語"
        );
    }
}
