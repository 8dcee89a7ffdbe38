//! `metamcp restore`: an empty log filled with the commits of an export or of the archive: the same bytes at
//! the same positions, so that hash chains, tree heads and checkpoints hold on.
//!
//! A log that is not empty is accepted if what it holds is the beginning of the source: so an interrupted
//! restore goes on where it stopped. Anything else is refused. The source is verified before anything is written:
//! one that was cut off or altered leaves the log as it was, and so does one that ends before a signed tree head.
#![expect(clippy::print_stdout, reason = "the outcome is the output")]

mod chains;
mod check;
mod heads;
mod loss;
mod signed;
mod source;

pub use loss::{Loss, SignedCommitsLost};
pub use source::Source;

use crate::app::{Backend, connect_log};
use crate::audit::bar;
use crate::cli::Installation;
use crate::embedded::{DataDir, EmbeddedServers, Options};
use anyhow::{Context, bail, ensure};
use api::config::Config;
use bus::tree_heads::AppendHeadError;
use bus::{Log, RestoredCommit};
use domain::merkle::Frontier;
use projections::Database;
use projections::ledger::{SignedHead, VerifyingKey};
use signed::SignedTree;
use sqlx::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Commits sent at once.
const BATCH: usize = 1_000;
/// Silence of the log after which a restore gives up.
const SILENCE: Duration = Duration::from_secs(30);

/// Where to restore from.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An export of the whole log, or `archive` for the copy in PostgreSQL.
    #[arg(long)]
    from: String,
    /// Public keys that you trust, one a line, beside those in `ledger.keys_dir`.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Restore what there is, although commits that were signed are not in the source.
    #[arg(long)]
    accept_loss: bool,
    /// Start the private servers of `metamcp up` for it; `up` itself must not be running.
    #[arg(long)]
    private_servers: bool,
    #[command(flatten)]
    installation: Installation,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut config = match args.private_servers {
        true => args.installation.config_or_new()?,
        false => args.installation.config()?,
    };
    let private = match args.private_servers {
        true => {
            let dir = DataDir::open(args.installation.data_dir())?;
            let servers = EmbeddedServers::start(&dir, &Options::default()).await?;
            crate::up::point_at(&mut config, &dir, &servers);
            Some((servers.supervise(), dir))
        }
        false => None,
    };
    let outcome = restore(&config, &args).await;
    if let Some((servers, _dir)) = private {
        servers.stop().await;
    }
    let restored = outcome?;
    println!("{restored}");
    Ok(())
}

async fn restore(config: &Config, args: &Args) -> anyhow::Result<Restored> {
    let keys = check::keys(config, args.key.as_deref())?;
    let loss = match args.accept_loss {
        true => Loss::Accept,
        false => Loss::Refuse,
    };
    match args.from.as_str() {
        "archive" => from_archive(&Backend::connect(config).await?, &keys, loss).await,
        file => {
            let database = Database::new(&config.postgres.address()?).context("postgres.url")?;
            let log = connect_log(config).await?;
            from_file(&log, Path::new(file), &keys, &database, loss).await
        }
    }
}

/// What a restore has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Commits that were there before.
    pub before: Frontier,
    /// Commits that are there now.
    pub after: Frontier,
    /// Signed heads that are there now.
    pub tree_heads: u64,
    /// Commits up to this position have the root that a known key has signed.
    pub signed_to: u64,
    /// A head covers so many commits, and those behind `after` are not in the source.
    pub signed_beyond: Option<u64>,
    /// Read models that stand behind the restored log's end, with their positions: commits that they have
    /// seen are not in the source. None when the database could not be asked.
    pub ahead: Option<Vec<(String, u64)>>,
}

impl std::fmt::Display for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { before, after, .. } = self;
        writeln!(
            f,
            "before  {} commits, root {}",
            before.size(),
            before.root()
        )?;
        writeln!(f, "after   {} commits, root {}", after.size(), after.root())?;
        match self.signed_to {
            0 => write!(
                f,
                "heads   none that a known key has signed agrees (`ledger.keys_dir`, --key): nothing says that these \
                 are the commits that were lost"
            )?,
            to => write!(
                f,
                "heads   {}; commits up to {to} are those that were signed",
                self.tree_heads
            )?,
        }
        if let Some(signed) = self.signed_beyond {
            write!(
                f,
                "\nLOST    commits {} to {signed} are signed, and the source does not have them. No head of this log can be \
                 signed any more: to go on, move the keys out of `ledger.keys_dir`, keep their public halves, and \
                 begin a log of another name with `metamcp audit keygen --origin NAME` before anything else is started",
                after.size() + 1
            )?;
        }
        let Some(ahead) = &self.ahead else {
            return write!(f, "\nmodels  not compared: the database cannot be reached");
        };
        for (projector, position) in ahead {
            write!(
                f,
                "\nLOST    read model {projector} has seen commits {} to {position}, which the source does not have: \
                 run `metamcp rebuild {projector} --force`",
                after.size() + 1
            )?;
        }
        Ok(())
    }
}

/// Signed heads with their positions in their stream.
type Heads = Vec<(u64, SignedHead)>;

/// Restores from `archive.events`.
///
/// # Errors
/// When the log holds something else, or a server is away; a [`Fault`](crate::audit::Fault) or an
/// [`ArchivedError`](projections::archived::ArchivedError) when the archive does not verify, [`SignedCommitsLost`] when
/// it ends before a signed head. Nothing was written then.
pub async fn from_archive(
    backend: &Backend,
    keys: &[VerifyingKey],
    loss: Loss,
) -> anyhow::Result<Restored> {
    let mut connection = backend.database.connect().await?;
    let heads = heads::kept(&backend.database).await?;
    // It is read twice: what is written is what was verified, whatever becomes of the rows in between.
    let mut archive = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let end = check::archive(&mut archive, SignedTree::new(&heads, keys)?, loss).await?;
    let beyond = loss.check(&heads, &[last_head(&backend.log).await?], end)?;
    let tree = SignedTree::new(&heads, keys)?;
    let mut restored = fill(&backend.log, Source::archive(&mut archive), &heads, tree).await?;
    restored.signed_beyond = beyond;
    add_heads(&backend.log, &heads).await?;
    restored.ahead = check::ahead(&backend.database, restored.after.size()).await;
    Ok(restored)
}

/// Restores from an export of the whole log. The read models are compared with it if the database can be reached.
///
/// # Errors
/// When the export is not one from the first commit on, the log holds something else, or a server is away; a
/// [`Fault`](crate::audit::Fault) when the export does not verify, [`SignedCommitsLost`] when it ends before a signed
/// head. Nothing was written then.
pub async fn from_file(
    log: &Log,
    path: &Path,
    keys: &[VerifyingKey],
    database: &Database,
    loss: Loss,
) -> anyhow::Result<Restored> {
    let (source, end) = Source::file(path)?;
    let heads = heads::of_export(crate::audit::heads(path)?, keys);
    check::export(path, origin(&heads), keys)?;
    let known = [
        check::kept_heads(database).await.unwrap_or_default(),
        heads::of_stream(log).await?,
    ];
    let beyond = loss.check(&heads, &known, end)?;
    let mut restored = fill(log, source, &heads, SignedTree::new(&heads, keys)?).await?;
    restored.signed_beyond = beyond;
    let all = heads::together(known, heads);
    add_heads(log, &all).await?;
    restored.tree_heads = all.last().map_or(0, |(sequence, _)| *sequence);
    restored.ahead = check::ahead(database, restored.after.size()).await;
    Ok(restored)
}

/// The last head of the log's own stream, which may have outlived its commits.
async fn last_head(log: &Log) -> anyhow::Result<Heads> {
    let last = log.tree_heads().await?.last().await?;
    let read = last.map(|last| Ok((last.sequence, SignedHead::parse(&last.note)?)));
    read.into_iter().collect()
}

/// The name of the log that the heads are of now: heads of another name are those of a log that was given up.
fn origin(heads: &Heads) -> Option<&str> {
    heads.last().map(|(_, head)| head.head().origin.as_str())
}

/// Compares what is there with the source, appends the rest, and holds all of it to the signed heads.
async fn fill(
    log: &Log,
    mut source: Source<'_>,
    heads: &Heads,
    mut tree: SignedTree,
) -> anyhow::Result<Restored> {
    let present = log.head().await?;
    let bar = bar("{bar:30} {pos} commits ({per_sec})")?;
    compare(log, &mut source, present, &mut tree).await?;
    let before = tree.frontier.clone();
    loop {
        bar.set_position(tree.frontier.size());
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(commit) = source.next().await?
        {
            tree.push(&commit.body)?;
            batch.push(commit);
        }
        if batch.is_empty() {
            break;
        }
        log.restore(&batch).await?;
    }
    bar.finish_and_clear();
    Ok(Restored {
        before,
        tree_heads: heads.last().map_or(0, |(sequence, _)| *sequence),
        signed_to: tree.signed_to,
        signed_beyond: None,
        after: tree.frontier,
        ahead: None,
    })
}

/// The log must hold the beginning of the source and nothing else.
async fn compare(
    log: &Log,
    source: &mut Source<'_>,
    present: u64,
    tree: &mut SignedTree,
) -> anyhow::Result<()> {
    if present == 0 {
        return Ok(());
    }
    let mut reader = log.read_from(1).await?;
    while tree.frontier.size() < present {
        let batch = tokio::time::timeout(SILENCE, reader.next_batch(BATCH)).await;
        let batch = batch.context("the log has gone silent: is NATS well?")??;
        for entry in batch {
            let position = entry.stream_sequence;
            let expected: Option<RestoredCommit> = source.next().await?;
            let same = expected.is_some_and(|expected| {
                expected.body == entry.body
                    && expected.subject_tail == log.subject_tail(&entry.subject)
            });
            ensure!(
                same,
                "the log is not empty, and its commit {position} is not the one of the source: restore into an empty \
                 stream (a new `nats.stream`, or an empty JetStream)"
            );
            tree.push(&entry.body)?;
        }
    }
    Ok(())
}

/// Appends the heads that are not there yet; those that are must be the same.
async fn add_heads(log: &Log, heads: &Heads) -> anyhow::Result<()> {
    let stream = log.tree_heads().await?;
    let mut present = stream.count().await?;
    for (sequence, head) in heads {
        if *sequence > present {
            present = match stream.append(head.note(), present).await {
                Ok(sequence) => sequence,
                Err(AppendHeadError::Conflict) => bail!(
                    "somebody else signs tree heads: stop every other process, and run the restore again"
                ),
                Err(AppendHeadError::Bus(error)) => return Err(error.into()),
            };
            continue;
        }
        let there = stream.page(*sequence, 1).await?;
        ensure!(
            there.first().is_some_and(|there| there.note == head.note()),
            "the stream of tree heads is not empty, and its head {sequence} is not the one of the source"
        );
    }
    Ok(())
}
