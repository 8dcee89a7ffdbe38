//! Which version of the table a search reads.
//!
//! To look which version is the latest costs little, to read its new rows into memory does not, and while somebody
//! writes all searches would wait for that again and again. So the writer of this process reads what it wrote before
//! it says that it is done, and a search takes the version at hand. What another process wrote it sees within
//! [`STALE`], or at once when it asks for what is current.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lancedb::Table;

use super::candidates::Reader;
use super::error::SearchError;
use super::index::SearchIndex;

/// Since when nobody has looked for a newer version, so that a search looks beside its work.
const LOOK: Duration = Duration::from_millis(20);
/// The same, so that it looks before.
const STALE: Duration = Duration::from_millis(100);

/// Which version is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// One that was the latest a moment ago.
    AtHand,
    /// One that holds all that was written before.
    Current,
    /// The one that a cursor names.
    Version(u64),
}

/// The latest version that is known of. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Latest(Arc<Inner>);

#[derive(Default)]
struct Inner {
    known: Mutex<Option<Known>>,
    looking: AtomicBool,
}

#[derive(Clone)]
struct Known {
    reader: Reader,
    /// When it was the latest.
    seen: Instant,
}

impl Latest {
    fn known(&self) -> Option<Known> {
        let known = self.0.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, reader: &Reader, seen: Instant) {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two that look at once, the one that has seen more may be the first to be done.
        let newer = |known: &Known| known.seen > seen || known.reader.version > reader.version;
        if !known.as_ref().is_some_and(newer) {
            *known = Some(Known {
                reader: reader.clone(),
                seen,
            });
        }
    }
}

impl SearchIndex {
    pub(super) async fn reader(&self, which: Which) -> Result<Reader, SearchError> {
        match which {
            Which::AtHand => match self.at_hand() {
                Some(reader) => Ok(reader),
                None => self.look().await,
            },
            Which::Current => self.look().await,
            Which::Version(version) => {
                let table = self.table.query_snapshot().await?;
                table.checkout(version).await?;
                self.read(table).await
            }
        }
    }

    /// Reads what was just written, so that no search has to; where none has come yet, none will.
    pub(super) async fn follow(&self) {
        if self.latest.known().is_some()
            && let Err(error) = self.look().await
        {
            // The next search will meet it as well, and say so.
            tracing::debug!(%error, "the search index cannot be read");
        }
    }

    fn at_hand(&self) -> Option<Reader> {
        let known = self.latest.known()?;
        let age = known.seen.elapsed();
        if age > STALE {
            return None;
        }
        if age > LOOK && !self.latest.0.looking.swap(true, Ordering::Relaxed) {
            let index = self.clone();
            tokio::spawn(async move {
                index.follow().await;
                index.latest.0.looking.store(false, Ordering::Relaxed);
            });
        }
        Some(known.reader)
    }

    async fn look(&self) -> Result<Reader, SearchError> {
        let seen = Instant::now();
        let reader = self.read(self.table.query_snapshot().await?).await?;
        self.latest.note(&reader, seen);
        Ok(reader)
    }

    async fn read(&self, table: Table) -> Result<Reader, SearchError> {
        let version = table.version().await?;
        let memory = self.memory.at(&table, version).await?;
        Ok(Reader {
            table,
            version,
            memory,
        })
    }
}
