//! The index against a real LanceDB in a temporary folder.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::id::TenantId;
use tempfile::TempDir;

use super::document::ToolDocument;
use super::embed::{EmbedError, Embedder, NoEmbedder};
use super::error::SearchError;
use super::index::SearchIndex;
use super::language::{Key, SearchFilter};
use super::query::{SearchAnswer, SearchRequest};
use super::rows;
use super::testing::{Letters, document};
use super::vectors::Source;

pub(super) async fn index(embedder: impl Embedder + 'static) -> (SearchIndex, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let index = open(&folder, "tools", embedder).await.unwrap();
    (index, folder)
}

pub(super) async fn open(
    folder: &TempDir,
    table: &str,
    embedder: impl Embedder + 'static,
) -> Result<SearchIndex, SearchError> {
    SearchIndex::open(folder.path().to_str().unwrap(), table, Arc::new(embedder)).await
}

pub(super) async fn put(index: &SearchIndex, documents: &[ToolDocument]) {
    index.upsert(documents, &|_| ()).await.unwrap();
}

pub(super) fn request(tenant: &str, query: &str) -> SearchRequest {
    SearchRequest {
        visibilities: vec!["public".into()],
        ..SearchRequest::new(TenantId::new(tenant).unwrap(), query)
    }
}

pub(super) fn names(answer: &SearchAnswer) -> Vec<&str> {
    answer.hits.iter().map(|hit| hit.name.as_str()).collect()
}

#[tokio::test]
async fn finds_by_words_and_says_why() {
    let (index, _folder) = index(Letters).await;
    let tools = [
        document("acme", "createPullRequest", "Opens it."),
        document("acme", "send_mail", "Sends mail."),
    ];
    put(&index, &tools).await;
    for optimized in [false, true] {
        let answer = index
            .search(&request("acme", "creating a pull-request"))
            .await
            .unwrap();
        let best = &answer.hits[0];
        assert_eq!(
            (best.name.as_str(), best.server.as_str()),
            ("createPullRequest", "office"),
            "{optimized}"
        );
        assert_eq!(best.why.matched_terms, ["creating", "pull", "request"]);
        assert_eq!(
            (best.why.text_rank, answer.semantic, &answer.notice),
            (Some(1), true, &None)
        );
        assert!(best.why.similarity.unwrap() > 0.0 && best.why.text_score.unwrap() > 0.0);
        assert_eq!(best.tags, ["daily"]);
        index.optimize(Duration::ZERO).await.unwrap();
    }
}

#[tokio::test]
async fn a_tenant_finds_its_own_tools_only() {
    let (index, _folder) = index(Letters).await;
    // The other tenant's many better matches must not push out the one that may be seen.
    let theirs: Vec<_> = (0..300)
        .map(|i| document("rival", &format!("send_mail_{i}"), "send mail"))
        .collect();
    put(&index, &theirs).await;
    put(
        &index,
        &[document(
            "acme",
            "send_mail",
            "Sends mail to several people.",
        )],
    )
    .await;
    for optimized in [false, true] {
        assert_eq!(
            names(&index.search(&request("acme", "send mail")).await.unwrap()),
            ["send_mail"],
            "{optimized}"
        );
        assert!(
            index
                .search(&request("nobody", "send mail"))
                .await
                .unwrap()
                .hits
                .is_empty()
        );
        index.optimize(Duration::ZERO).await.unwrap();
    }
}

#[tokio::test]
async fn hidden_and_inactive_tools_are_not_found() {
    let (index, _folder) = index(Letters).await;
    let hidden = ToolDocument {
        visibility: "private".into(),
        ..document("acme", "send_secret", "send mail")
    };
    let retired = ToolDocument {
        status: "retired".into(),
        ..document("acme", "send_old", "send mail")
    };
    put(
        &index,
        &[hidden, retired, document("acme", "send_mail", "send mail")],
    )
    .await;
    let mut wanted = request("acme", "send mail");
    assert_eq!(names(&index.search(&wanted).await.unwrap()), ["send_mail"]);
    wanted.visibilities.push("private".into());
    assert_eq!(index.search(&wanted).await.unwrap().hits.len(), 2);
    wanted.visibilities.clear();
    assert!(index.search(&wanted).await.unwrap().hits.is_empty());
}

#[tokio::test]
async fn filters_narrow_by_server_category_and_tag() {
    let (index, _folder) = index(Letters).await;
    let other = ToolDocument {
        server: "post".into(),
        category: None,
        tags: vec!["week".into(), "a\u{1f}b".into()],
        ..document("acme", "send_letter", "send mail")
    };
    put(&index, &[other, document("acme", "send_mail", "send mail")]).await;
    type Case = (&'static [(Key, &'static str)], &'static [&'static str]);
    let cases: [Case; 8] = [
        (&[(Key::Server, "post")], &["send_letter"]),
        (&[(Key::Category, "work")], &["send_mail"]),
        (&[(Key::Tag, "daily")], &["send_mail"]),
        (&[(Key::Tag, "ab")], &["send_letter"]),
        (&[(Key::Tag, "dail")], &[]),
        (&[(Key::Tag, "week"), (Key::Tag, "a")], &["send_letter"]),
        (
            &[
                (Key::Tag, "daily"),
                (Key::Tag, "week"),
                (Key::Server, "post"),
            ],
            &["send_letter"],
        ),
        (&[(Key::Server, "none")], &[]),
    ];
    for (terms, expected) in cases {
        let request = SearchRequest {
            filter: filter(terms),
            ..request("acme", "send mail")
        };
        let answer = index.search(&request).await.unwrap();
        assert_eq!(names(&answer), expected);
    }
}

fn filter(terms: &[(Key, &str)]) -> SearchFilter {
    let mut filter = SearchFilter::default();
    for (key, value) in terms {
        filter.add(*key, value, false).unwrap();
    }
    filter
}

#[tokio::test]
async fn hostile_texts_are_values_and_never_code() {
    let (index, _folder) = index(Letters).await;
    let hostile = "x' OR '1'='1\"; DROP TABLE tools; -- \\ % _ ` \u{0}";
    let tool = ToolDocument {
        tool_id: hostile.into(),
        server: hostile.into(),
        category: Some(hostile.into()),
        tags: vec![hostile.into()],
        visibility: hostile.into(),
        ..document("acme", "send_mail", hostile)
    };
    put(&index, &[tool, document("acme", "read_mail", "read")]).await;
    let mut wanted = request("acme", hostile);
    wanted.query.push_str(" mail");
    assert_eq!(names(&index.search(&wanted).await.unwrap()), ["read_mail"]);
    wanted.visibilities = vec![hostile.into()];
    wanted.filter = filter(&[
        (Key::Server, hostile),
        (Key::Category, hostile),
        (Key::Tag, hostile),
        (Key::Phrase, hostile),
    ]);
    assert_eq!(names(&index.search(&wanted).await.unwrap()), ["send_mail"]);
    wanted.filter = filter(&[(Key::Tag, "' OR true OR '")]);
    assert!(index.search(&wanted).await.unwrap().hits.is_empty());
    index
        .delete(&TenantId::new("acme").unwrap(), &[hostile.into()])
        .await
        .unwrap();
    assert_eq!(index.count().await.unwrap(), 1);
}

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
    let batch = rows::batch(&schema, &[&tools[0]], &digests, Some(&vectors)).unwrap();
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
async fn without_an_embedder_words_are_searched_and_every_answer_says_so() {
    let (index, folder) = index(NoEmbedder).await;
    put(
        &index,
        &[
            document("acme", "send_mail", "Sends mail."),
            document("acme", "read_file", "Reads."),
        ],
    )
    .await;
    let answer = index.search(&request("acme", "mail")).await.unwrap();
    assert_eq!(
        (names(&answer), answer.semantic),
        (vec!["send_mail"], false)
    );
    assert!(answer.notice.unwrap().contains("semantic search is off"));
    let empty = index.search(&request("acme", "what is it")).await.unwrap();
    assert!(empty.hits.is_empty() && empty.notice.is_some());

    let other = open(&folder, "tools", Letters).await.err().unwrap();
    assert!(
        matches!(&other, SearchError::OtherModel { built, .. } if built == "none"),
        "{other}"
    );
    assert!(other.to_string().contains("metamcp rebuild search"));
}

#[tokio::test]
async fn an_embedder_that_fails_leaves_a_search_by_words() {
    let (index, _folder) = index(Letters).await;
    put(
        &index,
        &[document("acme", "ping_unreachable_host", "Pings.")],
    )
    .await;
    let answer = index.search(&request("acme", "unreachable")).await.unwrap();
    assert_eq!((answer.hits.len(), answer.semantic), (1, false));
    assert!(answer.notice.unwrap().contains("unavailable"));
    assert!(matches!(
        index.search(&request("acme", "  ")).await,
        Err(SearchError::EmptyQuery)
    ));
}

#[tokio::test]
async fn each_sentence_of_a_query_is_asked() {
    let (index, _folder) = index(Letters).await;
    let tool = |letter: &str| ToolDocument {
        server_name: letter.into(),
        ..document("acme", &letter.repeat(20), &letter.repeat(40))
    };
    put(&index, &[tool("q"), tool("w")]).await;
    let similarities = async |query: &str| -> Vec<f32> {
        let answer = index.search(&request("acme", query)).await.unwrap();
        let hits = answer.hits.into_iter();
        hits.map(|hit| hit.why.similarity.unwrap()).collect()
    };
    let (whole, steps) = (
        similarities("qqqq qqqq wwww wwww").await,
        similarities("qqqq qqqq. Wwww wwww!").await,
    );
    assert!(whole.len() == 2 && whole.iter().all(|near| *near < 0.8));
    assert!(steps.len() == 2 && steps.iter().all(|near| *near > 0.99));
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
