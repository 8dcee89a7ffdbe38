//! The ledger: exporting the log and verifying an export beside reading it, and publishes with a hash chain beside
//! publishes without.

use crate::corpus::Corpus;
use crate::harness::{Goal, Report, Settings, alternate, in_flight, rate};
use crate::world::{World, fetch, log_of, publish, seed, tenant};
use anyhow::{Result, ensure};
use async_nats::Message;
use async_nats::jetstream::Context;
use bus::{Dispatcher, Log};
use domain::envelope::{Commit, body_hash};
use domain::merkle::{Frontier, leaf_hash};
use metamcp::audit::{Bounds, Verifier, export, verify_file};
use projections::Database;
use projections::ledger::{SignedHead, SigningKey, TreeHead};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let corpus = Corpus::load(settings)?;
    let world = World::start(false).await?;
    let config = world.config().await?;
    let log = log_of(&config).await?;
    let tools = settings.size(20_000, 1_000);
    seed(&Dispatcher::new(log.clone()), &corpus, &tenant()?, 0..tools).await?;
    let raw = world.raw().await?;
    let count = usize::try_from(log.head().await?)?;
    let messages = fetch(&raw, &config.nats.stream, count).await?;

    let database = Database::new(&config.postgres.address()?)?;
    let logs = Logs {
        log: &log,
        database: &database,
        raw: &raw,
        stream: &config.nats.stream,
        count,
    };
    exporting(settings, report, &logs).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("log.jsonl");
    let key = SigningKey::generate("bench")?;
    sign(&log, &key).await?;
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(&file)?);
    export(&log, &database, Bounds::default(), &mut out, &|_, _| {}).await?;
    verifying(settings, report, &logs, (&file, &key), &messages).await?;

    let sibling = world.sibling(&raw, &config).await?;
    let adopted: Vec<Message> = messages.iter().map(|one| sibling.adopt(one)).collect();
    let publishing = |chained: bool| {
        let (raw, adopted) = (raw.clone(), adopted.clone());
        async move {
            in_flight(adopted, move |message| {
                let raw = raw.clone();
                async move { publish_as_commit(&raw, message, chained).await }
            })
            .await
        }
    };
    // A few per cent are looked for, and two runs differ by as much: more pairs than elsewhere.
    let runs = 3 * settings.runs();
    let pairs = alternate(
        runs,
        async || publishing(false).await,
        async || publishing(true).await,
    );
    let bench = format!("publish of {count} commits with hash chain, beside without");
    report.rates(bench, &pairs.await?, "", Goal::AtLeast(0.95));
    Ok(())
}

/// One log, as the system reads it and as the client library alone does.
struct Logs<'a> {
    log: &'a Log,
    database: &'a Database,
    raw: &'a Context,
    stream: &'a str,
    count: usize,
}

impl Logs<'_> {
    async fn raw_fetch(&self) -> Result<f64> {
        let begun = Instant::now();
        black_box(fetch(self.raw, self.stream, self.count).await?);
        Ok(rate(self.count, begun.elapsed()))
    }
}

async fn exporting(settings: &Settings, report: &mut Report, logs: &Logs<'_>) -> Result<()> {
    let pairs = alternate(
        settings.runs(),
        async || logs.raw_fetch().await,
        async || {
            let begun = Instant::now();
            let (mut out, bounds) = (std::io::sink(), Bounds::default());
            export(logs.log, logs.database, bounds, &mut out, &|_, _| {}).await?;
            Ok(rate(logs.count, begun.elapsed()))
        },
    );
    let bench = format!("export of {} commits, beside a raw fetch", logs.count);
    report.rates(bench, &pairs.await?, "", Goal::AtLeast(0.7));
    Ok(())
}

/// Beside what every reader of the log has to do, and beside what hashing alone would cost.
async fn verifying(
    settings: &Settings,
    report: &mut Report,
    logs: &Logs<'_>,
    (file, key): (&Path, &SigningKey),
    messages: &[Message],
) -> Result<()> {
    let count = logs.count;
    let verifying = || {
        let begun = Instant::now();
        let verifier = Verifier::new(vec![key.verifying().clone()], Vec::new())?;
        let verified = verify_file(file, verifier, &|_| {})??;
        ensure!(verified.signed_to == verified.to, "the bench's own head");
        anyhow::Ok(rate(count, begun.elapsed()))
    };
    let hashing = || {
        let begun = Instant::now();
        for message in messages {
            black_box(Sha256::digest(&message.payload));
        }
        rate(count, begun.elapsed())
    };
    let runs = settings.runs();
    let pairs = alternate(runs, async || logs.raw_fetch().await, async || verifying()).await?;
    let bench = format!("verification of {count} commits, beside a raw fetch");
    report.rates(bench, &pairs, "", Goal::AtLeast(0.5));
    let pairs = alternate(runs, async || Ok(hashing()), async || verifying()).await?;
    let bench = "… beside SHA-256 of the same bodies, in memory, on one core";
    report.rates(bench, &pairs, "", Goal::None);
    Ok(())
}

/// Signs a head over all of the log, so that an export has one.
pub(crate) async fn sign(log: &Log, key: &SigningKey) -> Result<()> {
    let end = log.head().await?;
    let mut reader = log.read_from(1).await?;
    let mut tree = Frontier::default();
    while tree.size() < end {
        for entry in reader.next_batch(1_000).await? {
            tree.push(leaf_hash(&entry.body), |_, _| {});
        }
    }
    let head = TreeHead {
        origin: key.verifying().name().to_owned(),
        size: tree.size(),
        root: tree.root(),
    };
    let heads = log.tree_heads().await?;
    let signed = SignedHead::sign(head, &[key]);
    heads.append(signed.note(), heads.count().await?).await?;
    Ok(())
}

/// What an append does to a decided commit: canonical form, and with a chain, the hash for the next one.
async fn publish_as_commit(raw: &Context, mut message: Message, chained: bool) -> Result<()> {
    let mut commit = Commit::from_bytes(&message.payload)?;
    commit.previous_hash = chained.then(|| "0".repeat(64));
    let body = commit.to_canonical()?;
    if chained {
        black_box(body_hash(&body));
    }
    message.payload = body.into();
    message.headers = None;
    publish(raw, message).await.map(drop)
}
