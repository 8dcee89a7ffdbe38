//! An object as people know it, folded from its events into one JSON document. This is what a history
//! compares before and after each event; the aggregates themselves keep only what their rules need.
//!
//! A member that has no value is absent. Names are those of the log.

mod tool;

use crate::denial::DenialEvent;
use crate::envelope::body_hash;
use crate::installation::InstallationEvent;
use crate::personal::Personal;
use crate::policy::PolicyEvent;
use crate::principal::PrincipalEvent;
use crate::publisher::PublisherEvent;
use crate::registry::AnyEvent;
use crate::review::{AppealDecision, Moderation, ReviewEvent};
use crate::server::ServerEvent;
use crate::taxonomy::TaxonomyEvent;
use crate::tenant::TenantEvent;
use serde::Serialize;
use serde_json::{Map, Value, json};

const ACTIVE: &str = "active";
const RETIRED: &str = "retired";

/// An object on its way through its events.
#[derive(Debug, Clone)]
pub struct State {
    /// The object as the events so far have made it.
    pub document: Value,
    definitions: tool::Definitions,
}

/// An object without history.
#[must_use]
pub fn empty() -> State {
    State {
        document: Value::Object(Map::new()),
        definitions: tool::Definitions::default(),
    }
}

/// What an event makes of the object.
pub fn apply(state: &mut State, event: &AnyEvent) {
    let document = &mut state.document;
    match event {
        AnyEvent::Tenant(event) => tenant(document, event),
        AnyEvent::Principal(event) => principal(document, event),
        AnyEvent::Server(event) => server(document, event),
        AnyEvent::Tool(event) => tool::apply(document, &mut state.definitions, event),
        AnyEvent::Denial(event) => denial(document, event),
        AnyEvent::Publisher(event) => publisher(document, event),
        AnyEvent::Taxonomy(event) => taxonomy(document, event),
        AnyEvent::Review(event) => review(document, event),
        AnyEvent::Installation(event) => installation(document, event),
        AnyEvent::Policy(event) => policy(document, event),
    }
}

fn tenant(state: &mut Value, event: &TenantEvent) {
    match event {
        TenantEvent::Registered(event) => put(state, event),
        TenantEvent::Renamed(event) => put(state, event),
        TenantEvent::AfterSunsetSet(event) => put(state, event),
    }
}

fn principal(state: &mut Value, event: &PrincipalEvent) {
    match event {
        PrincipalEvent::Registered(event) => {
            put(
                state,
                &json!({
                    "kind": event.kind,
                    "handle": shown(&event.handle),
                    "display_name": event.display_name.as_ref().map(shown),
                    "email": event.email.as_ref().map(shown),
                    "roles": event.roles,
                    "active": true,
                }),
            );
        }
        PrincipalEvent::Described(event) => {
            put(
                state,
                &json!({
                    "display_name": event.display_name.as_ref().map(shown),
                    "email": event.email.as_ref().map(shown),
                }),
            );
        }
        PrincipalEvent::RoleGranted(event) => {
            list(state, "roles", |roles| roles.push(json!(event.role)));
        }
        PrincipalEvent::RoleRevoked(event) => {
            list(state, "roles", |roles| {
                roles.retain(|role| *role != json!(event.role));
            });
        }
        PrincipalEvent::TeamJoined(event) => {
            list(state, "teams", |teams| teams.push(json!(event.team)));
        }
        PrincipalEvent::TeamLeft(event) => {
            list(state, "teams", |teams| {
                teams.retain(|team| *team != json!(event.team));
            });
        }
        PrincipalEvent::Deactivated(_) => put(state, &json!({ "active": false })),
        PrincipalEvent::Reactivated(_) => put(state, &json!({ "active": true })),
        PrincipalEvent::TokensRevoked(event) => {
            put(
                state,
                &json!({ "tokens_revoked_before": event.issued_before }),
            );
        }
        PrincipalEvent::Erased(_) => {
            put(
                state,
                &json!({ "roles": [], "teams": null, "active": false, "erased": true }),
            );
        }
    }
}

/// A sealed field is told as such: a history outlives the key, and must read the same before and after. A few
/// digits of the sealed text's hash tell that another text has taken its place.
fn shown(field: &Personal) -> String {
    match field {
        Personal::Plain(text) => text.clone(),
        Personal::Sealed(sealed) => {
            let mut hash = body_hash(sealed.as_str().as_bytes());
            hash.truncate(8);
            format!("sealed:{hash}")
        }
    }
}

fn server(state: &mut Value, event: &ServerEvent) {
    match event {
        ServerEvent::Registered(event) => {
            put(state, event);
            put(state, &json!({ "status": ACTIVE }));
        }
        ServerEvent::Described(event) => put(state, event),
        ServerEvent::Retired(event) => retire(state, &event.reason),
        ServerEvent::Restored(_) => restore(state),
        ServerEvent::ManifestPublished(event) => {
            let of = json!({
                "manifest": event.manifest,
                "status": event.status,
                "status_message": event.status_message,
            });
            version(state, &event.server_version, &of);
        }
        ServerEvent::ManifestStatusChanged(event) => {
            let of = json!({ "status": event.status, "status_message": event.status_message });
            version(state, &event.server_version, &of);
        }
    }
}

/// Writes members of one published version of a server.
fn version(state: &mut Value, server_version: &str, fields: &Value) {
    let versions = state.as_object_mut().map(|members| {
        let versions = members.entry("versions").or_insert_with(|| json!({}));
        versions
            .as_object_mut()
            .map(|all| all.entry(server_version).or_insert_with(|| json!({})))
    });
    if let Some(version) = versions.flatten() {
        put(version, fields);
    }
}

fn denial(state: &mut Value, event: &DenialEvent) {
    match event {
        DenialEvent::Recorded(event) => put(state, event),
        DenialEvent::Repeated(event) => put(state, &json!({ "times": event.total })),
    }
}

fn publisher(state: &mut Value, event: &PublisherEvent) {
    let (status, reason) = match event {
        PublisherEvent::Claimed(event) => {
            put(state, event);
            ("claimed", None)
        }
        PublisherEvent::Verified(event) => {
            put(state, event);
            ("verified", None)
        }
        PublisherEvent::Lapsed(event) => ("lapsed", Some(event.reason.as_str())),
        PublisherEvent::Revoked(event) => ("revoked", Some(event.reason.as_str())),
    };
    put(state, &json!({ "status": status, "reason": reason }));
}

fn taxonomy(state: &mut Value, event: &TaxonomyEvent) {
    match event {
        TaxonomyEvent::CategoryAdded(event) => {
            let mut category = json!({ "status": ACTIVE });
            put(&mut category, &event.category);
            put(state, &json!({ &event.category.slug: category }));
        }
        TaxonomyEvent::CategoryDescribed(event) => {
            if let Some(category) = state.get_mut(&event.category.slug) {
                put(category, &event.category);
            }
        }
        TaxonomyEvent::CategoryRetired(event) => {
            if let Some(category) = state.get_mut(&event.slug) {
                let successor = &event.successor;
                put(
                    category,
                    &json!({ "status": RETIRED, "successor": successor }),
                );
            }
        }
    }
}

fn review(state: &mut Value, event: &ReviewEvent) {
    let moderated = |moderation: Moderation, reason: &str| json!({ "moderation": moderation, "reason": reason });
    match event {
        ReviewEvent::Written(event) => {
            put(
                state,
                &json!({
                    "tool_id": event.tool_id,
                    "tool_version": event.tool_version,
                    "author": event.author,
                    "rating": event.rating,
                    "text": event.text.as_ref().map(shown),
                    "status": "published",
                }),
            );
        }
        ReviewEvent::Revised(event) => {
            let text = event.text.as_ref().map(shown);
            put(state, &json!({ "rating": event.rating, "text": text }));
        }
        ReviewEvent::Withdrawn(_) => put(state, &json!({ "status": "withdrawn" })),
        ReviewEvent::Hidden(event) => put(state, &moderated(Moderation::Hidden, &event.reason)),
        ReviewEvent::Restored(event) => put(state, &moderated(Moderation::Visible, &event.reason)),
        ReviewEvent::Appealed(event) => {
            let appeal = event.text.as_ref().map(shown);
            put(
                state,
                &json!({ "moderation": Moderation::Appealed, "appeal": appeal }),
            );
        }
        ReviewEvent::AppealDecided(event) => {
            let moderation = match event.decision {
                AppealDecision::Upheld => Moderation::Upheld,
                AppealDecision::Restored => Moderation::Visible,
            };
            put(state, &moderated(moderation, &event.reason));
        }
    }
}

fn installation(state: &mut Value, event: &InstallationEvent) {
    match event {
        InstallationEvent::Installed(event) => {
            put(state, event);
            put(state, &json!({ "status": "installed" }));
        }
        InstallationEvent::Repinned(event) => put(state, event),
        InstallationEvent::Uninstalled(_) => put(state, &json!({ "status": "uninstalled" })),
    }
}

fn policy(state: &mut Value, event: &PolicyEvent) {
    match event {
        PolicyEvent::Adopted(event) => put(state, event),
    }
}

fn retire(state: &mut Value, reason: &str) {
    let reason = Some(reason).filter(|reason| !reason.is_empty());
    put(
        state,
        &json!({ "status": RETIRED, "retired_reason": reason }),
    );
}

fn restore(state: &mut Value) {
    put(state, &json!({ "status": ACTIVE, "retired_reason": null }));
}

/// Changes a list of words, which stays in order and begins where there is none yet.
fn list(state: &mut Value, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let Some(members) = state.as_object_mut() else {
        return;
    };
    let list = members.entry(name).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        change(list);
        list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
}

/// Writes the members of a struct over those of the document; null takes a member away.
fn put(state: &mut Value, fields: &impl Serialize) {
    // Plain structs with string keys, for which serialisation cannot fail.
    let fields = serde_json::to_value(fields).unwrap_or(Value::Null);
    if let (Value::Object(state), Value::Object(fields)) = (state, fields) {
        for (name, value) in fields {
            match value {
                Value::Null => drop(state.remove(&name)),
                value => drop(state.insert(name, value)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::StoredEvent;
    use crate::registry::{decode, wire_forms};

    fn golden(name: &str) -> AnyEvent {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events");
        let version = wire_forms().find(|(known, _)| *known == name).unwrap().1;
        let text = std::fs::read_to_string(folder.join(format!("{name}.v{version}.json"))).unwrap();
        decode(&serde_json::from_str::<StoredEvent>(&text).unwrap()).unwrap()
    }

    /// An event that changed nothing in the document would be missing from every history.
    #[test]
    fn every_event_changes_the_document_of_its_object() {
        for (name, _) in wire_forms() {
            let (aggregate, verb) = name.split_once('.').unwrap();
            let mut state = empty();
            let first = [
                "registered",
                "recorded",
                "category_added",
                "written",
                "claimed",
                "installed",
                "adopted",
            ]
            .map(|first| format!("{aggregate}.{first}"))
            .into_iter()
            .find(|first| wire_forms().any(|(known, _)| known == first))
            .unwrap();
            if name != first {
                apply(&mut state, &golden(&first));
            }
            for (later, earlier) in [
                ("principal.reactivated", "principal.deactivated"),
                ("principal.team_left", "principal.team_joined"),
                ("server.restored", "server.retired"),
                ("tool.restored", "tool.retired"),
                ("tool.alias_removed", "tool.alias_moved"),
                ("tool.version_unyanked", "tool.version_yanked"),
            ] {
                if name == later {
                    apply(&mut state, &golden(earlier));
                }
            }
            if verb == "undeprecated" {
                state.document["versions"]["1.0.0"]["deprecation"] = json!({});
            }
            if verb == "role_revoked" {
                let AnyEvent::Principal(PrincipalEvent::RoleRevoked(event)) = golden(name) else {
                    panic!("{name} is another event");
                };
                state.document["roles"] = json!([event.role]);
            }
            if verb == "role_granted" {
                state.document["roles"] = json!([]);
            }
            let before = state.document.clone();
            apply(&mut state, &golden(name));
            assert_ne!(state.document, before, "{name}");
        }
    }

    #[test]
    fn a_value_that_goes_takes_its_member_along() {
        let mut state = json!({ "title": "Old", "name": "x" });
        put(&mut state, &json!({ "title": null }));
        assert_eq!(state, json!({ "name": "x" }));
    }
}
