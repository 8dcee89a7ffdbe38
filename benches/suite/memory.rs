//! The most memory that exporting and verifying take, at more and more commits of the same number of objects: a
//! process of its own does each, and reads its peak from the kernel.

use crate::harness::{Goal, Report, Settings, as_f64};
use crate::ledger::sign;
use crate::world::{World, log_of};
use anyhow::{Context as _, Result, ensure};
use api::config::Config;
use async_nats::jetstream::Context;
use bytes::Bytes;
use domain::envelope::{Actor, Commit, StoredEvent, body_hash};
use domain::id::{CommandId, CommitId, CorrelationId};
use futures::{StreamExt, TryStreamExt};
use metamcp::audit::{Bounds, Verifier, export, keys, verify_file};
use projections::Database;
use projections::ledger::SigningKey;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use uuid::Uuid;

/// How a process is told that it is to do a [`Job`].
const CHILD: &str = "METAMCP_BENCH_CHILD";
/// The commits are of so many objects.
const OBJECTS: usize = 1_000;
/// Publishes in flight.
const IN_FLIGHT: usize = 256;
/// The peak may be so many times that of the smallest log.
const CONSTANT: f64 = 1.25;

/// What a process of its own does.
#[derive(Serialize, Deserialize)]
enum Job {
    Export {
        url: String,
        user: String,
        password: String,
        stream: String,
        root: String,
        postgres: String,
        file: PathBuf,
    },
    Verify {
        file: PathBuf,
        keys: PathBuf,
    },
}

/// In the process of a job: does it, and says what it took. False in any other process.
pub(crate) fn was_a_job() -> Result<bool> {
    let Ok(job) = std::env::var(CHILD) else {
        return Ok(false);
    };
    match serde_json::from_str(&job)? {
        Job::Export {
            url,
            user,
            password,
            stream,
            root,
            postgres,
            file,
        } => {
            let mut config = Config::default();
            config.nats.url = url;
            config.nats.user = Some(user);
            config.nats.password = Some(password.into());
            config.nats.stream = stream;
            config.nats.subject_root = root;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let (log, database) = (log_of(&config).await?, Database::new(&postgres.into())?);
                let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
                export(&log, &database, Bounds::default(), &mut out, &|_, _| {}).await
            })?;
        }
        Job::Verify { file, keys: public } => {
            let verifier = Verifier::new(keys(&public)?, Vec::new())?;
            let verified = verify_file(&file, verifier, &|_| {})??;
            ensure!(verified.signed_to == verified.to, "the bench's own head");
        }
    }
    println!("{}", peak()?);
    Ok(true)
}

/// Kilobytes that this process had in memory at most.
fn peak() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.context("no VmHWM")?.parse()?)
}

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let world = World::start(false).await?;
    let config = world.config().await?;
    let (log, raw) = (log_of(&config).await?, world.raw().await?);
    let key = SigningKey::generate("bench")?;
    let folder = tempfile::tempdir()?;
    let (file, public) = (folder.path().join("log.jsonl"), folder.path().join("keys"));
    std::fs::write(&public, key.verifying().to_string())?;
    let mut sizes = vec![settings.size(10_000, 2_000)];
    if !settings.quick {
        sizes.push(100_000);
    }
    if settings.full {
        sizes.push(1_000_000);
    }
    let (mut writer, mut smallest) = (Writer::new(&raw, &config), None);
    for size in sizes {
        writer.write_up_to(size).await?;
        sign(&log, &key).await?;
        let exporting = in_a_process(&export_job(&config, &file)?)?;
        let verifying = in_a_process(&Job::Verify {
            file: file.clone(),
            keys: public.clone(),
        })?;
        let (first_export, first_verify) = *smallest.get_or_insert((exporting, verifying));
        for (what, peak, first) in [
            ("export", exporting, first_export),
            ("verification", verifying, first_verify),
        ] {
            let megabytes = |kilobytes: usize| format!("{:.0} MB", as_f64(kilobytes) / 1024.0);
            report.line(
                format!("memory, {what} of {size} commits of {OBJECTS} objects, peak beside the smallest"),
                (megabytes(peak), megabytes(first)),
                as_f64(peak) / as_f64(first),
                Goal::AtMost(CONSTANT),
            );
        }
    }
    Ok(())
}

fn export_job(config: &Config, file: &Path) -> Result<Job> {
    let password = config.nats.password.as_ref();
    let password = password.map(|password| password.expose_secret().to_owned());
    Ok(Job::Export {
        url: config.nats.url.clone(),
        user: config.nats.user.clone().unwrap_or_default(),
        password: password.unwrap_or_default(),
        stream: config.nats.stream.clone(),
        root: config.nats.subject_root.clone(),
        postgres: config.postgres.address()?.expose_secret().to_owned(),
        file: file.to_owned(),
    })
}

/// The peak of a process that does a job.
fn in_a_process(job: &Job) -> Result<usize> {
    let mut command = Command::new(std::env::current_exe()?);
    let done = command.env(CHILD, serde_json::to_string(job)?).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "the process failed: {said}");
    Ok(String::from_utf8(done.stdout)?.trim().parse()?)
}

/// Writes commits as the log holds them, without deciding them first: only their bytes matter here.
struct Writer<'a> {
    raw: &'a Context,
    root: &'a str,
    written: usize,
    hashes: Vec<Option<String>>,
}

impl<'a> Writer<'a> {
    fn new(raw: &'a Context, config: &'a Config) -> Self {
        Self {
            raw,
            root: &config.nats.subject_root,
            written: 0,
            hashes: vec![None; OBJECTS],
        }
    }

    async fn write_up_to(&mut self, size: usize) -> Result<()> {
        let (raw, root) = (self.raw, self.root);
        let from = std::mem::replace(&mut self.written, size);
        let commits = (from..size).map(|number| self.next(number));
        futures::stream::iter(commits)
            .map(|commit| async move {
                let (object, body) = commit?;
                let subject = format!("{root}.bench.tool.object-{object}");
                // What is awaited here is only that it is sent, so that they are sent in their order.
                anyhow::Ok(raw.publish(subject, body).await?)
            })
            .buffered(1)
            .map_ok(|sent| async move { anyhow::Ok(sent.await?) })
            .try_buffered(IN_FLIGHT)
            .try_for_each(|_| async { Ok(()) })
            .await
    }

    fn next(&mut self, number: usize) -> Result<(usize, Bytes)> {
        let object = number % OBJECTS;
        let description = "Lists what there is, page by page, newest first. ".repeat(24);
        let id = Uuid::from_u128(number as u128 + 1);
        let commit = Commit {
            commit_id: CommitId(id),
            tenant: crate::world::tenant()?,
            aggregate: "tool".to_owned(),
            aggregate_id: format!("object-{object}"),
            sequence: (number / OBJECTS) as u64 + 1,
            actor: Actor::system("bench"),
            command_id: CommandId(id),
            correlation_id: CorrelationId(id),
            recorded_at: chrono::DateTime::from_timestamp_micros(1_700_000_000_000_000)
                .unwrap_or_default(),
            previous_hash: self.hashes[object].take(),
            events: vec![StoredEvent {
                wire_type: "tool.described".to_owned(),
                version: 2,
                data: json!({ "profile": { "description": description } }),
            }],
        };
        let body = commit.to_canonical()?;
        self.hashes[object] = Some(body_hash(&body));
        Ok((object, body.into()))
    }
}
