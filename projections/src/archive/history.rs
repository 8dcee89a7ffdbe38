//! What each event of an object changed in it.
//!
//! The object is folded from its first event on, in one pass over its rows, which are few by design; the
//! pass holds one state of the object and one page of entries, however many events there are.

use super::event::{COLUMNS, LoggedEvent, Place};
use crate::checkpoint::to_i64;
use crate::error::{QueryError, corrupt};
use crate::page::Page;
use crate::store::TenantConnection;
use domain::diff::{Change, diff};
use domain::registry;
use domain::state::{self, State};
use futures::TryStreamExt;
use std::collections::{HashMap, VecDeque};

/// One event of an object and what it changed.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The event.
    pub event: LoggedEvent,
    /// What it changed, by the places of the object's document ([`domain::state`]).
    pub changes: Vec<Change>,
}

/// Which part of a history.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HistoryRange {
    /// How many entries.
    pub first: usize,
    /// After which cursor.
    pub after: Option<String>,
    /// No commit beyond this position.
    pub until: Option<u64>,
    /// Newest first.
    pub descending: bool,
}

/// The histories of objects of one type, in one statement; an object without events has no entry.
///
/// # Errors
/// [`QueryError`].
pub async fn histories(
    connection: &mut TenantConnection,
    aggregate: &str,
    ids: &[String],
    range: &HistoryRange,
) -> Result<HashMap<String, Page<HistoryEntry>>, QueryError> {
    let after = range.after.as_deref().map(Place::of_cursor).transpose()?;
    let statement = format!(
        "SELECT {COLUMNS} FROM archive.events WHERE aggregate_type = $1 AND aggregate_id = ANY ($2)
         AND stream_sequence <= $3 ORDER BY aggregate_id, sequence, event_index"
    );
    let mut rows = sqlx::query(&statement)
        .bind(aggregate)
        .bind(ids)
        .bind(range.until.map_or(i64::MAX, to_i64))
        .fetch(&mut **connection);
    let mut pages = HashMap::new();
    let mut fold = Fold::new(String::new(), range, after);
    while let Some(row) = rows.try_next().await? {
        let event = LoggedEvent::read(&row)?;
        if event.aggregate_id != fold.id {
            let next = Fold::new(event.aggregate_id.clone(), range, after);
            std::mem::replace(&mut fold, next).finish(&mut pages);
        }
        fold.push(event)?;
    }
    fold.finish(&mut pages);
    Ok(pages)
}

/// One object on its way through its events.
struct Fold<'a> {
    id: String,
    range: &'a HistoryRange,
    after: Option<Place>,
    state: State,
    /// The entries of the page, and one more when there is one.
    kept: VecDeque<HistoryEntry>,
}

impl<'a> Fold<'a> {
    fn new(id: String, range: &'a HistoryRange, after: Option<Place>) -> Self {
        Self {
            id,
            range,
            after,
            state: state::empty(),
            kept: VecDeque::new(),
        }
    }

    fn push(&mut self, event: LoggedEvent) -> Result<(), QueryError> {
        let wanted = match self.after {
            None => true,
            Some(after) if self.range.descending => event.place < after,
            Some(after) => event.place > after,
        };
        let full = !self.range.descending && self.kept.len() > self.range.first;
        if full || (self.range.descending && !wanted) {
            return Ok(());
        }
        let decoded = registry::decode(&event.event).map_err(corrupt)?;
        let before = wanted.then(|| self.state.document.clone());
        state::apply(&mut self.state, &decoded);
        if let Some(before) = before {
            let changes = diff(&before, &self.state.document);
            self.kept.push_back(HistoryEntry { event, changes });
        }
        if self.range.descending && self.kept.len() > self.range.first + 1 {
            self.kept.pop_front();
        }
        Ok(())
    }

    fn finish(self, pages: &mut HashMap<String, Page<HistoryEntry>>) {
        if self.id.is_empty() {
            return;
        }
        let mut entries = Vec::from(self.kept);
        if self.range.descending {
            entries.reverse();
        }
        let cursor = |entry: &HistoryEntry| entry.event.place.cursor();
        pages.insert(self.id, Page::cut(entries, self.range.first, cursor));
    }
}
