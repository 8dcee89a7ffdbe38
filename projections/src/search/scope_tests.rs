//! Filters and facets judge an installed tool by the version in force, as they judge one's own tool of that version.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::document::ToolDocument;
use super::super::facets::Facet;
use super::super::hints::Hint;
use super::super::index::SearchIndex;
use super::super::query::{SearchAnswer, SearchRequest};
use super::super::testing::{Letters, document, in_force, index, names, put, request};
use super::Scope;

const VERSIONS: [&str; 6] = [
    "0.3.1",
    "1.0.0",
    "1.2.3",
    "1.2.4+build.7",
    "2.0.0-rc.1",
    "2.0.0",
];
/// Each finds some of them, and not all.
const LINES: [&str; 16] = [
    "version:^1",
    "version:^2",
    "version:~1.2",
    "version:=1.2.4",
    "version:=2.0.0-rc.1",
    "version:\">=1, <2\"",
    "version:*",
    "-version:^1",
    "readonly:true",
    "readonly:false",
    "-readonly:true",
    "destructive:true",
    "idempotent:true",
    "openworld:false",
    "version:^1 readonly:true",
    "mail version:^1 -destructive:true",
];

fn annotations() -> [Option<Value>; 4] {
    [
        None,
        Some(json!({ "readOnlyHint": true })),
        Some(json!({ "destructiveHint": false, "openWorldHint": false })),
        Some(json!({ "idempotentHint": true })),
    ]
}

/// Every version with all sorts of hints twice: as the tenant's own tools, and in force of installed ones, of which the
/// index holds another version with other hints.
fn world() -> (Vec<ToolDocument>, Scope) {
    let (mut documents, mut installed) = (Vec::new(), Vec::new());
    for version in VERSIONS {
        for annotations in annotations() {
            let hints: Vec<Hint> = Hint::of(annotations.as_ref()).collect();
            let number = installed.len();
            documents.push(ToolDocument {
                tool_version: version.into(),
                annotations,
                ..document("acme", &format!("own_{number}"), "Sends mail.")
            });
            let theirs = format!("their_{number}");
            documents.push(ToolDocument {
                server: "post".into(),
                tool_version: "9.9.9".into(),
                annotations: Some(json!({ "openWorldHint": false })),
                ..document("rival", &theirs, "Sends mail.")
            });
            installed.push(in_force(&theirs, version, &hints));
        }
    }
    (documents, Scope::Tenant { installed })
}

/// The index of [`world`] as it is held in memory, and as LanceDB reads it from its files.
async fn indexes() -> ([SearchIndex; 2], Scope, tempfile::TempDir) {
    let (index, folder) = index(Letters).await;
    let (documents, scope) = world();
    put(&index, &documents).await;
    ([index.clone(), index.held_up_to(0)], scope, folder)
}

async fn ask(index: &SearchIndex, scope: &Scope, line: &str) -> SearchAnswer {
    let wanted = SearchRequest {
        scope: scope.clone(),
        first: 100,
        facets: true,
        ..request("acme", line)
    };
    index.search(&wanted).await.unwrap()
}

fn found<'a>(answer: &'a SearchAnswer, of: &str) -> BTreeSet<&'a str> {
    let names = names(answer).into_iter();
    names.filter_map(|name| name.strip_prefix(of)).collect()
}

#[tokio::test]
async fn a_filter_judges_the_version_in_force_as_it_judges_a_row_of_it() {
    let (indexes, scope, _folder) = indexes().await;
    let all = VERSIONS.len() * annotations().len();
    for index in &indexes {
        for line in LINES {
            let answer = ask(index, &scope, line).await;
            let own = found(&answer, "own_");
            assert_eq!(own, found(&answer, "their_"), "{line}");
            assert!((1..all).contains(&own.len()), "{line}: {own:?}");
        }
        let answer = ask(index, &scope, "version:^9").await;
        assert_eq!(names(&answer), [""; 0], "what is only indexed");
        let answer = ask(index, &scope, "server:post -version:^9").await;
        assert_eq!(answer.found, all);
    }
}

#[tokio::test]
async fn hints_are_counted_of_the_version_in_force() {
    let (indexes, scope, _folder) = indexes().await;
    let counted = [
        ("openworld", 18),
        ("destructive", 12),
        ("idempotent", 12),
        ("readonly", 6),
    ];
    let counted = counted.map(|(value, count)| Facet {
        value: value.to_owned(),
        count,
    });
    for index in &indexes {
        for line in ["server:office", "server:post", "mail server:post"] {
            let facets = ask(index, &scope, line).await.facets.unwrap();
            assert_eq!(facets.hints, counted, "{line}");
        }
    }
}

#[tokio::test]
async fn a_tool_in_force_that_passes_a_filter_is_found_only_where_it_is_reached() {
    let (index, _folder) = index(Letters).await;
    let hidden = ToolDocument {
        visibility: "private".into(),
        ..document("rival", "hidden", "Sends mail.")
    };
    let retired = ToolDocument {
        status: "retired".into(),
        ..document("rival", "retired", "Sends mail.")
    };
    let foreign = document("rival", "foreign", "Sends mail.");
    let offered = document("rival", "offered", "Sends mail.");
    put(&index, &[hidden, retired, foreign, offered]).await;
    let installed = ["hidden", "offered", "retired"];
    let scope = Scope::Tenant {
        installed: Vec::from(installed.map(|name| in_force(name, "1.0.0", &[]))),
    };
    for line in ["version:^1", "version:^1 status:active status:retired"] {
        let answer = ask(&index, &scope, line).await;
        assert_eq!(names(&answer), ["offered"], "{line}");
    }
}
