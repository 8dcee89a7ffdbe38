//! What every old wire form means today. That it decodes is not enough: a step that began to do nothing, or something
//! else, would change what a log of an older release says.

use super::*;
use serde_json::json;

/// A member of an event's data, by JSON pointer, and its value.
type Member = (&'static str, Value);

/// One old event, and the present one that it is read as.
#[derive(Debug)]
struct Case {
    wire_type: &'static str,
    version: u16,
    /// What the old data say instead of the golden file of that version.
    old: Vec<Member>,
    /// What the present data say instead of the old ones. All else is the same in both.
    present: Vec<Member>,
}

/// Every value that a step maps, beside one that it leaves as it is.
fn cases() -> Vec<Case> {
    let case = |wire_type, old: Vec<Member>, present: Vec<Member>| Case {
        wire_type,
        version: 1,
        old,
        present,
    };
    let of_version_2 = |wire_type, present: Vec<Member>| Case {
        wire_type,
        version: 2,
        old: vec![],
        present,
    };
    let visibility = |value: &str| vec![("/profile/visibility", json!(value))];
    let teamless = || ("/profile/team", Value::Null);
    let unannotated = || ("/definition/annotations", Value::Null);
    let unnamed = || vec![("/registry_name", Value::Null)];
    let bare = |handle: &str| {
        vec![
            ("/handle", json!({ "plain": handle })),
            ("/display_name", Value::Null),
            ("/email", Value::Null),
        ]
    };
    let private = [visibility("private"), vec![teamless()]].concat();
    let hidden = [private.clone(), vec![unannotated()]].concat();
    vec![
        case("principal.registered", vec![], bare("bot")),
        case(
            "principal.registered",
            vec![("/kind", json!("user")), ("/handle", json!("ada"))],
            bare("ada"),
        ),
        case("server.registered", vec![], unnamed()),
        case("server.described", vec![], unnamed()),
        case("tool.registered", vec![], vec![unannotated(), teamless()]),
        case("tool.registered", visibility("maintainers"), hidden),
        of_version_2("tool.registered", vec![teamless()]),
        case("tool.described", vec![], private),
        case("tool.described", visibility("tenant"), vec![teamless()]),
        of_version_2("tool.described", vec![teamless()]),
        case("tool.version_published", vec![], vec![unannotated()]),
        case(
            "policy.adopted",
            vec![],
            vec![("/program_version", Value::Null)],
        ),
    ]
}

/// Steps that change no data: the decoder reads the member that they are about as none where it is absent.
const CHANGE_NOTHING: [(&str, u16); 5] = [
    ("server.registered", 1),
    ("server.described", 1),
    ("tool.registered", 2),
    ("tool.described", 2),
    ("tool.version_published", 1),
];

fn golden(wire_type: &str, version: u16) -> StoredEvent {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events");
    let text = std::fs::read_to_string(folder.join(format!("{wire_type}.v{version}.json")));
    serde_json::from_str(&text.unwrap()).unwrap()
}

fn with(mut data: Value, members: &[Member]) -> Value {
    for (pointer, value) in members {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        data.pointer_mut(parent).unwrap()[member] = value.clone();
    }
    data
}

impl Case {
    fn stored(&self) -> StoredEvent {
        let golden = golden(self.wire_type, self.version);
        StoredEvent {
            data: with(golden.data, &self.old),
            ..golden
        }
    }
}

#[test]
fn an_old_event_is_read_as_what_it_means_today() {
    for case in cases() {
        let stored = case.stored();
        let event = decode(&stored).unwrap_or_else(|e| panic!("{case:?}: {e}"));
        let (_, current) = wire_forms()
            .find(|(name, _)| *name == case.wire_type)
            .unwrap();
        let expected = StoredEvent {
            wire_type: case.wire_type.to_owned(),
            version: current,
            data: with(stored.data, &case.present),
        };
        assert_eq!(event.to_stored(), expected, "{case:?}");
    }
}

#[test]
fn every_step_has_a_case_that_shows_what_it_does() {
    let cases = cases();
    for (wire_type, version, step) in upcasters() {
        let of_step = cases
            .iter()
            .filter(|case| (case.wire_type, case.version) == (*wire_type, *version));
        let data: Vec<Value> = of_step.map(|case| case.stored().data).collect();
        assert!(!data.is_empty(), "no case of {wire_type} {version}");
        let changes = data.iter().any(|data| step(data.clone()) != *data);
        let meant_to = !CHANGE_NOTHING.contains(&(*wire_type, *version));
        assert_eq!(changes, meant_to, "{wire_type} {version}");
    }
}

#[test]
fn old_data_of_another_shape_are_refused_and_not_mended() {
    let refused = |wire_type: &str, version, data| {
        let wire_type = wire_type.to_owned();
        let stored = StoredEvent {
            wire_type,
            version,
            data,
        };
        let decoded = decode(&stored);
        assert!(
            matches!(decoded, Err(DecodeError::Data { .. })),
            "{stored:?}: {decoded:?}"
        );
    };
    for (wire_type, version, _) in upcasters() {
        refused(wire_type, *version, json!(3));
        refused(wire_type, *version, json!({}));
    }
    let unknown = vec![("/profile/visibility", json!("friends"))];
    for wire_type in ["tool.registered", "tool.described"] {
        refused(wire_type, 1, with(golden(wire_type, 1).data, &unknown));
    }
}
