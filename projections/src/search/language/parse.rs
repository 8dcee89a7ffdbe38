//! From a line to words and filters.

use super::filter::Refused;
use super::{Key, LanguageError, SearchFilter, SearchQuery};

/// Names that look like a filter which are told to the caller.
const MAX_UNKNOWN: usize = 5;
/// Longest such name.
const MAX_NAME: usize = 20;

/// What stands at a place of the line where a word begins.
enum Found<'a> {
    /// `key:value`, `-key:value`, `+"phrase"` or `-"phrase"`.
    Filter(Key, bool, String),
    /// `"phrase"`, a filter or a part of the text.
    Quoted(String),
    /// Text, without the backslash that made it text.
    Text(&'a str),
}

/// Words in quotes, without a sign before them, above which they are a sentence that somebody quotes: agents do.
const PHRASE_WORDS: usize = 5;

impl SearchQuery {
    /// Reads a line.
    ///
    /// # Errors
    /// [`LanguageError`] for a known key with a value that it cannot have.
    pub fn parse(line: &str) -> Result<Self, LanguageError> {
        let (mut query, mut quoted) = (Self::default(), Vec::new());
        let (mut only_filters, mut gap, mut at) = (true, ' ', 0);
        while at < line.len() {
            let rest = &line[at..];
            let word = rest.trim_start();
            if word.len() < rest.len() {
                let space = &rest[..rest.len() - word.len()];
                // A line break ends a sentence, so it is kept.
                if space.contains('\n') {
                    gap = '\n';
                }
                at += space.len();
                continue;
            }
            let (found, length) = read(word);
            let position = line[..at].chars().count() + 1;
            let text = match found {
                Found::Filter(key, negated, value) => {
                    let pushed = query.filter.push(key, &value, negated);
                    pushed.map_err(|refused| located(refused, key, position))?;
                    None
                }
                Found::Quoted(phrase) => {
                    if phrase.split_whitespace().nth(PHRASE_WORDS).is_none() {
                        quoted.push((phrase, position));
                    } else {
                        only_filters = false;
                    }
                    Some(spaced(&word[..length]))
                }
                Found::Text(text) => {
                    only_filters = false;
                    query.note_unknown(text);
                    Some(text.to_owned())
                }
            };
            if let Some(text) = text {
                if !query.text.is_empty() {
                    query.text.push(gap);
                }
                query.text.push_str(&text);
                gap = ' ';
            }
            at += length;
        }
        if only_filters {
            query.text.clear();
            for (phrase, position) in quoted {
                let pushed = query.filter.push(Key::Phrase, &phrase, false);
                pushed.map_err(|refused| located(refused, Key::Phrase, position))?;
            }
        }
        Ok(query)
    }

    /// Remembers a word such as `owner:acme`. What follows the colon of an address or a path is no value.
    fn note_unknown(&mut self, text: &str) {
        let Some((name, value)) = text.trim_start_matches('-').split_once(':') else {
            return;
        };
        let is_name = (2..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_value = value.starts_with(|c: char| c.is_alphanumeric() || "\"<>=^~".contains(c));
        if is_name && is_value && Key::named(name).is_none() && self.unknown.len() < MAX_UNKNOWN {
            self.unknown.push(name.to_owned());
        }
    }
}

fn located(refused: Refused, key: Key, position: usize) -> LanguageError {
    match refused {
        Refused::BadValue(value) => LanguageError::BadValue {
            position,
            key: key.name(),
            value,
            allowed: key.allowed(),
        },
        Refused::Twice => LanguageError::Twice {
            position,
            key: key.name(),
        },
        Refused::TooMany => SearchFilter::too_many(),
    }
}

/// Reads what stands at the beginning of `rest`, and the number of bytes that it takes.
fn read(rest: &str) -> (Found<'_>, usize) {
    let word = first_word(rest);
    let (sign, unsigned) = match rest.as_bytes().first() {
        Some(sign @ (b'-' | b'+')) => (Some(*sign), &rest[1..]),
        _ => (None, rest),
    };
    let signs = rest.len() - unsigned.len();
    if let Some((phrase, length)) = quoted(unsigned) {
        let found = match sign {
            Some(sign) => Found::Filter(Key::Phrase, sign == b'-', phrase),
            None => Found::Quoted(phrase),
        };
        return (found, signs + length);
    }
    if sign != Some(b'+')
        && let Some((key, value)) = keyed(unsigned)
    {
        let before = rest.len() - value.len();
        let (value, length) = quoted(value)
            .unwrap_or_else(|| (first_word(value).to_owned(), first_word(value).len()));
        return (
            Found::Filter(key, sign == Some(b'-'), value),
            before + length,
        );
    }
    let text = match word.strip_prefix('\\') {
        Some(text) if may_be_filter(text) => text,
        Some(_) | None => word,
    };
    (Found::Text(text), word.len())
}

/// Whether a word could be read as the beginning of a filter, backslashes before it aside. Then a backslash more
/// makes it text, and printing writes one.
pub(super) fn may_be_filter(word: &str) -> bool {
    let bare = word.trim_start_matches('\\');
    let unsigned = bare.strip_prefix(['-', '+']).unwrap_or(bare);
    unsigned.starts_with('"') || keyed(unsigned).is_some()
}

/// The key before a colon, and what follows. Without a value behind the colon, both are text.
fn keyed(text: &str) -> Option<(Key, &str)> {
    let (name, value) = first_word(text).split_once(':')?;
    let key = Key::named(name).filter(|_| !value.is_empty())?;
    Some((key, &text[name.len() + 1..]))
}

/// A text in quotes that the end or white space follows, and the bytes that it takes. Inside, `\"` is a quote
/// and `\\` a backslash.
fn quoted(text: &str) -> Option<(String, usize)> {
    let (mut value, mut chars) = (String::new(), text.strip_prefix('"')?.char_indices());
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                let length = 1 + at + 1;
                let ends = text[length..]
                    .chars()
                    .next()
                    .is_none_or(char::is_whitespace);
                return (ends && !value.trim().is_empty()).then_some((value, length));
            }
            '\\' => {
                let escaped = chars.clone().next().map(|(_, next)| next);
                match escaped.filter(|next| matches!(next, '"' | '\\')) {
                    Some(next) => {
                        value.push(next);
                        chars.next();
                    }
                    None => value.push('\\'),
                }
            }
            other => value.push(other),
        }
    }
    None
}

/// The text with one space between its words, or one line break.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = None;
    for char in text.chars() {
        if char.is_whitespace() {
            gap = Some(if char == '\n' {
                '\n'
            } else {
                gap.unwrap_or(' ')
            });
        } else {
            out.extend(gap.take());
            out.push(char);
        }
    }
    out
}

fn first_word(text: &str) -> &str {
    text.split(char::is_whitespace).next().unwrap_or_default()
}
