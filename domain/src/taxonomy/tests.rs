use super::*;
use crate::aggregate::Rejection;
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;

type Given = TestFramework<Taxonomy>;

fn category(slug: &str, parent: Option<&str>) -> Category {
    Category {
        slug: slug.into(),
        title: slug.to_uppercase(),
        description: String::new(),
        parent: parent.map(Into::into),
    }
}

fn added(slug: &str) -> TaxonomyEvent {
    part(slug, None)
}

fn part(slug: &str, parent: Option<&str>) -> TaxonomyEvent {
    let category = category(slug, parent);
    TaxonomyEvent::CategoryAdded(CategoryAdded { category })
}

fn retired(slug: &str, successor: Option<&str>) -> TaxonomyEvent {
    TaxonomyEvent::CategoryRetired(CategoryRetired {
        slug: slug.into(),
        successor: successor.map(Into::into),
    })
}

fn retire(slug: &str, successor: Option<&str>) -> TaxonomyCommand {
    TaxonomyCommand::Retire {
        slug: slug.into(),
        successor: successor.map(Into::into),
    }
}

fn after(events: Vec<TaxonomyEvent>) -> Taxonomy {
    let mut taxonomy = Taxonomy::default();
    events.into_iter().for_each(|event| taxonomy.apply(event));
    taxonomy
}

#[test]
fn an_empty_taxonomy_accepts_any_category() {
    let taxonomy = Taxonomy::default();
    assert!(!taxonomy.is_controlled());
    assert_eq!(taxonomy.check("Whatever you like"), Ok(()));
}

#[test]
fn the_first_category_controls_for_good() {
    let taxonomy = after(vec![added("databases"), retired("databases", None)]);
    assert!(taxonomy.is_controlled());
    assert!(taxonomy.check("anything").is_err());
}

#[test]
fn an_unknown_category_is_refused_with_those_that_are_near() {
    let taxonomy = after(vec![added("databases"), added("monitoring")]);
    assert_eq!(taxonomy.check("databases"), Ok(()));
    let error = taxonomy.check("database").unwrap_err();
    assert_eq!(error.code(), "CATEGORY_NOT_FOUND");
    let TaxonomyError::NotFound { near, .. } = error else {
        panic!("another refusal");
    };
    assert_eq!(near, ["databases"]);
    let hidden = taxonomy.check("a\u{202e}b").unwrap_err().to_string();
    assert!(hidden.contains("`a\\u{202e}b`"), "{hidden}");
}

#[test]
fn a_retired_category_is_refused_and_names_its_successor() {
    let taxonomy = after(vec![
        added("db"),
        added("databases"),
        retired("db", Some("databases")),
    ]);
    let error = taxonomy.check("db").unwrap_err();
    assert_eq!(error.code(), "CATEGORY_NOT_FOUND");
    assert_eq!(
        error,
        TaxonomyError::Retired {
            slug: "db".into(),
            successor: Some("databases".into())
        }
    );
    assert!(error.to_string().contains("databases"));
}

#[test]
fn adds_a_category_and_a_part_of_it() {
    Given::with(())
        .given(vec![added("data")])
        .when(TaxonomyCommand::Add(category("databases", Some("data"))))
        .then_expect_events(vec![part("databases", Some("data"))]);
}

#[test]
fn rejects_a_second_category_of_a_slug() {
    Given::with(())
        .given(vec![added("data")])
        .when(TaxonomyCommand::Add(category("data", None)))
        .then_expect_error(TaxonomyError::Exists {
            slug: "data".into(),
        });
}

#[test]
fn a_retired_category_comes_back_when_it_is_added() {
    Given::with(())
        .given(vec![added("data"), retired("data", None)])
        .when(TaxonomyCommand::Add(category("data", None)))
        .then_expect_events(vec![added("data")]);
}

#[test]
fn rejects_a_parent_that_is_not_in_use() {
    let add = TaxonomyCommand::Add(category("databases", Some("data")));
    Given::with(())
        .given(vec![added("date")])
        .when(add.clone())
        .then_expect_error(TaxonomyError::NotFound {
            slug: "data".into(),
            near: vec!["date".into()],
        });
    Given::with(())
        .given(vec![added("data"), retired("data", None)])
        .when(add)
        .then_expect_error(TaxonomyError::Retired {
            slug: "data".into(),
            successor: None,
        });
}

#[test]
fn rejects_a_circle_of_parents() {
    let given = vec![added("a"), part("b", Some("a")), part("c", Some("b"))];
    for parent in ["a", "b", "c"] {
        Given::with(())
            .given(given.clone())
            .when(TaxonomyCommand::Describe(category("a", Some(parent))))
            .then_expect_error(TaxonomyError::Circle {
                slug: "a".into(),
                parent: parent.into(),
            });
    }
}

#[test]
fn describes_a_category_unless_nothing_changes() {
    let mut told = category("data", None);
    Given::with(())
        .given(vec![added("data")])
        .when(TaxonomyCommand::Describe(told.clone()))
        .then_expect_error(TaxonomyError::Unchanged);
    told.description = "Stores and queries".into();
    Given::with(())
        .given(vec![added("data")])
        .when(TaxonomyCommand::Describe(told.clone()))
        .then_expect_events(vec![TaxonomyEvent::CategoryDescribed(CategoryDescribed {
            category: told,
        })]);
}

#[test]
fn rejects_texts_that_nobody_can_read() {
    for (slug, title, description) in [
        ("Data", "Data", String::new()),
        ("data", " ", String::new()),
        ("data", "Da\u{200b}ta", String::new()),
        ("data", "Data", "x".repeat(4_001)),
    ] {
        let category = Category {
            slug: slug.into(),
            title: title.into(),
            description,
            parent: None,
        };
        let result = Given::with(())
            .given_no_previous_events()
            .when(TaxonomyCommand::Add(category))
            .inspect_result();
        assert!(result.is_err(), "{slug} {title}");
    }
}

#[test]
fn retires_a_category_with_a_successor_in_use_only() {
    let given = vec![added("a"), added("b"), added("c"), retired("c", None)];
    Given::with(())
        .given(given.clone())
        .when(retire("a", Some("b")))
        .then_expect_events(vec![retired("a", Some("b"))]);
    for (successor, code) in [
        ("a", "INVALID_SUCCESSOR"),
        ("c", "CATEGORY_NOT_FOUND"),
        ("d", "CATEGORY_NOT_FOUND"),
    ] {
        let result = Given::with(())
            .given(given.clone())
            .when(retire("a", Some(successor)))
            .inspect_result();
        assert_eq!(result.unwrap_err().code(), code, "{successor}");
    }
    Given::with(())
        .given(given)
        .when(retire("c", None))
        .then_expect_error(TaxonomyError::Retired {
            slug: "c".into(),
            successor: None,
        });
}

#[test]
fn a_category_with_parts_is_not_retired_before_them() {
    Given::with(())
        .given(vec![added("a"), part("b", Some("a"))])
        .when(retire("a", None))
        .then_expect_error(TaxonomyError::HasParts {
            slug: "a".into(),
            part: "b".into(),
        });
    Given::with(())
        .given(vec![added("a"), part("b", Some("a")), retired("b", None)])
        .when(retire("a", None))
        .then_expect_events(vec![retired("a", None)]);
}

#[test]
fn a_taxonomy_has_an_end() {
    let full = (0..MAX_CATEGORIES).map(|number| added(&format!("c{number}")));
    Given::with(())
        .given(full.collect())
        .when(TaxonomyCommand::Add(category("one-more", None)))
        .then_expect_error(TaxonomyError::Full);
}
