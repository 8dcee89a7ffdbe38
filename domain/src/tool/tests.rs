use super::definition::MAX_ANNOTATIONS_BYTES;
use super::*;
use crate::id::{ServerId, TenantId};
use crate::team::Team;
use cqrs_es::test::TestFramework;
use proptest::prelude::*;
use semver::Version;
use serde_json::json;

pub(super) type Given = TestFramework<Tool>;

pub(super) fn definition(description: &str) -> ToolDefinition {
    ToolDefinition {
        description: description.into(),
        input_schema: Some(json!({"type": "object", "properties": {"path": {"type": "string"}}})),
        output_schema: None,
        annotations: None,
    }
}

fn registration() -> RegisterTool {
    RegisterTool {
        server_id: ServerId::derive(&TenantId::new("acme").unwrap(), "git"),
        server: "git".into(),
        name: "git_log".into(),
        profile: ToolProfile::default(),
        tool_version: Version::new(1, 0, 0),
        definition: definition("Shows the history").into(),
    }
}

fn register(registration: RegisterTool) -> ToolCommand {
    ToolCommand::Register(Box::new(registration))
}

pub(super) fn registered() -> ToolEvent {
    let r = registration();
    let definition_hash = r.definition.checked_hash(&r.name).unwrap();
    ToolEvent::Registered(Box::new(ToolRegistered {
        server_id: r.server_id,
        server: r.server,
        name: r.name,
        profile: r.profile,
        tool_version: r.tool_version,
        definition: r.definition,
        definition_hash,
    }))
}

pub(super) fn retired() -> ToolEvent {
    ToolEvent::Retired(ToolRetired {
        reason: String::new(),
    })
}

pub(super) fn publish(version: Version, description: &str) -> ToolCommand {
    ToolCommand::PublishVersion(Box::new(PublishToolVersion {
        tool_version: version,
        definition: definition(description).into(),
    }))
}

pub(super) fn accepts(history: Vec<ToolEvent>, command: ToolCommand, event: ToolEvent) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_events(vec![event]);
}

pub(super) fn rejects(history: Vec<ToolEvent>, command: ToolCommand, error: ToolError) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_error(error);
}

#[test]
fn registers_a_tool_with_its_first_version() {
    accepts(vec![], register(registration()), registered());
}

#[test]
fn rejects_a_taken_name() {
    rejects(
        vec![registered()],
        register(registration()),
        ToolError::AlreadyRegistered,
    );
}

#[test]
fn rejects_the_name_of_a_retired_tool() {
    rejects(
        vec![registered(), retired()],
        register(registration()),
        ToolError::Retired,
    );
}

#[test]
fn rejects_names_that_cannot_be_called() {
    for name in [
        "",
        " a",
        "a  b",
        "a\u{200b}",
        "naïve",
        "a;b",
        &"x".repeat(129),
    ] {
        let registration = RegisterTool {
            name: name.into(),
            ..registration()
        };
        rejects(vec![], register(registration), ToolError::InvalidName);
    }
    for name in [
        "a",
        "nasa/apod",
        "Add File",
        "v1.list-all_items",
        &"x".repeat(128),
    ] {
        let registration = RegisterTool {
            name: name.into(),
            ..registration()
        };
        let events = Given::with(())
            .given_no_previous_events()
            .when(register(registration))
            .inspect_result();
        assert!(events.is_ok(), "{name}");
    }
}

#[test]
fn rejects_definitions_that_a_model_should_not_read() {
    let cases = [
        (
            definition(" "),
            ToolError::Missing {
                field: "description",
            },
        ),
        (
            definition(&"x".repeat(4_001)),
            ToolError::TooLong {
                field: "description",
                most: 4_000,
                found: 4_001,
            },
        ),
        (
            definition("a\u{202e}b"),
            ToolError::HiddenCharacters {
                field: "description",
            },
        ),
        (
            ToolDefinition {
                input_schema: Some(json!([])),
                ..definition("x")
            },
            ToolError::InvalidSchema {
                field: "input_schema",
                path: String::new(),
                reason: "give an object with \"type\": \"object\"".to_owned(),
            },
        ),
        (
            ToolDefinition {
                output_schema: Some(json!({"type": "string"})),
                ..definition("x")
            },
            ToolError::InvalidSchema {
                field: "output_schema",
                path: String::new(),
                reason: "give an object with \"type\": \"object\"".to_owned(),
            },
        ),
        (
            ToolDefinition {
                input_schema: Some(json!({"properties": {"a": {"description": "\u{e0041}"}}})),
                ..definition("x")
            },
            ToolError::HiddenCharacters {
                field: "input_schema",
            },
        ),
    ];
    for (definition, error) in cases {
        rejects(
            vec![],
            register(RegisterTool {
                definition: definition.into(),
                ..registration()
            }),
            error,
        );
    }
    let large = json!({"description": "x".repeat(MAX_SCHEMA_BYTES)});
    let definition = ToolDefinition {
        input_schema: Some(large),
        ..definition("x")
    };
    let found = MAX_SCHEMA_BYTES + 18;
    rejects(
        vec![],
        register(RegisterTool {
            definition: definition.into(),
            ..registration()
        }),
        ToolError::SchemaTooLarge {
            field: "input_schema",
            found,
        },
    );
}

#[test]
fn describes_a_tool_anew() {
    let profile = ToolProfile {
        visibility: Visibility::Private,
        ..ToolProfile::default()
    };
    let of_a_team = ToolProfile {
        team: Some(Team::new("payments").unwrap()),
        ..profile.clone()
    };
    let described = ToolEvent::Described(ToolDescribed {
        profile: profile.clone(),
    });
    accepts(
        vec![registered(), described.clone()],
        ToolCommand::Describe(of_a_team.clone()),
        ToolEvent::Described(ToolDescribed { profile: of_a_team }),
    );
    accepts(
        vec![registered()],
        ToolCommand::Describe(profile),
        described,
    );
    rejects(
        vec![registered()],
        ToolCommand::Describe(ToolProfile::default()),
        ToolError::Unchanged,
    );
}

#[test]
fn a_tool_has_as_many_tags_as_a_tool_may_have() {
    let most = crate::server::MAX_TAGS;
    let tagged = |tags: usize| ToolProfile {
        tags: (0..tags).map(|n| format!("t{n}")).collect(),
        ..ToolProfile::default()
    };
    let profile = tagged(most);
    accepts(
        vec![registered()],
        ToolCommand::Describe(profile.clone()),
        ToolEvent::Described(ToolDescribed { profile }),
    );
    let too_many = || ToolError::TooManyTags { found: most + 1 };
    let registration = RegisterTool {
        profile: tagged(most + 1),
        ..registration()
    };
    rejects(vec![], register(registration), too_many());
    rejects(
        vec![registered()],
        ToolCommand::Describe(tagged(most + 1)),
        too_many(),
    );
}

#[test]
fn rejects_annotations_whenever_a_definition_comes() {
    let annotated = |annotations| ToolDefinition {
        annotations: Some(annotations),
        ..definition("Shows it")
    };
    let large = json!({"x": "y".repeat(MAX_ANNOTATIONS_BYTES)});
    // `{"x":""}` is around the text.
    let found = MAX_ANNOTATIONS_BYTES + 8;
    for (annotations, error) in [
        (json!(["readOnlyHint"]), ToolError::InvalidAnnotations),
        (
            json!({"destructiveHint": "no"}),
            ToolError::InvalidAnnotations,
        ),
        (large, ToolError::AnnotationsTooLarge { found }),
    ] {
        let registration = RegisterTool {
            definition: annotated(annotations.clone()).into(),
            ..registration()
        };
        rejects(vec![], register(registration), error.clone());
        let publish = ToolCommand::PublishVersion(Box::new(PublishToolVersion {
            tool_version: Version::new(2, 0, 0),
            definition: annotated(annotations).into(),
        }));
        rejects(vec![registered()], publish, error);
    }
}

#[test]
fn a_retired_tool_takes_no_command() {
    let retire = ToolCommand::Retire {
        reason: String::new(),
    };
    accepts(vec![registered()], retire.clone(), retired());
    for command in [
        retire,
        ToolCommand::Describe(ToolProfile::default()),
        publish(Version::new(3, 0, 0), "x"),
    ] {
        rejects(vec![registered(), retired()], command, ToolError::Retired);
    }
}

#[test]
fn every_command_but_the_first_needs_a_tool() {
    for command in [
        ToolCommand::Retire {
            reason: String::new(),
        },
        ToolCommand::Describe(ToolProfile::default()),
        publish(Version::new(3, 0, 0), "x"),
    ] {
        rejects(vec![], command, ToolError::NotRegistered);
    }
}

proptest! {
    /// The hash does not depend on the order of members, and does depend on every part.
    #[test]
    fn the_definition_hash_is_canonical(a in "[a-z]{1,8}", b in "[A-Z]{1,8}") {
        let one: serde_json::Value =
            serde_json::from_str(&format!(r#"{{"{a}": 1, "{b}": {{"x": 1, "y": 2}}}}"#)).unwrap();
        let two: serde_json::Value =
            serde_json::from_str(&format!(r#"{{"{b}": {{"y": 2.0, "x": 1}}, "{a}": 1}}"#)).unwrap();
        let with = |schema| ToolDefinition { input_schema: Some(schema), ..definition("d") };
        prop_assert_eq!(with(one.clone()).checked_hash("n"), with(two).checked_hash("n"));
        prop_assert_ne!(with(one.clone()).checked_hash("n"), with(one).checked_hash("m"));
    }
}

#[test]
fn a_version_is_bounded_in_length_and_in_how_high_it_counts() {
    let longest = format!("2.0.0-{}", "a".repeat(122));
    let highest = format!("{0}.{0}.{0}", (1_u64 << 53) - 1);
    for version in [&longest, &highest] {
        let version = Version::parse(version).unwrap();
        Given::with(())
            .given(vec![registered()])
            .when(publish(version, "Second"))
            .inspect_result()
            .unwrap();
    }
    let higher = format!("2.0.{}", 1_u64 << 53);
    for (version, error) in [
        (
            format!("{longest}a"),
            ToolError::VersionTooLong { found: 129 },
        ),
        (
            format!("2.0.0+{}", "b".repeat(40_000)),
            ToolError::VersionTooLong { found: 40_006 },
        ),
        (higher, ToolError::VersionNumberTooLarge),
    ] {
        let version = Version::parse(&version).unwrap();
        let registration = RegisterTool {
            tool_version: version.clone(),
            ..registration()
        };
        rejects(vec![], register(registration), error.clone());
        rejects(vec![registered()], publish(version, "Second"), error);
    }
}

#[test]
fn a_tool_has_a_thousand_versions_at_most() {
    let mut history = vec![registered()];
    history.extend((1..1_000).map(|minor| {
        let definition = definition(&format!("The one of {minor}"));
        ToolEvent::VersionPublished(Box::new(ToolVersionPublished {
            tool_version: Version::new(1, minor, 0),
            definition_hash: definition.checked_hash("git_log").unwrap(),
            definition: definition.into(),
        }))
    }));
    let last = history.pop();
    let thousandth = publish(Version::new(1, 999, 0), "The one of 999");
    accepts(history.clone(), thousandth.clone(), last.clone().unwrap());
    history.extend(last);
    let one_more = publish(Version::new(1, 1_000, 0), "One more");
    rejects(history.clone(), one_more, ToolError::TooManyVersions);
    // What is there already is still answered.
    Given::with(())
        .given(history)
        .when(thousandth)
        .then_expect_events(vec![]);
}
