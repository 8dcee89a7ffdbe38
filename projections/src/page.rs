//! Keyset pages: a cursor is the sort key and the id of a row, so a page costs the same at any depth and
//! rows that come or go do not shift it.

use crate::error::QueryError;
use data_encoding::BASE64URL_NOPAD;

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// How many.
    pub first: usize,
    /// After which cursor.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows with their cursors.
    pub items: Vec<Item<T>>,
    /// Whether more follow.
    pub has_next: bool,
}

/// A row with its cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<T> {
    /// Opaque; only the query that made it can read it.
    pub cursor: String,
    /// The row.
    pub node: T,
}

/// The last row of the page before: its sort key and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyset {
    pub(crate) key: String,
    pub(crate) id: String,
}

impl Keyset {
    pub(crate) fn encode(key: &str, id: &str) -> String {
        BASE64URL_NOPAD.encode(format!("{id}\u{0}{key}").as_bytes())
    }

    fn decode(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?).ok()?;
        let (id, key) = text.split_once('\u{0}')?;
        // Postgres text cannot hold a NUL, and such a key was never made here.
        if key.contains('\u{0}') {
            return None;
        }
        Some(Self {
            key: key.to_owned(),
            id: id.to_owned(),
        })
    }
}

impl PageRequest {
    /// A first page.
    #[must_use]
    pub fn first(first: usize) -> Self {
        Self { first, after: None }
    }

    pub(crate) fn keyset(&self) -> Result<Option<Keyset>, QueryError> {
        match &self.after {
            Some(cursor) => Keyset::decode(cursor)
                .map(Some)
                .ok_or(QueryError::InvalidCursor),
            None => Ok(None),
        }
    }

    /// The number of rows to fetch: one more than asked for shows whether more follow.
    pub(crate) fn limit(&self) -> i64 {
        i64::try_from(self.first.saturating_add(1)).unwrap_or(i64::MAX)
    }
}

impl<T> Page<T> {
    /// Cuts the fetched rows to the page.
    pub(crate) fn cut(mut rows: Vec<T>, first: usize, cursor: impl Fn(&T) -> String) -> Self {
        let has_next = rows.len() > first;
        rows.truncate(first);
        let items = rows
            .into_iter()
            .map(|node| Item {
                cursor: cursor(&node),
                node,
            })
            .collect();
        Self { items, has_next }
    }

    /// The same page of what is made of its rows.
    pub(crate) fn map<U>(self, make: impl Fn(T) -> U) -> Page<U> {
        let item = |Item { cursor, node }| Item {
            cursor,
            node: make(node),
        };
        Page {
            items: self.items.into_iter().map(item).collect(),
            has_next: self.has_next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_and_nothing_else_passes() {
        let cursor = Keyset::encode("naïve name", "id1");
        let page = PageRequest {
            first: 3,
            after: Some(cursor),
        };
        let keyset = Keyset {
            key: "naïve name".into(),
            id: "id1".into(),
        };
        assert_eq!(page.keyset().unwrap(), Some(keyset));
        for bad in ["", "%%%", "aGVsbG8"] {
            let page = PageRequest {
                first: 3,
                after: Some(bad.into()),
            };
            assert!(
                matches!(page.keyset(), Err(QueryError::InvalidCursor)),
                "{bad}"
            );
        }
    }
}
