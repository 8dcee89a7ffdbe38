//! Canonical JSON (RFC 8785): written by [`to_vec`]; and whether bytes are it, told in one pass and without
//! building a value, which is what a verifier asks of every commit.

mod write;

pub use write::{Fault, to_vec, to_vec_within, write_text};

use crate::run::run;
use std::cmp::Ordering;

/// Deepest nesting, which is that of the decoder: what is deeper is no commit either, and is never written.
const MAX_DEPTH: usize = 127;
/// Deepest nesting of what others bring into a commit: schemas, annotations, manifests. Leaves room for the levels
/// of the commit around it, and for those of requests and answers that carry it.
pub const MAX_PART_DEPTH: usize = 64;
/// An integer of so many digits is exact as an IEEE 754 double, and written as it is.
const EXACT_DIGITS: usize = 15;

/// Whether the bytes are one JSON value in the one form that RFC 8785 gives it: members sorted, no white
/// space, each text and number written in the shortest way.
#[must_use]
pub fn is_canonical(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && {
        let mut scan = Scan { bytes, at: 0 };
        scan.value(MAX_DEPTH).is_some() && scan.at == bytes.len()
    }
}

/// Reads a value and stands behind it. None where the canonical form would differ.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, text: &[u8]) -> Option<()> {
        let there = self.bytes.get(self.at..)?.starts_with(text);
        self.at += text.len();
        there.then_some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.text().map(drop),
            b't' => self.expect(b"true"),
            b'f' => self.expect(b"false"),
            b'n' => self.expect(b"null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        let mut before: Option<&[u8]> = None;
        loop {
            let name = self.text()?;
            if before.is_some_and(|before| order(before, name) != Ordering::Less) {
                return None;
            }
            before = Some(name);
            self.expect(b":")?;
            self.value(depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// A text with its escapes, without its quotes (RFC 8785 section 3.2.2.2).
    fn text(&mut self) -> Option<&'a [u8]> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        let begin = self.at;
        loop {
            self.at += run(self.bytes.get(self.at..)?, is_verbatim);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return self.bytes.get(begin..self.at - 1);
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    /// Only what must be escaped is, each in its shortest way.
    fn escape(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at + 1..)?;
        match rest.first()? {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let digits = rest.get(1..5)?;
                let code = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                let short = matches!(code, 8 | 9 | 10 | 12 | 13);
                let sound = code < 0x20 && !short && !digits.iter().any(u8::is_ascii_uppercase);
                if !sound {
                    return None;
                }
                self.at += 6;
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let end = rest.iter().position(|byte| !part(byte));
        let token = &rest[..end.unwrap_or(rest.len())];
        self.at += token.len();
        let digits = token.strip_prefix(b"-").unwrap_or(token);
        if (1..=EXACT_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
            return (digits[0] != b'0' || token == b"0").then_some(());
        }
        let number: serde_json::Number = serde_json::from_slice(token).ok()?;
        let written = serde_json_canonicalizer::to_vec(&number).ok()?;
        (written == token).then_some(())
    }
}

/// Whether a byte of a text is written as it is.
fn is_verbatim(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// The order of member names: by UTF-16 code units of what they say (RFC 8785 section 3.2.3).
fn order(one: &[u8], other: &[u8]) -> Ordering {
    let Some(at) = one.iter().zip(other).position(|(a, b)| a != b) else {
        return one.len().cmp(&other.len());
    };
    // Nearly always the first difference tells it: two characters of ASCII, which are not a part of escapes.
    let is_plain = |byte: u8| byte.is_ascii() && byte != b'\\';
    if is_plain(one[at]) && is_plain(other[at]) && !one[..at].contains(&b'\\') {
        return one[at].cmp(&other[at]);
    }
    units(one).cmp(&units(other))
}

fn units(name: &[u8]) -> Vec<u16> {
    let quoted = [b"\"", name, b"\""].concat();
    let text: String = serde_json::from_slice(&quoted).unwrap_or_default();
    text.encode_utf16().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Map, Value, json};
    use std::collections::BTreeMap;

    fn written_again(bytes: &[u8]) -> bool {
        let value = serde_json::from_slice::<Value>(bytes);
        value.is_ok_and(|value| {
            serde_json_canonicalizer::to_vec(&value).is_ok_and(|again| again == bytes)
        })
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e6..1e6).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,6}|[\\x00-\\x22\\\\]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let members = proptest::collection::vec(
                ("[a-c\\x00-\\x22é\u{fffd}\u{10000}]{0,3}", inner.clone()),
                0..4,
            );
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|members| Value::Object(Map::from_iter(members))),
            ]
        })
    }

    proptest! {
        /// The same answer as reading the value, writing its canonical form and comparing, for canonical
        /// bytes and for such as differ from them in one place.
        #[test]
        fn agrees_with_writing_the_canonical_form(
            value in values(), place: prop::sample::Index, byte in prop::sample::select(b"\"\\{}[]:, 01-.eEnu\x1f\xc3".to_vec()), cut: bool
        ) {
            let Ok(canonical) = serde_json_canonicalizer::to_vec(&value) else { return Ok(()) };
            prop_assert_eq!(is_canonical(&canonical), written_again(&canonical));
            prop_assert_eq!(to_vec(&value).ok(), Some(canonical.clone()));
            let mut other = canonical;
            let place = place.index(other.len());
            if cut { other.remove(place); } else { other[place] = byte; }
            // Two members of one name are read as the last of them; canonical are they never.
            prop_assert_eq!(is_canonical(&other), written_again(&other), "{:?}", String::from_utf8_lossy(&other));
        }
    }

    #[derive(Serialize)]
    struct Kinds {
        zebra: Option<u8>,
        apple: char,
        #[serde(flatten)]
        more: BTreeMap<String, Value>,
        unit: (),
        tuple: (i8, u64, f32),
        variants: Vec<Variant>,
    }

    #[derive(Serialize)]
    enum Variant {
        Unit,
        Newtype(i64),
        Tuple(bool, u32),
        Struct { z: i16, a: &'static str },
    }

    #[test]
    fn every_kind_of_data_is_written_as_the_library_writes_it() {
        let kinds = |more: Value| Kinds {
            zebra: None,
            apple: '"',
            more: serde_json::from_value(more).unwrap(),
            unit: (),
            tuple: (-8, u64::MAX, 0.1),
            variants: vec![
                Variant::Unit,
                Variant::Newtype(i64::MIN),
                Variant::Tuple(true, 7),
                Variant::Struct {
                    z: 1, a: "é\u{1f}"
                },
            ],
        };
        let sound =
            kinds(json!({ "b": -0.0, "\u{10000}": 1e21, "\u{fffd}": [9_007_199_254_740_993_u64] }));
        let expected = serde_json_canonicalizer::to_vec(&sound).unwrap();
        assert_eq!(to_vec(&sound).unwrap(), expected);
        assert!(is_canonical(&expected));

        assert!(to_vec(&kinds(json!({ "apple": 1 }))).is_err());
        assert!(to_vec(&f64::NAN).is_err());
        assert!(to_vec(&BTreeMap::from([((), 1)])).is_err());
        let raw = serde_json::value::RawValue::from_string("1.0".into()).unwrap();
        assert!(to_vec(&raw).is_err());
    }

    #[test]
    fn rejects_every_other_way_to_write_a_value() {
        for sound in [
            &br#"{"a":1,"b":[null,true,"\n\u001f"]}"#[..],
            b"0",
            b"-1",
            b"1.5",
            b"1e+30",
            b"\"\xc3\xa9\"",
        ] {
            assert!(is_canonical(sound), "{}", String::from_utf8_lossy(sound));
        }
        for wrong in [
            &br#"{"b":1,"a":2}"#[..],
            br#"{"a":1,"a":1}"#,
            br#"{"a": 1}"#,
            b"[1,]",
            b"-0",
            b"01",
            b"1.0",
            b"1e30",
            br#""\u0041""#,
            br#""\u000a""#,
            br#""\u001F""#,
            br#""\/""#,
            b"\"\n\"",
            b"\"\xc3\"",
            b"",
            b"[",
            b"{}x",
            b"nul",
        ] {
            assert!(!is_canonical(wrong), "{}", String::from_utf8_lossy(wrong));
        }
        // By UTF-16 units, a character beyond the first plane comes before U+FFFD; by bytes, after it.
        assert!(is_canonical("{\"\u{10000}\":1,\"\u{fffd}\":2}".as_bytes()));
        let deep = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(is_canonical(&deep(MAX_DEPTH)));
        assert!(!is_canonical(&deep(MAX_DEPTH + 1)));
        assert_eq!(
            written_again(&deep(MAX_DEPTH)),
            is_canonical(&deep(MAX_DEPTH))
        );
    }

    /// What cannot be read back must never be written: it would stop every reader of the log.
    #[test]
    fn writes_nothing_that_the_decoder_does_not_read() {
        let array = |depth: usize| (1..depth).fold(json!([]), |inner, _| json!([inner]));
        let object = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
        for nested in [&array as &dyn Fn(usize) -> Value, &object] {
            let deepest = to_vec(&nested(MAX_DEPTH)).unwrap();
            assert!(serde_json::from_slice::<Value>(&deepest).is_ok());
            assert!(to_vec(&nested(MAX_DEPTH + 1)).is_err());
            assert!(to_vec_within(&nested(3), 3).is_ok());
            assert!(matches!(to_vec_within(&nested(4), 3), Err(Fault::TooDeep)));
        }
        // Side by side is not deep.
        let wide = json!([[[1], [2]], {"a": {"b": 1}, "c": {"d": 2}}]);
        assert!(to_vec_within(&wide, 3).is_ok());
    }
}
