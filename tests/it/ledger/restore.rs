//! NATS is lost: the log is filled again from the archive or from an export, with the same tree.

use super::{Export, fill, installation, sign};
use crate::support::{Installation, Servers};
use api::config::Config;
use bus::Log;
use metamcp::app::Backend;
use metamcp::audit::Bounds;
use metamcp::restore;
use projections::rebuild::{Finish, rebuild};
use projections::registry;
use sqlx::{Connection, Executor};

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
async fn without_log(installation: &Installation, name: &str) -> Config {
    let mut config = installation.config.clone();
    config.nats.stream = format!("{}_{name}", config.nats.stream);
    config.nats.subject_root = format!("{}-{name}.event", config.nats.stream.to_lowercase());
    config
}

async fn backend(config: &Config) -> Backend {
    Backend::connect(config).await.unwrap()
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
    let restored = restore::from_archive(&backend).await.unwrap();
    assert_eq!(
        (restored.before.size(), restored.after.size()),
        (0, lost.len() as u64)
    );
    assert_eq!(restored.after.root(), before.head().root);
    assert_eq!(
        (restored.signed_to, restored.tree_heads),
        (before.head().size, 2)
    );
    assert_eq!(restored.ahead, []);
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

    // A restore that was interrupted has left a beginning.
    let config = without_log(&installation, "file").await;
    let log = Servers::log(&config).await;
    let part = Bounds {
        from: None,
        to: Some(4),
    };
    let part = Export::of(&installation, part).await;
    let began = restore::from_file(&log, &part.path()).await;
    assert_eq!(began.unwrap().after.size(), 4);
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
    let restored = restore::from_file(&log, &export.path()).await.unwrap();
    assert_eq!(
        (restored.before.size(), restored.after.size()),
        (4, lost.len() as u64)
    );
    assert_eq!(restored.after.root(), before.head().root);
    assert_eq!(bodies(&log).await, lost);
    // Once more: nothing is left to do.
    let again = restore::from_file(&log, &export.path()).await.unwrap();
    assert_eq!(again.before, again.after);

    // A log of its own is not touched.
    let other = super::installation().await;
    let head = other.settle().await;
    let refused = restore::from_file(&other.app.state.log, &export.path()).await;
    assert!(refused.unwrap_err().to_string().contains("commit 1"));
    assert_eq!(other.app.state.log.head().await.unwrap(), head);
}

#[tokio::test]
async fn an_archive_that_was_altered_is_not_restored() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let mut connection = installation.app.database.connect().await.unwrap();
    connection
        .execute(
            "UPDATE archive.events SET payload = replace(payload::text, 'tool_1', 'tool_x')::json
             WHERE payload::text LIKE '%tool_1%'",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    let backend = backend(&without_log(&installation, "altered").await).await;
    let refused = restore::from_archive(&backend).await.unwrap_err();
    assert!(refused.to_string().contains("altered"), "{refused:#}");
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
