//! Which words of a query a text contains, by the index's own rule for word endings.

use std::collections::HashSet;

use lancedb::table::tokenize;

use super::error::SearchError;
use super::index::full_text_settings;

/// The words of a query, each with the form under which the index knows it.
pub(super) struct Stems(Vec<(String, Vec<String>)>);

impl Stems {
    pub(super) fn of(words: Vec<String>) -> Result<Self, SearchError> {
        let stem = |word: String| stems(&word).map(|stems| (word, stems.collect()));
        Ok(Self(words.into_iter().map(stem).collect::<Result<_, _>>()?))
    }

    /// The stems of all words.
    pub(super) fn all(self) -> HashSet<String> {
        self.0.into_iter().flat_map(|(_, stems)| stems).collect()
    }

    /// The words whose stem occurs in an indexed text.
    pub(super) fn matched(&self, text: &str) -> Result<Vec<String>, SearchError> {
        let text: HashSet<String> = stems(text)?.collect();
        let found =
            |stems: &[String]| !stems.is_empty() && stems.iter().all(|stem| text.contains(stem));
        Ok(self
            .0
            .iter()
            .filter(|(_, stems)| found(stems))
            .map(|(word, _)| word.clone())
            .collect())
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
    let tokens = tokenize(&words.join(" "), &full_text_settings())?;
    let placed = tokens
        .into_iter()
        .filter_map(|token| Some((usize::try_from(token.position).ok()?, token.text)));
    Ok(placed.collect())
}
