//! The events of a tenant from a place on: first those of the past, from the archive, then the live ones.
//!
//! The two meet without a gap: a tail follows the live feed *before* it reads the archive, up to the very
//! position from which the feed follows, and waits until the archive has come so far. It drops what it has
//! told already, so nothing comes twice. While it reads the past it may lose the feed, and then follows it
//! anew; once it is live, losing it means that the client does not keep up, and ends the tail with a word. So does a
//! commit of the past that the archive has set aside.

use crate::error::ApiError;
use crate::graphql::event::Event;
use crate::state::AppState;
use bus::feed::{Follower, Missed};
use domain::id::TenantId;
use futures::Stream;
use projections::archive::audit::{self, AuditFilter, AuditRange};
use projections::archive::{self, LoggedEvent, Place};
use std::collections::VecDeque;
use std::time::Duration;

/// Events of the past that are read at once.
const PAGE: usize = 200;
/// How long the archive may take to reach the feed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a tail begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With what happens next.
    Now,
    /// Behind a place.
    Behind(Place),
}

/// What is still to be told to one subscription.
pub(super) struct Tail {
    state: AppState,
    tenant: TenantId,
    filter: AuditFilter,
    follower: Follower,
    /// Everything up to here was told, or is in `ready`.
    told: Place,
    ready: VecDeque<LoggedEvent>,
    /// Up to this position the archive is read; none once the tail is live.
    past: Option<u64>,
    /// The commit at which the tail ends, because the archive has set it aside.
    parked: Option<u64>,
    /// Whether the feed has been kept up with since the archive was read.
    live: bool,
}

impl Tail {
    /// A tail.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] while the log was not reached yet.
    pub(super) fn begin(
        state: &AppState,
        tenant: &TenantId,
        filter: AuditFilter,
        start: Start,
    ) -> Result<Self, ApiError> {
        let follower = state.feed.follow(tenant)?;
        let now = Place::end_of(follower.position);
        let told = match start {
            Start::Now => now,
            Start::Behind(place) => place,
        };
        Ok(Self {
            state: state.clone(),
            tenant: tenant.clone(),
            filter,
            past: (told < now).then_some(follower.position),
            parked: None,
            live: false,
            follower,
            told,
            ready: VecDeque::new(),
        })
    }

    /// The events; after an error nothing more.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Event, ApiError>> {
        futures::stream::unfold(Some(self), |tail| async move {
            let mut tail = tail?;
            match tail.next().await {
                Ok(event) => Some((Ok(event.into()), Some(tail))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<LoggedEvent, ApiError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            match (self.parked, self.past) {
                (Some(at), _) => return Err(set_aside(at)),
                (None, Some(until)) => self.read_past(until).await?,
                (None, None) => self.read_live().await?,
            }
        }
    }

    async fn read_past(&mut self, until: u64) -> Result<(), ApiError> {
        let positions = &self.state.positions;
        positions.wait_for(archive::NAME, until, PATIENCE).await?;
        // The connection is given back before the client is waited for.
        let mut reads = self.state.reads.tenant(&self.tenant).await?;
        let behind = self.told.stream_sequence;
        let parked = archive::first_parked(&mut reads, behind, until).await?;
        let until = parked.map_or(until, |at| at - 1);
        let range = AuditRange {
            first: PAGE,
            after: Some(self.told),
            until: Some(until),
            descending: false,
        };
        let page = audit::events(&mut reads, &self.filter, &range).await?.page;
        let end = Place::end_of(until);
        self.told = match page.items.last() {
            Some(last) if page.has_next => last.node.place,
            Some(_) | None => end.max(self.told),
        };
        if !page.has_next {
            (self.past, self.parked) = (None, parked);
        }
        self.ready
            .extend(page.items.into_iter().map(|item| item.node));
        Ok(())
    }

    async fn read_live(&mut self) -> Result<(), ApiError> {
        let entry = match self.follower.next().await {
            Ok(entry) => entry,
            Err(Missed::Behind) if !self.live => return self.follow_anew(),
            Err(Missed::Behind) => return Err(self.too_slow()),
            Err(Missed::Ended) => {
                return Err(ApiError::Unavailable {
                    message: "this instance cannot tell more; go on from your last cursor".into(),
                });
            }
        };
        self.live = true;
        let (told, filter) = (self.told, &self.filter);
        let events = LoggedEvent::of_commit(entry.stream_sequence, &entry.commit);
        let news = events.filter(|event| event.place > told && filter.admits(event));
        self.ready.extend(news);
        self.told = told.max(Place::end_of(entry.stream_sequence));
        Ok(())
    }

    /// The feed ran ahead while the past was read: what it dropped is in the archive.
    fn follow_anew(&mut self) -> Result<(), ApiError> {
        self.follower = self.state.feed.follow(&self.tenant)?;
        self.past = Some(self.follower.position);
        Ok(())
    }

    fn too_slow(&self) -> ApiError {
        let next = self.told.stream_sequence + 1;
        ApiError::Rejected {
            code: "SLOW_CONSUMER",
            message: format!(
                "more than {} commits were waiting (limits.live_buffer): go on with fromSequence: {next}",
                self.state.config.limits.live_buffer
            ),
        }
    }
}

/// A hole in the past is told and not passed over: a client goes on behind it only if it says so.
fn set_aside(at: u64) -> ApiError {
    let next = at + 1;
    ApiError::Rejected {
        code: "EVENTS_PARKED",
        message: format!(
            "the commit at position {at} was set aside by the archive and cannot be told now; go on behind it with \
             fromSequence: {next}, or begin again once an operator has applied it"
        ),
    }
}
