use super::catalogue::{self, Parsed};
use super::report::Reason;
use super::{Options, Silent};
use domain::id::{ServerId, TenantId};
use domain::server::{RegisterServer, Transport};
use domain::tool::{RegisterTool, Visibility};
use semver::Version;
use serde_json::json;

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn server(line: &str) -> Result<Parsed<RegisterServer>, Reason> {
    catalogue::server(line.as_bytes())
}

fn tool(line: &str) -> Result<Parsed<RegisterTool>, Reason> {
    catalogue::tool(line.as_bytes(), &acme(), &Version::new(1, 0, 0))
}

fn codes(warnings: &[Reason]) -> Vec<&'static str> {
    warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn takes_a_server_as_it_is() {
    let parsed = server(
        r#"{"slug":"git","name":"Git","description":"Works on a repository","homepage":"https://example.org/git",
            "license":"MIT","transport":"stdio","category":"version-control","tags":["vcs","vcs"],"tool_count":12,
            "source":["x"]}"#,
    );
    let Parsed { record, warnings } = parsed.unwrap();
    assert_eq!(record.slug, "git");
    assert_eq!(
        record.profile.homepage.as_deref(),
        Some("https://example.org/git")
    );
    assert_eq!(record.profile.transport, Some(Transport::Stdio));
    assert_eq!(record.profile.tags, ["vcs".to_owned()].into());
    assert!(warnings.is_empty());
}

#[test]
fn absent_null_and_empty_are_the_same() {
    let bare = server(r#"{"slug":"git"}"#).unwrap();
    assert_eq!(bare.record.profile.name, "git");
    assert_eq!(bare.record.profile.description, "");
    let nulls = r#"{"slug":"git","name":null,"description":null,"homepage":null,"license":null,
        "transport":null,"category":null,"tags":null}"#;
    assert_eq!(server(nulls).unwrap(), bare);
    let empty = r#"{"slug":"git","name":" ","description":"","homepage":"","license":" ","transport":"",
        "category":"\t","tags":[""," "]}"#;
    assert_eq!(server(empty).unwrap(), bare);
}

#[test]
fn takes_a_tool_as_it_is() {
    let line = r#"{"id":"git/commit","server":"git","name":"commit","title":"Commit","description":"Records",
        "input_schema":{"type":"object","properties":{"sep":{"default":" \n"}}},"category":null,"tags":[]}"#;
    let Parsed { record, warnings } = tool(line).unwrap();
    assert_eq!(record.server_id, ServerId::derive(&acme(), "git"));
    assert_eq!(
        (record.server.as_str(), record.name.as_str()),
        ("git", "commit")
    );
    assert_eq!(record.profile.visibility, Visibility::Tenant);
    // White space in a schema can be meant.
    let schema = record.definition.input_schema.as_ref().unwrap();
    assert_eq!(schema["properties"]["sep"]["default"], " \n");
    assert_eq!(record.definition.output_schema, None);
    assert!(warnings.is_empty());
}

#[test]
fn refuses_a_line_that_is_no_record() {
    let deep = format!("{{\"slug\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let cases = [
        ("x", "NOT_JSON"),
        ("{\"slug\":\"git\"", "NOT_JSON"),
        ("{\"slug\":\"git\"} {}", "NOT_JSON"),
        ("{\"slug\":\"git\",\"n\":1e999}", "NOT_JSON"),
        (&deep, "NOT_JSON"),
        ("[1]", "WRONG_TYPE"),
        ("null", "WRONG_TYPE"),
        ("{}", "FIELD_MISSING"),
        (r#"{"slug":null}"#, "FIELD_MISSING"),
        (r#"{"slug":5}"#, "WRONG_TYPE"),
        (r#"{"slug":"Git Hub"}"#, "INVALID_SLUG"),
        (r#"{"slug":"git\u200b"}"#, "INVALID_SLUG"),
        (r#"{"slug":"a.b"}"#, "INVALID_SLUG"),
        (r#"{"slug":"*"}"#, "INVALID_SLUG"),
        (r#"{"slug":"git","description":["a"]}"#, "WRONG_TYPE"),
        (r#"{"slug":"git","tags":"vcs"}"#, "WRONG_TYPE"),
        (r#"{"slug":"git","tags":["a",{}]}"#, "WRONG_TYPE"),
        (r#"{"slug":"git","homepage":false}"#, "WRONG_TYPE"),
        (r#"{"slug":"git","transport":1}"#, "WRONG_TYPE"),
    ];
    for (line, code) in cases {
        assert_eq!(server(line).unwrap_err().code, code, "{line}");
    }
    let not_utf8 = catalogue::server(b"{\"slug\":\"g\xffit\"}").unwrap_err();
    assert_eq!(
        not_utf8,
        Reason::new("INVALID_UTF8", "not UTF-8 at byte 11")
    );
    assert_eq!(
        tool(r#"{"server":"git"}"#).unwrap_err().code,
        "FIELD_MISSING"
    );
    assert_eq!(
        tool(r#"{"name":"commit"}"#).unwrap_err().code,
        "FIELD_MISSING"
    );
    let error = tool(r#"{"server":"git","name":"a","title":{}}"#).unwrap_err();
    assert_eq!(
        error.message,
        "`title` must be a string or null; found an object"
    );
}

#[test]
fn removes_and_counts_what_hides() {
    let line = r#"{"server":"git","name":"commit","description":"Re\u200bcords\u202e","tags":["v\u00adcs"],
        "input_schema":{"properties":{"pa\u200bth":{"description":"a\u0007b","default":" \r\n"}},
        "required":["pa\u200bth"],"enum":["\ud83d\ude00 \ufeff"]}}"#;
    let Parsed { record, warnings } = tool(line).unwrap();
    assert_eq!(record.definition.description, "Records");
    assert_eq!(record.profile.tags, ["vcs".to_owned()].into());
    let expected = json!({"properties": {"path": {"description": "ab", "default": " \n"}},
        "required": ["path"], "enum": ["😀 "]});
    assert_eq!(record.definition.input_schema, Some(expected));
    let expected = Reason::new("HIDDEN_CHARACTERS_REMOVED", "7 hidden characters removed");
    assert_eq!(warnings, [expected]);
}

#[test]
fn refuses_names_that_differ_only_in_what_hides() {
    let line = r#"{"server":"git","name":"commit","description":"x",
        "input_schema":{"properties":{"path":{},"pa\u200bth":{}}}}"#;
    assert_eq!(tool(line).unwrap_err().code, "AMBIGUOUS_SCHEMA");
}

#[test]
fn drops_a_homepage_that_is_no_web_address() {
    let long = format!("https://example.org/{}", "x".repeat(500));
    for bad in [
        "javascript:alert(1)",
        "example.org",
        "ftp://example.org",
        "https://",
        &long,
    ] {
        let parsed = server(&json!({"slug": "git", "homepage": bad}).to_string()).unwrap();
        assert_eq!(parsed.record.profile.homepage, None, "{bad}");
        assert_eq!(codes(&parsed.warnings), ["HOMEPAGE_DROPPED"], "{bad}");
    }
    let parsed = server(r#"{"slug":"git","transport":"carrier-pigeon"}"#).unwrap();
    assert_eq!(parsed.record.profile.transport, None);
    assert_eq!(codes(&parsed.warnings), ["TRANSPORT_DROPPED"]);
}

#[test]
fn trims_category_and_tags_to_the_limits() {
    let tags: Vec<String> = (0..40).map(|n| format!("t{n:02}")).collect();
    let line = json!({"slug": "git", "category": "ä".repeat(70), "tags": tags});
    let parsed = server(&line.to_string()).unwrap();
    assert_eq!(parsed.record.profile.category, Some("ä".repeat(64)));
    assert_eq!(parsed.record.profile.tags.len(), 32);
    assert_eq!(codes(&parsed.warnings), ["TEXT_CUT", "TAGS_LEFT_OUT"]);
    assert_eq!(
        parsed.warnings[1].message,
        "8 tags left out; the most is 32"
    );
    let line = json!({"slug": "git", "tags": ["x".repeat(65), "x".repeat(64)]});
    let parsed = server(&line.to_string()).unwrap();
    assert_eq!(parsed.record.profile.tags, ["x".repeat(64)].into());
}

#[test]
fn an_id_that_contradicts_its_line_is_said() {
    let line = r#"{"id":"git/push","server":"git","name":"commit","description":"x"}"#;
    assert_eq!(codes(&tool(line).unwrap().warnings), ["ID_DIFFERS"]);
}

#[test]
fn an_import_can_run_in_a_task_of_its_own() {
    fn is_send<T: Send>(make: impl FnOnce(&bus::Dispatcher) -> T) {
        let _ = make;
    }
    is_send(|dispatcher: &bus::Dispatcher| {
        let dispatcher = dispatcher.clone();
        async move {
            let (actor, stop) = (domain::envelope::Actor::system("test"), Default::default());
            let (tenant, options) = (acme(), Options::default());
            let (servers, tools) = (&b""[..], &b""[..]);
            super::run(
                &dispatcher,
                &tenant,
                &actor,
                servers,
                tools,
                &options,
                &Silent,
                &stop,
            )
            .await
            .map(|_| ())
        }
    });
}

#[test]
fn the_sample_has_no_line_to_complain_about() {
    let servers = include_str!("../sample/servers.jsonl").lines().map(server);
    let tools = include_str!("../sample/tools.jsonl").lines().map(tool);
    let warnings: Vec<_> = servers
        .map(|parsed| parsed.unwrap().warnings)
        .chain(tools.map(|parsed| parsed.unwrap().warnings))
        .flatten()
        .collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}
