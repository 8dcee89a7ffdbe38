//! The history of an object: each event with what it changed.

use super::connection::{DEFAULT_FIRST, PageOf, connection, cost, page_request};
use super::enums::Direction;
use super::event::Event;
use super::loaders::{HistoryOf, Loaders};
use super::scalars::Sequence;
use super::session::Session;
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::id::ServerId;
use domain::{AggregateRoot, diff};
use futures::FutureExt;
use projections::archive::history::{self, HistoryRange};
use projections::{Moment, Page, PageRequest, archive, catalog};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A page of a history.
pub(super) type HistoryConnection = PageOf<HistoryEntry, Completeness>;

/// What a history says beside its entries: whether it is whole.
pub(super) struct Completeness {
    of: ParkedOf,
    until: Option<u64>,
}

#[Object]
impl Completeness {
    /// Commits of this object that the archive could not read and has set aside, oldest first. They are in
    /// the log and missing from the entries, until the archive has applied them. Empty when all is well.
    async fn parked(&self, ctx: &Context<'_>) -> Option<Result<Vec<ParkedCommit>, ApiError>> {
        let loaded = Session::of(ctx).loaders.load_one(self.of.clone()).await;
        let commits = loaded.map(Option::unwrap_or_default);
        let told = |commit: &archive::ParkedCommit| {
            self.until
                .is_none_or(|until| commit.stream_sequence <= until)
        };
        Some(commits.map(|commits| {
            let commits = commits.into_iter().filter(told);
            commits.map(ParkedCommit::from).collect()
        }))
    }
}

/// A commit that could not be read, and is missing here.
#[derive(SimpleObject)]
pub(super) struct ParkedCommit {
    /// Its position in the log.
    sequence: Sequence,
    /// When it was set aside.
    parked_at: DateTime<Utc>,
}

/// An event of an object and what it changed in it.
#[derive(SimpleObject)]
pub(super) struct HistoryEntry {
    /// The event itself.
    #[graphql(flatten)]
    event: Event,
    /// What differs between the object before and after the event, in the order of the paths.
    change: Vec<Change>,
}

/// A difference in one place of an object.
#[derive(SimpleObject)]
struct Change {
    /// Where: a JSON Pointer (RFC 6901) into the object, whose fields are named as in the log.
    path: String,
    /// What happened there.
    kind: ChangeKind,
    /// What stood there.
    before: Option<Value>,
    /// What stands there now.
    after: Option<Value>,
}

/// How a place of an object changed.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
enum ChangeKind {
    /// There was nothing.
    Added,
    /// There was something else.
    Changed,
    /// There is nothing any more.
    Removed,
}

/// The history of an object. Its one field is a field of the object, whatever that is.
pub(super) struct Historied {
    of: ParkedOf,
    /// The moment that the object is shown as of.
    moment: Moment,
    action: Action,
    resource: Resource,
}

#[Object]
impl Historied {
    /// What has happened to it and what each event changed. Of servers and tools for those who keep or audit
    /// the registry; of all else for owners, administrators and auditors.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Newest or oldest first.", default_with = "Direction::Desc")]
        direction: Direction,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Option<Result<HistoryConnection, ApiError>> {
        let session = Session::of(ctx);
        let read = async {
            session.authorize(self.action, &self.resource)?;
            let request = page_request(session, first, after)?;
            self.read(session, request, direction, min_sequence).await
        };
        Some(read.boxed().await)
    }
}

impl Historied {
    pub(super) fn of_tool(session: &Session, tool: &catalog::Tool) -> Self {
        Self {
            of: ParkedOf::new::<domain::tool::Tool>(tool.id.as_str()),
            moment: tool.moment,
            action: Action::ReadToolHistory,
            resource: Resource::of_tool(tool, &session.caller),
        }
    }

    pub(super) fn of_server(id: &ServerId, moment: Moment) -> Self {
        Self {
            of: ParkedOf::new::<domain::server::Server>(id.as_str()),
            moment,
            action: Action::ReadServerHistory,
            resource: Resource::server().named(id.as_str()),
        }
    }

    /// Of any other object of the caller's tenant.
    pub(super) fn of<A: AggregateRoot>(id: &str) -> Self {
        Self {
            of: ParkedOf::new::<A>(id),
            moment: Moment::Now,
            action: Action::ReadAudit,
            resource: Resource::tenant(),
        }
    }

    /// Of an object that is shown as it was: what had happened by then.
    pub(super) fn at(self, moment: Moment) -> Self {
        Self { moment, ..self }
    }

    async fn read(
        &self,
        session: &Session,
        request: PageRequest,
        direction: Direction,
        min_sequence: Option<Sequence>,
    ) -> Result<HistoryConnection, ApiError> {
        let until = match self.moment {
            Moment::Now => None,
            Moment::At(position) => Some(position),
        };
        let least = min_sequence.max(until.map(Sequence));
        session.caught_up(archive::NAME, least).await?;
        let continues = request.after.is_some();
        let key = HistoryOf {
            aggregate: self.of.aggregate,
            id: self.of.id.clone(),
            range: HistoryRange {
                first: request.first,
                after: request.after,
                until,
                descending: direction == Direction::Desc,
            },
        };
        let page = session.loaders.load_one(key).await?;
        let page = page.map(Arc::unwrap_or_clone).unwrap_or(Page {
            items: Vec::new(),
            has_next: false,
        });
        let completeness = Completeness {
            of: self.of.clone(),
            until,
        };
        Ok(connection(
            page,
            continues,
            completeness,
            HistoryEntry::from,
        ))
    }
}

/// The parked commits of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ParkedOf {
    aggregate: &'static str,
    id: String,
}

impl ParkedOf {
    fn new<A: AggregateRoot>(id: &str) -> Self {
        Self {
            aggregate: A::TYPE,
            id: id.to_owned(),
        }
    }
}

impl Loader<ParkedOf> for Loaders {
    type Value = Vec<archive::ParkedCommit>;
    type Error = ApiError;

    /// One statement for each kind of object.
    async fn load(&self, keys: &[ParkedOf]) -> Result<HashMap<ParkedOf, Self::Value>, ApiError> {
        let mut kinds: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for key in keys {
            kinds.entry(key.aggregate).or_default().push(key.id.clone());
        }
        let mut reads = self.reads().await?;
        let mut parked = HashMap::new();
        for (aggregate, ids) in kinds {
            let found = archive::parked(&mut reads, aggregate, &ids).await?;
            let found = found.into_iter();
            parked.extend(found.map(|(id, commits)| (ParkedOf { aggregate, id }, commits)));
        }
        Ok(parked)
    }
}

impl From<archive::ParkedCommit> for ParkedCommit {
    fn from(commit: archive::ParkedCommit) -> Self {
        Self {
            sequence: Sequence(commit.stream_sequence),
            parked_at: commit.parked_at,
        }
    }
}

impl From<history::HistoryEntry> for HistoryEntry {
    fn from(entry: history::HistoryEntry) -> Self {
        Self {
            event: entry.event.into(),
            change: entry.changes.into_iter().map(Change::from).collect(),
        }
    }
}

impl From<diff::Change> for Change {
    fn from(change: diff::Change) -> Self {
        let kind = match (&change.before, &change.after) {
            (None, _) => ChangeKind::Added,
            (Some(_), Some(_)) => ChangeKind::Changed,
            (Some(_), None) => ChangeKind::Removed,
        };
        Self {
            path: change.path,
            kind,
            before: change.before,
            after: change.after,
        }
    }
}
