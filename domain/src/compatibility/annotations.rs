//! The hints about behaviour (MCP specification 2025-11-25, `ToolAnnotations`). Gateways ask for consent and
//! retry by them, so a hint that promises less than before breaks what relied on it.

use super::change::{Change, ChangeKind, Part, Reason};
use serde_json::{Map, Value};

/// A hint, what it is when left out, and which value is the safe promise.
const HINTS: [(&str, bool, bool); 4] = [
    ("readOnlyHint", false, true),
    ("destructiveHint", true, false),
    ("idempotentHint", false, true),
    ("openWorldHint", true, false),
];

/// The changes of the hints, from the old to the new.
pub(super) fn compare(old: Option<&Value>, new: Option<&Value>) -> Vec<Change> {
    let none = Map::new();
    let members = |annotations: Option<&'_ Value>| match annotations {
        Some(Value::Object(members)) => members.clone(),
        _ => none.clone(),
    };
    let (old, new) = (members(old), members(new));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut changes: Vec<Change> = HINTS
        .iter()
        .filter_map(|(name, default, safe)| hint(&old, &new, name, *default, *safe))
        .collect();
    for name in names {
        let hint = HINTS.iter().any(|(hint, ..)| hint == name);
        if !hint && old.get(name) != new.get(name) {
            let kind = match name.as_str() {
                "title" => ChangeKind::Cosmetic,
                _ => ChangeKind::Compatible,
            };
            let message = format!("the annotation `{name}` changed");
            changes.push(change(name, kind, Reason::AnnotationChanged, message));
        }
    }
    changes
}

fn hint(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    name: &str,
    default: bool,
    safe: bool,
) -> Option<Change> {
    if old.get(name) == new.get(name)
        && effective(old, name, default) == effective(new, name, default)
    {
        return None;
    }
    let (before, after) = (effective(old, name, default), effective(new, name, default));
    let (kind, reason, message) = if before == after {
        let message = format!("`{name}` is said differently; it means {after} as before");
        (ChangeKind::Cosmetic, Reason::AnnotationChanged, message)
    } else if after == safe {
        let message = format!("`{name}` is now {after}, which promises more");
        (ChangeKind::Compatible, Reason::HintStrengthened, message)
    } else {
        let message = format!("`{name}` is now {after}, which promises less");
        (ChangeKind::Breaking, Reason::HintWeakened, message)
    };
    Some(change(name, kind, reason, message))
}

/// What a hint comes to. A tool that only reads destroys nothing and may be repeated, whatever else it says.
fn effective(annotations: &Map<String, Value>, name: &str, default: bool) -> bool {
    let said = |name: &str| annotations.get(name).and_then(Value::as_bool);
    let reads_only = said("readOnlyHint").unwrap_or(false);
    match name {
        "destructiveHint" if reads_only => false,
        "idempotentHint" if reads_only => true,
        _ => said(name).unwrap_or(default),
    }
}

fn change(name: &str, kind: ChangeKind, reason: Reason, message: String) -> Change {
    Change {
        part: Part::Annotations,
        path: format!("/{}", crate::diff::escaped(name)),
        kind,
        reason,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChangeKind::{Breaking, Compatible, Cosmetic};
    use serde_json::json;

    #[test]
    fn a_hint_that_promises_less_is_breaking() {
        let cases = [
            (
                json!({"readOnlyHint": true}),
                json!({"readOnlyHint": true}),
                None,
            ),
            (json!({}), json!({"readOnlyHint": false}), Some(Cosmetic)),
            (json!({}), json!({"readOnlyHint": true}), Some(Compatible)),
            (json!({"readOnlyHint": true}), json!({}), Some(Breaking)),
            (json!({"destructiveHint": false}), json!({}), Some(Breaking)),
            (
                json!({}),
                json!({"destructiveHint": false}),
                Some(Compatible),
            ),
            (
                json!({"idempotentHint": true}),
                json!({"idempotentHint": false}),
                Some(Breaking),
            ),
            (
                json!({"openWorldHint": false}),
                json!({"openWorldHint": true}),
                Some(Breaking),
            ),
            // What only reads destroys nothing, said or not.
            (
                json!({"readOnlyHint": true}),
                json!({"readOnlyHint": true, "destructiveHint": true}),
                Some(Cosmetic),
            ),
            (json!({"title": "a"}), json!({"title": "b"}), Some(Cosmetic)),
            (json!({}), json!({"x-cost": 3}), Some(Compatible)),
        ];
        for (old, new, expected) in cases {
            let worst = compare(Some(&old), Some(&new))
                .iter()
                .map(|change| change.kind)
                .max();
            assert_eq!(worst, expected, "{old} {new}");
        }
    }
}
