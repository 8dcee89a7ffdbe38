//! A source that ends before what was signed: refused, until its loss is accepted; and what is signed after that.

use super::restore::{trusted, without_log};
use super::{Export, fill, installation, sign};
use crate::support::{Installation, Servers, said};
use domain::principal::Role;
use metamcp::audit::{Bounds, Fault};
use metamcp::restore::{self, Loss, SignedCommitsLost};
use projections::ledger::LedgerKeys;
use projections::rebuild::{Finish, rebuild};
use projections::registry;
use serde_json::{Value, json};

#[tokio::test]
async fn a_part_that_ends_before_a_signed_head_is_restored_only_when_its_loss_is_accepted() {
    let mut installation = installation().await;
    fill(&installation, "acme").await;
    let before = sign(&installation).await;
    let known = trusted(&installation.config);
    let bounds = Bounds {
        from: None,
        to: Some(4),
    };
    let part = Export::of(&installation, bounds).await;
    let folder = part.folder.path();
    installation.config = without_log(&installation, "part").await;
    installation.become_another(&[]).await;
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    let refused = restore::from_file(log, &part.path(), &known, database, Loss::Refuse).await;
    let lost = SignedCommitsLost {
        end: 4,
        signed: before.head().size,
    };
    assert_eq!(refused.unwrap_err().downcast_ref(), Some(&lost));
    let restore = ["restore", "--from", "log.jsonl"];
    let (text, code) = said(&installation.program(folder, &restore).await);
    assert_eq!(code, Some(1), "{text}");
    let heads = log.tree_heads().await.unwrap();
    let written = (log.head().await.unwrap(), heads.count().await.unwrap());
    assert_eq!(written, (0, 0));

    let accepted = [&restore[..], &["--accept-loss"]].concat();
    let (text, code) = said(&installation.program(folder, &accepted).await);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("LOST    commits 5 to"), "{text}");
    assert_eq!(log.head().await.unwrap(), 4);
    // The evidence of the loss stays; a log of another name goes on behind it.
    assert_eq!(heads.last().await.unwrap().unwrap().note, before.note());
    begin_anew(&mut installation).await;
    let head = sign(&installation).await;
    assert_eq!(head.head().origin, ANEW);
    let whole = Export::of(&installation, Bounds::default()).await;
    whole.verify().unwrap();
}

/// The name of the log that goes on after a loss.
const ANEW: &str = "test/after-the-loss";

/// What the documentation says is to be done after a loss was accepted.
async fn begin_anew(installation: &mut Installation) {
    for projector in registry::relational() {
        let (log, database) = (&installation.app.state.log, &installation.app.database);
        let rebuilt = rebuild(projector, log, database, Finish::Swap, &|_, _| {}).await;
        rebuilt.unwrap();
    }
    name_anew(installation);
    let roles = [metamcp::app::Role::Api, metamcp::app::Role::Projector];
    installation.become_another(&roles).await;
}

/// Another key in place of those that there are.
fn name_anew(installation: &Installation) {
    let keys = LedgerKeys::new(&installation.config.ledger.keys_dir);
    std::fs::remove_dir_all(&installation.config.ledger.keys_dir).unwrap();
    keys.generate(ANEW).unwrap();
}

const PROOF: &str = "query($sequence: Sequence, $size: Sequence) {
    auditProof(sequence: $sequence, treeSize: $size) {
        treeSize rootHash treeHead { origin size rootHash } } }";

/// The part has a head or two; PostgreSQL keeps all of them, and the signer goes on behind all of them alone.
#[tokio::test]
async fn after_an_accepted_loss_the_heads_of_both_names_are_kept_exported_and_compared() {
    let mut installation = installation().await;
    fill(&installation, "acme").await;
    let first = sign(&installation).await;
    fill(&installation, "other").await;
    let last = sign(&installation).await;
    let bounds = Bounds {
        from: None,
        to: Some(4),
    };
    let part = Export::of(&installation, bounds).await;
    let old_key = part.key_text();
    let known = trusted(&installation.config);
    installation.config = without_log(&installation, "names").await;
    installation.become_another(&[]).await;
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    let restored = restore::from_file(log, &part.path(), &known, database, Loss::Accept).await;
    assert_eq!(restored.unwrap().after.size(), 4);
    let heads = log.tree_heads().await.unwrap();
    assert_eq!(heads.last().await.unwrap().unwrap().note, last.note());

    begin_anew(&mut installation).await;
    let early = sign(&installation).await;
    assert!(early.head().size < last.head().size);
    // The log grows past what was lost, with other commits.
    let auditor = installation
        .client("late", "auditor", &[Role::Auditor])
        .await;
    let log = installation.app.state.log.clone();
    let mine = log.head().await.unwrap();
    assert!(mine <= last.head().size);
    let mut tenants = 0;
    while log.head().await.unwrap() <= last.head().size {
        tenants += 1;
        let tenant = format!("late-{tenants}");
        installation
            .client(&tenant, "auditor", &[Role::Auditor])
            .await;
    }
    let anew = sign(&installation).await;
    assert_eq!(anew.head().origin, ANEW);
    assert!(anew.head().size > last.head().size);

    // No head of the lost log goes with a proof of the present one.
    installation.reached("archive", mine).await;
    let proof = auditor.data(PROOF, json!({ "sequence": mine })).await;
    let proof = &proof["auditProof"];
    assert_eq!(proof["treeHead"]["origin"], ANEW);
    assert_eq!(proof["treeHead"]["size"], proof["treeSize"]);
    assert_eq!(proof["treeHead"]["rootHash"], proof["rootHash"]);
    let of_the_lost = json!({ "sequence": mine, "size": last.head().size });
    let proof = auditor.data(PROOF, of_the_lost).await;
    assert_eq!(proof["auditProof"]["treeHead"], Value::Null);

    // All heads are in the export. Those of the new name verify; those of the old one tell of the loss.
    let whole = Export::of(&installation, Bounds::default()).await;
    let notes: Vec<Value> = whole.lines();
    let notes: Vec<&str> = notes
        .iter()
        .filter_map(|line| line["tree_head"]["note"].as_str())
        .collect();
    for head in [&first, &last, &early, &anew] {
        assert!(notes.contains(&head.note()), "{notes:?}");
    }
    let verified = whole.verify().unwrap();
    assert_eq!(verified.signed_to, anew.head().size);
    assert!(verified.unknown_heads >= 2, "{verified:?}");
    let new_key = whole.key_text();
    for keys in [old_key.clone(), format!("{new_key}{old_key}")] {
        std::fs::write(whole.key(), keys).unwrap();
        assert!(matches!(whole.verify(), Err(Fault::Root { .. })));
    }

    // What follows is restored with all of it, under the new name.
    std::fs::write(whole.key(), new_key).unwrap();
    let known = trusted(&installation.config);
    let config = without_log(&installation, "again").await;
    let log = Servers::log(&config).await;
    let database = &installation.app.database;
    let restored = restore::from_file(&log, &whole.path(), &known, database, Loss::Refuse).await;
    let restored = restored.unwrap();
    assert_eq!(restored.signed_beyond, None);
    assert_eq!(restored.signed_to, anew.head().size);
    let heads = log.tree_heads().await.unwrap();
    assert_eq!(heads.last().await.unwrap().unwrap().note, anew.note());
}

/// A key of another name on a log that has lost nothing: both verify what they have signed.
#[tokio::test]
async fn heads_of_an_earlier_name_are_exported_and_verified_with_its_key() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let old = sign(&installation).await;
    let old_key = Export::of(&installation, Bounds::default())
        .await
        .key_text();
    name_anew(&installation);
    fill(&installation, "other").await;
    let new = sign(&installation).await;
    assert_eq!(new.head().origin, ANEW);

    let export = Export::of(&installation, Bounds::default()).await;
    let new_key = export.key_text();
    for (keys, signed) in [
        (new_key.clone(), &new),
        (old_key.clone(), &old),
        (format!("{old_key}{new_key}"), &new),
    ] {
        std::fs::write(export.key(), keys).unwrap();
        assert_eq!(export.verify().unwrap().signed_to, signed.head().size);
    }
    let verified = export.verify().unwrap();
    assert_eq!((verified.unknown_heads, verified.keys.len()), (0, 2));
}

/// Heads that are kept beside the source tell as well what it lacks.
#[tokio::test]
async fn an_older_export_is_refused_where_later_heads_are_known() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let older = sign(&installation).await;
    let export = Export::of(&installation, Bounds::default()).await;
    fill(&installation, "other").await;
    let newer = sign(&installation).await;
    let known = trusted(&installation.config);
    let log = Servers::log(&without_log(&installation, "older").await).await;
    let lost = SignedCommitsLost {
        end: older.head().size,
        signed: newer.head().size,
    };
    let database = &installation.app.database;
    let refused = restore::from_file(&log, &export.path(), &known, database, Loss::Refuse).await;
    assert_eq!(refused.unwrap_err().downcast_ref(), Some(&lost));
    assert_eq!(log.head().await.unwrap(), 0);

    // The stream of heads has outlived the commits; there is no database to ask.
    let nowhere = secrecy::SecretString::from("postgres://nobody@127.0.0.1:1/none");
    let nowhere = projections::Database::new(&nowhere).unwrap();
    let heads = log.tree_heads().await.unwrap();
    for (after, head) in [(0, &older), (1, &newer)] {
        heads.append(head.note(), after).await.unwrap();
    }
    let refused = restore::from_file(&log, &export.path(), &known, &nowhere, Loss::Refuse).await;
    assert_eq!(refused.unwrap_err().downcast_ref(), Some(&lost));
    let accepted = restore::from_file(&log, &export.path(), &known, &nowhere, Loss::Accept).await;
    let accepted = accepted.unwrap();
    assert_eq!(accepted.after.size(), older.head().size);
    assert_eq!(accepted.signed_beyond, Some(newer.head().size));
}
