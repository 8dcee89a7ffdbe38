//! Which words of a query a text contains, by the index's own rule for word endings.

use std::collections::HashSet;

use lancedb::table::tokenize;

use super::error::SearchError;
use super::index::full_text_settings;

/// The words of `terms` whose stem occurs in an indexed text.
pub(super) fn matched(terms: &[String], text: &str) -> Result<Vec<String>, SearchError> {
    let text: HashSet<String> = tokenize(text, &full_text_settings())?.into_iter().map(|token| token.text).collect();
    let mut out = Vec::new();
    for term in terms {
        let stems = tokenize(term, &full_text_settings())?;
        if !stems.is_empty() && stems.iter().all(|stem| text.contains(&stem.text)) {
            out.push(term.clone());
        }
    }
    Ok(out)
}
