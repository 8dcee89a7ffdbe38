//! NATS is lost: the log is filled again from the archive or from an export, with the same tree.

mod archive;

use super::{Export, fill, installation, sign};
use crate::support::{Installation, Servers, said};
use api::config::Config;
use bus::Log;
use metamcp::app::Backend;
use metamcp::audit::{Bounds, Fault};
use metamcp::restore::{self, Loss};
use projections::ledger::{LedgerKeys, VerifyingKey};
use projections::rebuild::{Finish, rebuild};
use projections::registry;
use serde_json::{Value, json};

async fn bodies(log: &Log) -> Vec<(u64, String, bytes::Bytes)> {
    let head = log.head().await.unwrap();
    let mut reader = log.read_from(1).await.unwrap();
    let mut all = Vec::new();
    while (all.len() as u64) < head {
        let batch = reader.next_batch(100).await.unwrap();
        all.extend(batch.into_iter().map(|entry| {
            let tail = log.subject_tail(&entry.subject).to_owned();
            (entry.stream_sequence, tail, entry.body)
        }));
    }
    all
}

/// What losing JetStream leaves: the same database, and streams that are not there.
pub(super) async fn without_log(installation: &Installation, name: &str) -> Config {
    let mut config = installation.config.clone();
    config.nats.stream = format!("{}_{name}", config.nats.stream);
    config.nats.subject_root = format!("{}-{name}.event", config.nats.stream.to_lowercase());
    config
}

async fn backend(config: &Config) -> Backend {
    Backend::connect(config).await.unwrap()
}

pub(super) fn trusted(config: &Config) -> Vec<VerifyingKey> {
    let keys = LedgerKeys::new(&config.ledger.keys_dir).all().unwrap();
    keys.iter().map(|key| key.verifying().clone()).collect()
}

#[tokio::test]
async fn a_lost_log_is_restored_from_the_archive_and_signs_the_same_head() {
    let mut installation = installation().await;
    fill(&installation, "acme").await;
    sign(&installation).await;
    fill(&installation, "other").await;
    let before = sign(&installation).await;
    installation.settle().await;
    let lost = bodies(&installation.app.state.log).await;
    let config = without_log(&installation, "archive").await;
    let keys = installation.config.ledger.keys_dir.clone();
    let app = std::mem::replace(
        &mut installation.app,
        crate::support::serve(&config, &[]).await.0,
    );
    app.stop().await;

    let backend = backend(&config).await;
    let known = trusted(&config);
    let restored = restore::from_archive(&backend, &known, Loss::Refuse)
        .await
        .unwrap();
    assert_eq!(
        (restored.before.size(), restored.after.size()),
        (0, lost.len() as u64)
    );
    assert_eq!(restored.after.root(), before.head().root);
    assert_eq!(
        (restored.signed_to, restored.tree_heads),
        (before.head().size, 2)
    );
    assert_eq!(restored.ahead, Some(Vec::new()));
    assert_eq!(bodies(&backend.log).await, lost);
    let heads = backend.log.tree_heads().await.unwrap();
    assert_eq!(heads.last().await.unwrap().unwrap().note, before.note());

    // Everything goes on: the projectors know the log again, and signing gives the very same head.
    let roles = [metamcp::app::Role::Api, metamcp::app::Role::Projector];
    let (app, base) = crate::support::serve(&config, &roles).await;
    assert_eq!(config.ledger.keys_dir, keys);
    installation.app = app;
    installation.base = base;
    assert_eq!(sign(&installation).await, before);
    fill(&installation, "third").await;
    assert!(sign(&installation).await.head().size > before.head().size);
    for projector in registry::relational() {
        let log = &installation.app.state.log;
        let rebuilt = rebuild(projector, log, &backend.database, Finish::Check, &|_, _| {}).await;
        assert!(rebuilt.as_ref().unwrap().is_equal(), "{rebuilt:?}");
    }
}

#[tokio::test]
async fn a_restore_goes_on_where_it_stopped_and_refuses_another_log() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let before = sign(&installation).await;
    let export = Export::of(&installation, Bounds::default()).await;
    let lost = bodies(&installation.app.state.log).await;
    let (keys, database) = (trusted(&installation.config), &installation.app.database);

    // A restore that was interrupted has left a beginning.
    let config = without_log(&installation, "file").await;
    let log = Servers::log(&config).await;
    let part = Bounds {
        from: None,
        to: Some(4),
    };
    let part = Export::of(&installation, part).await;
    let began = restore::from_file(&log, &part.path(), &keys, database, Loss::Accept).await;
    let began = began.unwrap();
    assert_eq!(began.after.size(), 4);
    assert_eq!(began.signed_beyond, Some(before.head().size));
    // The read models have seen more than this part has.
    let ahead = began.ahead.unwrap();
    let behind = (projections::catalog::NAME.to_owned(), lost.len() as u64);
    assert!(ahead.contains(&behind), "{ahead:?}");
    let config = without_log(&installation, "again").await;
    let log = Servers::log(&config).await;
    let commits = lost[..4]
        .iter()
        .map(|(at, tail, body)| bus::RestoredCommit {
            stream_sequence: *at,
            subject_tail: tail.clone(),
            message_id: None,
            body: body.clone(),
        });
    log.restore(&commits.collect::<Vec<_>>()).await.unwrap();
    let restored = restore::from_file(&log, &export.path(), &keys, database, Loss::Refuse).await;
    let restored = restored.unwrap();
    assert_eq!(
        (restored.ahead, restored.signed_beyond),
        (Some(Vec::new()), None)
    );
    assert_eq!(
        (restored.before.size(), restored.after.size()),
        (4, lost.len() as u64)
    );
    assert_eq!(restored.after.root(), before.head().root);
    assert_eq!(bodies(&log).await, lost);
    // Once more: nothing is left to do.
    let again = restore::from_file(&log, &export.path(), &keys, database, Loss::Refuse).await;
    let again = again.unwrap();
    assert_eq!(again.before, again.after);

    // A log of its own is not touched.
    let other = super::installation().await;
    let head = other.settle().await;
    let log = &other.app.state.log;
    let refused = restore::from_file(log, &export.path(), &keys, database, Loss::Refuse).await;
    assert!(refused.unwrap_err().to_string().contains("commit 1"));
    assert_eq!(other.app.state.log.head().await.unwrap(), head);
}

/// Something done to an export, and the fault that it is.
type Bad = (fn(&mut Vec<Value>), fn(&Fault) -> bool);

const BAD: [Bad; 4] = [
    // Cut off at the end of a line: the last one is missing, or some before it, too.
    (
        |lines| drop(lines.pop()),
        |fault| matches!(fault, Fault::NotWhole { .. }),
    ),
    (
        |lines| lines.truncate(3),
        |fault| matches!(fault, Fault::NotWhole { .. }),
    ),
    // A subject is no part of the leaf hash.
    (
        |lines| {
            let mut subjects = lines
                .iter_mut()
                .filter_map(|line| line.pointer_mut("/commit/subject"));
            let of_acme = |subject: &&mut Value| subject.to_string().contains(".acme.");
            let subject = subjects.find(of_acme).unwrap();
            *subject = json!(subject.as_str().unwrap().replace(".acme.", ".other."));
        },
        |fault| matches!(fault, Fault::Subject(_)),
    ),
    (
        |lines| {
            let mut heads = lines
                .iter_mut()
                .filter(|line| line.get("tree_head").is_some());
            let note = &mut heads.next().unwrap()["tree_head"]["note"];
            let (signed, signature) = note.as_str().unwrap().rsplit_once(' ').unwrap();
            // Behind the key's id, which names it.
            let (id, rest) = signature.split_at(10);
            let other = if rest.starts_with('A') { "B" } else { "A" };
            *note = json!(format!("{signed} {id}{other}{}", &rest[1..]));
        },
        |fault| matches!(fault, Fault::Signature { .. }),
    ),
];

#[tokio::test]
async fn the_program_restores_nothing_of_an_export_that_was_cut_off_or_altered() {
    let mut installation = installation().await;
    fill(&installation, "acme").await;
    let head = sign(&installation).await;
    let export = Export::of(&installation, Bounds::default()).await;
    let lost = bodies(&installation.app.state.log).await;
    let keys = trusted(&installation.config);
    installation.config = without_log(&installation, "program").await;
    let log = Servers::log(&installation.config).await;
    let restore = ["restore", "--from", "log.jsonl"];
    let folder = export.folder.path();

    let whole = export.lines();
    for (number, (change, is_it)) in BAD.into_iter().enumerate() {
        let mut lines = whole.clone();
        change(&mut lines);
        export.write(&lines);
        let database = &installation.app.database;
        let refused = restore::from_file(&log, &export.path(), &keys, database, Loss::Refuse).await;
        let refused = refused.unwrap_err();
        let fault = refused.downcast_ref::<Fault>();
        assert!(fault.is_some_and(is_it), "{number}: {refused:#}");
        let (text, code) = said(&installation.program(folder, &restore).await);
        assert_eq!(code, Some(1), "{number}: {text}");
        assert_eq!(log.head().await.unwrap(), 0, "{number}");
    }

    export.write(&whole);
    let (text, code) = said(&installation.program(folder, &restore).await);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&head.head().root.to_string()), "{text}");
    assert_eq!(bodies(&log).await, lost);
    let heads = log.tree_heads().await.unwrap();
    assert_eq!(heads.last().await.unwrap().unwrap().note, head.note());
}

/// Heads by keys that nobody here knows vouch for nothing; a file of keys makes them known.
#[tokio::test]
async fn only_known_keys_vouch_for_what_was_restored() {
    let mut installation = installation().await;
    fill(&installation, "acme").await;
    let size = sign(&installation).await.head().size;
    let export = Export::of(&installation, Bounds::default()).await;
    let mut config = without_log(&installation, "unknown").await;
    config.ledger.keys_dir = export.folder.path().join("none");
    let log = Servers::log(&config).await;
    let database = &installation.app.database;
    let restored = restore::from_file(&log, &export.path(), &[], database, Loss::Refuse).await;
    assert_eq!(restored.unwrap().signed_to, 0);
    installation.config = config;
    let keyed = ["restore", "--from", "log.jsonl", "--key", "ledger.pub"];
    let (text, code) = said(&installation.program(export.folder.path(), &keyed).await);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("up to {size} ")), "{text}");
}

/// Two commits may have one command id when more than the server's window lies between them.
#[tokio::test]
async fn a_command_id_that_comes_twice_is_restored_twice() {
    let installation = installation().await;
    let log = Servers::log(&without_log(&installation, "twice").await).await;
    let id = uuid::Uuid::now_v7().to_string();
    let commit = |at: u64| bus::RestoredCommit {
        stream_sequence: at,
        subject_tail: format!("acme.tool.t{at}"),
        message_id: at.is_multiple_of(50).then(|| id.clone()),
        body: format!("body {at}").into(),
    };
    let commits: Vec<_> = (1..=1_000).map(commit).collect();
    log.restore(&commits).await.unwrap();
    let there = bodies(&log).await;
    let expected = commits
        .into_iter()
        .map(|one| (one.stream_sequence, one.subject_tail, one.body));
    assert_eq!(there, expected.collect::<Vec<_>>());
}
