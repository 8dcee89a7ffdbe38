use super::*;
use domain::id::{PrincipalId, TenantId};
use domain::principal::PrincipalKind;
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
        correlation_id: domain::id::CorrelationId(uuid::Uuid::nil()),
    }
}

fn request(arguments: Value) -> Result<SearchRequest, ApiError> {
    let arguments: Arguments = serde_json::from_value(arguments).unwrap();
    arguments.into_request(&caller(), vec!["tenant".into()])
}

#[test]
fn arguments_become_a_request_of_the_callers_tenant() {
    let request =
        request(json!({"query": "log", "server": "git", "category": null, "tags": ["vcs"]}))
            .unwrap();
    assert_eq!(request.tenant.as_str(), "acme");
    assert_eq!((request.query.as_str(), request.first), ("log", 10));
    assert_eq!(request.filter.servers, ["git"]);
    assert!(request.filter.categories.is_empty());
    assert_eq!(request.filter.tags, ["vcs"]);
    assert_eq!(request.visibilities, ["tenant"]);
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
            json!({"query": "a", "tags": vec!["t"; MAX_FILTER_TAGS + 1]}),
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

fn found_tool() -> FoundTool {
    FoundTool {
        publisher: None,
        server: "git".into(),
        name: "git_log".into(),
        title: Some("Git log".into()),
        description: "Shows the history.".into(),
        version: "1.2.0".into(),
        category: None,
        tags: vec![],
        score: rounded(0.032_786_883),
        why: Why {
            matched_words: vec!["history".into()],
            similarity: Some(rounded(0.712_34)),
        },
    }
}

#[test]
fn reads_as_one_block_for_each_tool() {
    let bare = FoundTool {
        title: None,
        why: Why {
            matched_words: vec![],
            similarity: None,
        },
        ..found_tool()
    };
    let notice = Some("semantic search is off".to_owned());
    let found = Found {
        tools: vec![found_tool(), bare],
        semantic: false,
        notice,
    };
    let expected = "2 tools match \"history\", best first.\n\
        Note: semantic search is off\n\
        \n\
        1. git/git_log — Git log\n   Shows the history.\n   \
        version 1.2.0 · score 0.0328 · matched by words history; meaning 0.7123\n\
        \n\
        2. git/git_log\n   Shows the history.\n   version 1.2.0 · score 0.0328\n";
    assert_eq!(found.render("history"), expected);
}

#[test]
fn says_when_nothing_is_found() {
    let found = Found {
        tools: vec![],
        semantic: true,
        notice: None,
    };
    assert_eq!(
        found.render("x"),
        "No tool matches \"x\". Try other words, or drop the filters.\n"
    );
}

#[test]
fn the_structured_answer_leaves_out_what_is_absent() {
    let value = serde_json::to_value(found_tool()).unwrap();
    assert_eq!(value["score"], json!(0.0328));
    assert!(value.get("category").is_none());
    assert_eq!(
        value["why"],
        json!({"matched_words": ["history"], "similarity": 0.7123})
    );
}
