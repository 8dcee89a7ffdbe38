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
    // Places are counted from the first word that is kept: so one that is kept comes first.
    let text = format!("first {}", words.join(" "));
    let tokens = tokenize(&text, &full_text_settings())?;
    let placed = tokens.into_iter().filter_map(|token| {
        let place = usize::try_from(token.position).ok()?.checked_sub(1)?;
        Some((place, token.text))
    });
    Ok(placed.collect())
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
    fn stems_stand_in_the_order_of_their_words_and_once() {
        let words = ["reads", "files", "reading"].map(str::to_owned);
        let stems = Stems::of(words.to_vec()).unwrap();
        assert_eq!(stems.matching(|stem| stem == "read"), ["reads", "reading"]);
        assert_eq!(stems.in_order(), ["read", "file"]);
    }
}
