//! A document that is OpenAPI, and what its references name.

use crate::plan::Problem;
use reqwest::Url;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

/// References that lead from one to the next.
const MAX_HOPS: usize = 32;

/// Whose rules a document follows. What a version adds is read in documents of that version only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAPI 3.0: a dialect of its own, from an early draft of JSON Schema.
    V30,
    /// OpenAPI 3.1: JSON Schema 2020-12.
    V31,
    /// OpenAPI 3.2: the same of schemas, and more kinds of operations, parameters and content.
    V32,
}

/// An OpenAPI document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Value,
    pub(super) dialect: Dialect,
    /// Which targets lead back to themselves: found out once for all operations.
    recursive: RefCell<HashMap<String, bool>>,
}

impl Document {
    /// Reads JSON or YAML.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim_start_matches('\u{feff}');
        let root: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?
        } else {
            // Through a type that refuses a key that is given twice.
            let value = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text);
            value.map_err(|error| unreadable(&error.to_string()))?;
            serde_yaml_ng::from_str(text).map_err(|error| unreadable(&error.to_string()))?
        };
        let dialect = dialect(&root)?;
        Ok(Self {
            root,
            dialect,
            recursive: RefCell::default(),
        })
    }

    /// A member of the root, followed member by member.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(&self.root, |value, member| value.get(member))
    }

    /// What a reference of this document names, and its place.
    pub(super) fn resolve(
        &self,
        reference: &str,
        place: &str,
    ) -> Result<(&Value, String), Problem> {
        let Some(pointer) = self.fragment(reference) else {
            let message = format!(
                "`$ref: {reference}` leads out of the document: bundle it into one document first"
            );
            return Err(Problem::new(place, "REMOTE_REF", message));
        };
        let pointer = percent_decoded(pointer);
        let target = self.root.pointer(&pointer).filter(|_| !pointer.is_empty());
        target.map(|target| (target, pointer)).ok_or_else(|| {
            let message = format!(
                "`$ref: {reference}` names nothing in the document: correct it, or add what it names"
            );
            Problem::new(place, "BROKEN_REF", message)
        })
    }

    /// The fragment of a reference into this document.
    fn fragment<'r>(&self, reference: &'r str) -> Option<&'r str> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        (address.is_empty() || self.is_own(address)).then_some(fragment)
    }

    /// Whether an address is the one that the document gives itself, which references begin from (OpenAPI 3.2,
    /// "OpenAPI Object", `$self`).
    fn is_own(&self, address: &str) -> bool {
        let own = self.root.get("$self").and_then(Value::as_str);
        let Some(own) = own.filter(|_| self.dialect == Dialect::V32) else {
            return false;
        };
        let same = |base: Url| base.join(address).is_ok_and(|url| url == base);
        own == address || Url::parse(own).is_ok_and(same)
    }

    /// Something that may be given by reference, but for schemas: the thing itself, and its place.
    pub(super) fn follow<'a>(
        &'a self,
        mut value: &'a Value,
        place: &str,
    ) -> Result<(&'a Value, String), Problem> {
        let mut at = place.to_owned();
        for _ in 0..MAX_HOPS {
            let Some(reference) = reference(value) else {
                return Ok((value, at));
            };
            (value, at) = self.resolve(reference, &at)?;
        }
        let message = "`$ref` leads round in a circle: one of them must be the thing itself";
        Err(Problem::new(place, "CYCLIC_REF", message))
    }

    /// Whether what a pointer names leads back to it.
    pub(super) fn is_recursive(&self, pointer: &str) -> bool {
        if let Some(known) = self.recursive.borrow().get(pointer) {
            return *known;
        }
        let (mut seen, mut open) = (BTreeSet::new(), vec![pointer.to_owned()]);
        while let Some(at) = open.pop() {
            let mut found = Vec::new();
            if let Some(target) = self.root.pointer(&at) {
                references(target, &mut found);
            }
            for reference in found {
                // A broken one is told where it is translated.
                if let Ok((_, next)) = self.resolve(reference, &at)
                    && seen.insert(next.clone())
                {
                    open.push(next);
                }
            }
        }
        // A target that holds the other counts, too: a part of it may name the whole.
        let recursive = seen
            .iter()
            .any(|other| other == pointer || pointer.starts_with(&format!("{other}/")));
        let mut known = self.recursive.borrow_mut();
        known.insert(pointer.to_owned(), recursive);
        recursive
    }
}

/// The reference that stands in place of a thing.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}

/// A pointer to a member (RFC 6901).
pub(super) fn member(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn dialect(root: &Value) -> Result<Dialect, Problem> {
    if root.get("swagger").is_some() {
        let message = "this is Swagger 2: convert it to OpenAPI 3 first";
        return Err(Problem::new(
            "/swagger",
            "UNSUPPORTED_OPENAPI_VERSION",
            message,
        ));
    }
    let version = match root.get("openapi") {
        Some(Value::String(version)) => version.clone(),
        Some(Value::Number(version)) => version.to_string(),
        _ => {
            let message = "no member `openapi`: this is no OpenAPI document";
            return Err(Problem::new("/", "NOT_OPENAPI", message));
        }
    };
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some("3"), Some("0")) => Ok(Dialect::V30),
        (Some("3"), Some("1")) => Ok(Dialect::V31),
        (Some("3"), Some("2")) => Ok(Dialect::V32),
        _ => {
            let message =
                format!("OpenAPI {version} is not read by this build: it reads 3.0, 3.1 and 3.2");
            Err(Problem::new(
                "/openapi",
                "UNSUPPORTED_OPENAPI_VERSION",
                message,
            ))
        }
    }
}

fn unreadable(why: &str) -> Problem {
    let message = format!("neither JSON nor YAML: {why}");
    Problem::new("/", "UNREADABLE_DOCUMENT", message)
}

/// Every reference below a value.
fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(reference(value));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A URI fragment as text (RFC 3986 section 2.1); what is no escape stays.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let escape = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                decoded.push(escaped);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_decoded_and_then_a_pointer() {
        let text = r#"{"openapi": "3.1.0", "paths": {"/a/{b}": {"x": 1}}}"#;
        let document = Document::parse(text).unwrap();
        let (found, _) = document.resolve("#/paths/~1a~1%7Bb%7D/x", "/").unwrap();
        assert_eq!(found, 1);
    }
}
