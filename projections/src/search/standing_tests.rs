//! What tenants think of tools and who publishes them, against a real LanceDB in a temporary folder.

use super::document::ToolDocument;
use super::facets::Facet;
use super::index::SearchIndex;
use super::query::{SearchAnswer, SearchRequest, Sort};
use super::scope::Scope;
use super::testing::{Letters, document, index, names, put, request};
use crate::reviews::Histogram;

/// A tool of `acme` that its members have reviewed.
fn rated(name: &str, stars: [i64; 5]) -> ToolDocument {
    ToolDocument {
        rated: Histogram(stars),
        ..document("acme", name, "Handles rows.")
    }
}

fn used(name: &str, by: &[(&str, i16)]) -> ToolDocument {
    let of = |(tenant, bits): &(&str, i16)| ((*tenant).to_owned(), *bits);
    ToolDocument {
        used: by.iter().map(of).collect(),
        ..document("acme", name, "Handles rows.")
    }
}

async fn ask(index: &SearchIndex, line: &str, sort: Sort) -> SearchAnswer {
    let wanted = SearchRequest {
        sort,
        first: 100,
        facets: true,
        ..request("acme", line)
    };
    index.search(&wanted).await.unwrap()
}

async fn found(index: &SearchIndex, line: &str) -> Vec<String> {
    let mut found = best_first(index, line).await;
    found.sort();
    found
}

async fn best_first(index: &SearchIndex, line: &str) -> Vec<String> {
    let answer = ask(index, line, Sort::Relevance).await;
    names(&answer).into_iter().map(str::to_owned).collect()
}

fn facet(value: &str, count: usize) -> Facet {
    Facet {
        value: value.to_owned(),
        count,
    }
}

/// With 20 stars in 5 reviews the mean of `acme` is 4: `good` has (5·4 + 15) / 8, `bad` (5·4 + 5) / 7, and `none` 4.
fn reviewed() -> Vec<ToolDocument> {
    let theirs = ToolDocument {
        rated: Histogram([9, 0, 0, 0, 0]),
        ..document("beta", "theirs", "Handles rows.")
    };
    vec![
        rated("good", [0, 0, 0, 0, 3]),
        rated("bad", [0, 1, 1, 0, 0]),
        rated("none", [0; 5]),
        theirs,
    ]
}

#[tokio::test]
async fn a_rating_narrows_by_the_bayesian_average_of_the_own_tenant() {
    let (index, _folder) = index(Letters).await;
    put(&index, &reviewed()).await;
    for (line, expected) in [
        ("rating:4.38", &[] as &[&str]),
        ("rating:4.37", &["good"]),
        ("rows rating:4.37", &["good"]),
        ("rating:4", &["good", "none"]),
        ("rows rating:>=4", &["good", "none"]),
        ("-rating:4", &["bad"]),
        ("rows -rating:4.37", &["bad", "none"]),
        ("rating:3.5", &["bad", "good", "none"]),
        ("rating:1", &["bad", "good", "none"]),
        ("-rating:1", &[]),
    ] {
        assert_eq!(found(&index, line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn the_best_rated_come_first_and_equal_ones_by_relevance() {
    let (index, _folder) = index(Letters).await;
    let mut tools = reviewed();
    tools.push(ToolDocument {
        description: "Handles rows and more.".into(),
        ..rated("nothing", [0; 5])
    });
    put(&index, &tools).await;
    for line in ["rows", "tag:daily"] {
        let mut expected = best_first(&index, line).await;
        expected.retain(|name| name.starts_with('n'));
        expected.insert(0, "good".into());
        expected.push("bad".into());
        let answer = ask(&index, line, Sort::Rating).await;
        assert_eq!(names(&answer), expected, "{line}");
        let ratings = answer.facets.unwrap().ratings;
        let expected = [facet("4", 3), facet("3.5", 4), facet("3", 4), facet("2", 4)];
        assert_eq!(ratings, expected, "{line}");
    }
}

/// What members of other tenants think of `route` is for all, and in the mean of all; what members of `maps` think of
/// it is for `maps` alone.
#[tokio::test]
async fn public_reviews_count_for_everybody_and_a_tenants_own_for_itself() {
    let (index, _folder) = index(Letters).await;
    let route = ToolDocument {
        rated: Histogram([20, 0, 0, 0, 0]),
        rated_publicly: Histogram([0, 0, 0, 0, 4]),
        ..document("maps", "route", "Handles rows.")
    };
    put(&index, &[route, rated("own", [0, 0, 4, 0, 0])]).await;
    for (tenant, line, expected) in [
        // m = 4: route has (5·4 + 20) / 9, own (5·4 + 12) / 9.
        ("acme", "rating:4.44", &["route"] as &[&str]),
        ("acme", "rating:3.55", &["own", "route"]),
        // m = 40 / 24: route has (5·m + 40) / 29, the same.
        ("maps", "rating:1.67", &[]),
        ("maps", "rating:1.66", &["own", "route"]),
    ] {
        let mut wanted = request(tenant, line);
        wanted.scope = Scope::Marketplace { publisher: None };
        wanted.sort = Sort::Name;
        let answer = index.search(&wanted).await.unwrap();
        assert_eq!(names(&answer), expected, "{tenant} {line}");
    }
}

#[tokio::test]
async fn a_review_between_two_pages_moves_nothing() {
    let (index, _folder) = index(Letters).await;
    let stars = |n: usize| [0, 0, 0, 1, i64::try_from(n).unwrap()];
    let tools: Vec<_> = (0..12)
        .map(|n| rated(&format!("t{n:02}"), stars(n)))
        .collect();
    put(&index, &tools).await;
    for line in ["rows rating:4", "rating:4"] {
        let whole = names(&ask(&index, line, Sort::Rating).await)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let mut wanted = SearchRequest {
            sort: Sort::Rating,
            first: 2,
            ..request("acme", line)
        };
        let mut seen = Vec::new();
        loop {
            let answer = index.search(&wanted).await.unwrap();
            wanted.after = answer.hits.last().map(|hit| hit.cursor.clone());
            seen.extend(answer.hits.into_iter().map(|hit| hit.name));
            if !answer.has_next {
                break;
            }
            // It changes the mean, and with it the average of every tool.
            let worst = rated(&format!("t{:02}", seen.len()), [50, 0, 0, 0, 0]);
            put(&index, &[worst]).await;
        }
        assert_eq!(seen, whole, "{line}");
        assert!(whole.len() > 4);
        put(&index, &tools).await;
    }
}

#[tokio::test]
async fn the_most_used_come_first_and_equal_ones_by_relevance() {
    let (index, _folder) = index(Letters).await;
    let tools = [
        used("a", &[]),
        used("b", &[("acme", 9)]),
        used("c", &[("acme", 10), ("beta", 1)]),
        used("d", &[("beta", 12)]),
    ];
    put(&index, &tools).await;
    for line in ["rows", "tag:daily"] {
        let mut expected = best_first(&index, line).await;
        expected.retain(|name| ["a", "d"].contains(&name.as_str()));
        expected.splice(0..0, ["c".into(), "b".into()]);
        let answer = ask(&index, line, Sort::Use).await;
        assert_eq!(names(&answer), expected, "{line}");
    }
}

#[tokio::test]
async fn a_publisher_is_found_by_what_it_has_proved() {
    let (index, _folder) = index(Letters).await;
    let by = |name: &str, namespace: Option<&str>| ToolDocument {
        publisher: namespace.map(str::to_owned),
        ..document("acme", name, "Handles rows.")
    };
    let mut hidden = by("hidden", Some("com.secret"));
    hidden.visibility = "private".into();
    let tools = [
        by("a", Some("io.github.acme")),
        by("b", Some("com.example")),
        by("c", None),
        hidden,
    ];
    put(&index, &tools).await;
    for (line, expected) in [
        ("publisher:io.github.acme", &["a"] as &[&str]),
        (
            "publisher:io.github.acme publisher:com.example",
            &["a", "b"],
        ),
        ("rows -publisher:com.example", &["a", "c"]),
        ("publisher:com.exampl", &[]),
        ("verified:true", &["a", "b"]),
        ("rows verified:false", &["c"]),
        ("rows -verified:true", &["c"]),
    ] {
        assert_eq!(found(&index, line).await, expected, "{line}");
    }
    let facets = ask(&index, "rows", Sort::Relevance).await.facets.unwrap();
    assert_eq!(
        facets.publishers,
        [facet("com.example", 1), facet("io.github.acme", 1)]
    );
    assert_eq!(facets.verified, [facet("true", 2), facet("false", 1)]);
    assert_eq!(facets.visibilities, [facet("public", 3)]);
}
