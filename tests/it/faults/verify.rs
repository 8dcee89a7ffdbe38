//! What must hold after every fault.

use super::load::Seen;
use super::world::{RECOVERY, eventually, metamcp, postgres, said};
use api::config::Config;
use bus::{BusError, Log, LogEntry};
use domain::envelope::body_hash;
use sqlx::Row;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The whole log.
pub(super) async fn entries(log: &Log) -> Vec<LogEntry> {
    let mut entries = Vec::new();
    // Right after a fault, a server may need another moment.
    eventually("the whole log is read", async || match read(log).await {
        Ok(read) => {
            entries = read;
            true
        }
        Err(error) => {
            assert!(error.is_unavailable(), "{error}");
            false
        }
    })
    .await;
    entries
}

async fn read(log: &Log) -> Result<Vec<LogEntry>, BusError> {
    let head = log.head().await?;
    let mut reader = log.read_from(1).await?;
    let mut entries = Vec::new();
    while u64::try_from(entries.len()).unwrap() < head {
        entries.extend(reader.next_batch(1_000).await?);
    }
    Ok(entries)
}

/// Every acknowledged commit is there exactly once, where its answer said; every object's commits are
/// numbered without gaps and chained by hash, so no two writers have won the same place.
pub(super) async fn nothing_is_lost_or_doubled(log: &Log, acknowledged: &[(Uuid, u64)]) {
    let entries = entries(log).await;
    let mut places: HashMap<Uuid, Vec<u64>> = HashMap::new();
    let mut objects: HashMap<&str, (u64, String)> = HashMap::new();
    for entry in &entries {
        let commit = entry.commit().unwrap();
        places
            .entry(commit.command_id.0)
            .or_default()
            .push(entry.stream_sequence);
        let last = objects.remove(entry.subject.as_str());
        let (number, hash) = last.map_or((0, None), |(number, hash)| (number, Some(hash)));
        assert_eq!(commit.sequence, number + 1, "{}", entry.subject);
        assert_eq!(commit.previous_hash, hash, "{}", entry.subject);
        objects.insert(&entry.subject, (commit.sequence, body_hash(&entry.body)));
    }
    let doubled: Vec<_> = places.iter().filter(|(_, at)| at.len() > 1).collect();
    assert!(doubled.is_empty(), "committed twice: {doubled:?}");
    for (command_id, sequence) in acknowledged {
        assert_eq!(
            places.get(command_id),
            Some(&vec![*sequence]),
            "{command_id}"
        );
    }
}

/// The same for what writers have seen, none of which may be wrong.
pub(super) async fn all_is_well(log: &Log, seen: &Seen) {
    assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
    assert!(!seen.acknowledged.is_empty(), "nothing was acknowledged");
    let mut acknowledged = seen.acknowledged.iter();
    // Else the index would be compared with nothing.
    assert!(acknowledged.any(|one| one.of_tool), "no tool was written");
    let acknowledged: Vec<_> = seen
        .acknowledged
        .iter()
        .map(|one| (one.command_id, one.sequence))
        .collect();
    nothing_is_lost_or_doubled(log, &acknowledged).await;
}

/// Every projector comes to the head of the log by itself, with nothing parked and each event in the
/// archive once, and the read models and the index equal ones built anew. Catalogue and index hold every tool of the
/// log, so that they are not equal because both are empty.
pub(super) async fn read_models_equal_a_rebuild(config: &Config, log: &Log) {
    let head = log.head().await.unwrap();
    eventually("every projector stands at the head", async || {
        let positions = positions(config).await;
        let all = projections::registry::NAMES.into_iter();
        let mut stands = all.map(|name| positions.get(name).is_some_and(|at| *at >= head));
        stands.all(|stands| stands)
    })
    .await;
    let mut connection = postgres(config).await;
    let count = async |connection: &mut sqlx::PgConnection, what: &str| -> i64 {
        let statement = format!("SELECT count(*) FROM {what}");
        sqlx::query_scalar(&statement)
            .fetch_one(connection)
            .await
            .unwrap()
    };
    assert_eq!(count(&mut connection, "metamcp.dead_letters").await, 0);
    let (mut events, mut tools) = (0, 0);
    for entry in entries(log).await {
        let commit = entry.commit().unwrap();
        events += commit.events.len();
        tools += usize::from(commit.aggregate == "tool" && commit.sequence == 1);
    }
    let archived = count(&mut connection, "archive.events").await;
    assert_eq!(usize::try_from(archived).unwrap(), events);
    let catalogued = count(&mut connection, "catalog.tools").await;
    assert_eq!(usize::try_from(catalogued).unwrap(), tools);
    let check = metamcp(config, &["rebuild", "all", "--check"]).await;
    let text = said(&check);
    assert!(check.status.success(), "{text}");
    let indexed = format!("search.tools: equal; live {tools} rows");
    assert!(text.contains(&indexed), "{tools} tools; {text}");
}

/// Where each projector stands, in the database itself.
pub(super) async fn positions(config: &Config) -> HashMap<String, u64> {
    let begun = Instant::now();
    let rows = loop {
        // Right after a fault a connection may end at once.
        let mut connection = postgres(config).await;
        let rows = sqlx::query("SELECT projector, stream_sequence FROM metamcp.checkpoints")
            .fetch_all(&mut connection)
            .await;
        match rows {
            Ok(rows) => break rows,
            Err(error) => assert!(begun.elapsed() < RECOVERY, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    rows.iter()
        .map(|row| (row.get(0), u64::try_from(row.get::<i64, _>(1)).unwrap()))
        .collect()
}
