//! Filters, order, facets and pages, against a real LanceDB in a temporary folder.

use std::collections::HashSet;
use std::time::Duration;

use chrono::DateTime;
use serde_json::json;

use super::document::ToolDocument;
use super::embed::NoEmbedder;
use super::error::SearchError;
use super::facets::Facet;
use super::index::SearchIndex;
use super::query::{MAX_DEPTH, SearchRequest, Sort};
use super::testing::{Letters, cosine, document, index, names, open, put, request};
use crate::sight::Sight;

async fn found(index: &SearchIndex, line: &str) -> Vec<String> {
    let answer = index.search(&request("acme", line)).await.unwrap();
    let mut names: Vec<String> = answer.hits.into_iter().map(|hit| hit.name).collect();
    names.sort();
    names
}

fn tool(name: &str, change: impl FnOnce(&mut ToolDocument)) -> ToolDocument {
    let mut tool = document("acme", name, "Handles rows.");
    change(&mut tool);
    tool
}

#[tokio::test]
async fn a_line_narrows_inside_the_index() {
    let (index, _folder) = index(Letters).await;
    let tools = [
        tool("read", |t| {
            t.annotations = Some(json!({"readOnlyHint": true, "openWorldHint": false}));
            t.tool_version = "1.4.2".into();
            t.title = Some("Reads Row by Row".into());
        }),
        tool("drop", |t| {
            t.tool_version = "2.0.0".into();
            t.category = None;
            t.tags = vec!["beta".into()];
        }),
        tool("merge", |t| {
            t.annotations = Some(json!({"destructiveHint": false, "idempotentHint": true}));
            t.tool_version = "2.1.0-rc.1+7".into();
            t.server = "git".into();
        }),
        tool("old", |t| t.status = "retired".into()),
        tool("secret", |t| t.visibility = "private".into()),
    ];
    put(&index, &tools).await;
    for (line, expected) in [
        ("rows readonly:true", &["read"] as &[&str]),
        ("rows destructive:false", &["merge", "read"]),
        ("rows destructive:true", &["drop"]),
        ("idempotent:true -server:git", &["read"]),
        ("openworld:false", &["read"]),
        ("version:^1.2", &["read"]),
        ("version:>=1.4.2", &["drop", "read"]),
        ("version:=2.1.0-rc.1", &["merge"]),
        ("-version:^1.2", &["drop", "merge"]),
        ("-category:work", &["drop"]),
        ("rows -tag:beta", &["merge", "read"]),
        ("\"row by row\"", &["read"]),
        ("rows -\"Row by\"", &["drop", "merge"]),
        ("status:retired", &["old"]),
        (
            "status:retired status:active tag:daily",
            &["merge", "old", "read"],
        ),
        ("visibility:private", &[]),
        ("visibility:public server:git", &["merge"]),
    ] {
        assert_eq!(found(&index, line).await, expected, "{line}");
    }
    let refused = index.search(&request("acme", "readonly:maybe")).await;
    assert!(matches!(refused, Err(SearchError::Query(_))));
    let told = index
        .search(&request("acme", "rows owner:me"))
        .await
        .unwrap();
    assert!(told.notice.unwrap().contains("`owner:`"));
}

#[tokio::test]
async fn without_words_tools_are_listed_by_name_or_by_change() {
    let (index, _folder) = index(Letters).await;
    let tools: Vec<_> = [("b", 3), ("a", 1), ("c", 2)]
        .map(|(name, second)| {
            tool(name, |t| {
                t.updated_at = DateTime::from_timestamp(second, 0).unwrap();
            })
        })
        .into();
    put(&index, &tools).await;
    for (line, sort, expected) in [
        ("tag:daily", Sort::Relevance, ["a", "b", "c"]),
        ("tag:daily", Sort::Name, ["a", "b", "c"]),
        ("tag:daily", Sort::Updated, ["b", "c", "a"]),
        ("rows", Sort::Name, ["a", "b", "c"]),
        ("rows", Sort::Updated, ["b", "c", "a"]),
    ] {
        let wanted = SearchRequest {
            sort,
            ..request("acme", line)
        };
        assert_eq!(
            names(&index.search(&wanted).await.unwrap()),
            expected,
            "{line} {sort:?}"
        );
    }
}

#[tokio::test]
async fn facets_count_all_pages_and_nothing_hidden() {
    let (index, _folder) = index(Letters).await;
    let mut tools: Vec<_> = (0..7)
        .map(|n| {
            tool(&format!("t{n}"), |t| {
                t.tags = vec!["daily".into(), format!("n{}", n % 2)];
            })
        })
        .collect();
    tools.push(tool("secret", |t| t.visibility = "private".into()));
    tools.push(tool("other", |t| t.server = "git".into()));
    put(&index, &tools).await;
    put(&index, &[document("rival", "theirs", "Handles rows.")]).await;
    for line in ["rows", "category:work"] {
        let wanted = SearchRequest {
            first: 2,
            facets: true,
            ..request("acme", line)
        };
        let answer = index.search(&wanted).await.unwrap();
        let facets = answer.facets.unwrap();
        let facet = |value: &str, count| Facet {
            value: value.to_owned(),
            count,
        };
        assert_eq!((answer.found, facets.counted), (8, 8), "{line}");
        assert_eq!(
            facets.tags,
            [facet("daily", 8), facet("n0", 4), facet("n1", 3)]
        );
        assert_eq!(facets.servers, [facet("office", 7), facet("git", 1)]);
        assert_eq!(
            facets.hints,
            [facet("destructive", 8), facet("openworld", 8)]
        );
        assert_eq!(facets.categories, [facet("work", 8)]);
        assert_eq!(facets.statuses, [facet("active", 8)]);
    }
}

/// All names, page by page, with something done between two pages.
async fn paged(
    index: &SearchIndex,
    mut wanted: SearchRequest,
    mut between: impl AsyncFnMut(usize),
) -> Vec<String> {
    let mut seen = Vec::new();
    for page in 0.. {
        let answer = index.search(&wanted).await.unwrap();
        wanted.after = answer.hits.last().map(|hit| hit.cursor.clone());
        seen.extend(answer.hits.into_iter().map(|hit| hit.name));
        if !answer.has_next {
            break;
        }
        between(page).await;
    }
    seen
}

#[tokio::test]
async fn pages_are_one_page_cut_while_the_index_changes() {
    let (index, _folder) = index(Letters).await;
    let tools: Vec<_> = (0..60)
        .map(|n| {
            document(
                "acme",
                &format!("row_{n}"),
                &format!("Handles rows {}.", "x".repeat(n % 7)),
            )
        })
        .collect();
    put(&index, &tools).await;
    for (line, sort) in [
        ("rows handled", Sort::Relevance),
        ("tag:daily", Sort::Updated),
    ] {
        let wanted = SearchRequest {
            sort,
            first: 100,
            ..request("acme", line)
        };
        let whole = index.search(&wanted).await.unwrap();
        let whole: Vec<_> = whole.hits.iter().map(|hit| hit.name.clone()).collect();
        assert_eq!(whole.len(), 60);
        let pages = SearchRequest {
            first: 7,
            ..wanted.clone()
        };
        let seen = paged(&index, pages, async |page| {
            // What comes would stand first, what changes would move, what goes would leave a gap.
            let new = document(
                "acme",
                &format!("new_{line}_{page}"),
                "rows handled rows handled",
            );
            let changed = tool(&format!("row_{page}"), |t| t.description = "nothing".into());
            put(&index, &[new, changed]).await;
            let gone = [format!("id-row_{}", 59 - page)];
            index.delete(&tools[0].tenant, &gone).await.unwrap();
            index.optimize(Duration::from_secs(300)).await.unwrap();
        })
        .await;
        assert_eq!(seen, whole, "{line}");
        index.optimize(Duration::ZERO).await.unwrap();
        put(&index, &tools).await;
        let new: Vec<_> = (0..9).map(|page| format!("id-new_{line}_{page}")).collect();
        index.delete(&tools[0].tenant, &new).await.unwrap();
    }
}

#[tokio::test]
async fn a_cursor_of_another_search_is_refused_and_one_of_a_removed_version_expires() {
    let (index, _folder) = index(Letters).await;
    put(&index, &["a", "b", "c"].map(|name| tool(name, |_| ()))).await;
    let whole = index.search(&request("acme", "rows")).await.unwrap();
    let second = names(&whole)[1..2].to_vec();
    let first = SearchRequest {
        first: 1,
        ..request("acme", "rows")
    };
    let answer = index.search(&first).await.unwrap();
    let next = SearchRequest {
        after: Some(answer.hits[0].cursor.clone()),
        ..first
    };
    assert_eq!(names(&index.search(&next).await.unwrap()), second);
    let changes: [fn(&mut SearchRequest); 5] = [
        |r| r.query = "row".into(),
        |r| r.query.push_str(" tag:daily"),
        |r| r.sort = Sort::Name,
        |r| r.sight = Sight::Everything,
        |r| r.tenant = "rival".to_owned().try_into().unwrap(),
    ];
    for change in changes {
        let mut other = next.clone();
        change(&mut other);
        let refused = index.search(&other).await;
        assert!(
            matches!(refused, Err(SearchError::InvalidCursor)),
            "{other:?}"
        );
    }
    put(&index, &[tool("d", |_| ())]).await;
    assert_eq!(names(&index.search(&next).await.unwrap()), second);
    index.optimize(Duration::ZERO).await.unwrap();
    let expired = index.search(&next).await;
    assert!(
        matches!(expired, Err(SearchError::CursorExpired)),
        "{expired:?}"
    );
}

#[tokio::test]
async fn one_state_has_one_order_even_among_equals() {
    let (index, folder) = index(Letters).await;
    // Far more equal tools than a list of candidates takes, in many fragments.
    for from in (0..400).step_by(40) {
        let tools: Vec<_> = (from..from + 40)
            .map(|n| tool("same", |t| t.tool_id = format!("id-{:03}", (n * 37) % 400)))
            .collect();
        put(&index, &tools).await;
    }
    let wanted = SearchRequest {
        first: 100,
        ..request("acme", "handling the same rows. Rows that are handled.")
    };
    let expected: Vec<_> = (0..100).map(|n| format!("id-{n:03}")).collect();
    let reader = open(&folder, "tools", Letters).await.unwrap();
    for round in 0..20 {
        let answer = reader.search(&wanted).await.unwrap();
        let ids: Vec<_> = answer.hits.iter().map(|hit| hit.tool_id.clone()).collect();
        assert_eq!(ids, expected, "{round}");
        if round == 10 {
            // The rows move; what they say does not.
            index.optimize(Duration::ZERO).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_vector_side_is_an_exact_scan() {
    let (index, _folder) = index(Letters).await;
    let tools: Vec<_> = (0..300)
        .map(|n| {
            let letter =
                |shift: usize| char::from(b'a' + u8::try_from((n * 7 + shift * n) % 26).unwrap());
            let name: String = (0..6).map(letter).collect();
            tool(&format!("{name}_{n}"), |_| ())
        })
        .collect();
    put(&index, &tools).await;
    index.optimize(Duration::ZERO).await.unwrap();
    let wanted = SearchRequest {
        first: 10,
        ..request("acme", "hqz")
    };
    let answer = index
        .search_by(&wanted, super::query::Mode::Vector)
        .await
        .unwrap();
    let query = index.embedder.embed_query("hqz").await.unwrap();
    let sources: Vec<_> = tools.iter().map(super::vectors::Source::of).collect();
    let vectors = index.vectors(&sources, &|_| ()).await.unwrap();
    let length = |v: &[f32]| cosine(v, v).sqrt();
    let mut exact: Vec<f32> = vectors
        .iter()
        .map(|v| cosine(v, &query) / (length(v) * length(&query)))
        .collect();
    exact.sort_by(|a, b| b.total_cmp(a));
    for (hit, exact) in answer.hits.iter().zip(exact) {
        assert!((hit.why.similarity.unwrap() - exact).abs() < 3e-5);
    }
    assert_eq!(answer.hits.len(), 10);
}

#[tokio::test]
async fn a_list_ends_at_its_depth_and_says_how_many_there_are() {
    let (index, _folder) = index(NoEmbedder).await;
    let tools: Vec<_> = (0..MAX_DEPTH + 20)
        .map(|n| tool(&format!("t{n:04}"), |_| ()))
        .collect();
    put(&index, &tools).await;
    let wanted = SearchRequest {
        first: 90,
        ..request("acme", "server:office")
    };
    assert_eq!(index.search(&wanted).await.unwrap().found, MAX_DEPTH + 20);
    let seen = paged(&index, wanted, async |_| ()).await;
    assert_eq!(seen.len(), MAX_DEPTH);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), MAX_DEPTH);
}
