//! The rules of the language.

use std::collections::BTreeSet;

use domain::team::Team;
use domain::tool::Visibility;
use proptest::prelude::*;

use crate::sight::Sight;

use super::super::document::ToolDocument;
use super::super::query::SearchRequest;
use super::super::scope::Scope;
use super::super::testing::{Letters, document, in_force, index, names, put, request};
use super::{Key, LanguageError, SearchFilter, SearchQuery};

fn read(line: &str) -> (String, String) {
    let query = SearchQuery::parse(line).unwrap();
    (query.text, query.filter.to_string())
}

fn is(line: &str, text: &str, filter: &str) {
    assert_eq!(read(line), (text.to_owned(), filter.to_owned()), "{line}");
}

#[test]
fn filters_are_taken_out_of_the_text() {
    is(
        "delete rows server:github tag:sql in a table -tag:beta readonly:false",
        "delete rows in a table",
        "server:github tag:sql -tag:beta readonly:false",
    );
    is(
        "category:\"data bases\" +\"row by row\" -\"drop table\" copy",
        "copy",
        "category:\"data bases\" +\"row by row\" -\"drop table\"",
    );
    is(
        "version:1.2 status:retired",
        "",
        "version:^1.2 status:retired",
    );
    is(
        "first\n  second tag:a third",
        "first\nsecond third",
        "tag:a",
    );
    is("tag:a tag:a", "", "tag:a");
    is(
        "rows rating:>=4.0 publisher:io.github.acme -publisher:com.example verified:true",
        "rows",
        "rating:4 publisher:io.github.acme -publisher:com.example verified:true",
    );
    is("rating:\">= 3.50\"", "", "rating:3.5");
    is(
        "rows publisher:acme -publisher:\" b-2 \" publisher:com.acme",
        "rows",
        "publisher:acme -publisher:b-2 publisher:com.acme",
    );
}

#[test]
fn a_sentence_with_colons_is_text() {
    for sentence in [
        "note: do x",
        "meet at 12:30, room b:2",
        "read https://example.org/a?server=x:1",
        "use std::vec",
        "the version: 2 of the api",
        "what is a tag:",
        "Server:x and Tag:y",
        "C:\\temp\\new and \\\\host\\share",
    ] {
        is(sentence, sentence, "");
    }
}

#[test]
fn quotes_in_a_sentence_are_text_and_alone_a_filter() {
    let sentence = "send \"see you\" to Anna, -not \"later";
    is(sentence, sentence, "");
    is("say \"see\t \nyou\"", "say \"see\nyou\"", "");
    is("\"pull request\"", "", "+\"pull request\"");
    is("\"pull request\" tag:a", "", "tag:a +\"pull request\"");
    is("\"\" \" \" \"a\"b", "\"\" \" \" \"a\"b", "");
    let sentence = "\"list the issues of my repository\"";
    is(sentence, sentence, "");
    is(&format!("+{sentence}"), "", &format!("+{sentence}"));
}

#[test]
fn a_backslash_makes_a_filter_text() {
    is("\\tag:a \\-tag:b \\\"c\\\"", "tag:a -tag:b \"c\\\"", "");
    is("\\\\tag:a", "\\tag:a", "");
    is("\\note:x", "\\note:x", "");
}

#[test]
fn what_looks_like_a_filter_and_is_none_is_told() {
    let query = SearchQuery::parse("find owner:acme at https://x.y note: a -colour:red").unwrap();
    assert_eq!(query.unknown, ["owner", "colour"]);
    assert!(query.filter.is_empty());
}

#[test]
fn a_value_that_a_key_cannot_have_is_refused_with_its_place() {
    let refused = |line: &str| SearchQuery::parse(line).unwrap_err();
    for (line, at, name) in [
        ("größer readonly:maybe", 8, "readonly"),
        ("version:new", 1, "version"),
        ("a status:gone", 3, "status"),
        ("visibility:all", 1, "visibility"),
        ("rows rating:6", 6, "rating"),
        ("rating:abc", 1, "rating"),
        ("-rating:0", 1, "rating"),
        ("publisher:Acme", 1, "publisher"),
        ("publisher:acme-", 1, "publisher"),
        ("publisher:@acme", 1, "publisher"),
        ("publisher:_installation", 1, "publisher"),
        ("a publisher:\"acme' OR tenant <> '\"", 3, "publisher"),
        ("publisher:IO.github.acme", 1, "publisher"),
        ("publisher:com.", 1, "publisher"),
        ("publisher:uk.co", 1, "publisher"),
        ("a b verified:yes", 5, "verified"),
        ("rows team:Payments", 6, "team"),
        ("team:\"a b\"", 1, "team"),
    ] {
        let error = refused(line);
        assert!(
            matches!(&error, LanguageError::BadValue { position, key, .. } if *position == at && *key == name),
            "{line}: {error}"
        );
    }
    assert!(matches!(
        refused("readonly:true readonly:false"),
        LanguageError::Twice { position: 15, .. }
    ));
    assert!(matches!(
        refused("rating:3 -rating:4"),
        LanguageError::Twice { position: 10, .. }
    ));
    let many: String = (0..65).map(|n| format!("tag:{n} ")).collect();
    assert!(matches!(refused(&many), LanguageError::TooMany { .. }));
    assert!(matches!(
        refused(&format!("tag:{}", "x".repeat(201))),
        LanguageError::BadValue { .. }
    ));
}

#[test]
fn a_key_is_given_in_one_place() {
    let mut filter = SearchFilter::default();
    filter.add(Key::Tag, "b", false).unwrap();
    let line = SearchQuery::parse("tag:a").unwrap().filter;
    assert_eq!(
        line.clone().and(filter),
        Err(LanguageError::BothPlaces { key: "tag" })
    );
    let mut other = SearchFilter::default();
    other.add(Key::Server, "git", true).unwrap();
    assert_eq!(line.and(other).unwrap().to_string(), "tag:a -server:git");
    let mut wrong = SearchFilter::default();
    assert!(wrong.add(Key::Version, "new", false).is_err());
}

/// Whichever way a publisher is named, nothing is found that is not reached without it.
#[tokio::test]
async fn a_publisher_is_found_by_its_tenant_or_its_namespace_and_only_what_is_reached() {
    let (index, _folder) = index(Letters).await;
    let of = |tenant: &str, name: &str, visibility: &str| ToolDocument {
        visibility: visibility.into(),
        publisher: (tenant == "rival").then(|| "com.rival".to_owned()),
        ..document(tenant, name, "Handles rows.")
    };
    let tools = [
        of("acme", "hidden", "private"),
        of("acme", "own", "public"),
        of("rival", "foreign", "public"),
        of("rival", "secret", "private"),
        of("rival", "their", "public"),
    ];
    put(&index, &tools).await;
    let installed = ["secret", "their"].map(|name| in_force(name, "1.0.0", &[]));
    let tenant = Scope::Tenant {
        installed: Vec::from(installed),
    };
    let marketplace = Scope::Marketplace { publisher: None };
    // In memory, and as LanceDB reads it from its files.
    for index in [index.clone(), index.held_up_to(0)] {
        for (line, of_tenant, of_marketplace) in [
            ("publisher:acme", &["own"] as &[&str], &["own"] as &[&str]),
            ("publisher:rival", &["their"], &["foreign", "their"]),
            ("rows publisher:rival", &["their"], &["foreign", "their"]),
            ("publisher:rival visibility:private", &[], &[]),
            ("publisher:acme visibility:private", &[], &[]),
            ("publisher:nobody", &[], &[]),
            ("-publisher:acme", &["their"], &["foreign", "their"]),
            ("rows -publisher:rival", &["own"], &["own"]),
            ("-publisher:com.rival", &["own"], &["own"]),
            ("publisher:com.rival", &["their"], &["foreign", "their"]),
            (
                "publisher:acme publisher:com.rival",
                &["own", "their"],
                &["foreign", "own", "their"],
            ),
            ("publisher:rival -publisher:com.rival", &[], &[]),
        ] {
            for (scope, expected) in [(&tenant, of_tenant), (&marketplace, of_marketplace)] {
                let wanted = SearchRequest {
                    scope: scope.clone(),
                    ..request("acme", line)
                };
                let answer = index.search(&wanted).await.unwrap();
                let mut found = names(&answer);
                found.sort_unstable();
                assert_eq!(found, expected, "{line} in {scope:?}");
            }
        }
    }
}

/// A team is one of the caller's tenant: what a public tool belongs to elsewhere is told to nobody.
#[tokio::test]
async fn a_team_finds_its_tools_whatever_their_visibility_and_none_of_another_tenant() {
    let (index, _folder) = index(Letters).await;
    let of = |tenant: &str, name: &str, visibility: &str, team: Option<&str>| ToolDocument {
        visibility: visibility.into(),
        team: team.map(str::to_owned),
        ..document(tenant, name, "Handles rows.")
    };
    let tools = [
        of("acme", "kept", "private", Some("payments")),
        of("acme", "shown", "tenant", Some("payments")),
        of("acme", "given", "public", Some("payments")),
        of("acme", "other", "tenant", Some("search")),
        of("acme", "none", "tenant", None),
        of("rival", "their", "public", Some("payments")),
    ];
    put(&index, &tools).await;
    let tenant = Scope::Tenant {
        installed: vec![in_force("their", "1.0.0", &[])],
    };
    let within = Sight::Only {
        visibilities: Visibility::ALL.iter().copied().collect(),
        teams: BTreeSet::from([Team::new("payments").unwrap()]),
    };
    let outside = Sight::listed([Visibility::Tenant, Visibility::Public]);
    for index in [index.clone(), index.held_up_to(0)] {
        for (sight, line, expected) in [
            (
                &within,
                "team:payments",
                &["given", "kept", "shown"] as &[&str],
            ),
            (&within, "rows team:payments", &["given", "kept", "shown"]),
            (
                &within,
                "team:payments team:search visibility:tenant",
                &["other", "shown"],
            ),
            (&within, "rows -team:payments", &["none", "other", "their"]),
            (&within, "team:nobody", &[]),
            (&outside, "team:payments", &["given", "shown"]),
        ] {
            let wanted = SearchRequest {
                scope: tenant.clone(),
                sight: sight.clone(),
                ..request("acme", line)
            };
            let answer = index.search(&wanted).await.unwrap();
            let mut found = names(&answer);
            found.sort_unstable();
            assert_eq!(found, expected, "{line}");
        }
        for (line, expected) in [("team:payments", "given"), ("-team:payments", "their")] {
            let wanted = SearchRequest {
                scope: Scope::Marketplace { publisher: None },
                ..request("acme", line)
            };
            assert_eq!(names(&index.search(&wanted).await.unwrap()), [expected]);
        }
    }
}

/// Lines in which filters, quotes, backslashes and white space are as frequent as letters.
fn lines() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "tag:",
            "server:",
            "version:^1.2",
            "readonly:true",
            "status:active",
            "rating:",
            "rating:>=3.5",
            "publisher:",
            "io.github.acme",
            "verified:true",
            "team:",
            ">=",
            "-",
            "+",
            "\"",
            "\\",
            " ",
            "\n",
            ":",
            "\t",
            "\u{a0}",
            "é",
            "a b",
            "owner:",
        ])
        .prop_map(str::to_owned),
        "[a-c0-9.]{1,3}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn reading_never_panics_and_what_is_printed_is_read_as_the_same(line in lines()) {
        if let Ok(query) = SearchQuery::parse(&line) {
            let printed = query.to_string();
            let again = SearchQuery::parse(&printed);
            prop_assert_eq!(
                again.map(|again| (again.text, again.filter)),
                Ok((query.text, query.filter)),
                "{:?} printed {:?}", line, printed
            );
        }
    }
}
