//! The document of a tool: its current definition beside everything that is said of its versions.

use super::{ACTIVE, put, restore, retire};
use crate::tool::reference::{Offer, current};
use crate::tool::{Deprecation, ToolDefinition, ToolEvent};
use semver::Version;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The definitions of all versions: the document shows only that of the current one, which a version that
/// is yanked gives way to.
#[derive(Debug, Clone, Default)]
pub(super) struct Definitions(BTreeMap<Version, Known>);

#[derive(Debug, Clone)]
struct Known {
    definition: Arc<ToolDefinition>,
    hash: String,
    yanked: bool,
}

impl Definitions {
    fn publish(
        &mut self,
        state: &mut Value,
        (version, definition, hash): (&Version, &Arc<ToolDefinition>, &str),
    ) {
        let known = Known {
            definition: Arc::clone(definition),
            hash: hash.to_owned(),
            yanked: false,
        };
        self.0.insert(version.clone(), known);
        mark(state, version, "definition_hash", Some(json!(hash)));
        self.show_current(state);
    }

    fn yank(&mut self, state: &mut Value, version: &Version, reason: Option<&str>) {
        if let Some(known) = self.0.get_mut(version) {
            known.yanked = reason.is_some();
        }
        mark(state, version, "yanked", reason.map(|reason| json!(reason)));
        self.show_current(state);
    }

    fn show_current(&self, state: &mut Value) {
        let offers = self.0.iter().map(|(version, known)| Offer {
            version,
            yanked: known.yanked,
        });
        let known = current(offers).and_then(|version| Some((version, self.0.get(version)?)));
        if let Some((version, known)) = known {
            put(
                state,
                &json!({ "tool_version": version, "definition_hash": known.hash }),
            );
            put(state, &known.definition);
        }
    }
}

pub(super) fn apply(state: &mut Value, definitions: &mut Definitions, event: &ToolEvent) {
    match event {
        ToolEvent::Registered(event) => {
            put(
                state,
                &json!({
                    "server_id": event.server_id,
                    "server": event.server,
                    "name": event.name,
                    "status": ACTIVE,
                }),
            );
            put(state, &event.profile);
            let version = (
                &event.tool_version,
                &event.definition,
                event.definition_hash.as_str(),
            );
            definitions.publish(state, version);
        }
        ToolEvent::Described(event) => put(state, &event.profile),
        ToolEvent::VersionPublished(event) => {
            let version = (
                &event.tool_version,
                &event.definition,
                event.definition_hash.as_str(),
            );
            definitions.publish(state, version);
        }
        ToolEvent::Retired(event) => retire(state, &event.reason),
        ToolEvent::Restored(_) => restore(state),
        ToolEvent::AliasMoved(event) => {
            set_in(
                state,
                &["aliases"],
                event.alias.as_str(),
                Some(json!(event.to)),
            );
        }
        ToolEvent::AliasRemoved(event) => set_in(state, &["aliases"], event.alias.as_str(), None),
        ToolEvent::Deprecated(event) => {
            warn(state, event.tool_version.as_ref(), Some(&event.deprecation));
        }
        ToolEvent::Undeprecated(event) => warn(state, event.tool_version.as_ref(), None),
        ToolEvent::VersionYanked(event) => {
            definitions.yank(state, &event.tool_version, Some(&event.reason));
        }
        ToolEvent::VersionUnyanked(event) => definitions.yank(state, &event.tool_version, None),
    }
}

fn warn(state: &mut Value, version: Option<&Version>, deprecation: Option<&Deprecation>) {
    let deprecation = deprecation.map(|deprecation| json!(deprecation));
    match version {
        None => set_in(state, &[], "deprecation", deprecation),
        Some(version) => mark(state, version, "deprecation", deprecation),
    }
}

/// Says something of one version.
fn mark(state: &mut Value, version: &Version, name: &str, value: Option<Value>) {
    set_in(state, &["versions", &version.to_string()], name, value);
}

/// Sets a member of an object inside the document, or takes it away.
fn set_in(state: &mut Value, path: &[&str], name: &str, value: Option<Value>) {
    let mut place = state;
    for step in path {
        let Some(object) = place.as_object_mut() else {
            return;
        };
        place = object
            .entry(*step)
            .or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(object) = place.as_object_mut() {
        match value {
            Some(value) => drop(object.insert(name.to_owned(), value)),
            None => drop(object.remove(name)),
        }
    }
}
