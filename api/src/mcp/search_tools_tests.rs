use super::super::receipt;
use super::*;
use domain::id::{PrincipalId, TenantId};
use domain::principal::PrincipalKind;
use domain::tool::Visibility;
use projections::Sight;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn caller() -> Caller {
    let tenant = TenantId::new("acme").unwrap();
    let principal = PrincipalId::derive(&tenant, "agent");
    let roles = BTreeSet::new();
    Caller {
        tenant,
        principal,
        handle: "agent".into(),
        kind: PrincipalKind::Agent,
        roles,
        teams: BTreeSet::new(),
        correlation_id: domain::id::CorrelationId(uuid::Uuid::nil()),
    }
}

fn request(arguments: Value) -> Result<SearchRequest, ApiError> {
    let arguments: Arguments = serde_json::from_value(arguments).unwrap();
    arguments.into_request(&caller(), Sight::listed([Visibility::Tenant]))
}

#[test]
fn arguments_become_a_request_of_the_callers_tenant() {
    let request = request(json!({
        "query": "log", "server": "git", "categories": null, "tags": ["vcs"], "sort": "updated", "cursor": "c",
    }))
    .unwrap();
    assert_eq!(request.tenant.as_str(), "acme");
    assert_eq!((request.query.as_str(), request.first), ("log", 10));
    assert_eq!(request.filter.to_string(), "server:git tag:vcs");
    assert_eq!(request.sight, Sight::listed([Visibility::Tenant]));
    assert_eq!(
        (request.sort, request.after.as_deref()),
        (Sort::Updated, Some("c"))
    );
}

#[test]
fn several_categories_or_tags_mean_any_of_them_and_one_needs_no_list() {
    for (given, expected) in [
        (
            json!({ "query": "log", "categories": ["a", "b c"] }),
            "category:a category:\"b c\"",
        ),
        (json!({ "query": "log", "category": "a" }), "category:a"),
        (json!({ "query": "log", "categories": "a" }), "category:a"),
        (json!({ "query": "log", "category": "" }), ""),
        (json!({ "query": "log", "tags": ["a", "b"] }), "tag:a tag:b"),
        (json!({ "query": "log", "tags": "a" }), "tag:a"),
        (json!({ "query": "log", "tags": "" }), ""),
    ] {
        assert_eq!(request(given).unwrap().filter.to_string(), expected);
    }
}

#[test]
fn refuses_what_is_out_of_bounds_and_says_how_it_would_be_right() {
    for (arguments, named) in [
        (json!({"query": " "}), "`query` is empty"),
        (
            json!({"query": "x".repeat(MAX_QUERY + 1)}),
            "1001 characters",
        ),
        (json!({"query": "a", "limit": 0}), "1 to 50"),
        (json!({"query": "a", "limit": 51}), "1 to 50"),
        (
            json!({"query": "a", "tags": vec!["t"; MAX_FILTER_VALUES + 1]}),
            "17 entries",
        ),
    ] {
        let error = request(arguments).unwrap_err();
        assert_eq!(error.code(), "INVALID_ARGUMENTS");
        assert!(
            error.to_string().contains(named) && error.to_string().contains(USAGE),
            "{error}"
        );
    }
}

#[test]
fn every_key_and_order_of_the_language_is_an_argument_or_refused_as_the_language_does() {
    let given = request(json!({
        "query": "a", "publisher": "io.github.acme", "verified": true, "min_rating": 3.50, "sort": "rating",
    }))
    .unwrap();
    let line = "publisher:io.github.acme verified:true rating:3.5";
    assert_eq!(
        (given.filter.to_string().as_str(), given.sort),
        (line, Sort::Rating)
    );
    for sort in Sort::ALL {
        let named = request(json!({"query": "a", "sort": sort.name()})).unwrap();
        assert_eq!(named.sort, sort);
    }
    for wrong in [
        json!({"query": "a", "sort": "size"}),
        json!({"query": "a", "min_rating": 6}),
        json!({"query": "a", "publisher": "@acme"}),
    ] {
        let error = request(wrong.clone()).unwrap_err();
        assert_eq!(error.code(), "INVALID_SEARCH_QUERY", "{wrong}");
    }
}

fn answer(hits: usize, has_next: bool) -> SearchAnswer {
    let hit = |place: usize| SearchHit {
        tool_id: String::new(),
        server_id: String::new(),
        server: "git".into(),
        server_name: "Git".into(),
        name: format!("t{place}"),
        title: None,
        description: String::new(),
        tool_version: "1.2.0".into(),
        status: "active".into(),
        category: None,
        tags: vec![],
        score: 1.0,
        cursor: format!("cursor-{place}"),
        why: projections::search::query::Why::default(),
    };
    SearchAnswer {
        hits: (0..hits).map(hit).collect(),
        before: 10,
        found: 57,
        has_next,
        facets: None,
        semantic: true,
        notice: None,
    }
}

fn within(tokens: u32, answer: SearchAnswer) -> Found {
    let mut budget = Budget::of(Some(tokens), DEFAULT_BUDGET, USAGE).unwrap();
    // The catalogue does not show the third any more.
    Found::within(&mut budget, answer, |hit| {
        (hit.name != "t2").then(|| receipt::example(&hit.name))
    })
}

fn shown(found: &Found) -> usize {
    found.tools.len()
}

#[test]
fn as_many_receipts_as_fit_and_a_cursor_to_the_others() {
    let all = within(10_000, answer(10, true));
    assert_eq!(
        (shown(&all), all.more, all.cursor.as_deref()),
        (9, 37, Some("cursor-9"))
    );
    let last = within(10_000, answer(10, false));
    assert_eq!((shown(&last), last.cursor), (9, None));
    let small = within(200, answer(10, false));
    let place = shown(&small);
    assert!((1..9).contains(&place) && small.more > 37);
    assert!(small.cursor.is_some());
    let spent: usize = small
        .tools
        .iter()
        .map(|tool| {
            let data = serde_json::to_string(tool).unwrap();
            budget::tokens(&data)
        })
        .sum();
    assert!(spent <= 200, "{spent}");
}

#[test]
fn the_mark_of_a_publisher_takes_its_part_of_the_budget() {
    let shown = |publisher: Option<Publisher>| {
        let mut budget = Budget::of(Some(600), DEFAULT_BUDGET, USAGE).unwrap();
        let found = Found::within(&mut budget, answer(10, false), |hit| {
            let mut receipt = receipt::example(&hit.name);
            receipt.verified_publisher.clone_from(&publisher);
            Some(receipt)
        });
        found.tools.len()
    };
    let mark = Publisher {
        namespace: "com.example".into(),
        method: "dns",
    };
    assert!(shown(Some(mark)) < shown(None));
}

#[test]
fn reads_as_one_line_for_each_tool() {
    let mut found = within(10_000, answer(2, true));
    found.notice = Some("semantic search is off".to_owned());
    let text = found.render("history");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "2 tools for \"history\", and 45 more.");
    assert_eq!(lines[1], "Note: semantic search is off");
    assert!(
        lines[2].starts_with("1. git/t0@1.2.0 — ") && lines[3].starts_with("2. git/t1@1.2.0 — ")
    );
    assert!(lines[4].contains("describe_tool {\"tools\": [\"git/t0\""));
    assert!(lines[5].contains("\"cursor\": \"cursor-1\""));
    assert_eq!(lines.len(), 6);
}

#[test]
fn says_when_nothing_is_found() {
    let found = Found {
        tools: vec![],
        more: 0,
        cursor: None,
        facets: None,
        semantic: true,
        notice: None,
    };
    assert_eq!(
        found.render("x"),
        "No tool matches \"x\". Try other words, or drop the filters.\n"
    );
}
