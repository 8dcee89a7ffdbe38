//! Where a page of a search ended, as the caller carries it to the next one.
//!
//! A cursor names a version of the table, in which the order stands still while the index goes on; a position in
//! that order; and the tool that stood there. A digest binds it to its search, the caller's tenant and rights
//! included. It is not signed, because it grants nothing: the search is filtered anew for whoever sends it.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use super::error::SearchError;

/// Changes with the form.
const FORM: u8 = 1;
const NAME: usize = 8;
const BINDING: usize = 16;
const LENGTH: usize = 1 + 8 + 4 + NAME + NAME + BINDING;

/// A search as cursors see it: one digest for its words, filters and order, and the table that answers.
pub(super) struct Bound {
    search: [u8; 32],
    table: [u8; NAME],
}

/// A place between two hits of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The version of the table.
    pub(super) version: u64,
    /// How many hits stand before it.
    pub(super) position: usize,
    /// Names the last of them.
    last: [u8; NAME],
}

impl Place {
    pub(super) fn behind(version: u64, position: usize, tool_id: &str) -> Self {
        Self {
            version,
            position,
            last: short(tool_id),
        }
    }

    /// Whether the order has the tool where it stood. If not, the order cannot be had again: the embedder was away
    /// when it was made, or is now.
    pub(super) fn follows(&self, tool_id: Option<&str>) -> bool {
        tool_id.is_some_and(|tool_id| short(tool_id) == self.last)
    }
}

impl Bound {
    /// `parts` are all that decides on what is found and in which order.
    pub(super) fn to(table: &str, parts: &[impl AsRef<str>]) -> Self {
        let mut hash = Sha256::new();
        for part in parts.iter().map(AsRef::as_ref) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self {
            search: hash.finalize().into(),
            table: short(table),
        }
    }

    pub(super) fn write(&self, place: &Place) -> String {
        let position = u32::try_from(place.position).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(FORM);
        bytes.extend(place.version.to_be_bytes());
        bytes.extend(position.to_be_bytes());
        bytes.extend(place.last);
        bytes.extend(self.table);
        let binding = self.binding(&bytes);
        bytes.extend(binding);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// # Errors
    /// [`SearchError::InvalidCursor`] for what this search did not write, [`SearchError::CursorExpired`] when
    /// another table answers by now.
    pub(super) fn read(&self, cursor: &str) -> Result<Place, SearchError> {
        let bytes = BASE64URL_NOPAD
            .decode(cursor.as_bytes())
            .map_err(|_| SearchError::InvalidCursor)?;
        let (place, binding) = bytes
            .split_at_checked(LENGTH - BINDING)
            .ok_or(SearchError::InvalidCursor)?;
        if binding != self.binding(place).as_slice() {
            return Err(SearchError::InvalidCursor);
        }
        let [FORM, rest @ ..] = place else {
            return Err(SearchError::InvalidCursor);
        };
        let field = |from: usize, length: usize| &rest[from..from + length];
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0u64, |n, byte| (n << 8) | u64::from(*byte))
        };
        if field(12 + NAME, NAME) != self.table {
            return Err(SearchError::CursorExpired);
        }
        let mut last = [0; NAME];
        last.copy_from_slice(field(12, NAME));
        Ok(Place {
            version: number(field(0, 8)),
            position: usize::try_from(number(field(8, 4))).unwrap_or(usize::MAX),
            last,
        })
    }

    fn binding(&self, place: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(self.search);
        hash.update(place);
        hash.finalize()[..BINDING].to_vec()
    }
}

fn short(text: &str) -> [u8; NAME] {
    let mut out = [0; NAME];
    out.copy_from_slice(&Sha256::digest(text)[..NAME]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_search_and_its_table() {
        let search = Bound::to("tools", &["mail", "tag:a"]);
        let place = Place::behind(7, 20, "id-9");
        let cursor = search.write(&place);
        let read = search.read(&cursor).unwrap();
        assert_eq!(read, place);
        assert!(read.follows(Some("id-9")) && !read.follows(Some("id-8")) && !read.follows(None));
        let invalid = |bound: Bound| matches!(bound.read(&cursor), Err(SearchError::InvalidCursor));
        assert!(invalid(Bound::to("tools", &["mail", "tag:b"])));
        assert!(invalid(Bound::to("tools", &["mailt", "ag:a"])));
        let rebuilt = Bound::to("tools_b", &["mail", "tag:a"]);
        assert!(matches!(
            rebuilt.read(&cursor),
            Err(SearchError::CursorExpired)
        ));
    }

    #[test]
    fn what_was_altered_is_refused() {
        let search = Bound::to("tools", &["mail"]);
        let cursor = search.write(&Place::behind(7, 20, "id-9"));
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let refused = search.read(&BASE64URL_NOPAD.encode(&altered));
            assert!(matches!(refused, Err(SearchError::InvalidCursor)), "{at}");
        }
        for foreign in ["", "%%", "aGVsbG8", &cursor[1..], &format!("{cursor}AAAA")] {
            assert!(
                matches!(search.read(foreign), Err(SearchError::InvalidCursor)),
                "{foreign}"
            );
        }
    }
}
