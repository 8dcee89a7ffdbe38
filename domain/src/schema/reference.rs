//! Where a `$ref` leads. A tool's schema is one document: what leads out of it is not fetched.

use super::keywords::{Position, position};
use serde_json::Value;

/// The fragment of a reference that stays in the document, decoded; none when it leads elsewhere.
pub(crate) fn local_fragment(root: &Value, reference: &str) -> Option<String> {
    let own = root.get("$id").and_then(Value::as_str).unwrap_or_default();
    let own = own.trim_end_matches('#');
    let fragment = match reference.strip_prefix('#') {
        Some(fragment) => fragment,
        None if own.is_empty() => return None,
        None => {
            let rest = reference.strip_prefix(own)?;
            if rest.is_empty() {
                ""
            } else {
                rest.strip_prefix('#')?
            }
        }
    };
    percent_decoded(fragment)
}

/// The value at a JSON Pointer, if each step of it is one from a schema to a schema below.
pub(crate) fn schema_at<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut schema = root;
    let mut tokens = pointer.split('/').skip(1);
    while let Some(keyword) = tokens.next() {
        let value = schema.get(keyword)?;
        schema = match position(keyword, value)? {
            Position::One => value,
            Position::List => value.get(tokens.next()?.parse::<usize>().ok()?)?,
            Position::Named => {
                let name = tokens.next()?.replace("~1", "/").replace("~0", "~");
                value.get(name.as_str())?
            }
        };
    }
    Some(schema)
}

/// RFC 3986 section 2.1; none for what is no encoding of UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            rest = after;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reference_stays_in_the_document_by_fragment_or_by_its_own_id() {
        let root = json!({ "$id": "https://example.com/a.json" });
        let cases = [
            ("#", Some("")),
            ("#/$defs/a%20b", Some("/$defs/a b")),
            ("https://example.com/a.json#/x", Some("/x")),
            ("https://example.com/a.jsonx", None),
            ("other.json", None),
            ("#/%zz", None),
        ];
        for (reference, expected) in cases {
            assert_eq!(
                local_fragment(&root, reference).as_deref(),
                expected,
                "{reference}"
            );
        }
    }

    #[test]
    fn a_pointer_leads_to_a_schema_or_nowhere() {
        let root = json!({
            "properties": { "a/b": { "items": { "type": "string" } } },
            "allOf": [true]
        });
        assert_eq!(
            schema_at(&root, "/properties/a~1b/items"),
            Some(&json!({ "type": "string" }))
        );
        assert_eq!(schema_at(&root, "/allOf/0"), Some(&json!(true)));
        for nowhere in ["/properties", "/allOf/1", "/properties/a~1b/items/type"] {
            assert_eq!(schema_at(&root, nowhere), None, "{nowhere}");
        }
    }
}
