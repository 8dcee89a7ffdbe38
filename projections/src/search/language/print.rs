//! From words and filters to a line that is read as the same.

use std::fmt;

use super::parse::may_be_filter;
use super::{Key, SearchFilter, SearchQuery, Term};

impl fmt::Display for SearchQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.text.split_inclusive(char::is_whitespace) {
            if may_be_filter(piece) {
                f.write_str("\\")?;
            }
            f.write_str(piece)?;
        }
        if !self.text.is_empty() && !self.filter.is_empty() {
            f.write_str(" ")?;
        }
        self.filter.fmt(f)
    }
}

impl fmt::Display for SearchFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.terms().iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = || self.value.replace('\\', "\\\\").replace('"', "\\\"");
        let sign = if self.negated { "-" } else { "" };
        if self.key == Key::Phrase {
            let sign = if self.negated { "-" } else { "+" };
            return write!(f, "{sign}\"{}\"", quoted());
        }
        if self.value.contains(|c: char| c.is_whitespace() || c == '"') {
            write!(f, "{sign}{}:\"{}\"", self.key.name(), quoted())
        } else {
            write!(f, "{sign}{}:{}", self.key.name(), self.value)
        }
    }
}
