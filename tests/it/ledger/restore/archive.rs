//! The archive as a source: what was altered in it is found before anything is written, and what nobody can read comes
//! back with the rest.

use super::{backend, bodies, trusted, without_log};
use crate::ledger::{DESCRIBE_SERVER, fill, installation, sign};
use crate::support::{Installation, PATIENCE};
use bus::{CommandContext, RestoredCommit};
use bytes::Bytes;
use domain::envelope::{Actor, body_hash};
use domain::id::TenantId;
use domain::principal::Role;
use domain::tenant::{Tenant, TenantCommand};
use metamcp::audit::Fault;
use metamcp::restore::{self, Loss};
use projections::archived::ArchivedError;
use projections::ledger::VerifyingKey;
use serde_json::json;
use sqlx::{Connection, Executor};

/// More commits than a restore sends at once.
const MANY: u64 = 1_000;

/// A commit by its position, the end of its subject and its body.
type Entry = (u64, String, Bytes);

/// The first commit of an object whose subject begins so, and whose body has a text.
fn find<'a>(all: &'a [Entry], object: &str, text: &str) -> &'a Entry {
    let mut of_object = all.iter().filter(|(_, tail, _)| tail.starts_with(object));
    let found = of_object.find(|(_, _, body)| String::from_utf8_lossy(body).contains(text));
    found.unwrap()
}

/// The next commit of the same object.
fn next<'a>(all: &'a [Entry], (at, tail, _): &Entry) -> &'a Entry {
    let mut behind = all.iter().filter(|(position, ..)| position > at);
    behind.find(|(_, other, _)| other == tail).unwrap()
}

/// Changes what a commit says in the archive, and the hash beside it, so that the row agrees with itself.
async fn alter(installation: &Installation, (at, _, body): &Entry, from: &str, to: &str) {
    let body = std::str::from_utf8(body).unwrap();
    let altered = body.replace(from, to);
    assert_ne!(altered, body);
    let mut connection = installation.app.database.connect().await.unwrap();
    let changed = sqlx::query(
        "UPDATE archive.events SET payload = replace(payload::text, $2, $3)::json,
                                   metadata = replace(metadata::text, $4, $5)::json
         WHERE stream_sequence = $1",
    )
    .bind(i64::try_from(*at).unwrap())
    .bind(from)
    .bind(to)
    .bind(body_hash(body.as_bytes()))
    .bind(body_hash(altered.as_bytes()))
    .execute(&mut connection)
    .await
    .unwrap();
    assert_eq!(changed.rows_affected(), 1);
    connection.close().await.unwrap();
}

async fn execute(installation: &Installation, statement: &str) {
    let mut connection = installation.app.database.connect().await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

/// Why the archive is not restored into a new log, to which nothing was written.
async fn refusal(installation: &Installation, name: &str, keys: &[VerifyingKey]) -> anyhow::Error {
    let backend = backend(&without_log(installation, name).await).await;
    let refused = restore::from_archive(&backend, keys, Loss::Refuse).await;
    let refused = refused.unwrap_err();
    let heads = backend.log.tree_heads().await.unwrap();
    let written = (
        backend.log.head().await.unwrap(),
        heads.count().await.unwrap(),
    );
    assert_eq!(written, (0, 0), "{refused:#}");
    refused
}

#[tokio::test]
async fn a_row_that_was_altered_alone_is_not_restored() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    execute(
        &installation,
        "UPDATE archive.events SET payload = replace(payload::text, 'tool_1', 'tool_x')::json
         WHERE payload::text LIKE '%tool_1%'",
    )
    .await;
    let refused = refusal(&installation, "altered", &[]).await;
    let altered = refused.downcast_ref::<ArchivedError>();
    assert!(
        matches!(altered, Some(ArchivedError::Altered(_))),
        "{refused:#}"
    );
}

/// The signed head lies behind more commits than are written at once: none of them is.
#[tokio::test]
async fn a_row_that_was_altered_with_its_hash_is_found_by_the_signed_head_behind_it() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let tenant = TenantId::new("acme").unwrap();
    for number in 0..MANY {
        let context = CommandContext::new(tenant.clone(), Actor::system("test"));
        let display_name = format!("Acme {number}");
        let rename = TenantCommand::Rename { display_name };
        let dispatcher = &installation.app.state.dispatcher;
        let sent = dispatcher.dispatch::<Tenant>(&context, "acme", rename);
        sent.await.unwrap();
    }
    installation.settle().await;
    let signed = sign(&installation).await.head().size;
    assert!(signed > MANY);
    let all = bodies(&installation.app.state.log).await;
    // A tool of one commit: no chain tells of it.
    let tool = find(&all, "acme.tool.", "tool_1");
    alter(&installation, tool, "Counts things", "Steals things").await;

    let keys = trusted(&installation.config);
    let refused = refusal(&installation, "signed", &keys).await;
    let fault = refused.downcast_ref::<Fault>();
    assert!(
        fault.is_some_and(|fault| matches!(fault, Fault::Root { size, .. } if *size == signed)),
        "{refused:#}"
    );
    let commits = fault.and_then(Fault::commits).unwrap();
    assert!(commits.contains(&tool.0), "{commits:?}");
}

#[tokio::test]
async fn a_row_that_was_altered_behind_the_last_head_is_found_by_the_next_of_its_object() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    sign(&installation).await;
    fill(&installation, "other").await;
    let all = bodies(&installation.app.state.log).await;
    let altered = find(&all, "other.server.", "\"slug\":\"one\"");
    let described = next(&all, altered);
    alter(&installation, altered, "A server", "B server").await;

    let fault = Fault::Chain {
        stream_sequence: described.0,
        object: altered.1.clone(),
        previous: altered.0,
    };
    for (name, keys) in [
        ("tail", trusted(&installation.config)),
        ("keyless", Vec::new()),
    ] {
        let refused = refusal(&installation, name, &keys).await;
        assert_eq!(refused.downcast_ref(), Some(&fault), "{name}: {refused:#}");
    }
}

#[tokio::test]
async fn an_archive_whose_last_rows_were_removed_is_restored_only_when_the_loss_is_accepted() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let applied = installation.settle().await;
    let remove = format!("DELETE FROM archive.events WHERE stream_sequence = {applied}");
    execute(&installation, &remove).await;
    let refused = refusal(&installation, "removed", &[]).await;
    let Some(ArchivedError::End { found, applied: to }) = refused.downcast_ref::<ArchivedError>()
    else {
        panic!("{refused:#}");
    };
    assert_eq!((*found, *to), (applied - 1, applied));

    let backend = backend(&without_log(&installation, "accepted").await).await;
    let accepted = restore::from_archive(&backend, &[], Loss::Accept).await;
    assert_eq!(accepted.unwrap().after.size(), applied - 1);
}

/// Parked with their bytes: a commit that the archive refused, the next one of its object, and a body that is none.
#[tokio::test]
async fn commits_that_are_not_in_the_archive_because_they_were_parked_are_restored_with_the_rest() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    execute(
        &installation,
        "ALTER TABLE archive.events ADD CONSTRAINT defect CHECK (payload::text NOT LIKE '%Refused%')",
    )
    .await;
    let publisher = installation
        .client("acme", "publisher", &[Role::Publisher])
        .await;
    for name in ["Refused", "Two"] {
        let renamed = json!({ "slug": "two", "name": name });
        publisher.data(DESCRIBE_SERVER, renamed).await;
    }
    let log = &installation.app.state.log;
    let end = installation.settle().await + 1;
    let unreadable = RestoredCommit {
        stream_sequence: end,
        subject_tail: "acme.tool.broken".to_owned(),
        message_id: None,
        body: Bytes::from_static(b"\xff\xfe"),
    };
    log.restore(&[unreadable]).await.unwrap();
    for projector in ["archive", "ledger"] {
        installation.reached(projector, end).await;
    }
    let mut connection = installation.app.database.connect().await.unwrap();
    let parked: Vec<i64> = sqlx::query_scalar(
        "SELECT stream_sequence FROM metamcp.dead_letters WHERE projector = 'archive' ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    assert_eq!(parked.len(), 3);
    // `access` has stopped, so nobody is let in: the operator has it signed.
    log.ask_for_tree_head(PATIENCE).await.unwrap();

    let all = bodies(log).await;
    let keys = trusted(&installation.config);
    let backend = backend(&without_log(&installation, "parked").await).await;
    let restored = restore::from_archive(&backend, &keys, Loss::Refuse).await;
    let restored = restored.unwrap();
    assert_eq!((restored.after.size(), restored.signed_to), (end, end));
    assert_eq!(bodies(&backend.log).await, all);

    // A parked commit is held by the chain of its object as well.
    let refused = find(&all, "acme.server.", "Refused");
    execute(
        &installation,
        "UPDATE metamcp.dead_letters
         SET body = convert_to(replace(convert_from(body, 'UTF8'), 'Refused', 'Granted'), 'UTF8')
         WHERE projector = 'archive' AND position('Refused'::bytea IN body) > 0",
    )
    .await;
    let fault = Fault::Chain {
        stream_sequence: next(&all, refused).0,
        object: refused.1.clone(),
        previous: refused.0,
    };
    let refused = refusal(&installation, "forged", &keys).await;
    assert_eq!(refused.downcast_ref(), Some(&fault), "{refused:#}");
}
