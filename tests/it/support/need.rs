//! What some tests need of the machine beside the servers. Where it is missing, a test says so and ends well, because not
//! every machine can have it. A set-up that provides it demands it, so that its tests do not pass by not running.

/// The variable that names what may not be missing, separated by commas, or `all`; `1` is the same.
const DEMANDED: &str = "METAMCP_TEST_NO_SKIP";

/// Something that a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A Python that has the clients of others.
    Python,
    /// The embedding model.
    Model,
    /// The right to mount a small file system.
    Mount,
    /// libfaketime, for another clock.
    Faketime,
    /// A program that is not ours, such as `openssl`.
    Program,
}

/// The name of each in the variable.
const NEEDS: [(&str, Need); 5] = [
    ("python", Need::Python),
    ("model", Need::Model),
    ("mount", Need::Mount),
    ("faketime", Need::Faketime),
    ("program", Need::Program),
];

/// Says why a test, or a part of it, cannot run here. Panics with it where that is demanded.
pub(crate) fn cannot_run(lacks: Need, why: &str) {
    say(&std::env::var(DEMANDED).unwrap_or_default(), lacks, why);
}

fn say(demanded: &str, lacks: Need, why: &str) {
    assert!(
        !is_demanded(demanded, lacks),
        "{DEMANDED}={demanded} forbids to skip this test, which cannot run here: {why}"
    );
    println!("skipped: {why}");
}

/// A name that nothing has is a mistake, by which a test could be skipped that is demanded.
fn is_demanded(demanded: &str, lacks: Need) -> bool {
    let names = demanded.split(',').map(str::trim);
    let known = |name: &str| match NEEDS.iter().find(|(known, _)| *known == name) {
        Some((_, need)) => *need == lacks,
        None if name == "all" || name == "1" => true,
        None => panic!("{DEMANDED} names `{name}`, and knows {NEEDS:?} and all"),
    };
    let demands: Vec<bool> = names.filter(|name| !name.is_empty()).map(known).collect();
    demands.contains(&true)
}

#[test]
fn only_what_is_demanded_may_not_be_skipped() {
    for (demanded, python, model) in [
        ("", false, false),
        ("mount", false, false),
        ("python", true, false),
        ("mount, model,python", true, true),
        ("all", true, true),
        ("1", true, true),
    ] {
        let found = [Need::Python, Need::Model].map(|need| is_demanded(demanded, need));
        assert_eq!(found, [python, model], "{demanded}");
    }
    say("python", Need::Mount, "this is a test of skipping");
}

#[test]
#[should_panic(expected = "METAMCP_TEST_NO_SKIP=model forbids to skip")]
fn a_test_that_is_demanded_fails_where_it_cannot_run() {
    say("model", Need::Model, "there is no model");
}

#[test]
#[should_panic(expected = "names `pyhton`")]
fn a_name_that_nothing_has_is_refused_and_demands_nothing_in_silence() {
    is_demanded("python,pyhton", Need::Python);
}
