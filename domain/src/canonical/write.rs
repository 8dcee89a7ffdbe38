//! Writes canonical JSON (RFC 8785) in one pass into one buffer: what every command pays for its commit.
//!
//! Members are written in the order in which they come and put into theirs at the end of the object, which
//! moves nothing where they came in it. Texts and whole numbers are written here; any other number is left
//! to `serde_json_canonicalizer`, whose form is the one that this must give, to the byte.

mod array;
mod object;
mod serializer;

use super::{MAX_DEPTH, is_verbatim, order};
use crate::run::run;
use array::Array;
use object::Object;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Error;
use std::cmp::Ordering;
use std::io::Write;

/// Whole numbers up to this one are exact as IEEE 754 doubles, and written as they are.
const EXACT: u64 = 1 << 53;
/// What a commit usually needs.
const USUAL: usize = 1_024;

/// The canonical form of a value.
///
/// # Errors
/// For what canonical JSON cannot say: a number that is not finite, a member's name that is no text, two
/// members of one name. And for what nests deeper than a reader of the log follows.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    to_vec_within(value, MAX_DEPTH).map_err(|fault| match fault {
        Fault::TooDeep => Error::custom(format!("it nests deeper than {MAX_DEPTH} levels")),
        Fault::NoForm(error) => error,
    })
}

/// The canonical form of a value that nests no deeper than so many levels.
///
/// # Errors
/// [`Fault`].
pub fn to_vec_within<T: Serialize + ?Sized>(value: &T, depth: usize) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer {
        out: Vec::with_capacity(USUAL),
        members: Vec::new(),
        sorted: Vec::new(),
        room: depth,
        too_deep: false,
    };
    match value.serialize(&mut writer) {
        Ok(()) => Ok(writer.out),
        Err(_) if writer.too_deep => Err(Fault::TooDeep),
        Err(error) => Err(Fault::NoForm(error)),
    }
}

/// Appends a text in its quotes: the one form that JSON gives it here and that serde_json writes, too.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, behind) = rest.split_at(run(rest, is_verbatim));
        out.extend_from_slice(plain);
        let Some((byte, behind)) = behind.split_first() else {
            break;
        };
        escape(out, *byte);
        rest = behind;
    }
    out.push(b'"');
}

/// In the shortest way (RFC 8785 section 3.2.2.2).
fn escape(out: &mut Vec<u8>, byte: u8) {
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
            return out.extend_from_slice(&escaped);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Why a value is not written.
#[derive(Debug)]
pub enum Fault {
    /// It nests deeper than was allowed.
    TooDeep,
    /// It has no canonical form.
    NoForm(Error),
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
    /// How many more levels may be opened.
    room: usize,
    /// Whether one more was.
    too_deep: bool,
}

impl Writer {
    fn text(&mut self, text: &str) {
        write_text(&mut self.out, text);
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

    fn object(&mut self) -> Result<Object<'_>, Error> {
        self.open(b'{')?;
        Ok(Object {
            begin: self.out.len(),
            first: self.members.len(),
            writer: self,
            name: None,
        })
    }

    fn array(&mut self) -> Result<Array<'_>, Error> {
        self.open(b'[')?;
        Ok(Array {
            writer: self,
            is_first: true,
            wrapped: false,
        })
    }

    /// `{"variant":`, which its only member's value and a brace follow.
    fn variant(&mut self, variant: &str) -> Result<(), Error> {
        self.open(b'{')?;
        self.text(variant);
        self.out.push(b':');
        Ok(())
    }

    fn open(&mut self, bracket: u8) -> Result<(), Error> {
        let Some(room) = self.room.checked_sub(1) else {
            self.too_deep = true;
            return Err(Error::custom("nested too deep"));
        };
        self.room = room;
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, brackets: &[u8]) {
        self.room += brackets.len();
        self.out.extend_from_slice(brackets);
    }

    /// Puts the members of the object that begins at `begin` into the order of their names.
    fn sort(&mut self, first: usize, begin: usize) -> Result<(), Error> {
        let Self {
            out,
            members,
            sorted,
            ..
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
