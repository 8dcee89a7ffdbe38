//! Typed access to one line's JSON object, cleaning what strangers wrote on the way.

use super::report::Reason;
use domain::server::{MAX_TAG, MAX_TAGS};
use domain::text::{clean, is_clean, is_hidden};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The fields of one line, and what had to be changed in them.
#[derive(Debug)]
pub(super) struct Fields {
    members: Map<String, Value>,
    removed: usize,
    warnings: Vec<Reason>,
}

impl Fields {
    /// Reads a line.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Reason> {
        let text = std::str::from_utf8(line).map_err(|error| {
            let message = format!("not UTF-8 at byte {}", error.valid_up_to() + 1);
            Reason::new("INVALID_UTF8", message)
        })?;
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let message = format!("not JSON: {error}").replace("at line 1 column", "at column");
            Reason::new("NOT_JSON", message)
        })?;
        match value {
            Value::Object(members) => Ok(Self {
                members,
                removed: 0,
                warnings: Vec::new(),
            }),
            other => Err(wrong_type("line", "a JSON object", &other)),
        }
    }

    /// A name that identifies: required, and taken as it is, because a changed one would be another.
    pub(super) fn key(&mut self, field: &'static str) -> Result<String, Reason> {
        match self.members.remove(field) {
            Some(Value::String(text)) => Ok(text),
            None | Some(Value::Null) => Err(Reason::new(
                "FIELD_MISSING",
                format!("`{field}` is missing"),
            )),
            Some(other) => Err(wrong_type(field, "a string", &other)),
        }
    }

    /// A text for people, cleaned; none when it is absent, null or empty.
    pub(super) fn text(&mut self, field: &'static str) -> Result<Option<String>, Reason> {
        match self.members.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(self.cleaned(&text)),
            Some(other) => Err(wrong_type(field, "a string or null", &other)),
        }
    }

    /// [`Fields::text`], cut to `most` characters.
    pub(super) fn short_text(
        &mut self,
        field: &'static str,
        most: usize,
    ) -> Result<Option<String>, Reason> {
        let text = self.text(field)?;
        Ok(text.map(|text| self.cut(field, text, most)))
    }

    /// The tags, cleaned and cut to what the domain takes.
    pub(super) fn tags(&mut self) -> Result<BTreeSet<String>, Reason> {
        let items = match self.members.remove("tags") {
            None | Some(Value::Null) => return Ok(BTreeSet::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(wrong_type("tags", "a list of strings or null", &other)),
        };
        let mut tags = BTreeSet::new();
        let mut left_out = 0_usize;
        for item in items {
            let Value::String(text) = item else {
                return Err(wrong_type("tags", "a list of strings", &item));
            };
            let Some(tag) = self.cleaned(&text) else {
                continue;
            };
            let tag = self.cut("tags", tag, MAX_TAG);
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
        Ok(tags)
    }

    /// A JSON Schema with clean strings; whether it is a good one, the domain decides. White space
    /// stays: it can be a default or part of a pattern.
    pub(super) fn schema(&mut self, field: &'static str) -> Result<Option<Value>, Reason> {
        match self.members.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(mut schema) => {
                self.removed += clean_strings(field, &mut schema)?;
                Ok(Some(schema))
            }
        }
    }

    /// Says that something was changed.
    pub(super) fn warn(&mut self, code: &'static str, message: impl AsRef<str>) {
        self.warnings.push(Reason::new(code, message));
    }

    /// Everything that was changed.
    pub(super) fn into_warnings(mut self) -> Vec<Reason> {
        match self.removed {
            0 => {}
            1 => self.warn("HIDDEN_CHARACTERS_REMOVED", "1 hidden character removed"),
            n => self.warn(
                "HIDDEN_CHARACTERS_REMOVED",
                format!("{n} hidden characters removed"),
            ),
        }
        self.warnings
    }

    fn cleaned(&mut self, text: &str) -> Option<String> {
        let cleaned = clean(text);
        self.removed += cleaned.removed;
        (!cleaned.text.is_empty()).then_some(cleaned.text)
    }

    fn cut(&mut self, field: &'static str, text: String, most: usize) -> String {
        let found = text.chars().count();
        if found <= most {
            return text;
        }
        let message = format!("`{field}` cut from {found} characters to {most}");
        self.warn("TEXT_CUT", message);
        text.chars()
            .take(most)
            .collect::<String>()
            .trim_end()
            .to_owned()
    }
}

/// Removes hidden characters from every string and member name; how many there were.
pub(crate) fn clean_strings(field: &'static str, value: &mut Value) -> Result<usize, Reason> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(0),
        Value::String(text) => Ok(strip(text)),
        Value::Array(items) => items
            .iter_mut()
            .try_fold(0, |sum, item| Ok(sum + clean_strings(field, item)?)),
        Value::Object(members) => {
            let mut removed = 0;
            for value in members.values_mut() {
                removed += clean_strings(field, value)?;
            }
            if members.keys().all(|name| is_clean(name)) {
                return Ok(removed);
            }
            for (mut name, value) in std::mem::take(members) {
                removed += strip(&mut name);
                if members.insert(name, value).is_some() {
                    let message = format!(
                        "`{field}` has two members whose names differ only in hidden characters"
                    );
                    return Err(Reason::new("AMBIGUOUS_SCHEMA", message));
                }
            }
            Ok(removed)
        }
    }
}

fn strip(text: &mut String) -> usize {
    if is_clean(text) {
        return 0;
    }
    *text = text.replace("\r\n", "\n");
    let before = text.chars().count();
    text.retain(|c| !is_hidden(c));
    before - text.chars().count()
}

fn wrong_type(field: &str, wanted: &str, found: &Value) -> Reason {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let field = if field == "line" {
        "the line".to_owned()
    } else {
        format!("`{field}`")
    };
    Reason::new(
        "WRONG_TYPE",
        format!("{field} must be {wanted}; found {found}"),
    )
}
