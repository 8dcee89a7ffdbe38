//! Where the references of one document lead, and where in it a schema stands.

use super::keywords::each_below;
use super::reference::local_fragment;
use crate::diff::escaped;
use serde_json::Value;
use std::collections::BTreeMap;

/// A document and the schemas in it that have names.
pub(super) struct Links<'a> {
    root: &'a Value,
    anchors: BTreeMap<&'a str, &'a Value>,
}

/// Where a reference leads.
pub(super) enum Target<'a> {
    /// To this schema of the document.
    Schema(&'a Value),
    /// To the document, but to no schema in it.
    Nowhere,
    /// To another document.
    Elsewhere,
}

impl<'a> Links<'a> {
    pub(super) fn of(root: &'a Value) -> Self {
        let mut anchors = BTreeMap::new();
        gather(root, &mut anchors);
        Self { root, anchors }
    }

    pub(super) fn target(&self, reference: &str) -> Target<'a> {
        let Some(fragment) = local_fragment(self.root, reference) else {
            return Target::Elsewhere;
        };
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            self.root.pointer(&fragment)
        } else {
            self.anchors.get(fragment.as_str()).copied()
        };
        match found {
            Some(schema) if schema.is_object() || schema.is_boolean() => Target::Schema(schema),
            Some(_) | None => Target::Nowhere,
        }
    }

    /// The JSON Pointer of what stands below a schema of the document. It is looked for and not carried along,
    /// because only a fault needs it, and names may be long.
    pub(super) fn place(&self, schema: &Value, below: &[&str]) -> String {
        let mut tokens = Vec::new();
        find(self.root, schema, &mut tokens);
        tokens.reverse();
        let below = below.iter().map(|token| escaped(token));
        let tokens = tokens.into_iter().chain(below);
        tokens.map(|token| format!("/{token}")).collect()
    }
}

/// Gathers the anchors of a schema and of those below it. The first of a name counts.
fn gather<'a>(schema: &'a Value, anchors: &mut BTreeMap<&'a str, &'a Value>) {
    let Value::Object(members) = schema else {
        return;
    };
    let text = |keyword| members.get(keyword).and_then(Value::as_str);
    // In draft 6 and 7, an anchor is an id that begins so.
    let by_id = text("$id").and_then(|id| id.strip_prefix('#'));
    let names = [text("$anchor"), text("$dynamicAnchor"), by_id];
    for name in names.into_iter().flatten() {
        anchors.entry(name).or_insert(schema);
    }
    each_below(members, &mut |below| gather(below, anchors));
}

/// The tokens from a value down to another one, the last one first; false when it is not there.
fn find(value: &Value, wanted: &Value, tokens: &mut Vec<String>) -> bool {
    if std::ptr::eq(value, wanted) {
        return true;
    }
    let token = match value {
        Value::Object(members) => members
            .iter()
            .find(|(_, below)| find(below, wanted, tokens))
            .map(|(name, _)| escaped(name)),
        Value::Array(items) => items
            .iter()
            .position(|below| find(below, wanted, tokens))
            .map(|number| number.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    let found = token.is_some();
    tokens.extend(token);
    found
}
