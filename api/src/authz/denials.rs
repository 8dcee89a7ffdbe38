//! Every refusal is an event of the log: who, what, when, which decision, by which policy.
//!
//! [`RecordingAuthorizer`] stands around the authorizer that decides, so no surface can forget it. It only
//! hands a refusal on; one task of the process writes. **The refusal stands whatever becomes of its
//! record**: when the log is away, that is counted, logged, and tried again. An answer waits until its
//! refusals are on disk, but never longer than [`SETTLE`].
//!
//! **A flood stays small.** The first refusal of the same thing (principal, action, object, decision,
//! policy) in a window is written at once; those that follow are counted, and their number is written when
//! the window ends. Of one action, the first [`MOST_OBJECTS`] objects of a window are told apart. A process
//! that is killed loses the counts of the windows that were open, and no first refusal.

use super::{Action, Authorizer, Denied, Resource};
use crate::context::Caller;
use crate::telemetry::DENIALS;
use bus::{CommandContext, DispatchError, Dispatcher};
use chrono::{DateTime, Utc};
use domain::denial::{Decision, Denial, DenialCommand, Refusal};
use domain::envelope::Actor;
use domain::id::{CommandId, CorrelationId, PrincipalId, TenantId};
use domain::principal::Role;
use projections::Sight;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long an answer waits for the record of its refusals.
pub const SETTLE: Duration = Duration::from_secs(1);
/// Objects of one principal and action that a window tells apart.
pub const MOST_OBJECTS: usize = 20;

/// Refusals that wait to be looked at.
const QUEUE: usize = 1_024;
/// Different refusals that are kept in mind at a time.
const MOST_OPEN: usize = 10_000;
/// Time for one commit.
const WRITE: Duration = Duration::from_secs(2);
/// How often ended windows are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// Windows after which a refusal that could not be written is given up.
const GIVE_UP: i64 = 60;
/// Time for the last counts when the process stops.
const LAST: Duration = Duration::from_secs(3);

/// An authorizer whose refusals are recorded.
pub struct RecordingAuthorizer {
    inner: Arc<dyn Authorizer>,
    denials: Denials,
}

impl RecordingAuthorizer {
    /// Records what `inner` refuses.
    #[must_use]
    pub fn new(inner: Arc<dyn Authorizer>, denials: Denials) -> Self {
        Self { inner, denials }
    }
}

impl Authorizer for RecordingAuthorizer {
    fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        resource: &Resource,
    ) -> Result<(), Denied> {
        let decided = self.inner.authorize(caller, action, resource);
        if let Err(denied) = &decided {
            self.denials.submit(caller, denied, resource);
        }
        decided
    }

    fn permits(&self, roles: &BTreeSet<Role>, action: Action, resource: &Resource) -> bool {
        self.inner.permits(roles, action, resource)
    }

    fn sight(&self, caller: &Caller) -> Sight {
        self.inner.sight(caller)
    }

    fn policy_version(&self) -> &str {
        self.inner.policy_version()
    }
}

/// Where refusals are handed in. Cheap to clone.
#[derive(Clone)]
pub struct Denials {
    inbox: Arc<Mutex<Inbox>>,
    handled: watch::Receiver<u64>,
    window: u64,
}

struct Inbox {
    queue: mpsc::Sender<Refused>,
    /// How many were handed in.
    submitted: u64,
}

/// One refusal on its way.
struct Refused {
    tenant: TenantId,
    actor: Actor,
    correlation_id: CorrelationId,
    refusal: Refusal,
}

impl Denials {
    /// A place to hand refusals in, and the recorder that writes them.
    #[must_use]
    pub fn start(dispatcher: Dispatcher, window: Duration) -> (Self, DenialRecorder) {
        let (queue, refused) = mpsc::channel(QUEUE);
        let (handled, watched) = watch::channel(0);
        let stop = CancellationToken::new();
        let inbox = Inbox {
            queue,
            submitted: 0,
        };
        let denials = Self {
            inbox: Arc::new(Mutex::new(inbox)),
            handled: watched,
            window: window.as_secs().max(1),
        };
        let book = Book {
            dispatcher,
            open: HashMap::new(),
            objects: HashMap::new(),
        };
        let task = tokio::spawn(book.keep(refused, handled, stop.clone()));
        (denials, DenialRecorder { stop, task })
    }

    /// Hands a refusal in, without waiting.
    pub fn submit(&self, caller: &Caller, denied: &Denied, resource: &Resource) {
        let refused = Refused {
            tenant: caller.tenant.clone(),
            actor: caller.actor(),
            correlation_id: caller.correlation_id,
            refusal: self.refusal(&caller.principal, denied, resource, Utc::now()),
        };
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        match inbox.queue.try_send(refused) {
            Ok(()) => inbox.submitted += 1,
            Err(_) => lost("too many refusals at once, or the process is stopping"),
        }
    }

    /// Waits, bounded, until everything handed in so far is on disk or was given up for now.
    pub async fn settled(&self) {
        let submitted = self
            .inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .submitted;
        let mut handled = self.handled.clone();
        let reached = handled.wait_for(|handled| *handled >= submitted);
        if tokio::time::timeout(SETTLE, reached).await.is_err() {
            tracing::warn!("a refusal is answered before its record is on disk");
        }
    }

    fn refusal(
        &self,
        principal: &PrincipalId,
        denied: &Denied,
        resource: &Resource,
        now: DateTime<Utc>,
    ) -> Refusal {
        Refusal {
            principal_id: principal.clone(),
            action: denied.action.to_string(),
            resource_kind: denied.kind.to_string(),
            resource_id: resource.id.map(|id| id.as_str().to_owned()),
            decision: match denied.hidden {
                true => Decision::Hidden,
                false => Decision::Forbidden,
            },
            policy_version: denied.policy_version.clone(),
            window_start: Refusal::window_of(now, self.window),
            window_seconds: self.window,
        }
    }
}

/// The task that writes. To be stopped after everything that refuses.
pub struct DenialRecorder {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl DenialRecorder {
    /// Writes what is still to be written, within a bounded time, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        // A task that panicked has said so; there is nothing left to stop in it.
        let _ = self.task.await;
    }

    /// Ends the task when nobody waits for it.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }
}

type Key = (TenantId, Refusal);

/// What is known of the same refusals of one window.
struct Tally {
    actor: Actor,
    correlation_id: CorrelationId,
    /// Not written yet.
    unwritten: u64,
    /// A command whose outcome is unknown: sent again as it was, it counts once.
    pending: Option<(CommandId, u64)>,
}

struct Book {
    dispatcher: Dispatcher,
    open: HashMap<Key, Tally>,
    /// The objects that a window tells apart, by everything but the object.
    objects: HashMap<Key, HashSet<String>>,
}

impl Book {
    async fn keep(
        mut self,
        mut refused: mpsc::Receiver<Refused>,
        handled: watch::Sender<u64>,
        stop: CancellationToken,
    ) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = look.tick() => self.close_windows(Utc::now()).await,
                next = refused.recv() => match next {
                    Some(next) => {
                        self.enter(next).await;
                        handled.send_modify(|handled| *handled += 1);
                    }
                    None => break,
                },
            }
        }
        refused.close();
        let rest = async {
            while let Some(next) = refused.recv().await {
                self.enter(next).await;
            }
            self.close_windows(DateTime::<Utc>::MAX_UTC).await;
        };
        if tokio::time::timeout(LAST, rest).await.is_err() {
            lost("the process stopped before the last counts were written");
        }
    }

    /// Writes the first of a kind, and counts the others.
    async fn enter(&mut self, refused: Refused) {
        let key = self.key(refused.tenant, refused.refusal);
        if let Some(tally) = self.open.get_mut(&key) {
            tally.unwritten += 1;
            metrics::counter!(DENIALS, "outcome" => "counted").increment(1);
            return;
        }
        if self.open.len() >= MOST_OPEN {
            lost("too many different refusals in one window");
            return;
        }
        let tally = Tally {
            actor: refused.actor,
            correlation_id: refused.correlation_id,
            unwritten: 1,
            pending: None,
        };
        self.open.insert(key.clone(), tally);
        self.write(&key).await;
    }

    /// A principal that tries one object after the other fills no more of a log than one that does not.
    fn key(&mut self, tenant: TenantId, refusal: Refusal) -> Key {
        let Some(object) = refusal.resource_id.clone() else {
            return (tenant, refusal);
        };
        let general = Refusal {
            resource_id: None,
            ..refusal.clone()
        };
        let general = (tenant, general);
        let known = self.objects.entry(general.clone()).or_default();
        if known.contains(&object) || known.len() < MOST_OBJECTS {
            known.insert(object);
            (general.0, refusal)
        } else {
            general
        }
    }

    /// Writes the counts of windows that have ended, and forgets them.
    async fn close_windows(&mut self, now: DateTime<Utc>) {
        let age = |refusal: &Refusal| {
            let window = i64::try_from(refusal.window_seconds).unwrap_or(i64::MAX);
            let seconds = now
                .signed_duration_since(refusal.window_start)
                .num_seconds();
            seconds / window.max(1)
        };
        self.objects.retain(|(_, refusal), _| age(refusal) < 1);
        let ended = self.open.keys().filter(|(_, refusal)| age(refusal) >= 1);
        let ended: Vec<Key> = ended.cloned().collect();
        for key in ended {
            self.write(&key).await;
            let rest = self.open.get(&key).map_or(0, Tally::rest);
            if rest == 0 {
                self.open.remove(&key);
            } else if age(&key.1) > GIVE_UP {
                self.open.remove(&key);
                lost("the log was away for too long");
            }
        }
    }

    /// Writes what is not written yet of one tally; what fails stays for another time.
    async fn write(&mut self, key: &Key) {
        let Some(tally) = self.open.get_mut(key).filter(|tally| tally.rest() > 0) else {
            return;
        };
        let unwritten = &mut tally.unwritten;
        let (command_id, times) = *tally
            .pending
            .get_or_insert_with(|| (CommandId(Uuid::now_v7()), std::mem::take(unwritten)));
        let (tenant, refusal) = key;
        let context = CommandContext::new(tenant.clone(), tally.actor.clone())
            .with_command_id(command_id)
            .with_correlation_id(tally.correlation_id);
        let id = refusal.denial_id(tenant);
        let refusal = refusal.clone();
        let command = DenialCommand::Record { refusal, times };
        let sent = self
            .dispatcher
            .dispatch::<Denial>(&context, id.as_str(), command);
        let outcome = match tokio::time::timeout(WRITE, sent).await {
            Ok(Ok(_)) => {
                tally.pending = None;
                "recorded"
            }
            Ok(Err(DispatchError::Rejected(error))) => {
                tracing::error!(%error, "a refusal cannot be recorded");
                tally.pending = None;
                "lost"
            }
            Ok(Err(error)) => {
                tracing::error!(%tenant, %error, "a refusal could not be recorded; trying again");
                "failed"
            }
            Err(_) => {
                tracing::error!(%tenant, "the log did not take a refusal in time; trying again");
                "failed"
            }
        };
        metrics::counter!(DENIALS, "outcome" => outcome).increment(1);
    }
}

impl Tally {
    fn rest(&self) -> u64 {
        self.unwritten + self.pending.map_or(0, |(_, times)| times)
    }
}

fn lost(why: &'static str) {
    tracing::error!(
        why,
        "a refusal goes without a record; the refusal itself stands"
    );
    metrics::counter!(DENIALS, "outcome" => "lost").increment(1);
}
