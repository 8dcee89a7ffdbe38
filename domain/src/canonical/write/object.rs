//! Objects: serde's maps and structs, whose members are put into order at their end.

use super::{Member, Writer};
use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, SerializeStruct, SerializeStructVariant};
use serde_json::Error;

/// An object that is being written.
pub(super) struct Object<'a> {
    pub(super) writer: &'a mut Writer,
    /// Where its members begin in the buffer.
    pub(super) begin: usize,
    /// Where they begin in the list of members.
    pub(super) first: usize,
    /// The member whose value comes next: where it begins, and where its name ends.
    pub(super) name: Option<(usize, usize)>,
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

    fn finish(self, end: &[u8]) -> Result<(), Error> {
        self.writer.sort(self.first, self.begin)?;
        self.writer.close(end);
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
        self.finish(b"}")
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
        self.finish(b"}")
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
        self.finish(b"}}")
    }
}
