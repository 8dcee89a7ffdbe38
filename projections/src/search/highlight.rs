//! The part of a text that tells why it was found, with the matched words marked.

use std::collections::HashSet;
use std::ops::Range;

use super::error::SearchError;
use super::stems::{Stems, stems_by_word};
use super::words::words;

/// Characters of an excerpt.
const EXCERPT: usize = 160;
/// Characters before the first matched word.
const BEFORE: usize = 40;
/// Bytes of a text that are read: descriptions are shorter.
const MAX_TEXT: usize = 16_384;

/// A piece of an excerpt. The pieces one after the other are the excerpt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The piece, as it stands in the text.
    pub text: String,
    /// Whether it is a word that was searched for.
    pub highlighted: bool,
}

/// An excerpt of about 160 characters around the first of the words that `matched` names, word endings aside;
/// nothing when the text holds none of them. An ellipsis stands where the text goes on.
///
/// # Errors
/// [`SearchError::Lance`] when the index's rule for word endings cannot be applied.
pub fn highlight(text: &str, matched: &[String]) -> Result<Vec<Fragment>, SearchError> {
    if matched.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Stems::of(matched.to_vec())?.all();
    let end = (0..=MAX_TEXT.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    let text = &text[..end.unwrap_or(0)];
    let marked = marked(text, &wanted)?;
    let Some(first) = marked.first() else {
        return Ok(Vec::new());
    };
    let shown = window(text, first.start);
    let mut out = Vec::new();
    if shown.start > 0 {
        push(&mut out, "…", false);
    }
    let mut at = shown.start;
    for word in marked.iter().filter(|word| word.end <= shown.end) {
        push(&mut out, &text[at..word.start], false);
        push(&mut out, &text[word.clone()], true);
        at = word.end;
    }
    push(&mut out, &text[at..shown.end], false);
    if shown.end < text.len() {
        push(&mut out, "…", false);
    }
    Ok(out)
}

/// The runs of letters and digits of which a part is wanted.
fn marked(text: &str, wanted: &HashSet<String>) -> Result<Vec<Range<usize>>, SearchError> {
    let runs = runs(text);
    let parts: Vec<(usize, String)> = runs
        .iter()
        .enumerate()
        .flat_map(|(run, range)| {
            words(&text[range.clone()])
                .into_iter()
                .map(move |w| (run, w))
        })
        .collect();
    let spoken: Vec<&str> = parts.iter().map(|(_, word)| word.as_str()).collect();
    let hit: HashSet<usize> = stems_by_word(&spoken)?
        .into_iter()
        .filter(|(_, stem)| wanted.contains(stem))
        .filter_map(|(word, _)| parts.get(word).map(|(run, _)| *run))
        .collect();
    let runs = runs.into_iter().enumerate();
    Ok(runs
        .filter(|(run, _)| hit.contains(run))
        .map(|(_, range)| range)
        .collect())
}

fn runs(text: &str) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for (at, char) in text.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
        let end = at + char.len_utf8();
        match out.last_mut() {
            Some(run) if run.end == at => run.end = end,
            Some(_) | None => out.push(at..end),
        }
    }
    out
}

/// The part of the text to show, from and to a white space where one is near.
fn window(text: &str, first: usize) -> Range<usize> {
    let back = text[..first].char_indices().rev().nth(BEFORE - 1);
    let start = back.map_or(0, |(at, _)| {
        let space = text[at..first].find(char::is_whitespace);
        space.map_or(at, |space| at + space + 1)
    });
    // A wide space is more than a byte.
    let start = (start..=first)
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(first);
    let ahead = text[start..].char_indices().nth(EXCERPT);
    let end = ahead.map_or(text.len(), |(length, _)| {
        let end = start + length;
        let space = text[start..end].rfind(char::is_whitespace);
        space.map_or(end, |space| start + space)
    });
    start..end
}

fn push(out: &mut Vec<Fragment>, text: &str, highlighted: bool) {
    if text.is_empty() {
        return;
    }
    match out.last_mut() {
        Some(last) if last.highlighted == highlighted => last.text.push_str(text),
        Some(_) | None => out.push(Fragment {
            text: text.to_owned(),
            highlighted,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, matched: &[&str]) -> String {
        let matched: Vec<String> = matched.iter().map(|word| (*word).to_owned()).collect();
        let fragments = highlight(text, &matched).unwrap();
        let mark = |fragment: Fragment| match fragment.highlighted {
            true => format!("[{}]", fragment.text),
            false => fragment.text,
        };
        fragments.into_iter().map(mark).collect()
    }

    #[test]
    fn words_are_marked_as_they_stand_word_endings_aside() {
        assert_eq!(
            shown(
                "Creates a pull-request; see createPullRequest.",
                &["creating", "request"]
            ),
            "[Creates] a pull-[request]; see [createPullRequest]."
        );
        assert_eq!(shown("Sends mail.", &["row"]), "");
        assert_eq!(shown("Sends mail.", &[]), "");
        assert_eq!(
            shown("查询车票 und Züge", &["车票", "züge"]),
            "[查询车票] und [Züge]"
        );
    }

    #[test]
    fn a_long_text_is_cut_around_the_first_word() {
        let text = format!("{}needle {}", "hay ".repeat(100), "straw ".repeat(100));
        let excerpt = shown(&text, &["needle"]);
        assert!(
            excerpt.starts_with("…hay ") && excerpt.ends_with("straw…"),
            "{excerpt}"
        );
        assert!(excerpt.contains("[needle]") && excerpt.chars().count() <= EXCERPT + 4);
        let wide = format!("{}\u{3000}needle", "字".repeat(10_000));
        assert!(shown(&wide[wide.len() - 300..], &["needle"]).ends_with("[needle]"));
    }
}
