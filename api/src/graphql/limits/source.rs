//! The source of a document, before the parser sees it.

use super::refused;
use crate::error::ApiError;

/// Most lexical tokens of a document.
pub(super) const MAX_TOKENS: usize = 10_000;
/// Deepest nesting of brackets of any kind in a document's source.
pub(super) const MAX_NESTING: usize = 64;

/// Checks the source before it is parsed.
///
/// # Errors
/// [`ApiError::Invalid`] with `TOO_MANY_TOKENS` or `QUERY_TOO_DEEP`.
pub(in crate::graphql) fn check_source(source: &str) -> Result<(), ApiError> {
    let (tokens, nesting) = scan(source);
    if tokens > MAX_TOKENS {
        return Err(refused(
            "TOO_MANY_TOKENS",
            format!("the document has more than {MAX_TOKENS} tokens, which is the limit"),
        ));
    }
    if nesting > MAX_NESTING {
        return Err(refused(
            "QUERY_TOO_DEEP",
            format!("brackets are nested deeper than {MAX_NESTING}, which is the limit"),
        ));
    }
    Ok(())
}

/// Number of tokens and deepest nesting (GraphQL specification, October 2021, section 2.1). Does not judge
/// whether the source is sound: the parser does.
pub(super) fn scan(source: &str) -> (usize, usize) {
    let bytes = source.as_bytes();
    let (mut tokens, mut nesting, mut deepest, mut at) = (0, 0_usize, 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += bytes[at..]
                    .iter()
                    .take_while(|b| !matches!(b, b'\n' | b'\r'))
                    .count();
                continue;
            }
            b'"' => at = string_end(bytes, at),
            b'{' | b'(' | b'[' => {
                nesting += 1;
                deepest = deepest.max(nesting);
                at += 1;
            }
            b'}' | b')' | b']' => {
                nesting = nesting.saturating_sub(1);
                at += 1;
            }
            b if is_word(*b) => at += bytes[at..].iter().take_while(|b| is_word(**b)).count(),
            _ => at += 1,
        }
        tokens += 1;
    }
    (tokens, deepest)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+')
}

/// The position after the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    let (quote, escape): (&[u8], &[u8]) = if rest.starts_with(b"\"\"\"") {
        (b"\"\"\"", b"\\\"\"\"")
    } else {
        (b"\"", b"\\")
    };
    let mut at = quote.len();
    while at < rest.len() {
        if rest[at..].starts_with(escape) {
            // A plain escape hides the character after it; a block string's hides its own quotes.
            at += escape.len().max(2);
        } else if rest[at..].starts_with(quote) {
            return start + at + quote.len();
        } else {
            at += 1;
        }
    }
    bytes.len()
}
