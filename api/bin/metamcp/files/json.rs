//! JSON in and out, by the rules of `yaml.rs`: one form for one value, and nothing that is said twice.

use super::yaml::NotWritable;
use crate::import::report::Reason;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// Writes a document with its members in order, and reads it back before anybody relies on it.
pub(super) fn to_text(document: &Value) -> Result<String, NotWritable> {
    let mut sorted = document.clone();
    sorted.sort_all_objects();
    let text = serde_json::to_string_pretty(&sorted).map_err(|_| NotWritable)?;
    match serde_json::from_str::<Value>(&text) {
        Ok(read) if read == *document => Ok(format!("{text}\n")),
        Ok(_) | Err(_) => Err(NotWritable),
    }
}

/// Reads a document. The messages name the line and the column.
pub(super) fn from_text(text: &str) -> Result<Value, Reason> {
    let refused = |error: serde_json::Error| {
        Reason::new("INVALID_FILE", format!("this is no JSON document: {error}"))
    };
    // A value of ours would take the last of two equal members; this type refuses the second one.
    serde_json::from_str::<Unique>(text).map_err(refused)?;
    serde_json::from_str(text).map_err(refused)
}

/// Any value in which no object has a member twice.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if seen.contains(&name) {
                return Err(A::Error::custom(format!("duplicate member `{name}`")));
            }
            members.next_value::<Self>()?;
            seen.insert(name);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_written_in_one_readable_form_and_read_back() {
        let document =
            json!({ "version": "1.0.0", "name": "a\"é\u{1F4A1}", "list": [1, 2.5, null, {}] });
        let text = to_text(&document).unwrap();
        assert_eq!(
            text,
            "{\n  \"list\": [\n    1,\n    2.5,\n    null,\n    {}\n  ],\n  \"name\": \"a\\\"é\u{1F4A1}\",\n  \
             \"version\": \"1.0.0\"\n}\n"
        );
        assert_eq!(from_text(&text).unwrap(), document);
        // However it was written elsewhere.
        let escaped =
            r#"{"name":"a\"\u00e9\ud83d\udca1","version":"1.0.0","list":[1,25e-1,null,{}]}"#;
        assert_eq!(from_text(escaped).unwrap(), document);
    }

    #[test]
    fn what_is_no_json_or_is_said_twice_is_refused_with_its_place() {
        for (text, expected) in [
            (
                "{\"a\": 1,\n \"b\": [{\"c\": 1, \"c\": 2}]}",
                "duplicate member `c` at line 2",
            ),
            ("{\"a\": 1,\n}", "line 2"),
            ("{} {}", "line 1"),
            ("name: a", "line 1"),
            ("", "line 1"),
        ] {
            let refused = from_text(text).unwrap_err();
            assert_eq!(refused.code, "INVALID_FILE");
            assert!(
                refused.message.contains(expected),
                "{text}: {}",
                refused.message
            );
        }
    }
}
