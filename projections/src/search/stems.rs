//! Which words of a query a text contains, by the index's own rule for word endings.

use std::collections::HashSet;

use lancedb::table::tokenize;

use super::error::SearchError;
use super::index::full_text_settings;

/// The words of a query, each with the form under which the index knows it.
pub(super) struct Stems(Vec<(String, Vec<String>)>);

impl Stems {
    pub(super) fn of(words: Vec<String>) -> Result<Self, SearchError> {
        let all: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut found = vec![Vec::new(); all.len()];
        for (place, stem) in stems_by_word(&all)? {
            if let Some(stems) = found.get_mut(place) {
                stems.push(stem);
            }
        }
        Ok(Self(words.into_iter().zip(found).collect()))
    }

    /// The stems of all words.
    pub(super) fn all(self) -> HashSet<String> {
        self.0.into_iter().flat_map(|(_, stems)| stems).collect()
    }

    /// The different stems, in the order of the words.
    pub(super) fn in_order(self) -> Vec<String> {
        let mut seen = HashSet::new();
        let all = self.0.into_iter().flat_map(|(_, stems)| stems);
        all.filter(|stem| seen.insert(stem.clone())).collect()
    }

    /// The words whose stem occurs in an indexed text.
    pub(super) fn matched(&self, text: &str) -> Result<Vec<String>, SearchError> {
        let text: HashSet<String> = stems(text)?.collect();
        Ok(self.matching(|stem| text.contains(stem)))
    }

    /// The words whose stems occur.
    pub(super) fn matching(&self, occurs: impl Fn(&str) -> bool) -> Vec<String> {
        let found = |stems: &[String]| !stems.is_empty() && stems.iter().all(|stem| occurs(stem));
        let found = self.0.iter().filter(|(_, stems)| found(stems));
        found.map(|(word, _)| word.clone()).collect()
    }
}

/// The stems of a text. An indexed text repeats the words of strong fields; each is read once.
fn stems(text: &str) -> Result<impl Iterator<Item = String> + use<>, SearchError> {
    let words: HashSet<&str> = text.split_whitespace().collect();
    let words: Vec<&str> = words.into_iter().collect();
    let tokens = tokenize(&words.join(" "), &full_text_settings())?;
    Ok(tokens.into_iter().map(|token| token.text))
}

/// The stems of words, each with its word's place. A word that the index would not keep has none.
pub(super) fn stems_by_word(words: &[&str]) -> Result<Vec<(usize, String)>, SearchError> {
    let mut placed = Vec::with_capacity(words.len());
    place(words, 0, &mut placed)?;
    Ok(placed)
}

/// The same of a stretch of words. The index cuts some words once more, such as one with a mark that is no letter, and
/// counts the places behind it on: so a stretch in which the count is not that of the words is halved until it is.
fn place(
    words: &[&str],
    begin: usize,
    placed: &mut Vec<(usize, String)>,
) -> Result<(), SearchError> {
    // Places are counted from the first word that is kept: so one that is kept comes first. Another one comes last, and
    // tells how far was counted.
    let text = format!("first {} last", words.join(" "));
    let tokens = tokenize(&text, &full_text_settings())?;
    let counted = tokens.last().map_or(0, |last| last.position as usize);
    if counted != words.len() + 1 && words.len() > 1 {
        let (front, back) = words.split_at(words.len() / 2);
        place(front, begin, placed)?;
        return place(back, begin + front.len(), placed);
    }
    let between = 1..tokens.len().saturating_sub(1).max(1);
    for token in tokens.into_iter().take(between.end).skip(between.start) {
        let at = match words.len() {
            1 => 0,
            _ => (token.position as usize).saturating_sub(1),
        };
        placed.push((begin + at, token.text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_the_index_does_not_keep_moves_no_other_ones_place() {
        let long = "x".repeat(60);
        let stems = stems_by_word(&[&long, "files", &long, "reading"]).unwrap();
        assert_eq!(stems, [(1, "file".to_owned()), (3, "read".to_owned())]);
    }

    #[test]
    fn a_word_that_the_index_cuts_moves_no_other_ones_place() {
        let cut = "\u{130}stanbul".to_lowercase();
        let marked = ["files", &cut, "reading", &cut, "writes"];
        let stems = stems_by_word(&marked).unwrap();
        let of = |place: usize| stems.iter().filter(move |(at, _)| *at == place);
        for (place, stem) in [(0, "file"), (2, "read"), (4, "write")] {
            let its: Vec<_> = of(place).map(|(_, stem)| stem.as_str()).collect();
            assert_eq!(its, [stem], "{stems:?}");
        }
        assert!(of(1).count() > 1, "{stems:?}");
        assert_eq!(of(1).count(), of(3).count(), "{stems:?}");
    }

    #[test]
    fn stems_stand_in_the_order_of_their_words_and_once() {
        let words = ["reads", "files", "reading"].map(str::to_owned);
        let stems = Stems::of(words.to_vec()).unwrap();
        assert_eq!(stems.matching(|stem| stem == "read"), ["reads", "reading"]);
        assert_eq!(stems.in_order(), ["read", "file"]);
    }
}
