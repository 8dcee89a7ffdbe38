//! Arrays: serde's sequences and tuples.

use super::Writer;
use serde::Serialize;
use serde::ser::{SerializeSeq, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant};
use serde_json::Error;

/// An array that is being written.
pub(super) struct Array<'a> {
    pub(super) writer: &'a mut Writer,
    pub(super) is_first: bool,
    /// Whether it is the content of a variant, whose brace follows.
    pub(super) wrapped: bool,
}

impl Array<'_> {
    pub(super) fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_first) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    pub(super) fn finish(self) {
        let end: &[u8] = if self.wrapped { b"]}" } else { b"]" };
        self.writer.close(end);
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
