use super::*;
use cqrs_es::test::TestFramework;

type Given = TestFramework<Server>;

fn profile() -> ServerProfile {
    ServerProfile {
        name: "Git".into(),
        registry_name: Some("io.github.acme/git".into()),
        description: "Works on a repository".into(),
        homepage: Some("https://example.org/git".into()),
        license: Some("MIT".into()),
        transport: Some(Transport::Stdio),
        category: Some("version-control".into()),
        tags: ["vcs".to_owned()].into(),
    }
}

fn register(profile: ServerProfile) -> ServerCommand {
    ServerCommand::Register(RegisterServer {
        slug: "git".into(),
        profile,
    })
}

fn registered() -> ServerEvent {
    ServerEvent::Registered(ServerRegistered {
        slug: "git".into(),
        profile: profile(),
    })
}

fn retired() -> ServerEvent {
    ServerEvent::Retired(ServerRetired {
        reason: "moved".into(),
    })
}

fn accepts(history: Vec<ServerEvent>, command: ServerCommand, event: ServerEvent) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_events(vec![event]);
}

fn rejects(history: Vec<ServerEvent>, command: ServerCommand, error: ServerError) {
    Given::with(())
        .given(history)
        .when(command)
        .then_expect_error(error);
}

#[test]
fn registers_a_server() {
    accepts(vec![], register(profile()), registered());
}

#[test]
fn rejects_a_taken_slug() {
    rejects(
        vec![registered()],
        register(profile()),
        ServerError::AlreadyRegistered,
    );
}

#[test]
fn rejects_a_slug_that_is_none() {
    let error = crate::id::check_slug("server slug", "Git Hub").unwrap_err();
    let command = ServerCommand::Register(RegisterServer {
        slug: "Git Hub".into(),
        profile: profile(),
    });
    rejects(vec![], command, ServerError::InvalidSlug(error));
}

#[test]
fn describes_a_server_anew() {
    let other = ServerProfile {
        name: "Git tools".into(),
        ..profile()
    };
    accepts(
        vec![registered()],
        ServerCommand::Describe(other.clone()),
        ServerEvent::Described(ServerDescribed { profile: other }),
    );
    rejects(
        vec![registered()],
        ServerCommand::Describe(profile()),
        ServerError::Unchanged,
    );
    rejects(
        vec![],
        ServerCommand::Describe(profile()),
        ServerError::NotRegistered,
    );
}

#[test]
fn a_retired_server_takes_no_command() {
    let retire = ServerCommand::Retire {
        reason: "moved".into(),
    };
    accepts(vec![registered()], retire.clone(), retired());
    rejects(vec![registered(), retired()], retire, ServerError::Retired);
    rejects(
        vec![registered(), retired()],
        ServerCommand::Describe(profile()),
        ServerError::Retired,
    );
}

#[test]
fn a_retired_server_is_restored_and_nothing_else_is() {
    let restored = ServerEvent::Restored(ServerRestored {});
    accepts(
        vec![registered(), retired()],
        ServerCommand::Restore,
        restored.clone(),
    );
    rejects(vec![], ServerCommand::Restore, ServerError::NotRegistered);
    for history in [vec![registered()], vec![registered(), retired(), restored]] {
        rejects(history, ServerCommand::Restore, ServerError::NotRetired);
    }
}

#[test]
fn checks_every_field_of_a_profile() {
    let cases = [
        (
            ServerProfile {
                name: " ".into(),
                ..profile()
            },
            ServerError::Missing { field: "name" },
        ),
        (
            ServerProfile {
                description: "x".repeat(4_001),
                ..profile()
            },
            ServerError::TooLong {
                field: "description",
                most: 4_000,
                found: 4_001,
            },
        ),
        (
            ServerProfile {
                description: "a\u{200b}b".into(),
                ..profile()
            },
            ServerError::HiddenCharacters {
                field: "description",
            },
        ),
        (
            ServerProfile {
                homepage: Some("javascript:alert(1)".into()),
                ..profile()
            },
            ServerError::InvalidHomepage,
        ),
        (
            ServerProfile {
                tags: (0..33).map(|n| format!("t{n}")).collect(),
                ..profile()
            },
            ServerError::TooManyTags { found: 33 },
        ),
        (
            ServerProfile {
                category: Some(String::new()),
                ..profile()
            },
            ServerError::Missing { field: "category" },
        ),
    ];
    for (profile, error) in cases {
        rejects(vec![], register(profile), error);
    }
}

#[test]
fn a_registry_name_is_a_namespace_in_reverse_dns_form_and_a_name() {
    let with = |name: &str| ServerProfile {
        registry_name: Some(name.to_owned()),
        ..profile()
    };
    for sound in [
        "io.github.acme/weather",
        "com.example/a",
        "com.ex-ample/a.b_c-d",
    ] {
        assert_eq!(with(sound).check(), Ok(()), "{sound}");
    }
    for wrong in [
        "weather",
        "acme/weather",
        "com.example/",
        "/weather",
        "com..example/a",
        "com.example/a/b",
        "com.-x/a",
        "com.example/a b",
        "com.example/\u{202e}a",
        ".com.example/a",
    ] {
        assert_eq!(
            with(wrong).check(),
            Err(ServerError::InvalidRegistryName),
            "{wrong}"
        );
    }
    assert_eq!(profile().namespace(), Some("io.github.acme"));
}
