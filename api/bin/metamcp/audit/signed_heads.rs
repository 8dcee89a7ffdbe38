//! The signed tree heads where they lie, and those that go into an export, smallest first, whatever name they have.
//!
//! The heads of one name never become smaller, so their stream consists of a few runs: a log that was begun anew
//! under another name, after a loss, begins another one. The runs are merged, with one page of each in memory. If the
//! stream has lost heads of which PostgreSQL keeps a copy, that copy is merged as well.

use anyhow::Context;
use bus::{Log, StoredHead, TreeHeads};
use projections::Database;
use projections::ledger::{SignedHead, heads};
use std::collections::VecDeque;
use std::ops::Range;

/// Heads read at once.
const PAGE: u16 = 1_000;

/// Where heads lie.
#[derive(Clone)]
pub(crate) enum Shelf {
    /// The log's own stream.
    Stream(Box<TreeHeads>),
    /// The copy in PostgreSQL.
    Kept(Box<Database>),
}

impl Shelf {
    pub(crate) fn stream(heads: TreeHeads) -> Self {
        Self::Stream(Box::new(heads))
    }

    pub(crate) fn kept(database: &Database) -> Self {
        Self::Kept(Box::new(database.clone()))
    }

    /// All that lies here, in the order of the stream, and be it no head.
    pub(crate) async fn all(&self) -> anyhow::Result<Vec<StoredHead>> {
        let mut all = Vec::new();
        self.each(|stored| all.push(stored)).await?;
        Ok(all)
    }

    /// Hands out all, page by page, and answers the position behind the last one.
    async fn each(&self, mut take: impl FnMut(StoredHead)) -> anyhow::Result<u64> {
        let mut next = 1;
        loop {
            let page = self.page(next).await?;
            let Some(last) = page.last() else {
                return Ok(next);
            };
            next = last.sequence + 1;
            page.into_iter().for_each(&mut take);
        }
    }

    async fn page(&self, from: u64) -> anyhow::Result<Vec<StoredHead>> {
        match self {
            Self::Stream(heads) => Ok(heads.page(from, PAGE.into()).await?),
            Self::Kept(database) => {
                let mut connection = database.connect().await?;
                Ok(heads::page(&mut connection, from, PAGE.into()).await?)
            }
        }
    }

    /// The runs of heads that lie here.
    async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let (mut begins, mut before) = (Vec::new(), None);
        let look = |stored: StoredHead| {
            if let Ok(signed) = SignedHead::parse(&stored.note) {
                let size = signed.head().size;
                if before.is_none_or(|before| size < before) {
                    begins.push(stored.sequence);
                }
                before = Some(size);
            }
        };
        let next = self.each(look).await?;
        let ends = begins.iter().skip(1).copied().chain([next]);
        let run = |(begin, end): (&u64, u64)| Run {
            shelf: self.clone(),
            rest: *begin..end,
            page: VecDeque::new(),
        };
        Ok(begins.iter().zip(ends).map(run).collect())
    }
}

/// Heads whose sizes only grow.
struct Run {
    shelf: Shelf,
    /// Positions that were not read yet.
    rest: Range<u64>,
    page: VecDeque<SignedHead>,
}

impl Run {
    /// The size of the next head; none at the end.
    async fn size(&mut self) -> anyhow::Result<Option<u64>> {
        while self.page.is_empty() && !self.rest.is_empty() {
            let page = self.shelf.page(self.rest.start).await?;
            let end = page.last().map_or(self.rest.end, |last| last.sequence + 1);
            for stored in page {
                if stored.sequence >= self.rest.end {
                    break;
                }
                // What is no head is none in the export either; the log's own copy stays for whoever looks.
                match SignedHead::parse(&stored.note) {
                    Ok(signed) => self.page.push_back(signed),
                    Err(error) => {
                        tracing::warn!(sequence = stored.sequence, %error, "left out of the export");
                    }
                }
            }
            self.rest.start = end.min(self.rest.end);
        }
        Ok(self.page.front().map(|head| head.head().size))
    }
}

/// The heads over so many commits or more, in the order of their sizes.
pub(super) struct SignedHeads {
    runs: Vec<Run>,
    least: u64,
    ahead: Option<SignedHead>,
    /// The notes over as many commits as the last one: a head that lies in two places comes once.
    given: Vec<SignedHead>,
}

impl SignedHeads {
    pub(super) async fn open(log: &Log, database: &Database, least: u64) -> anyhow::Result<Self> {
        let stream = log.tree_heads().await?;
        let mut runs = Shelf::stream(stream.clone()).runs().await?;
        match kept_runs(database, &stream).await {
            Ok(kept) => runs.extend(kept),
            // The stream has all there are, unless it was lost.
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "the heads that PostgreSQL keeps are not compared with the stream of heads"
            ),
        }
        Ok(Self {
            runs,
            least: least.max(1),
            ahead: None,
            given: Vec::new(),
        })
    }

    /// How many commits the next head covers; none at the end.
    pub(super) async fn next_size(&mut self) -> anyhow::Result<Option<u64>> {
        Ok(self.peek().await?.map(|head| head.head().size))
    }

    pub(super) async fn next(&mut self) -> anyhow::Result<Option<SignedHead>> {
        match self.ahead.take() {
            Some(head) => Ok(Some(head)),
            None => self.read().await,
        }
    }

    /// The next one, if it covers no more than `size` commits.
    pub(super) async fn next_up_to(&mut self, size: u64) -> anyhow::Result<Option<SignedHead>> {
        match self.next_size().await?.is_some_and(|next| next <= size) {
            true => self.next().await,
            false => Ok(None),
        }
    }

    /// The next head, which stays the next one.
    async fn peek(&mut self) -> anyhow::Result<Option<&SignedHead>> {
        if self.ahead.is_none() {
            self.ahead = self.read().await?;
        }
        Ok(self.ahead.as_ref())
    }

    async fn read(&mut self) -> anyhow::Result<Option<SignedHead>> {
        loop {
            let mut smallest = None;
            for (index, run) in self.runs.iter_mut().enumerate() {
                if let Some(size) = run.size().await?
                    && smallest.is_none_or(|(least, _)| size < least)
                {
                    smallest = Some((size, index));
                }
            }
            let Some((size, index)) = smallest else {
                return Ok(None);
            };
            let head = self.runs[index].page.pop_front();
            let head = head.context("a run of tree heads has ended")?;
            self.given.retain(|given| given.head().size == size);
            if size >= self.least && !self.given.contains(&head) {
                self.given.push(head.clone());
                return Ok(Some(head));
            }
        }
    }
}

/// The copies, if the stream does not have the last of them.
async fn kept_runs(database: &Database, stream: &TreeHeads) -> anyhow::Result<Vec<Run>> {
    let mut connection = database.connect().await?;
    let Some(kept) = heads::last(&mut connection).await? else {
        return Ok(Vec::new());
    };
    let there = stream.page(kept.sequence, 1).await?;
    match there.first() == Some(&kept) {
        true => Ok(Vec::new()),
        false => Shelf::kept(database).runs().await,
    }
}
