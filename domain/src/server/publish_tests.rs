use super::*;
use cqrs_es::test::TestFramework;
use serde_json::{Value, json};

type Given = TestFramework<Server>;

const NAME: &str = "io.github.acme/weather";

fn profile() -> ServerProfile {
    ServerProfile {
        name: "Weather".into(),
        registry_name: Some(NAME.into()),
        ..ServerProfile::default()
    }
}

fn registered() -> ServerEvent {
    ServerEvent::Registered(ServerRegistered {
        slug: "weather".into(),
        profile: profile(),
    })
}

fn document(name: &str, description: &str) -> Value {
    json!({ "name": name, "description": description, "version": "1.0.0" })
}

fn publish(manifest: Value, status: Option<ManifestStatus>) -> ServerCommand {
    ServerCommand::PublishManifest(Box::new(PublishManifest {
        manifest,
        status,
        status_message: None,
        mirrored: None,
    }))
}

fn published() -> ServerEvent {
    let manifest = Manifest::new(document(NAME, "Forecasts")).unwrap();
    ServerEvent::ManifestPublished(Box::new(ManifestPublished {
        server_version: "1.0.0".into(),
        manifest_hash: manifest.hash().into(),
        manifest: manifest.into_document(),
        status: ManifestStatus::Active,
        status_message: None,
        mirrored: None,
    }))
}

fn set(server_version: &str, status: ManifestStatus, message: Option<&str>) -> SetManifestStatus {
    SetManifestStatus {
        server_version: server_version.into(),
        status,
        status_message: message.map(str::to_owned),
        mirrored: None,
    }
}

fn changed(status: ManifestStatus) -> ServerEvent {
    ServerEvent::ManifestStatusChanged(ManifestStatusChanged {
        server_version: "1.0.0".into(),
        status,
        status_message: None,
        mirrored: None,
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
fn publishes_a_version() {
    accepts(
        vec![registered()],
        publish(document(NAME, "Forecasts"), None),
        published(),
    );
}

#[test]
fn the_same_version_with_the_same_document_changes_nothing() {
    let history = || vec![registered(), published()];
    let same = publish(document(NAME, "Forecasts"), None);
    rejects(history(), same, ServerError::Unchanged);
    let same = publish(
        document(NAME, "Forecasts"),
        Some(ManifestStatus::Deprecated),
    );
    accepts(history(), same, changed(ManifestStatus::Deprecated));
}

#[test]
fn a_published_version_keeps_its_document() {
    rejects(
        vec![registered(), published()],
        publish(document(NAME, "Something else"), None),
        ServerError::VersionTaken,
    );
}

#[test]
fn a_document_is_published_under_its_own_name_only() {
    let differs = |registry_name: Option<&str>, found: &str| ServerError::ManifestNameDiffers {
        registry_name: registry_name.map(str::to_owned),
        found: found.into(),
    };
    let other = "io.github.acme/other";
    rejects(
        vec![registered()],
        publish(document(other, "Forecasts"), None),
        differs(Some(NAME), other),
    );
    let nameless = ServerEvent::Registered(ServerRegistered {
        slug: "weather".into(),
        profile: ServerProfile {
            registry_name: None,
            ..profile()
        },
    });
    rejects(
        vec![nameless],
        publish(document(NAME, "Forecasts"), None),
        differs(None, NAME),
    );
}

#[test]
fn a_document_that_this_build_cannot_judge_is_not_published() {
    let future = "https://static.modelcontextprotocol.io/schemas/2099-01-01/server.schema.json";
    let mut newer = document(NAME, "Forecasts");
    newer["$schema"] = json!(future);
    let unknown = ManifestError::UnknownSchema {
        found: future.into(),
    };
    let wrong = document(NAME, "");
    let invalid = Manifest::new(wrong.clone()).unwrap_err();
    assert_eq!(invalid.code(), "MANIFEST_INVALID");
    for (manifest, error) in [(newer, unknown), (wrong, invalid)] {
        rejects(
            vec![registered()],
            publish(manifest, None),
            ServerError::InvalidManifest(error),
        );
    }
}

#[test]
fn a_server_with_versions_keeps_its_registry_name() {
    let other = ServerProfile {
        registry_name: Some("io.github.acme/other".into()),
        ..profile()
    };
    rejects(
        vec![registered(), published()],
        ServerCommand::Describe(other.clone()),
        ServerError::RegistryNameFixed,
    );
    accepts(
        vec![registered()],
        ServerCommand::Describe(other.clone()),
        ServerEvent::Described(ServerDescribed { profile: other }),
    );
}

#[test]
fn a_status_is_set_and_says_why() {
    let history = || vec![registered(), published()];
    let deleted = set("1.0.0", ManifestStatus::Deleted, None);
    accepts(
        history(),
        ServerCommand::SetManifestStatus(deleted.clone()),
        changed(ManifestStatus::Deleted),
    );
    let again = vec![registered(), published(), changed(ManifestStatus::Deleted)];
    rejects(
        again,
        ServerCommand::SetManifestStatus(deleted),
        ServerError::Unchanged,
    );
    rejects(
        history(),
        ServerCommand::SetManifestStatus(set("2.0.0", ManifestStatus::Deleted, None)),
        ServerError::VersionNotFound,
    );
    let long = "x".repeat(MAX_STATUS_MESSAGE + 1);
    rejects(
        history(),
        ServerCommand::SetManifestStatus(set("1.0.0", ManifestStatus::Deleted, Some(&long))),
        ServerError::TooLong {
            field: "status message",
            most: MAX_STATUS_MESSAGE,
            found: MAX_STATUS_MESSAGE + 1,
        },
    );
}

#[test]
fn a_retired_server_publishes_nothing() {
    let retired = ServerEvent::Retired(ServerRetired {
        reason: String::new(),
    });
    rejects(
        vec![registered(), retired],
        publish(document(NAME, "Forecasts"), None),
        ServerError::Retired,
    );
}

#[test]
fn undoing_a_status_sets_the_one_before() {
    use crate::undo::undoing;
    let history = vec![
        vec![registered()],
        vec![published()],
        vec![changed(ManifestStatus::Deleted)],
    ];
    let undo = undoing::<Server>(&history, 3).unwrap();
    assert_eq!(
        undo.command,
        ServerCommand::SetManifestStatus(set("1.0.0", ManifestStatus::Active, None))
    );
    assert!(!undo.changed_since);
    assert!(undoing::<Server>(&history, 2).is_err());
}
