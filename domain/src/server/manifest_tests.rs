use super::*;

fn document() -> Value {
    json!({
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.acme/weather",
        "description": "Forecasts",
        "version": "1.0.0",
        "packages": [{
            "registryType": "npm", "identifier": "@acme/weather", "version": "1.0.0",
            "transport": { "type": "stdio" },
        }],
        "remotes": [{ "type": "streamable-http", "url": "https://{host}/mcp" }],
    })
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[member] = value;
    document
}

fn code(document: Value) -> &'static str {
    Manifest::new(document).unwrap_err().code()
}

#[test]
fn a_document_of_the_published_schema_passes() {
    let manifest = Manifest::new(document()).unwrap();
    assert_eq!(
        (manifest.name(), manifest.version()),
        ("io.github.acme/weather", "1.0.0")
    );
    let reordered: Value = serde_json::from_str(&document().to_string()).unwrap();
    assert_eq!(Manifest::new(reordered).unwrap().hash(), manifest.hash());
    for revision in REVISIONS {
        let schema = json!(format!("{SCHEMAS}{revision}{SCHEMA_FILE}"));
        assert!(Manifest::new(changed("/$schema", schema)).is_ok());
    }
}

#[test]
fn a_revision_that_this_build_does_not_know_is_refused() {
    for schema in [
        format!("{SCHEMAS}2099-01-01{SCHEMA_FILE}"),
        format!("{SCHEMAS}2025-07-09{SCHEMA_FILE}"),
        "https://example.org/server.schema.json".to_owned(),
    ] {
        assert_eq!(
            code(changed("/$schema", json!(schema))),
            "MANIFEST_SCHEMA_UNKNOWN"
        );
    }
}

#[test]
fn a_document_that_breaks_the_schema_is_refused_with_the_place() {
    for (pointer, value) in [
        ("/name", json!("no-namespace")),
        ("/name", json!("a/b/c")),
        ("/description", json!("")),
        ("/description", json!("x".repeat(101))),
        ("/packages/0/transport", json!({ "type": "pigeon" })),
        ("/packages/0/version", json!("latest")),
        ("/websiteUrl", json!("not an address")),
        ("/version", json!(7)),
    ] {
        let error = Manifest::new(changed(pointer, value)).unwrap_err();
        assert!(
            matches!(&error, ManifestError::Invalid { place, .. } if pointer.starts_with(place)),
            "{pointer}: {error:?}"
        );
    }
    assert_eq!(code(json!([])), "MANIFEST_INVALID");
}

#[test]
fn a_version_is_one_version() {
    for range in [
        "latest",
        "^1.2.3",
        "~1.2",
        ">=1",
        "1.x",
        "1.*",
        "1.0 - 2.0",
        "",
    ] {
        assert_eq!(
            code(changed("/version", json!(range))),
            "MANIFEST_INVALID",
            "{range}"
        );
    }
    for version in ["2025-01-31", "v1", "1.0.0-beta.1+build"] {
        assert!(
            Manifest::new(changed("/version", json!(version))).is_ok(),
            "{version}"
        );
    }
}

#[test]
fn hidden_characters_and_floods_are_refused_wherever_they_are() {
    let meta =
        |inner: Value| json!({ "io.modelcontextprotocol.registry/publisher-provided": inner });
    for hidden in [
        changed("/title", json!("Wea\u{202e}ther")),
        changed("/_meta", meta(json!({ "deep": [{ "x": "\u{0}" }] }))),
        changed("/_meta", meta(json!({ "na\u{200b}me": 1 }))),
    ] {
        assert_eq!(code(hidden), "HIDDEN_CHARACTERS");
    }
    let large = meta(json!({ "x": "y".repeat(MAX_MANIFEST_BYTES) }));
    assert_eq!(code(changed("/_meta", large)), "MANIFEST_TOO_LARGE");
}

#[test]
fn a_document_that_nests_too_deep_is_refused() {
    let with = |arrays: usize| {
        let nested = (0..arrays).fold(json!(1), |inner, _| json!([inner]));
        let provided = "io.modelcontextprotocol.registry/publisher-provided";
        changed("/_meta", json!({ provided: { "x": nested } }))
    };
    // The document, `_meta` and what stands in it are three levels.
    assert!(Manifest::new(with(MAX_PART_DEPTH - 3)).is_ok());
    assert_eq!(code(with(MAX_PART_DEPTH - 2)), "MANIFEST_TOO_DEEP");
}

#[test]
fn any_profile_makes_a_valid_document() {
    let tenant = TenantId::new("acme").unwrap();
    let profile = |name: &str, description: &str, homepage: Option<&str>| ServerProfile {
        name: name.to_owned(),
        description: description.to_owned(),
        homepage: homepage.map(str::to_owned),
        ..ServerProfile::default()
    };
    let long = "ä".repeat(200);
    for profile in [
        profile(
            "Git",
            "Works on a repository",
            Some("https://example.org/git"),
        ),
        profile(&long, "", Some("https://example.org/a b|c[d]")),
        profile("Git", &"x ".repeat(500), None),
    ] {
        let manifest = Manifest::of_profile(&tenant, "git", &profile, 3).unwrap();
        assert_eq!(
            (manifest.name(), manifest.version()),
            ("local.acme/git", "0.0.3")
        );
    }
    // Written before such characters were refused.
    let old = profile("\u{3164}", "Works on\u{fe0e} a repository", None);
    let manifest = Manifest::of_profile(&tenant, "git", &old, 3).unwrap();
    assert_eq!(manifest.text("title"), Some("git"));
    assert_eq!(manifest.text("description"), Some("Works on a repository"));
    let named = ServerProfile {
        registry_name: Some("io.github.acme/git".to_owned()),
        ..profile("Git", "", Some("https://example.org/git"))
    };
    let manifest = Manifest::of_profile(&tenant, "git", &named, 1).unwrap();
    assert_eq!(manifest.name(), "io.github.acme/git");
    assert_eq!(manifest.text("websiteUrl"), Some("https://example.org/git"));
}

#[test]
fn semantic_versions_are_newer_by_precedence_and_than_all_others() {
    assert_eq!(compare_versions("1.10.0", "1.9.0"), Ordering::Greater);
    assert_eq!(compare_versions("1.0.0-rc.1", "1.0.0"), Ordering::Less);
    assert_eq!(compare_versions("0.0.1", "2025-01-31"), Ordering::Greater);
    assert_eq!(compare_versions("b", "a"), Ordering::Equal);
}
