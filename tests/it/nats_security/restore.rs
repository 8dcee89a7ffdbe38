//! What the operator does with the seed of `setup`: `metamcp audit export`, and `metamcp restore` into an empty log. A
//! subject that the file of accounts does not list would be denied, and the step that needs it not be answered.

use super::{API, COMMITS, SETUP, Server, bounded, fill, make_streams, rename};
use bus::{Dispatcher, Log};
use domain::merkle::{Frontier, leaf_hash};
use metamcp::audit::{Bounds, export};
use metamcp::restore::{self, Loss};
use projections::Database;
use projections::ledger::{SignedHead, SigningKey, TreeHead};

const ORIGIN: &str = "test/log";

/// A database that is away: the whole log is exported and restored without one.
fn nowhere() -> Database {
    let nowhere = secrecy::SecretString::from("postgres://nobody@127.0.0.1:1/none");
    Database::new(&nowhere).unwrap()
}

/// A signed head over all that the log holds.
async fn sign(log: &Log, key: &SigningKey) -> SignedHead {
    let mut reader = log.read_from(1).await.unwrap();
    let mut tree = Frontier::default();
    while tree.size() < COMMITS {
        for entry in bounded(reader.next_batch(100)).await.unwrap() {
            tree.push(leaf_hash(&entry.body), |_, _| {});
        }
    }
    let head = TreeHead {
        origin: ORIGIN.to_owned(),
        size: tree.size(),
        root: tree.root(),
    };
    SignedHead::sign(head, &[key])
}

/// The whole log and its heads.
async fn exported(log: &Log) -> String {
    let (mut out, database) = (Vec::new(), nowhere());
    let exporting = export(log, &database, Bounds::default(), &mut out, &|_, _| {});
    let end = bounded(exporting).await.unwrap();
    assert_eq!((end.commits, end.tree_heads), (COMMITS, 1));
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn setup_exports_a_log_and_restores_it_into_an_empty_one() {
    let server = Server::with_accounts().await;
    let log = make_streams(&server).await;
    fill(&Dispatcher::new(server.log(&API).await)).await;
    let key = SigningKey::generate(ORIGIN).unwrap();
    let head = sign(&log, &key).await;
    let heads = log.tree_heads().await.unwrap();
    assert_eq!(heads.append(head.note(), 0).await.unwrap(), 1);
    let export = exported(&log).await;

    let other = Server::with_accounts().await;
    let file = other.folder.path().join("log.jsonl");
    std::fs::write(&file, &export).unwrap();
    let empty = other.log(&SETUP).await;
    let (keys, database) = ([key.verifying().clone()], nowhere());
    let restoring = restore::from_file(&empty, &file, &keys, &database, Loss::Refuse);
    let restored = bounded(restoring).await.unwrap();
    assert_eq!(
        (restored.after.size(), restored.signed_to),
        (COMMITS, COMMITS)
    );
    assert_eq!(exported(&empty).await, export);

    // Run again, it compares what is there, and has nothing to do.
    let restoring = restore::from_file(&empty, &file, &keys, &database, Loss::Refuse);
    let again = bounded(restoring).await.unwrap();
    assert_eq!(again.before, again.after);
    // What was restored is a log that the API goes on with.
    let api = Dispatcher::new(other.log(&API).await);
    bounded(rename(&api, "Acme restored")).await.unwrap();
    assert_eq!(empty.head().await.unwrap(), COMMITS + 1);
}
