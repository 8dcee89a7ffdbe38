//! Texts that strangers wrote: cleaned and cut to what the domain takes, and that is told.

use crate::import::fields::clean_strings;
use crate::plan::Problem;
use domain::server::{MAX_TAG, MAX_TAGS};
use domain::text::clean;
use serde_json::Value;
use std::collections::BTreeSet;

/// Cleans and cuts the texts of one place, and keeps what there is to tell.
pub(super) struct Texts {
    place: String,
    removed: usize,
    warnings: Vec<Problem>,
}

impl Texts {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            removed: 0,
            warnings: Vec::new(),
        }
    }

    /// A text; none when nothing is left of it.
    pub(super) fn text(
        &mut self,
        field: &str,
        text: Option<&Value>,
        most: usize,
    ) -> Option<String> {
        let cleaned = clean(text?.as_str()?);
        self.removed += cleaned.removed;
        let text = self.cut(field, cleaned.text, most);
        (!text.is_empty()).then_some(text)
    }

    /// Words to filter by: those of the document and those that the caller adds to all.
    pub(super) fn tags(&mut self, given: Option<&Value>, added: &[String]) -> BTreeSet<String> {
        let mut tags: BTreeSet<String> = added.iter().cloned().collect();
        let given = given.and_then(Value::as_array);
        let mut left_out = 0_usize;
        for tag in given.into_iter().flatten() {
            let Some(tag) = self.text("tags", Some(tag), MAX_TAG) else {
                continue;
            };
            if tags.len() < MAX_TAGS || tags.contains(&tag) {
                tags.insert(tag);
            } else {
                left_out += 1;
            }
        }
        if left_out > 0 {
            let message = format!("{left_out} tags left out; the most is {MAX_TAGS}");
            self.warn("TAGS_LEFT_OUT", message);
        }
        tags
    }

    /// A schema, whose texts are cleaned where they stand.
    pub(super) fn schema(
        &mut self,
        field: &'static str,
        schema: &mut Value,
    ) -> Result<(), Problem> {
        self.removed += clean_strings(field, schema)
            .map_err(|reason| Problem::of(self.place.clone(), reason))?;
        Ok(())
    }

    pub(super) fn cut(&mut self, field: &str, text: String, most: usize) -> String {
        let found = text.chars().count();
        if found <= most {
            return text;
        }
        let message = format!("`{field}` cut from {found} characters to {most}");
        self.warn("TEXT_CUT", message);
        let cut: String = text.chars().take(most.saturating_sub(1)).collect();
        format!("{}…", cut.trim_end())
    }

    pub(super) fn warn(&mut self, code: &'static str, message: impl AsRef<str>) {
        self.warnings
            .push(Problem::new(self.place.clone(), code, message));
    }

    pub(super) fn into_warnings(mut self) -> Vec<Problem> {
        if self.removed > 0 {
            let message = format!("hidden characters removed: {}", self.removed);
            self.warn("HIDDEN_CHARACTERS_REMOVED", message);
        }
        self.warnings
    }
}
