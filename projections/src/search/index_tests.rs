//! The table: what writing, building anew and upkeep leave in it, and who sees a write when. Against a real LanceDB in a
//! temporary folder.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::id::TenantId;

use super::document::ToolDocument;
use super::embed::{EmbedError, Embedder};
use super::error::SearchError;
use super::index::SearchIndex;
use super::query::SearchRequest;
use super::rows;
use super::testing::{Letters, document, index, names, open, put, request};
use super::vectors::Source;

async fn checksum(index: &SearchIndex) -> String {
    let (rows, digest) = index.checksum(&BTreeSet::new()).await.unwrap();
    assert_eq!(rows, index.count().await.unwrap() as u64);
    digest
}

#[tokio::test]
async fn writing_twice_leaves_one_row_and_the_same_checksum() {
    let (index, _folder) = index(Letters).await;
    let tools: Vec<_> = (0..20)
        .map(|i| document("acme", &format!("tool_{i}"), "does it"))
        .collect();
    put(&index, &tools).await;
    let whole = checksum(&index).await;
    let mut again = tools.clone();
    again.reverse();
    again.push(tools[3].clone());
    put(&index, &again).await;
    assert_eq!(
        (index.count().await.unwrap(), checksum(&index).await),
        (20, whole.clone())
    );

    let changed = ToolDocument {
        description: "does more".into(),
        ..tools[0].clone()
    };
    put(&index, &[changed]).await;
    assert_ne!(checksum(&index).await, whole);
    let except = BTreeSet::from([tools[0].tool_id.clone()]);
    let (rows, rest) = index.checksum(&except).await.unwrap();
    assert_eq!(rows, 19);
    put(&index, &tools[..1]).await;
    assert_eq!(checksum(&index).await, whole);
    assert_eq!(index.checksum(&except).await.unwrap(), (19, rest));

    // The same id of another tenant is another tool.
    put(&index, &[document("rival", "tool_0", "does it")]).await;
    index
        .delete(
            &TenantId::new("rival").unwrap(),
            &["id-tool_0".into(), "id-tool_1".into()],
        )
        .await
        .unwrap();
    assert_eq!(checksum(&index).await, whole);
    index
        .delete(&TenantId::new("acme").unwrap(), &[])
        .await
        .unwrap();
    assert_eq!(index.count().await.unwrap(), 20);
}

#[tokio::test]
async fn a_rebuild_beside_takes_the_vectors_and_has_the_same_checksum() {
    let (live, folder) = index(Letters).await;
    let tools: Vec<_> = (0..20)
        .map(|i| document("acme", &format!("tool_{i}"), &format!("does {i}")))
        .collect();
    put(&live, &tools).await;
    let made = AtomicUsize::new(0);
    let rebuilt = open(&folder, "tools_2", Letters)
        .await
        .unwrap()
        .with_vectors_of(&live);
    rebuilt
        .upsert(&tools, &|n| {
            made.fetch_add(n, Ordering::SeqCst);
        })
        .await
        .unwrap();
    assert_eq!(made.load(Ordering::SeqCst), tools.len());
    assert_eq!(checksum(&rebuilt).await, checksum(&live).await);
    assert_eq!(
        names(&rebuilt.search(&request("acme", "tool 7")).await.unwrap())[0],
        "tool_7"
    );
    SearchIndex::drop(folder.path().to_str().unwrap(), "tools_2")
        .await
        .unwrap();
    SearchIndex::drop(folder.path().to_str().unwrap(), "tools_2")
        .await
        .unwrap();
}

/// The model of [`Letters`], which embeds nothing any more.
struct Spent;

#[async_trait::async_trait]
impl Embedder for Spent {
    fn model(&self) -> &str {
        Letters.model()
    }
    fn dimensions(&self) -> Option<usize> {
        Letters.dimensions()
    }
    async fn embed_documents(
        &self,
        _texts: &[String],
        _progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        Err(EmbedError::None)
    }
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        Letters.embed_query(text).await
    }
}

#[tokio::test]
async fn a_change_of_layout_makes_no_vector_again() {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().to_str().unwrap();
    let tools = [document("acme", "send_mail", "Sends mail.")];
    let sources: Vec<Source> = tools.iter().map(Source::of).collect();
    let vectors = {
        let scratch = open(&folder, "scratch", Letters).await.unwrap();
        scratch.vectors(&sources, &|_| ()).await.unwrap()
    };
    let digests: Vec<String> = sources.into_iter().map(|source| source.digest).collect();
    let mut metadata = rows::schema(&Letters).metadata().clone();
    metadata.insert(rows::META_LAYOUT.into(), rows::SAME_VECTORS[0].into());
    let schema = Arc::new(
        rows::schema(&Letters)
            .as_ref()
            .clone()
            .with_metadata(metadata),
    );
    let batch = rows::batch(&schema, &[&tools[0]], 0, &digests, Some(&vectors)).unwrap();
    let database = lancedb::connect(uri).execute().await.unwrap();
    database
        .create_table("tools", batch)
        .execute()
        .await
        .unwrap();

    let found = open(&folder, "tools", Spent).await;
    assert!(matches!(found, Err(SearchError::OtherLayout { .. })));
    let mut fresh = open(&folder, "tools_b", Spent).await.unwrap();
    assert!(fresh.upsert(&tools, &|_| ()).await.is_err());
    fresh.donor = SearchIndex::older(uri, "tools", &Spent).await.unwrap();
    put(&fresh, &tools).await;
    assert_eq!(
        names(&fresh.search(&request("acme", "mail")).await.unwrap()),
        ["send_mail"]
    );
    // A table of this layout is a rebuild's, and not an older one.
    assert!(
        SearchIndex::older(uri, "tools_b", &Spent)
            .await
            .unwrap()
            .is_none()
    );
    SearchIndex::drop(uri, "tools").await.unwrap();
    put(&fresh, &tools).await;
}

#[tokio::test]
async fn a_write_is_found_here_at_once_and_elsewhere_when_asked_for_or_a_moment_later() {
    let (writer, folder) = index(Letters).await;
    let other = open(&folder, "tools", Letters).await.unwrap();
    let found = async |index: &SearchIndex, name: &str, current: bool| {
        let wanted = SearchRequest {
            current,
            ..request("acme", name)
        };
        let hits = index.search(&wanted).await.unwrap().hits;
        hits.iter().any(|hit| hit.name == name)
    };
    for number in 0..20 {
        let name = format!("tool{number}");
        put(&writer, &[document("acme", &name, "does it")]).await;
        assert!(found(&writer, &name, false).await, "{name}");
        // What it answers is a version that it knows.
        found(&other, &name, false).await;
        assert!(found(&other, &name, true).await, "{name}");
    }
    put(&writer, &[document("acme", "last", "does it")]).await;
    let begun = std::time::Instant::now();
    while !found(&other, "last", false).await {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn another_handle_sees_a_write_at_once_and_upkeep_bounds_versions() {
    let (writer, folder) = index(Letters).await;
    let reader = open(&folder, "tools", Letters).await.unwrap();
    for i in 0..80 {
        put(
            &writer,
            &[document("acme", &format!("tool_{i}"), "does it")],
        )
        .await;
        writer.optimize_if_due().await.unwrap();
    }
    assert_eq!(
        reader
            .search(&request("acme", "tool 79"))
            .await
            .unwrap()
            .hits[0]
            .name,
        "tool_79"
    );
    assert!(
        writer
            .table
            .stats()
            .await
            .unwrap()
            .fragment_stats
            .num_fragments
            <= 40
    );
    writer.optimize(Duration::ZERO).await.unwrap();
    assert_eq!(writer.table.list_versions().await.unwrap().len(), 1);
    assert_eq!(
        reader
            .search(&request("acme", "tool 12"))
            .await
            .unwrap()
            .hits[0]
            .name,
        "tool_12"
    );
    assert_eq!(reader.count().await.unwrap(), 80);
}

/// [`Letters`], which says that it has begun and then waits until it may go on.
struct Frozen {
    begun: Arc<tokio::sync::Notify>,
    awake: Arc<tokio::sync::Notify>,
}

#[async_trait::async_trait]
impl Embedder for Frozen {
    fn model(&self) -> &str {
        Letters.model()
    }
    fn dimensions(&self) -> Option<usize> {
        Letters.dimensions()
    }
    async fn embed_documents(
        &self,
        texts: &[String],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        // Of the two calls for texts and for names, the one that is told of.
        if texts.iter().any(|text| text.contains("old")) {
            self.begun.notify_one();
            self.awake.notified().await;
        }
        Letters.embed_documents(texts, progress).await
    }
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        Letters.embed_query(text).await
    }
}

#[tokio::test]
async fn a_deposed_writer_that_ends_late_changes_nothing_that_its_successor_wrote() {
    let (successor, folder) = index(Letters).await;
    let (begun, awake) = (Arc::default(), Arc::default());
    let frozen = Frozen {
        begun: Arc::clone(&begun),
        awake: Arc::clone(&awake),
    };
    let deposed = open(&folder, "tools", frozen).await.unwrap();
    let known = |what: &str| {
        vec![
            document("acme", "known", &format!("an {what} text")),
            document("acme", "unknown", &format!("an {what} text")),
        ]
    };
    put(&successor, &known("early")[..1]).await;

    // It has asked whether it leads, and is at work when it is frozen.
    let late = tokio::spawn(async move {
        let old = known("old");
        deposed.upsert_at(7, &old, &|_| ()).await
    });
    begun.notified().await;
    successor
        .upsert_at(8, &known("new"), &|_| ())
        .await
        .unwrap();
    let written = checksum(&successor).await;
    awake.notify_one();
    late.await.unwrap().unwrap();
    assert_eq!(checksum(&successor).await, written, "it has written");

    // The same position again is a repetition after a crash, and a later one is news.
    for position in [8, 9] {
        let text = known(&format!("text of {position}"));
        successor.upsert_at(position, &text, &|_| ()).await.unwrap();
        let wanted = request("acme", &position.to_string());
        assert_eq!(successor.search(&wanted).await.unwrap().hits.len(), 2);
    }
}

#[tokio::test]
async fn two_writers_that_insert_the_same_tools_at_once_leave_one_row_each() {
    let (one, folder) = index(Letters).await;
    let other = open(&folder, "tools", Letters).await.unwrap();
    for round in 0..8 {
        let tools = |of: &str| -> Vec<ToolDocument> {
            let tool = |n| document("acme", &format!("tool_{round}_{n}"), of);
            (0..5).map(tool).collect()
        };
        let (first, second) = (tools("first"), tools("second"));
        let (first, second) = tokio::join!(
            one.upsert_at(2 * round, &first, &|_| ()),
            other.upsert_at(2 * round + 1, &second, &|_| ()),
        );
        first.unwrap();
        second.unwrap();
    }
    assert_eq!(one.count().await.unwrap(), 40);
    let wanted = SearchRequest {
        first: 50,
        ..request("acme", "second")
    };
    let found = one.search(&wanted).await.unwrap().hits;
    let of_second = found.iter().filter(|hit| hit.description == "second");
    assert_eq!(of_second.count(), 40);
}

#[tokio::test]
async fn a_table_whose_creator_died_before_its_indexes_gets_them() {
    let folder = tempfile::tempdir().unwrap();
    let database = lancedb::connect(folder.path().to_str().unwrap());
    let database = database.execute().await.unwrap();
    let schema = rows::schema(&Letters);
    let created = database.create_empty_table("tools", schema).execute().await;
    assert_eq!(created.unwrap().list_indices().await.unwrap(), []);
    let index = open(&folder, "tools", Letters).await.unwrap().held_up_to(0);
    assert!(!index.is_complete().await.unwrap());
    put(&index, &[document("acme", "tool", "does it")]).await;
    index.complete().await.unwrap();
    assert!(index.is_complete().await.unwrap());
    assert_eq!(index.table.list_indices().await.unwrap().len(), 7);
    let found = index.search(&request("acme", "does")).await.unwrap();
    assert_eq!(names(&found), ["tool"]);
}

#[tokio::test]
async fn rows_of_a_log_that_is_gone_give_way_when_their_positions_are_forgotten() {
    let (index, _folder) = index(Letters).await;
    let tool = |text: &str| [document("acme", "tool", text)];
    index.upsert_at(900, &tool("gone"), &|_| ()).await.unwrap();
    index.upsert_at(3, &tool("new"), &|_| ()).await.unwrap();
    let gone = checksum(&index).await;
    index.forget_positions().await.unwrap();
    assert_eq!(checksum(&index).await, gone);
    index.upsert_at(3, &tool("new"), &|_| ()).await.unwrap();
    assert_ne!(checksum(&index).await, gone);
    let hits = index.search(&request("acme", "new")).await.unwrap().hits;
    assert_eq!(hits[0].description, "new");
}
