//! How far each projector is: for reading one's own writes, and for health.
//!
//! The process that runs a projector knows its position as soon as it is on disk, and tells the other instances
//! by `NOTIFY`: after the commit and apart from it, because PostgreSQL lets only one transaction at a time
//! commit with a notification. A monitor compares positions with the head of the log and also heals a missed
//! announcement.

mod announce;
mod parked;

use crate::checkpoint::to_u64;
use crate::error::QueryError;
use crate::registry::NAMES;
use crate::store::Database;
use announce::{CHANNEL, News, announce};
use bus::Log;
use sqlx::postgres::{PgListener, PgPool};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the monitor looks.
const MONITOR: Duration = Duration::from_millis(500);
/// How often it looks until every projector was seen up to date: until then no request is let in.
const MONITOR_AT_START: Duration = Duration::from_millis(50);

/// What a projector is doing, as this instance sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectorState {
    /// Not started here.
    Unknown,
    /// Led by this instance.
    Running,
    /// Led by another instance.
    Following,
    /// Failed, and trying again.
    Retrying {
        /// Why.
        reason: String,
    },
    /// Stopped until somebody acts.
    Halted {
        /// Why.
        reason: String,
    },
}

/// How a projector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectorHealth {
    /// Its name.
    pub projector: &'static str,
    /// The last position that it has applied.
    pub position: u64,
    /// The last position of the log, as last seen.
    pub head: u64,
    /// Positions between the two.
    pub lag: u64,
    /// Commits that it could not apply and put aside.
    pub parked: u64,
    /// What it is doing.
    pub state: ProjectorState,
}

/// The positions of all projectors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Positions {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    projectors: Vec<(&'static str, watch::Sender<u64>, Mutex<Seen>)>,
    head: watch::Sender<u64>,
    news: News,
    pool: PgPool,
}

#[derive(Debug, Clone)]
struct Seen {
    parked: u64,
    state: ProjectorState,
    /// Whether this projector was ever seen up to date; before that, how stale it is cannot be known.
    was_current: bool,
    /// Since when it is behind, or nothing is heard of it.
    behind_since: Option<Instant>,
    /// The position at the monitor's last look.
    last_look: u64,
}

impl Positions {
    /// Listens and monitors until `stop` is cancelled.
    #[must_use]
    pub fn start(database: &Database, log: &Log, stop: &CancellationToken) -> Self {
        let seen = || Seen {
            parked: 0,
            state: ProjectorState::Unknown,
            was_current: false,
            behind_since: None,
            last_look: 0,
        };
        let entry = |name| (name, watch::Sender::new(0), Mutex::new(seen()));
        // One connection each for those who listen, look, announce, and ask what is parked.
        let pool = database.owner_pool(4);
        let inner = Inner {
            projectors: NAMES.into_iter().map(entry).collect(),
            head: watch::Sender::new(0),
            news: News::default(),
            pool: pool.clone(),
        };
        let positions = Self {
            inner: Arc::new(inner),
        };
        tokio::spawn(
            positions
                .clone()
                .until(stop.clone(), listen(positions.clone(), pool.clone())),
        );
        let announcing = announce(positions.clone(), pool.clone());
        tokio::spawn(positions.clone().until(stop.clone(), announcing));
        let monitor = monitor(positions.clone(), pool, log.clone());
        tokio::spawn(positions.clone().until(stop.clone(), monitor));
        positions
    }

    /// Waits until a projector has applied a position.
    ///
    /// # Errors
    /// [`QueryError::Behind`] when it has not within `timeout`.
    pub async fn wait_for(
        &self,
        projector: &'static str,
        stream_sequence: u64,
        timeout: Duration,
    ) -> Result<(), QueryError> {
        let Some((_, position, _)) = self.entry(projector) else {
            return Err(QueryError::Behind {
                projector,
                position: 0,
                wanted: stream_sequence,
            });
        };
        let mut position = position.subscribe();
        let reached = position.wait_for(|at| *at >= stream_sequence);
        if let Ok(Ok(_)) = tokio::time::timeout(timeout, reached).await {
            return Ok(());
        }
        let position = *position.borrow();
        Err(QueryError::Behind {
            projector,
            position,
            wanted: stream_sequence,
        })
    }

    /// How every projector is.
    #[must_use]
    pub fn health(&self) -> Vec<ProjectorHealth> {
        let head = *self.inner.head.borrow();
        let one = |(name, position, seen): &(&'static str, watch::Sender<u64>, Mutex<Seen>)| {
            let position = *position.borrow();
            let seen = lock(seen).clone();
            let lag = head.saturating_sub(position);
            ProjectorHealth {
                projector: name,
                position,
                head: head.max(position),
                lag,
                parked: seen.parked,
                state: seen.state,
            }
        };
        self.inner.projectors.iter().map(one).collect()
    }

    /// For how long a projector has been behind the head of the log, or nothing has been heard of either;
    /// zero when it is up to date, and without bound before it was seen up to date for the first time.
    #[must_use]
    pub fn staleness(&self, projector: &'static str) -> Duration {
        let Some((_, _, seen)) = self.entry(projector) else {
            return Duration::MAX;
        };
        let seen = lock(seen);
        match seen.behind_since {
            _ if !seen.was_current => Duration::MAX,
            Some(since) => since.elapsed(),
            None => Duration::ZERO,
        }
    }

    /// What a projector does here from now on. False when it is what it did before.
    pub(crate) fn set_state(&self, projector: &str, state: ProjectorState) -> bool {
        let Some((_, _, seen)) = self.entry(projector) else {
            return false;
        };
        let mut seen = lock(seen);
        let changes = seen.state != state;
        seen.state = state;
        changes
    }

    fn entry(&self, name: &str) -> Option<&(&'static str, watch::Sender<u64>, Mutex<Seen>)> {
        self.inner
            .projectors
            .iter()
            .find(|(known, _, _)| *known == name)
    }

    /// Where a projector that begins to run stands: behind what was announced when the database has lost
    /// commits, as after a failover to a replica that had not received them.
    pub(crate) fn begins_at(&self, projector: &str, stream_sequence: u64) {
        if let Some((_, position, _)) = self.entry(projector) {
            position.send_replace(stream_sequence);
        }
    }

    /// A projector that runs here shows everything up to a position: told at once to those who wait here, and
    /// then to the other instances.
    pub(crate) fn shows(&self, projector: &'static str, stream_sequence: u64) {
        self.reached(projector, stream_sequence);
        self.inner.news.add(projector, stream_sequence);
    }

    /// While a projector runs its position only grows, whoever reports it; where another process runs it,
    /// the monitor takes it back, see [`look`].
    pub(crate) fn reached(&self, projector: &str, stream_sequence: u64) {
        if let Some((_, position, _)) = self.entry(projector) {
            position.send_if_modified(|at| {
                let grows = stream_sequence > *at;
                *at = stream_sequence.max(*at);
                grows
            });
        }
    }

    async fn until(self, stop: CancellationToken, task: impl Future<Output = ()>) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = task => {}
        }
    }
}

/// Where every projector stands, for those who look after a log without running projectors.
///
/// # Errors
/// When the database is away.
pub async fn checkpoints(
    connection: &mut sqlx::PgConnection,
) -> Result<Vec<(String, u64)>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT projector, stream_sequence FROM metamcp.checkpoints ORDER BY projector",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(name, at)| (name, to_u64(at)))
        .collect())
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(positions: Positions, pool: PgPool) {
    loop {
        if let Err(error) = listen_once(&positions, &pool).await {
            tracing::debug!(%error, "listening for positions broke and begins again");
        }
        tokio::time::sleep(MONITOR).await;
    }
}

async fn listen_once(positions: &Positions, pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let notification = listener.recv().await?;
        if let Some((projector, position)) = notification.payload().split_once(':')
            && let Ok(position) = position.parse()
        {
            positions.reached(projector, position);
        }
    }
}

async fn monitor(positions: Positions, pool: PgPool, log: Log) {
    let mut before = None;
    loop {
        before = look(&positions, &pool, &log, before).await;
        let known = positions
            .inner
            .projectors
            .iter()
            .all(|(_, _, seen)| lock(seen).was_current);
        tokio::time::sleep(if known { MONITOR } else { MONITOR_AT_START }).await;
    }
}

/// Compares checkpoints with the head of the log as it was at the look before: while others write without
/// a pause, a projector that keeps up is always a few commits behind the present head, and not stale. One
/// that stands beyond the present head was made from another log, and is not up to date. Answers the
/// present head, for the next look.
///
/// A checkpoint below what was announced before the last look was taken back, by a rebuild on another log:
/// from then on the lower one counts.
async fn look(positions: &Positions, pool: &PgPool, log: &Log, before: Option<u64>) -> Option<u64> {
    let mut head = head(log).await;
    let rows = sqlx::query_as::<_, (String, i64, i64)>(
        "SELECT c.projector, c.stream_sequence, count(d.projector)
         FROM metamcp.checkpoints c LEFT JOIN metamcp.dead_letters d USING (projector)
         GROUP BY 1, 2",
    )
    .fetch_all(pool)
    .await
    .ok();
    let known = |name: &str| {
        let mut rows = rows.iter().flatten();
        let row = rows.find(|(projector, _, _)| projector == name);
        row.map(|(_, at, parked)| (to_u64(*at), to_u64(*parked)))
    };
    let furthest = NAMES
        .iter()
        .filter_map(|name| known(name))
        .map(|(at, _)| at);
    let furthest = furthest.max().unwrap_or(0);
    if head.is_some_and(|head| furthest > head) {
        head = self::head(log).await;
    }
    if let Some(head) = head {
        positions.inner.head.send_replace(head);
    }
    for (name, position, seen) in &positions.inner.projectors {
        let row = known(name);
        let mut seen = lock(seen);
        if let Some((at, parked)) = row {
            seen.parked = parked;
            if at < seen.last_look {
                position.send_replace(at);
            }
            positions.reached(name, at);
        }
        let at = *position.borrow();
        seen.last_look = at;
        let on_this_log = row.is_some_and(|(at, _)| head.is_some_and(|head| at <= head));
        let up_to_date =
            on_this_log && head.is_some_and(|head| at >= before.unwrap_or(head).min(head));
        seen.was_current |= up_to_date;
        seen.behind_since = match up_to_date {
            true => None,
            false => seen.behind_since.or_else(|| Some(Instant::now())),
        };
        let lag = head.unwrap_or(0).saturating_sub(at);
        metrics::gauge!("metamcp_projector_lag", "projector" => *name).set(to_f64(lag));
        metrics::gauge!("metamcp_projector_parked", "projector" => *name).set(to_f64(seen.parked));
    }
    head
}

async fn head(log: &Log) -> Option<u64> {
    let head = tokio::time::timeout(Duration::from_secs(2), log.head()).await;
    head.ok().and_then(Result::ok)
}

/// A gauge is a float; counts beyond 2^53 do not occur.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 do not occur"
)]
fn to_f64(count: u64) -> f64 {
    count as f64
}
