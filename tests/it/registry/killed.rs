//! A mirror whose process is killed by the system.

use super::mirror::Pair;
use crate::support::PATIENCE;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_killed_program_is_continued_at_its_page_and_nothing_is_doubled() {
    let pair = Pair::start().await;
    pair.fill(230).await;
    let folder = tempfile::tempdir().unwrap();
    pair.front.answer_only(2);
    let mut child = pair.program(folder.path(), &pair.front.base);
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while pair.front.waiting() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it came to its end");
        assert!(begun.elapsed() < PATIENCE, "{:?}", pair.front.asked());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().await.unwrap();
    let killed = pair.front.asked();
    let half = pair.last().await.unwrap();
    let cursor = half.cursor.expect("it was behind the first page");
    assert!(killed.iter().any(|query| query.contains(&cursor)));
    let present = pair.versions().await;
    assert!((1..230).contains(&present), "{present}");

    pair.front.answer_only(usize::MAX);
    let mut again = pair.program(folder.path(), &pair.front.base);
    let output = tokio::time::timeout(3 * PATIENCE, again.output()).await;
    let output = output.expect("in time").unwrap();
    assert!(output.status.success(), "{output:?}");
    let asked = pair.front.asked();
    assert!(asked[0].contains(&cursor), "{asked:?}");
    pair.ours.settle().await;
    assert_eq!(pair.versions().await, 230);
    // One registration for each server, and nothing else in any of them.
    let log = &pair.ours.app.state.log;
    let (head, mut reader) = (pair.head().await, log.read_from(1).await.unwrap());
    let (mut servers, mut at) = (BTreeMap::<_, Vec<String>>::new(), 0);
    while at < head {
        for entry in reader.next_batch(500).await.unwrap() {
            at = entry.stream_sequence;
            let commit = entry.commit().unwrap();
            if commit.aggregate == "server" {
                let types = commit.events.into_iter().map(|event| event.wire_type);
                servers
                    .entry(commit.aggregate_id)
                    .or_default()
                    .extend(types);
            }
        }
    }
    assert_eq!(servers.len(), 230);
    for events in servers.values() {
        let mut once = events.clone();
        once.dedup();
        assert_eq!(*events, once);
        assert_eq!(events[0], "server.registered");
    }
}
