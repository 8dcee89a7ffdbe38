use super::*;
use proptest::prelude::*;

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn resolved(text: &str, versions: &[&str], yanked: &[&str]) -> Option<String> {
    let versions: Vec<Version> = versions.iter().map(|text| v(text)).collect();
    let offers: Vec<Offer> = versions
        .iter()
        .map(|version| Offer {
            version,
            yanked: yanked.contains(&version.to_string().as_str()),
        })
        .collect();
    let aliases = BTreeMap::from([(Alias::new("stable").unwrap(), v("1.2.0"))]);
    reference(text)
        .resolve(&offers, &aliases)
        .map(ToString::to_string)
}

const VERSIONS: &[&str] = &["1.0.0", "1.2.0", "1.3.0", "2.0.0", "3.0.0-rc.1"];

#[test]
fn a_reference_leads_to_the_highest_version_that_it_allows() {
    for (text, expected) in [
        ("latest", Some("2.0.0")),
        ("stable", Some("1.2.0")),
        ("beta", None),
        ("1.2.0", Some("1.2.0")),
        ("1.2.1", None),
        ("^1.2", Some("1.3.0")),
        ("1.2", Some("1.3.0")),
        ("~1.2", Some("1.2.0")),
        ("=1.2.0", Some("1.2.0")),
        (">=1, <3", Some("2.0.0")),
        ("*", Some("2.0.0")),
        ("^4", None),
        ("^3.0.0-rc.0", Some("3.0.0-rc.1")),
        ("3.0.0-rc.1", Some("3.0.0-rc.1")),
    ] {
        assert_eq!(resolved(text, VERSIONS, &[]).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_yanked_version_is_led_to_by_its_exact_number_only() {
    let yanked = &["2.0.0", "1.2.0"];
    for (text, expected) in [
        ("latest", Some("1.3.0")),
        ("stable", None),
        ("2.0.0", Some("2.0.0")),
        ("=2.0.0", None),
        ("^2", None),
        ("~1.2", None),
    ] {
        assert_eq!(
            resolved(text, VERSIONS, yanked).as_deref(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn build_metadata_is_left_aside_when_a_version_is_asked_for() {
    let versions = &["1.0.0+b", "1.1.0", "2.0.0-rc.1+7"];
    for (text, expected) in [
        ("1.0.0", Some("1.0.0+b")),
        ("1.0.0+b", Some("1.0.0+b")),
        ("1.0.0+c", Some("1.0.0+b")),
        ("=1.0.0", Some("1.0.0+b")),
        ("1.1.0+b", Some("1.1.0")),
        ("2.0.0-rc.1", Some("2.0.0-rc.1+7")),
        ("1.0.1", None),
    ] {
        assert_eq!(resolved(text, versions, &[]).as_deref(), expected, "{text}");
    }
}

#[test]
fn the_neighbours_of_a_number_are_the_releases_in_use_beside_it() {
    let versions = ["1.0.0", "1.2.0+b", "1.3.0", "2.0.0-rc.1", "3.0.0"].map(v);
    let offers: Vec<Offer> = versions
        .iter()
        .map(|version| Offer {
            version,
            yanked: *version == v("1.3.0"),
        })
        .collect();
    let told = |number: &str| {
        let (below, above) = neighbours(&offers, &v(number));
        [below, above].map(|beside| beside.map_or("none".to_owned(), ToString::to_string))
    };
    assert_eq!(told("1.1.0"), ["1.0.0", "1.2.0+b"]);
    assert_eq!(told("1.2.0"), ["1.0.0", "3.0.0"]);
    assert_eq!(told("2.0.0"), ["1.2.0+b", "3.0.0"]);
    assert_eq!(told("0.1.0"), ["none", "1.0.0"]);
    assert_eq!(told("4.0.0"), ["3.0.0", "none"]);
}

#[test]
fn a_pre_release_is_current_only_where_nothing_else_is() {
    assert_eq!(resolved("latest", VERSIONS, &[]).unwrap(), "2.0.0");
    let pre = &["1.0.0-rc.1", "1.0.0-rc.2"];
    assert_eq!(resolved("latest", pre, &[]).unwrap(), "1.0.0-rc.2");
    assert_eq!(
        resolved("latest", pre, &["1.0.0-rc.2"]).unwrap(),
        "1.0.0-rc.1"
    );
}

#[test]
fn a_tool_is_named_with_or_without_a_reference() {
    let named: ToolReference = "nasa/nasa/apod@^1.2".parse().unwrap();
    assert_eq!(
        (named.server.as_str(), named.name.as_str()),
        ("nasa", "nasa/apod")
    );
    assert!(matches!(named.reference, Reference::Range(_)));
    let named: ToolReference = "git/git_log".parse().unwrap();
    assert_eq!(named.reference, Reference::Latest);
}

#[test]
fn what_is_no_reference_is_refused() {
    for text in [
        "", " ", "v1.2.3", "Stable", "1.2.3.4", "^", "a_b", "1..2", "@1", "x.1",
    ] {
        let refused = text.parse::<Reference>();
        assert_eq!(refused, Err(ToolError::InvalidReference), "`{text}`");
    }
    for text in [
        "git",
        "git/",
        "/log",
        "Git/log",
        "git/log@",
        "git/log@1@2",
        "git/lo;g",
    ] {
        let refused = text.parse::<ToolReference>();
        assert_eq!(refused, Err(ToolError::InvalidReference), "`{text}`");
    }
}

fn versions() -> impl Strategy<Value = Vec<(Version, bool)>> {
    let version = (0..3u64, 0..3u64, 0..3u64, 0..3u8, any::<bool>());
    let version = version.prop_map(|(major, minor, patch, pre, yanked)| {
        let mut version = Version::new(major, minor, patch);
        if pre == 0 {
            version.pre = semver::Prerelease::new("rc.1").unwrap();
        }
        (version, yanked)
    });
    prop::collection::vec(version, 0..8)
}

proptest! {
    /// The law of resolution: the answer is allowed, none that is allowed is higher, and the order in which
    /// the versions are known does not matter.
    #[test]
    fn a_range_leads_to_the_highest_allowed_version(
        mut known in versions(), low in 0..3u64, high in 0..4u64, pre in any::<bool>()
    ) {
        known.sort();
        known.dedup_by(|a, b| a.0 == b.0);
        let suffix = if pre { "-rc.1" } else { "" };
        let range = VersionReq::parse(&format!(">={low}.0.0{suffix}, <{high}.0.0")).unwrap();
        let offers: Vec<Offer> =
            known.iter().map(|(version, yanked)| Offer { version, yanked: *yanked }).collect();
        let backwards: Vec<Offer> = offers.iter().rev().copied().collect();
        let reference = Reference::Range(range.clone());
        let found = reference.resolve(&offers, &BTreeMap::new());
        prop_assert_eq!(found, reference.resolve(&backwards, &BTreeMap::new()));
        let allowed = |offer: &&Offer| !offer.yanked && range.matches(offer.version);
        let highest = offers.iter().filter(allowed).map(|offer| offer.version).max();
        prop_assert_eq!(found, highest);
        let latest = Reference::Latest.resolve(&offers, &BTreeMap::new());
        let usable = offers.iter().any(|offer| !offer.yanked);
        prop_assert_eq!(latest.is_some(), usable);
        let releases = offers.iter().any(|offer| !offer.yanked && offer.version.pre.is_empty());
        prop_assert_eq!(latest.is_some_and(|version| version.pre.is_empty()), releases);
    }
}
