//! Writes canonical JSON (RFC 8785) in one pass into one buffer: what every command pays for its commit.
//!
//! Members are written in the order in which they come and put into theirs at the end of the object, which
//! moves nothing where they came in it. Texts and whole numbers are written here; any other number is left
//! to `serde_json_canonicalizer`, whose form is the one that this must give, to the byte.

use super::order;
use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;
use std::cmp::Ordering;
use std::io::Write;

/// Whole numbers up to this one are exact as IEEE 754 doubles, and written as they are.
const EXACT: u64 = 1 << 53;
/// What a commit usually needs.
const USUAL: usize = 1_024;
/// How serde_json marks what it wants written verbatim, which nobody knows to be canonical.
const PRIVATE: &str = "$serde_json::private::";

/// The canonical form of a value.
///
/// # Errors
/// For what canonical JSON cannot say: a number that is not finite, a member's name that is no text, two
/// members of one name.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut writer = Writer {
        out: Vec::with_capacity(USUAL),
        members: Vec::new(),
        sorted: Vec::new(),
    };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// Where a member lies in the buffer: from its name's quote on.
#[derive(Clone, Copy)]
struct Member {
    begin: usize,
    name_end: usize,
    end: usize,
}

impl Member {
    /// The name with its escapes, without its quotes.
    fn name(self, out: &[u8]) -> &[u8] {
        &out[self.begin + 1..self.name_end - 1]
    }
}

struct Writer {
    out: Vec<u8>,
    /// The members of the objects that are open, of the innermost last.
    members: Vec<Member>,
    /// Where members are put into order.
    sorted: Vec<u8>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.out.push(b'"');
        let bytes = text.as_bytes();
        let mut written = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
                continue;
            }
            self.out.extend_from_slice(&bytes[written..at]);
            written = at + 1;
            self.escape(*byte);
        }
        self.out.extend_from_slice(&bytes[written..]);
        self.out.push(b'"');
    }

    /// In the shortest way (RFC 8785 section 3.2.2.2).
    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x09 => b't',
            0x0a => b'n',
            0x0c => b'f',
            0x0d => b'r',
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xf));
                let escaped = [b'\\', b'u', b'0', b'0', DIGITS[high], DIGITS[low]];
                return self.out.extend_from_slice(&escaped);
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    fn whole(&mut self, magnitude: u64, negative: bool) -> Result<(), Error> {
        if magnitude > EXACT {
            // Canonical JSON knows doubles only.
            #[expect(clippy::cast_precision_loss, reason = "RFC 8785 section 3.2.2.3")]
            let number = magnitude as f64;
            return self.double(if negative { -number } else { number });
        }
        let sign = if negative { "-" } else { "" };
        // A buffer takes everything.
        let _ = write!(self.out, "{sign}{magnitude}");
        Ok(())
    }

    fn double(&mut self, number: f64) -> Result<(), Error> {
        let written = serde_json_canonicalizer::to_vec(&number)?;
        self.out.extend_from_slice(&written);
        Ok(())
    }

    fn object(&mut self) -> Object<'_> {
        self.out.push(b'{');
        Object {
            begin: self.out.len(),
            first: self.members.len(),
            writer: self,
            name: None,
        }
    }

    fn array(&mut self) -> Array<'_> {
        self.out.push(b'[');
        Array {
            writer: self,
            is_first: true,
            wrapped: false,
        }
    }

    /// `{"variant":`, which its only member's value and a brace follow.
    fn variant(&mut self, variant: &str) {
        self.out.push(b'{');
        self.text(variant);
        self.out.push(b':');
    }

    /// Puts the members of the object that begins at `begin` into the order of their names.
    fn sort(&mut self, first: usize, begin: usize) -> Result<(), Error> {
        let Self {
            out,
            members,
            sorted,
        } = self;
        let by_name = |one: &Member, other: &Member| order(one.name(out), other.name(out));
        let its = &mut members[first..];
        let mut in_order = true;
        for pair in its.windows(2) {
            match by_name(&pair[0], &pair[1]) {
                Ordering::Less => {}
                Ordering::Equal => return Err(twice()),
                Ordering::Greater => in_order = false,
            }
        }
        if !in_order {
            its.sort_unstable_by(by_name);
            if its
                .windows(2)
                .any(|pair| by_name(&pair[0], &pair[1]) == Ordering::Equal)
            {
                return Err(twice());
            }
            sorted.clear();
            for member in its.iter() {
                if !sorted.is_empty() {
                    sorted.push(b',');
                }
                sorted.extend_from_slice(&out[member.begin..member.end]);
            }
            out.truncate(begin);
            out.extend_from_slice(sorted);
        }
        members.truncate(first);
        Ok(())
    }
}

fn twice() -> Error {
    Error::custom("two members of one name")
}

/// An object that is being written.
struct Object<'a> {
    writer: &'a mut Writer,
    /// Where its members begin in the buffer.
    begin: usize,
    /// Where they begin in the list of members.
    first: usize,
    /// The member whose value comes next: where it begins, and where its name ends.
    name: Option<(usize, usize)>,
}

impl Object<'_> {
    fn name(&mut self, write: impl FnOnce(&mut Writer) -> Result<(), Error>) -> Result<(), Error> {
        if self.writer.members.len() > self.first {
            self.writer.out.push(b',');
        }
        let begin = self.writer.out.len();
        write(self.writer)?;
        if self.writer.out.get(begin) != Some(&b'"') {
            return Err(Error::custom("the name of a member must be a text"));
        }
        self.name = Some((begin, self.writer.out.len()));
        self.writer.out.push(b':');
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut *self.writer)?;
        let (begin, name_end) = self
            .name
            .take()
            .ok_or_else(|| Error::custom("a value without a name"))?;
        let end = self.writer.out.len();
        self.writer.members.push(Member {
            begin,
            name_end,
            end,
        });
        Ok(())
    }

    fn finish(self) -> Result<(), Error> {
        self.writer.sort(self.first, self.begin)?;
        self.writer.out.push(b'}');
        Ok(())
    }
}

impl SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.name(|writer| key.serialize(writer))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl SerializeStruct for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.name(|writer| {
            writer.text(key);
            Ok(())
        })?;
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl SerializeStructVariant for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        SerializeStruct::serialize_field(self, key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.writer.sort(self.first, self.begin)?;
        self.writer.out.extend_from_slice(b"}}");
        Ok(())
    }
}

/// An array that is being written.
struct Array<'a> {
    writer: &'a mut Writer,
    is_first: bool,
    /// Whether it is the content of a variant, whose brace follows.
    wrapped: bool,
}

impl Array<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_first) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn finish(self) {
        let end: &[u8] = if self.wrapped { b"]}" } else { b"]" };
        self.writer.out.extend_from_slice(end);
    }
}

macro_rules! items {
    ($($trait:ident::$item:ident),*) => { $(
        impl $trait for Array<'_> {
            type Ok = ();
            type Error = Error;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish();
                Ok(())
            }
        }
    )* };
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! whole_numbers {
    ($($signed:ident: $i:ty, $unsigned:ident: $u:ty;)*) => { $(
        fn $signed(self, number: $i) -> Result<(), Error> {
            let number = i64::from(number);
            self.whole(number.unsigned_abs(), number < 0)
        }

        fn $unsigned(self, number: $u) -> Result<(), Error> {
            self.whole(u64::from(number), false)
        }
    )* };
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Array<'a>;
    type SerializeTupleVariant = Array<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    whole_numbers! {
        serialize_i8: i8, serialize_u8: u8;
        serialize_i16: i16, serialize_u16: u16;
        serialize_i32: i32, serialize_u32: u32;
        serialize_i64: i64, serialize_u64: u64;
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), Error> {
        self.double(f64::from(number))
    }

    fn serialize_f64(self, number: f64) -> Result<(), Error> {
        self.double(number)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.text(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        let mut array = self.array();
        bytes.iter().try_for_each(|byte| array.item(byte))?;
        array.finish();
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, Error> {
        Ok(self.array())
    }

    fn serialize_tuple(self, _: usize) -> Result<Array<'a>, Error> {
        Ok(self.array())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Array<'a>, Error> {
        Ok(self.array())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Array<'a>, Error> {
        self.variant(variant);
        let array = self.array();
        Ok(Array {
            wrapped: true,
            ..array
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, Error> {
        Ok(self.object())
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Object<'a>, Error> {
        if name.starts_with(PRIVATE) {
            return Err(Error::custom("raw JSON is not known to be canonical"));
        }
        Ok(self.object())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, Error> {
        self.variant(variant);
        Ok(self.object())
    }
}
