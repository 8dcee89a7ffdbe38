//! An export verifies with the file and a public key alone, for us and for a verifier that shares no code.

use super::{Export, fill, installation, sign};
use crate::support::{python, said};
use crate::up::run;
use metamcp::audit::{Bounds, Fault};
use projections::ledger::{LedgerKeys, SignedHead, SigningKey, TreeHead};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn an_export_verifies_and_says_what_is_not_signed() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let first = sign(&installation).await;
    fill(&installation, "other").await;
    let second = sign(&installation).await;
    let signed = second.head().size;
    assert!(first.head().size < signed);
    fill(&installation, "third").await;
    let end = installation.settle().await;

    let export = Export::of(&installation, Bounds::default()).await;
    let verified = export.verify().unwrap();
    assert_eq!((verified.from, verified.to), (1, end));
    assert_eq!((verified.heads, verified.signed_to), (2, signed));
    assert_eq!(verified.unknown_heads, 0);
    if let Some(python) = python() {
        let theirs = export.verify_in_python(&python).unwrap();
        let ours = json!({
            "from": 1, "to": end, "objects": verified.objects, "heads": 2, "signed_to": signed,
            "root": verified.tree.root().to_string(),
        });
        assert_eq!(theirs, ours);
    }
}

#[tokio::test]
async fn a_part_of_the_log_is_proved_to_be_that_part() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let early = sign(&installation).await.head().size;
    fill(&installation, "other").await;
    let late = sign(&installation).await.head().size;
    for (from, to, signed) in [
        // Between two heads: the later one vouches for it through a proof of consistency.
        (early + 2, late - 1, late - 1),
        (2, early, early),
        (1, early - 1, early - 1),
        (early + 1, late, late),
    ] {
        let bounds = Bounds {
            from: Some(from),
            to: Some(to),
        };
        let export = Export::of(&installation, bounds).await;
        let verified = export.verify().unwrap();
        assert_eq!(
            (verified.from, verified.to, verified.signed_to),
            (from, to, signed)
        );
        if let Some(python) = python() {
            let theirs = export.verify_in_python(&python).unwrap();
            assert_eq!(theirs["signed_to"], signed, "{from} to {to}");
        }
    }
}

#[tokio::test]
async fn what_nobody_can_read_is_in_the_tree_and_in_the_export() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let config = &installation.config;
    let client = async_nats::ConnectOptions::with_user_and_password(
        config.nats.user.clone().unwrap(),
        installation.servers.embedded.nats.password().to_owned(),
    )
    .connect(installation.servers.embedded.nats.address())
    .await
    .unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let subject = format!("{}.acme.tool.broken", config.nats.subject_root);
    let mut at = 0;
    for body in [&b"no commit"[..], &b"\xff\xfe"[..]] {
        let sent = jetstream.publish(subject.clone(), body.into()).await;
        at = sent.unwrap().await.unwrap().sequence;
    }
    installation.reached("ledger", at).await;
    let health = installation.app.state.positions.health();
    let ledger = health.iter().find(|one| one.projector == "ledger").unwrap();
    assert_eq!((ledger.position, ledger.parked), (at, 0));

    // `access` has stopped, so nobody is let in: the operator has it signed.
    let log = &installation.app.state.log;
    log.ask_for_tree_head(crate::support::PATIENCE)
        .await
        .unwrap();
    let export = Export::of(&installation, Bounds::default()).await;
    let verified = export.verify().unwrap();
    assert_eq!((verified.unreadable, verified.signed_to), (2, at));
    if let Some(python) = python() {
        assert_eq!(export.verify_in_python(&python).unwrap()["to"], at);
    }
}

#[tokio::test]
async fn after_a_rotation_the_old_key_introduces_the_new_one() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let first = sign(&installation).await;
    assert_eq!(sign(&installation).await, first, "nothing new to sign");
    let keys = LedgerKeys::new(&installation.config.ledger.keys_dir);
    let new = keys.rotate().unwrap();
    let both = sign(&installation).await;
    assert_eq!(both.head(), first.head());
    assert_eq!(both.signers().len(), 2);
    fill(&installation, "other").await;
    let last = sign(&installation).await;
    assert_eq!(last.signers(), [format!("{}+{}", new.name(), new.id())]);

    let export = Export::of(&installation, Bounds::default()).await;
    assert_eq!(export.verify().unwrap().heads, 3);
    // Whoever has the old key alone verifies what it signed, and is told that there is more.
    let old = std::fs::read_to_string(export.key()).unwrap();
    std::fs::write(export.key(), old.lines().next().unwrap()).unwrap();
    let verified = export.verify().unwrap();
    assert_eq!((verified.heads, verified.unknown_heads), (2, 1));
    assert_eq!(verified.signed_to, first.head().size);
    // A key of nobody's verifies nothing.
    let stranger = projections::ledger::SigningKey::generate("test/log").unwrap();
    std::fs::write(export.key(), stranger.verifying().to_string()).unwrap();
    assert_eq!(export.verify(), Err(Fault::Unsigned));
}

#[tokio::test]
async fn a_head_kept_elsewhere_catches_a_log_that_was_cut_off_or_rewritten() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    sign(&installation).await;
    let before = installation.settle().await;
    fill(&installation, "other").await;
    let kept = sign(&installation).await;
    // The operator exports the log as if it had ended earlier, and hides the later head.
    let bounds = Bounds {
        from: None,
        to: Some(before),
    };
    let export = Export::of(&installation, bounds).await;
    assert!(
        export.verify_with(vec![kept.clone()]).is_ok(),
        "its proof is in the export"
    );
    let mut lines = export.lines();
    lines.retain(|line| line["tree_head"].get("consistency").is_none());
    let last = lines.len() - 1;
    // The interval may have signed a head more.
    let heads = lines.iter().filter(|line| line.get("tree_head").is_some());
    lines[last]["end"]["tree_heads"] = json!(heads.count());
    export.write(&lines);
    assert!(export.verify().is_ok(), "the file alone cannot tell");
    let cut = export.verify_with(vec![kept.clone()]);
    let signed = kept.head().size;
    assert_eq!(
        cut,
        Err(Fault::Shorter {
            signed,
            end: before
        })
    );

    // The operator rewrites the log and signs it anew, with the true key.
    let rewritten = super::installation().await;
    fill(&rewritten, "acme").await;
    fill(&rewritten, "other").await;
    let key = LedgerKeys::new(&installation.config.ledger.keys_dir)
        .all()
        .unwrap();
    let export = Export::of(&rewritten, Bounds::default()).await;
    let mut lines = export.lines();
    let mut frontier = domain::merkle::Frontier::default();
    for leaf in lines
        .iter()
        .filter_map(|line| line["commit"]["leaf_hash"].as_str())
    {
        frontier.push(domain::merkle::TreeHash::from_hex(leaf).unwrap(), |_, _| {});
    }
    let forged = SignedHead::sign(
        projections::ledger::TreeHead {
            origin: "test/log".to_owned(),
            size: frontier.size(),
            root: frontier.root(),
        },
        &[&key[0]],
    );
    let end = lines.len() - 1;
    lines.insert(end, json!({ "tree_head": { "note": forged.note() } }));
    lines[end + 1]["end"]["tree_heads"] = json!(1);
    export.write(&lines);
    std::fs::write(export.key(), key[0].verifying().to_string()).unwrap();
    assert!(export.verify().is_ok(), "the file alone cannot tell");
    assert!(matches!(
        export.verify_with(vec![kept]),
        Err(Fault::Root { .. })
    ));
}

#[tokio::test]
async fn a_kept_head_beyond_a_part_is_not_compared_and_no_fault() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let early = sign(&installation).await;
    fill(&installation, "other").await;
    let late = sign(&installation).await;
    fill(&installation, "third").await;
    let last = sign(&installation).await;
    let to = Some(late.head().size - 1);
    // A part that begins later lies behind the first head.
    for (from, agree, before) in [(None, 2, 0), (Some(early.head().size + 2), 1, 1)] {
        let export = Export::of(&installation, Bounds { from, to }).await;
        let kept = vec![early.clone(), late.clone(), last.clone()];
        let kept = export.verify_with(kept).unwrap().kept;
        assert_eq!((kept.heads, kept.before, kept.beyond), (agree, before, 1));
        assert_eq!(kept.largest_beyond, Some(last.head().size));
        assert_eq!(kept.keys, early.signers());
    }
}

#[tokio::test]
async fn two_signed_heads_over_one_size_beyond_a_part_have_one_root() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let early = sign(&installation).await;
    fill(&installation, "other").await;
    let late = sign(&installation).await;
    let signed = late.head().size;
    let bounds = Bounds {
        from: None,
        to: Some(signed - 1),
    };
    let export = Export::of(&installation, bounds).await;
    let own = LedgerKeys::new(&installation.config.ledger.keys_dir);
    let own = own.all().unwrap();
    // The log had another name before, under a key that is trusted still.
    let former = SigningKey::generate("test/former").unwrap();
    let keys = format!("{}{}\n", export.key_text(), former.verifying());
    std::fs::write(export.key(), keys).unwrap();
    for key in [&own[0], &former] {
        let head = |root| TreeHead {
            origin: key.verifying().name().to_owned(),
            size: signed,
            root,
        };
        let same = SignedHead::sign(head(late.head().root), &[key]);
        let kept = export.verify_with(vec![same]).unwrap().kept;
        assert_eq!((kept.heads, kept.beyond), (1, 0));
        let other = SignedHead::sign(head(early.head().root), &[key]);
        // Whether the true one is kept beside it or not.
        for kept in [vec![other.clone()], vec![late.clone(), other]] {
            assert_eq!(
                export.verify_with(kept),
                Err(Fault::Root {
                    size: signed,
                    after: signed - 1
                })
            );
        }
    }
}

#[tokio::test]
async fn the_program_says_how_kept_heads_compare_and_where_an_export_ends() {
    let installation = installation().await;
    fill(&installation, "acme").await;
    let first = sign(&installation).await;
    fill(&installation, "other").await;
    let second = sign(&installation).await;
    let export = Export::of(&installation, Bounds::default()).await;
    let mut lines = export.lines();
    lines.retain(|line| line.get("tree_head").is_none());
    let end = lines.len() - 1;
    lines[end]["end"]["tree_heads"] = json!(0);
    export.write(&lines);
    // As `metamcp audit head` prints them, one behind the other.
    let folder = export.folder.path();
    let kept = folder.join("kept.txt");
    std::fs::write(&kept, format!("{}{}", first.note(), second.note())).unwrap();
    assert_eq!(
        metamcp::audit::heads(&kept).unwrap(),
        [first.clone(), second.clone()]
    );
    let file = |name: &str| folder.join(name).display().to_string();
    let (log, key, heads) = (file("log.jsonl"), file("ledger.pub"), file("kept.txt"));
    let verify = ["audit", "verify", &log, "--key", &key, "--heads", &heads];
    let (text, code) = said(&run(folder, &verify).await);
    assert_eq!(code, Some(0), "{text}");
    let signer = first.signers().remove(0);
    let agree = format!("kept heads    2 agree, signed by {signer}\n");
    assert!(text.contains(&agree), "{text}");
    assert!(text.contains("tree heads    0 agree\n"), "{text}");

    std::fs::write(&kept, "").unwrap();
    let (text, code) = said(&run(folder, &verify).await);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("holds no tree head"), "{text}");

    // Without its last line, an export names no commit that was never there.
    let last = lines[end - 1]["commit"]["stream_sequence"]
        .as_u64()
        .unwrap();
    export.write(&lines[..end]);
    let fault = export.verify().unwrap_err();
    assert_eq!(
        fault,
        Fault::NotWhole {
            end: last,
            to: last
        }
    );
    assert_eq!(fault.commits(), None);
    export.write(&lines[..end - 1]);
    let fault = export.verify().unwrap_err();
    assert_eq!(fault.commits(), Some(last..=last));
}

#[tokio::test]
async fn heads_go_to_a_file_and_an_address_as_they_are_signed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heads.jsonl");
    let (url, posted) = receiver().await;
    let installation = crate::support::Installation::start_with(|config| {
        config.ledger.interval = std::time::Duration::from_secs(1);
        config.ledger.head_file = Some(file.clone());
        config.ledger.head_url = Some(url.parse().unwrap());
        let keys = LedgerKeys::new(&config.ledger.keys_dir);
        keys.generate("test/log").unwrap();
    })
    .await;
    fill(&installation, "acme").await;
    // By itself, at the interval.
    let begun = std::time::Instant::now();
    let head = installation.app.state.log.head().await.unwrap();
    let (kept, last) = loop {
        let kept = file
            .is_file()
            .then(|| metamcp::audit::heads(&file).unwrap());
        let kept = kept.unwrap_or_default();
        let last = posted.lock().unwrap().last().cloned();
        let is_last = |one: &SignedHead| one.head().size >= head;
        if kept.last().is_some_and(is_last) && last.as_ref().is_some_and(is_last) {
            break (kept, last);
        }
        assert!(
            begun.elapsed() < 3 * crate::support::PATIENCE,
            "{kept:?} {last:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(kept.last(), last.as_ref());
    let export = Export::of(&installation, Bounds::default()).await;
    assert!(export.verify_with(kept).is_ok());
}

/// How often the receiver is not well.
const REFUSALS: usize = 5;

/// An address that takes notes, and is not well at first.
async fn receiver() -> (String, Arc<Mutex<Vec<SignedHead>>>) {
    let posted = Arc::new(Mutex::new(Vec::new()));
    let (heads, refused) = (Arc::clone(&posted), Arc::new(AtomicUsize::new(0)));
    let take = move |note: String| async move {
        if refused.fetch_add(1, Ordering::Relaxed) < REFUSALS {
            return axum::http::StatusCode::SERVICE_UNAVAILABLE;
        }
        heads
            .lock()
            .unwrap()
            .push(SignedHead::parse(&note).unwrap());
        axum::http::StatusCode::NO_CONTENT
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/heads", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/heads", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, posted)
}
