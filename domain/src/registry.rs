//! From a wire name and version to a typed event. The list of all wire forms, with their upcasters.

use crate::denial::DenialEvent;
use crate::envelope::StoredEvent;
use crate::event::{DecodeError, WireEvent};
use crate::installation::InstallationEvent;
use crate::policy::PolicyEvent;
use crate::principal::PrincipalEvent;
use crate::publisher::PublisherEvent;
use crate::review::ReviewEvent;
use crate::server::ServerEvent;
use crate::taxonomy::TaxonomyEvent;
use crate::tenant::TenantEvent;
use crate::tool::ToolEvent;
use crate::{
    denial, installation, policy, principal, publisher, review, server, taxonomy, tenant, tool,
};
use serde_json::Value;
use std::borrow::Cow;

/// One step from an old wire form to the next: `(wire type, from version, step)`.
pub type Upcaster = (&'static str, u16, fn(Value) -> Value);

/// Any event of any aggregate. Projectors match on it without a wildcard arm, so that the compiler
/// lists what a new event touches.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyEvent {
    /// Of a tenant.
    Tenant(TenantEvent),
    /// Of a principal.
    Principal(PrincipalEvent),
    /// Of a server.
    Server(ServerEvent),
    /// Of a tool.
    Tool(ToolEvent),
    /// Of a denial.
    Denial(DenialEvent),
    /// Of a publisher's namespace.
    Publisher(PublisherEvent),
    /// Of a taxonomy.
    Taxonomy(TaxonomyEvent),
    /// Of a review.
    Review(ReviewEvent),
    /// Of an installation.
    Installation(InstallationEvent),
    /// Of the policy.
    Policy(PolicyEvent),
}

impl AnyEvent {
    /// The wire form.
    #[must_use]
    pub fn to_stored(&self) -> StoredEvent {
        match self {
            Self::Tenant(event) => StoredEvent::from_event(event),
            Self::Principal(event) => StoredEvent::from_event(event),
            Self::Server(event) => StoredEvent::from_event(event),
            Self::Tool(event) => StoredEvent::from_event(event),
            Self::Denial(event) => StoredEvent::from_event(event),
            Self::Publisher(event) => StoredEvent::from_event(event),
            Self::Taxonomy(event) => StoredEvent::from_event(event),
            Self::Review(event) => StoredEvent::from_event(event),
            Self::Installation(event) => StoredEvent::from_event(event),
            Self::Policy(event) => StoredEvent::from_event(event),
        }
    }
}

/// Every wire form that this build writes.
pub fn wire_forms() -> impl Iterator<Item = (&'static str, u16)> {
    [
        TenantEvent::WIRE_FORMS,
        PrincipalEvent::WIRE_FORMS,
        ServerEvent::WIRE_FORMS,
        ToolEvent::WIRE_FORMS,
        DenialEvent::WIRE_FORMS,
        PublisherEvent::WIRE_FORMS,
        TaxonomyEvent::WIRE_FORMS,
        ReviewEvent::WIRE_FORMS,
        InstallationEvent::WIRE_FORMS,
        PolicyEvent::WIRE_FORMS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

fn upcasters() -> impl Iterator<Item = &'static Upcaster> + Clone {
    [
        tenant::upcast::UPCASTERS,
        principal::upcast::UPCASTERS,
        server::upcast::UPCASTERS,
        tool::upcast::UPCASTERS,
        denial::upcast::UPCASTERS,
        publisher::upcast::UPCASTERS,
        taxonomy::upcast::UPCASTERS,
        review::upcast::UPCASTERS,
        installation::upcast::UPCASTERS,
        policy::upcast::UPCASTERS,
    ]
    .into_iter()
    .flatten()
}

/// Reads a stored event of any aggregate, through the upcasters when it is old.
///
/// # Errors
/// [`DecodeError`] for an unknown type, an unknown version or data that do not fit.
pub fn decode(stored: &StoredEvent) -> Result<AnyEvent, DecodeError> {
    let knows = |forms: &[(&str, u16)]| forms.iter().any(|(name, _)| *name == stored.wire_type);
    if knows(ToolEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Tool)
    } else if knows(ServerEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Server)
    } else if knows(PrincipalEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Principal)
    } else if knows(DenialEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Denial)
    } else if knows(PublisherEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Publisher)
    } else if knows(TaxonomyEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Taxonomy)
    } else if knows(ReviewEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Review)
    } else if knows(InstallationEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Installation)
    } else if knows(PolicyEvent::WIRE_FORMS) {
        decode_as(stored).map(AnyEvent::Policy)
    } else {
        decode_as(stored).map(AnyEvent::Tenant)
    }
}

/// Reads a stored event as one of `E`, through the upcasters when it is old.
///
/// # Errors
/// [`DecodeError`] for an unknown type, an unknown version or data that do not fit.
pub fn decode_as<E: WireEvent>(stored: &StoredEvent) -> Result<E, DecodeError> {
    let Some((_, current)) = E::WIRE_FORMS
        .iter()
        .find(|(name, _)| *name == stored.wire_type)
    else {
        return Err(DecodeError::UnknownType {
            wire_type: stored.wire_type.clone(),
        });
    };
    let data = upcast(&upcasters(), stored, *current)?;
    E::from_data(&stored.wire_type, &data)
}

fn upcast<'a, 'e>(
    steps: &(impl Iterator<Item = &'a Upcaster> + Clone),
    stored: &'e StoredEvent,
    current: u16,
) -> Result<Cow<'e, Value>, DecodeError> {
    // The current form, which is nearly every event, is read in place.
    let mut data = Cow::Borrowed(&stored.data);
    for version in stored.version..current {
        let step = steps
            .clone()
            .find(|(name, from, _)| *name == stored.wire_type && *from == version);
        let Some((_, _, step)) = step else {
            return Err(unknown_version(stored, current));
        };
        data = Cow::Owned(step(data.into_owned()));
    }
    if stored.version > current {
        Err(unknown_version(stored, current))
    } else {
        Ok(data)
    }
}

fn unknown_version(stored: &StoredEvent, current: u16) -> DecodeError {
    DecodeError::UnknownVersion {
        wire_type: stored.wire_type.clone(),
        found: stored.version,
        current,
    }
}

#[cfg(test)]
#[path = "upcast_tests.rs"]
mod upcast_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn upcasters_fold_from_the_stored_version_to_the_current_one() {
        fn one_to_two(mut data: Value) -> Value {
            data["b"] = json!(2);
            data
        }
        fn two_to_three(mut data: Value) -> Value {
            data["c"] = data["b"].take();
            data
        }
        let steps: &[Upcaster] = &[("x.y", 1, one_to_two), ("x.y", 2, two_to_three)];
        let old = StoredEvent {
            wire_type: "x.y".into(),
            version: 1,
            data: json!({"a": 1}),
        };
        let data = upcast(&steps.iter(), &old, 3).unwrap();
        assert_eq!(data["c"], json!(2));
        assert!(matches!(
            upcast(&steps.iter(), &StoredEvent { version: 4, ..old }, 3),
            Err(DecodeError::UnknownVersion {
                found: 4,
                current: 3,
                ..
            })
        ));
    }

    #[test]
    fn an_unknown_type_is_told_from_bad_data() {
        let unknown = StoredEvent {
            wire_type: "tool.teleported".into(),
            version: 1,
            data: json!({}),
        };
        assert!(matches!(
            decode(&unknown),
            Err(DecodeError::UnknownType { .. })
        ));
        let bad = StoredEvent {
            wire_type: "tool.retired".into(),
            version: 1,
            data: json!(3),
        };
        assert!(matches!(decode(&bad), Err(DecodeError::Data { .. })));
    }

    #[test]
    fn wire_names_are_unique() {
        let mut names: Vec<_> = wire_forms().map(|(name, _)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    /// The golden files with their SHA-256, in the form of `sha256sum`. Lines are added, never changed.
    const DIGESTS: &str = include_str!("../fixtures/events.sha256");

    fn golden_folder() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events")
    }

    /// A golden file that has landed is never edited: the log may hold that form for ever.
    #[test]
    fn golden_files_are_what_they_were() {
        let mut listed = std::collections::BTreeSet::new();
        for line in DIGESTS.lines() {
            let (digest, name) = line.split_once("  ").unwrap();
            let bytes = std::fs::read(golden_folder().join(name))
                .unwrap_or_else(|e| panic!("golden file {name} is gone: {e}"));
            let found = crate::envelope::body_hash(&bytes);
            assert_eq!(
                found, digest,
                "golden file {name} was edited: add a version instead"
            );
            assert!(listed.insert(name.to_owned()), "{name} is listed twice");
        }
        for file in std::fs::read_dir(golden_folder()).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            let digest = crate::envelope::body_hash(&std::fs::read(file.path()).unwrap());
            assert!(
                listed.contains(&name),
                "add this line to domain/fixtures/events.sha256:\n{digest}  {name}"
            );
        }
    }

    #[test]
    fn every_golden_file_decodes() {
        for line in DIGESTS.lines() {
            let (_, name) = line.split_once("  ").unwrap();
            let text = std::fs::read_to_string(golden_folder().join(name)).unwrap();
            let stored: StoredEvent = serde_json::from_str(&text).unwrap();
            assert_eq!(
                name,
                format!("{}.v{}.json", stored.wire_type, stored.version)
            );
            decode(&stored).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }

    /// The handle of version 1 stands in plain, and of a version that is not known yet nothing is guessed. What every
    /// upcast makes of its old form stands in `upcast_tests.rs`.
    #[test]
    fn a_principal_of_version_1_is_read_as_one_of_version_2() {
        let text = std::fs::read_to_string(golden_folder().join("principal.registered.v1.json"));
        let stored: StoredEvent = serde_json::from_str(&text.unwrap()).unwrap();
        let AnyEvent::Principal(PrincipalEvent::Registered(event)) = decode(&stored).unwrap()
        else {
            panic!("another event");
        };
        assert_eq!(event.handle.plain(), Some("bot"));
        assert_eq!((event.display_name, event.email), (None, None));
        let newer = StoredEvent {
            version: 3,
            ..stored
        };
        assert!(matches!(
            decode(&newer),
            Err(DecodeError::UnknownVersion {
                found: 3,
                current: 2,
                ..
            })
        ));
    }

    /// Every wire form ever shipped has a golden file, and every golden file decodes and, when current,
    /// encodes to itself.
    #[test]
    fn golden_files_decode_and_encode() {
        let folder = golden_folder();
        for (name, current) in wire_forms() {
            for version in 1..=current {
                let path = folder.join(format!("{name}.v{version}.json"));
                let text = std::fs::read_to_string(&path)
                    .unwrap_or_else(|e| panic!("golden file {}: {e}", path.display()));
                let stored: StoredEvent = serde_json::from_str(&text).unwrap();
                assert_eq!((stored.wire_type.as_str(), stored.version), (name, version));
                let event = decode(&stored).unwrap_or_else(|e| panic!("{name}: {e}"));
                if version == current {
                    assert_eq!(
                        event.to_stored(),
                        stored,
                        "{name} does not encode to its golden file"
                    );
                }
            }
        }
    }
}
