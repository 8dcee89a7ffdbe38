//! Keywords that assert nothing: they are told, and break nobody.

use super::change::{ChangeKind, Reason};
use super::place::Place;
use super::walk::{Walk, quoted};
use crate::schema::keywords::{is_cosmetic, position};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

impl Walk<'_> {
    /// Keywords that assert nothing.
    pub(super) fn notes(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        place: &Place,
    ) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let value = old.get(name).or_else(|| new.get(name));
            if asserts(name, value) || old.get(name) == new.get(name) {
                continue;
            }
            let (kind, reason) = match name.as_str() {
                name if is_cosmetic(name) => (ChangeKind::Cosmetic, Reason::AnnotationChanged),
                "default" => (ChangeKind::Compatible, Reason::DefaultChanged),
                _ => (ChangeKind::Compatible, Reason::AnnotationChanged),
            };
            let message = format!("`{}` changed", quoted(name));
            self.push(place, &[name], kind, reason, message);
        }
    }
}

/// Whether the comparison looks at the keyword elsewhere.
fn asserts(keyword: &str, value: Option<&Value>) -> bool {
    value.is_some_and(|value| position(keyword, value).is_some())
        || matches!(
            keyword,
            "$anchor"
                | "$dynamicAnchor"
                | "$dynamicRef"
                | "$id"
                | "$recursiveAnchor"
                | "$recursiveRef"
                | "$ref"
                | "$vocabulary"
                | "const"
                | "contentEncoding"
                | "contentMediaType"
                | "dependentRequired"
                | "enum"
                | "exclusiveMaximum"
                | "exclusiveMinimum"
                | "format"
                | "maxContains"
                | "maxItems"
                | "maxLength"
                | "maxProperties"
                | "maximum"
                | "minContains"
                | "minItems"
                | "minLength"
                | "minProperties"
                | "minimum"
                | "multipleOf"
                | "pattern"
                | "required"
                | "type"
                | "uniqueItems"
        )
}
