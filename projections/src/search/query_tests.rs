//! What a search finds, what it never finds, and what it says of itself: against a real LanceDB in a temporary folder.

use std::time::Duration;

use domain::id::TenantId;
use domain::team::Team;
use domain::tool::Visibility;

use super::document::ToolDocument;
use super::embed::NoEmbedder;
use super::error::SearchError;
use super::language::{Key, SearchFilter};
use super::query::SearchRequest;
use super::testing::{Letters, document, index, names, open, put, request};
use crate::sight::Sight;

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
    wanted.sight = Sight::listed([Visibility::Private, Visibility::Public]);
    assert_eq!(index.search(&wanted).await.unwrap().hits.len(), 2);
    wanted.sight = Sight::default();
    assert!(index.search(&wanted).await.unwrap().hits.is_empty());
}

#[tokio::test]
async fn what_is_kept_to_a_team_is_found_from_within_it() {
    let (index, _folder) = index(Letters).await;
    let kept_to = |team: &str| ToolDocument {
        visibility: "private".into(),
        team: Some(team.into()),
        ..document("acme", &format!("send_{team}"), "send mail")
    };
    let shown = ToolDocument {
        team: Some("payments".into()),
        ..document("acme", "send_mail", "send mail")
    };
    put(&index, &[kept_to("payments"), kept_to("search"), shown]).await;
    let within = |visibilities: &[Visibility], teams: &[&str]| Sight::Only {
        visibilities: visibilities.iter().copied().collect(),
        teams: teams.iter().map(|team| Team::new(*team).unwrap()).collect(),
    };
    let public = [Visibility::Public];
    let all = ["send_mail", "send_payments", "send_search"];
    let cases: [(Sight, &[&str]); 5] = [
        (within(&public, &[]), &all[..1]),
        (Sight::listed([Visibility::Private]), &[]),
        (within(&public, &["payments"]), &all[..2]),
        (within(&[], &["search", "none"]), &all[2..]),
        (Sight::Everything, &all),
    ];
    for (sight, expected) in cases {
        let mut wanted = request("acme", "send mail");
        wanted.sight = sight;
        let answer = index.search(&wanted).await.unwrap();
        let mut found = names(&answer);
        found.sort_unstable();
        assert_eq!(found, expected, "{wanted:?}");
    }
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
    wanted.sight = Sight::Everything;
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
