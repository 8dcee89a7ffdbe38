//! The ledger: exporting the log beside reading it, verifying an export beside hashing its bytes, and publishes
//! with a hash chain beside publishes without.

use crate::corpus::Corpus;
use crate::harness::{Goal, Report, Settings, alternate, in_flight, rate};
use crate::world::{World, fetch, log_of, publish, seed, tenant};
use anyhow::{Context as _, Result, ensure};
use async_nats::Message;
use bus::{Dispatcher, Log};
use domain::envelope::{Commit, body_hash};
use domain::merkle::{Frontier, leaf_hash};
use metamcp::audit::{Bounds, Verifier, export, verify_file};
use projections::Database;
use projections::ledger::{SignedHead, SigningKey, TreeHead};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::io::{BufWriter, Write};
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
    exporting(
        settings,
        report,
        (&world, &config.nats.stream),
        (&log, &database),
        count,
    )
    .await?;

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("log.jsonl");
    let key = SigningKey::generate("bench")?;
    write_signed(&log, &database, &file, &messages, &key).await?;
    verifying(settings, report, &file, &messages, &key).await?;

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
    let runs = settings.runs();
    let pairs = alternate(
        runs,
        async || publishing(false).await,
        async || publishing(true).await,
    );
    let bench = format!("publish of {count} commits with hash chain, beside without");
    report.rates(bench, &pairs.await?, "", Goal::AtLeast(0.95));
    Ok(())
}

async fn exporting(
    settings: &Settings,
    report: &mut Report,
    (world, stream): (&World, &str),
    (log, database): (&Log, &Database),
    count: usize,
) -> Result<()> {
    let raw = world.raw().await?;
    let pairs = alternate(
        settings.runs(),
        async || {
            let begun = Instant::now();
            black_box(fetch(&raw, stream, count).await?);
            Ok(rate(count, begun.elapsed()))
        },
        async || {
            let begun = Instant::now();
            let mut out = std::io::sink();
            export(log, database, Bounds::default(), &mut out, &|_, _| {}).await?;
            Ok(rate(count, begun.elapsed()))
        },
    );
    let bench = format!("export of {count} commits, beside a raw fetch");
    report.rates(bench, &pairs.await?, "", Goal::AtLeast(0.7));
    Ok(())
}

async fn verifying(
    settings: &Settings,
    report: &mut Report,
    file: &Path,
    messages: &[Message],
    key: &SigningKey,
) -> Result<()> {
    let count = messages.len();
    let pairs = alternate(
        settings.runs(),
        async || {
            let begun = Instant::now();
            for message in messages {
                black_box(Sha256::digest(&message.payload));
            }
            Ok(rate(count, begun.elapsed()))
        },
        async || {
            let begun = Instant::now();
            let verifier = Verifier::new(vec![key.verifying().clone()], Vec::new())?;
            let verified = verify_file(file, verifier, &|_| {})??;
            ensure!(verified.signed_to == verified.to, "the bench's own head");
            Ok(rate(count, begun.elapsed()))
        },
    );
    let bench = format!("verification of {count} commits, beside SHA-256 of their bytes");
    report.rates(bench, &pairs.await?, "", Goal::AtLeast(0.5));
    Ok(())
}

/// An export with a head over all of it, put in before the last line.
async fn write_signed(
    log: &Log,
    database: &Database,
    file: &Path,
    messages: &[Message],
    key: &SigningKey,
) -> Result<()> {
    let mut text = Vec::new();
    export(log, database, Bounds::default(), &mut text, &|_, _| {}).await?;
    let mut tree = Frontier::default();
    for message in messages {
        tree.push(leaf_hash(&message.payload), |_, _| {});
    }
    let head = TreeHead {
        origin: key.verifying().name().to_owned(),
        size: tree.size(),
        root: tree.root(),
    };
    let text = String::from_utf8(text)?;
    let (lines, _) = text.trim_end().rsplit_once('\n').context("an export")?;
    let line = projections::ledger::sinks::line(&SignedHead::sign(head, &[key]));
    let mut out = BufWriter::new(std::fs::File::create(file)?);
    let commits = tree.size();
    write!(
        out,
        "{lines}\n{line}{{\"end\":{{\"commits\":{commits},\"tree_heads\":1}}}}\n"
    )?;
    Ok(out.flush()?)
}

/// What an append does to a decided commit: canonical form, and with a chain, the hash for the next one.
async fn publish_as_commit(
    raw: &async_nats::jetstream::Context,
    mut message: Message,
    chained: bool,
) -> Result<()> {
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
