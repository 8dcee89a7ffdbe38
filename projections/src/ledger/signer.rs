//! Signs tree heads: at an interval, and when asked.
//!
//! **Invariants.** Only the process that leads the ledger's projector signs. Before it does, it computes the
//! root at the size of the last signed head from the present tree: a head that would contradict an earlier one
//! is not signed. An append names the head that it follows, so a deposed signer cannot slip one in.

use super::keys::{LedgerKeyError, LedgerKeys};
use super::note::{NotANote, SignedHead, SigningKey, TreeHead};
use super::sinks::Sinks;
use super::{NAME, heads, tree};
use crate::error::QueryError;
use crate::position::{Positions, ProjectorState};
use crate::runner::chain;
use crate::store::Database;
use bus::tree_heads::AppendHeadError;
use bus::{BusError, Log, SignerAnswer, TreeHeads};
use sqlx::Connection;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Signers that win before us are asked about again so often.
const RACES: usize = 4;
/// Pause after one of them, which doubles with each.
const AFTER_A_RACE: Duration = Duration::from_millis(50);
/// How long a request waits until the ledger has reached the log's head.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Pause after the log was away.
const PAUSE: Duration = Duration::from_secs(1);

/// Why no head was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There is no key.
    #[error("there is no key to sign with: `metamcp audit keygen` makes one")]
    NoKey,
    /// The log has no commit.
    #[error("the log is empty: there is nothing to sign")]
    EmptyLog,
    /// The tree is smaller than the last signed head says.
    #[error(
        "the ledger has {size} commits, and a signed tree head covers {signed}: the log was cut off, or the ledger is catching up. Restore the log"
    )]
    Shorter {
        /// What there is.
        size: u64,
        /// What was signed.
        signed: u64,
    },
    /// The tree is another one than was signed.
    #[error(
        "the first {0} commits are not those that a tree head was signed over: the log was replaced. Restore it, or begin another one with a key of another name"
    )]
    Forked(u64),
    /// The stream of heads is not the one that was copied.
    #[error(
        "the stream of tree heads has lost head {0}: stop all processes, and `metamcp restore --from archive` brings the kept ones back; with `--accept-loss`, if a loss of commits was accepted before"
    )]
    HeadsLost(u64),
    /// The last stored head is none.
    #[error("the last entry of the stream of tree heads cannot be read")]
    Unreadable(#[from] NotANote),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] LedgerKeyError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] BusError),
    /// Postgres failed.
    #[error("the ledger's database failed")]
    Database(#[from] sqlx::Error),
    /// The ledger cannot answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Other signers were first, again and again.
    #[error("other signers were first, several times in a row: try again")]
    Raced,
}

/// Signs for a log.
#[derive(Debug, Clone)]
pub struct Signer {
    log: Log,
    heads: TreeHeads,
    database: Database,
    keys: LedgerKeys,
    sinks: Sinks,
}

impl Signer {
    /// A signer over the ledger in `database`.
    #[must_use]
    pub fn new(
        log: Log,
        heads: TreeHeads,
        database: Database,
        keys: LedgerKeys,
        sinks: Sinks,
    ) -> Self {
        Self {
            log,
            heads,
            database,
            keys,
            sinks,
        }
    }

    /// Signs the tree as it is, unless its head is signed already; either way, that head.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign(&self) -> Result<SignedHead, SignError> {
        let keys = self.keys.all()?;
        let newest = keys.last().ok_or(SignError::NoKey)?;
        let mut pause = AFTER_A_RACE;
        for _ in 0..RACES {
            let last = self.heads.last().await?;
            let after = last.as_ref().map_or(0, |last| last.sequence);
            let last = last.map(|last| SignedHead::parse(&last.note)).transpose()?;
            // A key of another name begins the heads of another log.
            let origin = newest.verifying().name();
            let last = last.filter(|last| last.head().origin == origin);
            let head = self.head(origin, last.as_ref()).await?;
            if let Some(last) = last.as_ref().filter(|last| *last.head() == head)
                && last.names(newest.verifying())
            {
                return Ok(last.clone());
            }
            let signed = SignedHead::sign(head, &signers(&keys, newest, last.as_ref()));
            match self.heads.append(signed.note(), after).await {
                Ok(_) => {
                    tracing::info!(size = signed.head().size, root = %signed.head().root, "signed a tree head");
                    return Ok(signed);
                }
                Err(AppendHeadError::Conflict) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(AppendHeadError::Bus(error)) => return Err(error.into()),
            }
        }
        Err(SignError::Raced)
    }

    /// Signs, keeps a copy in Postgres and delivers one to the sinks, at each interval and at each request,
    /// while this process leads the ledger's projector.
    pub async fn run(self, interval: Duration, positions: Positions, stop: CancellationToken) {
        let (newest, to_send) = watch::channel(None);
        let signing = async {
            loop {
                if let Err(error) = self.listen(interval, &positions, &newest).await {
                    tracing::warn!(error = chain(&error), "signing tree heads begins again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.sinks.follow(&to_send) => {}
            () = signing => {}
        }
    }

    async fn listen(
        &self,
        interval: Duration,
        positions: &Positions,
        newest: &watch::Sender<Option<SignedHead>>,
    ) -> Result<(), SignError> {
        let mut requests = self.heads.requests().await?;
        let mut due = tokio::time::interval(interval);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let request = tokio::select! {
                _ = due.tick() => None,
                request = requests.next() => match request {
                    Some(request) => Some(request),
                    None => return Ok(()),
                },
            };
            if !leads(positions) {
                continue;
            }
            if request.is_some() {
                self.catch_up(positions).await;
            }
            let round = self.round().await;
            if let Ok(head) = &round {
                newest.send_if_modified(|newest| {
                    let is_new = newest.as_ref() != Some(head);
                    if is_new {
                        *newest = Some(head.clone());
                    }
                    is_new
                });
            }
            match (round, request) {
                (round, Some(request)) => {
                    let answer = match round {
                        Ok(head) => SignerAnswer::Note(head.note().to_owned()),
                        Err(error) => SignerAnswer::Refused(chain(&error)),
                    };
                    request.answer(&answer).await?;
                }
                // Before the first commit or the first key nothing is wrong.
                (Ok(_) | Err(SignError::EmptyLog | SignError::NoKey), None) => {}
                (Err(error), None) => {
                    tracing::error!(error = chain(&error), "no tree head was signed");
                }
            }
        }
    }

    /// Lets the ledger come to the log's end, as far as it does within its time.
    async fn catch_up(&self, positions: &Positions) {
        if let Ok(head) = self.log.head().await
            && let Err(error) = positions.wait_for(NAME, head, CATCH_UP).await
        {
            tracing::warn!(%error, "a tree head will cover less than the log");
        }
    }

    /// Signs, and keeps the stream's copy in Postgres up to date.
    async fn round(&self) -> Result<SignedHead, SignError> {
        let mut connection = self.database.connect().await?;
        heads::copy(&mut connection, &self.heads).await?;
        let head = self.sign().await?;
        heads::copy(&mut connection, &self.heads).await?;
        connection.close().await?;
        Ok(head)
    }

    /// The head of the present tree, which must continue the last signed one.
    async fn head(&self, origin: &str, last: Option<&SignedHead>) -> Result<TreeHead, SignError> {
        let mut connection = self.database.connect().await?;
        // One state of the tree, also while a rebuilt one is swapped in.
        let mut transaction = connection
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let size = tree::size(&mut transaction).await?;
        if let Some(last) = last.map(SignedHead::head) {
            let then = tree::frontier(&mut transaction, last.size).await?;
            match then {
                None => {
                    let signed = last.size;
                    return Err(SignError::Shorter { size, signed });
                }
                Some(then) if then.root() != last.root => return Err(SignError::Forked(last.size)),
                Some(_) => {}
            }
        }
        if size == 0 {
            return Err(SignError::EmptyLog);
        }
        let now = tree::frontier(&mut transaction, size).await?;
        let now = now.ok_or(SignError::Shorter { size, signed: size })?;
        transaction.rollback().await?;
        connection.close().await?;
        Ok(TreeHead {
            origin: origin.to_owned(),
            size,
            root: now.root(),
        })
    }
}

/// The newest key; and, until it has signed once, the one that signed before it.
fn signers<'k>(
    keys: &'k [SigningKey],
    newest: &'k SigningKey,
    last: Option<&SignedHead>,
) -> Vec<&'k SigningKey> {
    let mut signers = vec![newest];
    if let Some(last) = last.filter(|last| !last.names(newest.verifying())) {
        signers.extend(keys.iter().filter(|key| last.names(key.verifying())));
    }
    signers
}

fn leads(positions: &Positions) -> bool {
    let health = positions.health();
    let ledger = health.iter().find(|one| one.projector == NAME);
    ledger.is_some_and(|ledger| ledger.state == ProjectorState::Running)
}
