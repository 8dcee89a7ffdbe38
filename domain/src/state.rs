//! An object as people know it, folded from its events into one JSON document. This is what a history
//! compares before and after each event; the aggregates themselves keep only what their rules need.
//!
//! A member that has no value is absent. Names are those of the log.

use crate::denial::DenialEvent;
use crate::installation::InstallationEvent;
use crate::personal::Personal;
use crate::principal::PrincipalEvent;
use crate::registry::AnyEvent;
use crate::server::ServerEvent;
use crate::tenant::TenantEvent;
use crate::tool::ToolEvent;
use serde::Serialize;
use serde_json::{Map, Value, json};

const ACTIVE: &str = "active";
const RETIRED: &str = "retired";

/// The document of an object without history.
#[must_use]
pub fn empty() -> Value {
    Value::Object(Map::new())
}

/// What an event makes of the document.
pub fn apply(state: &mut Value, event: &AnyEvent) {
    match event {
        AnyEvent::Tenant(event) => tenant(state, event),
        AnyEvent::Principal(event) => principal(state, event),
        AnyEvent::Server(event) => server(state, event),
        AnyEvent::Tool(event) => tool(state, event),
        AnyEvent::Denial(event) => denial(state, event),
        AnyEvent::Installation(event) => installation(state, event),
    }
}

fn tenant(state: &mut Value, event: &TenantEvent) {
    match event {
        TenantEvent::Registered(event) => put(state, event),
        TenantEvent::Renamed(event) => put(state, event),
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
        PrincipalEvent::RoleGranted(event) => roles(state, |roles| roles.push(json!(event.role))),
        PrincipalEvent::RoleRevoked(event) => {
            roles(state, |roles| {
                roles.retain(|role| *role != json!(event.role));
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
                &json!({ "roles": [], "active": false, "erased": true }),
            );
        }
    }
}

/// A sealed field is told as such: a history outlives the key, and must read the same before and after.
fn shown(field: &Personal) -> &str {
    field.plain().unwrap_or("sealed")
}

fn server(state: &mut Value, event: &ServerEvent) {
    match event {
        ServerEvent::Registered(event) => {
            put(state, event);
            put(state, &json!({ "status": ACTIVE }));
        }
        ServerEvent::Described(event) => put(state, event),
        ServerEvent::Retired(event) => retire(state, &event.reason),
    }
}

fn tool(state: &mut Value, event: &ToolEvent) {
    match event {
        ToolEvent::Registered(event) => {
            put(
                state,
                &json!({
                    "server_id": event.server_id,
                    "server": event.server,
                    "name": event.name,
                    "tool_version": event.tool_version,
                    "definition_hash": event.definition_hash,
                    "status": ACTIVE,
                }),
            );
            put(state, &event.profile);
            put(state, &event.definition);
        }
        ToolEvent::Described(event) => put(state, &event.profile),
        ToolEvent::VersionPublished(event) => {
            put(
                state,
                &json!({
                    "tool_version": event.tool_version,
                    "definition_hash": event.definition_hash,
                }),
            );
            put(state, &event.definition);
        }
        ToolEvent::Retired(event) => retire(state, &event.reason),
    }
}

fn denial(state: &mut Value, event: &DenialEvent) {
    match event {
        DenialEvent::Recorded(event) => put(state, event),
        DenialEvent::Repeated(event) => put(state, &json!({ "times": event.total })),
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

fn retire(state: &mut Value, reason: &str) {
    let reason = Some(reason).filter(|reason| !reason.is_empty());
    put(
        state,
        &json!({ "status": RETIRED, "retired_reason": reason }),
    );
}

fn roles(state: &mut Value, change: impl FnOnce(&mut Vec<Value>)) {
    if let Some(roles) = state.get_mut("roles").and_then(Value::as_array_mut) {
        change(roles);
        roles.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
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
            let first = ["registered", "recorded", "installed"]
                .map(|first| format!("{aggregate}.{first}"))
                .into_iter()
                .find(|first| wire_forms().any(|(known, _)| known == first))
                .unwrap();
            if name != first {
                apply(&mut state, &golden(&first));
            }
            if verb == "reactivated" {
                apply(&mut state, &golden("principal.deactivated"));
            }
            if verb == "role_revoked" {
                let AnyEvent::Principal(PrincipalEvent::RoleRevoked(event)) = golden(name) else {
                    panic!("{name} is another event");
                };
                state["roles"] = json!([event.role]);
            }
            if verb == "role_granted" {
                state["roles"] = json!([]);
            }
            let before = state.clone();
            apply(&mut state, &golden(name));
            assert_ne!(state, before, "{name}");
        }
    }

    #[test]
    fn a_value_that_goes_takes_its_member_along() {
        let mut state = json!({ "title": "Old", "name": "x" });
        put(&mut state, &json!({ "title": null }));
        assert_eq!(state, json!({ "name": "x" }));
    }
}
