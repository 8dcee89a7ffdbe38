//! Objects.

use super::change::{ChangeKind, Reason};
use super::place::{Place, Sides};
use super::walk::{Direction, Effect, Walk, quoted};
use crate::schema::keywords::is_cosmetic;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

static ANYTHING: Value = Value::Bool(true);

/// Keywords that say more about the same instance.
const BESIDE: [&str; 8] = [
    "$ref",
    "allOf",
    "anyOf",
    "dependentSchemas",
    "else",
    "if",
    "oneOf",
    "then",
];

impl Walk<'_> {
    /// Every keyword about objects.
    pub(super) fn objects(&mut self, sides: &Sides<'_>, place: &Place) {
        self.count("minProperties", "maxProperties", sides, place);
        self.required(sides, place);
        self.properties(sides, place);
        self.named_schemas("patternProperties", sides, place);
        self.named_schemas("dependentSchemas", sides, place);
        self.dependent_required(sides, place);
        let (old, new) = sides.get("propertyNames");
        let place_of_names = place.part(&["propertyNames"]);
        self.schema(
            old.unwrap_or(&ANYTHING),
            new.unwrap_or(&ANYTHING),
            &place_of_names,
        );
        let around = [&BESIDE[..], &["additionalProperties", "patternProperties"]].concat();
        self.unevaluated("unevaluatedProperties", &around, sides, place);
        let unevaluated = sides.get("unevaluatedProperties");
        if unevaluated != (None, None) {
            let names =
                |side| members(side, "properties").map(|all| all.keys().collect::<BTreeSet<_>>());
            if names(sides.old) != names(sides.new) {
                let why = "which properties `unevaluatedProperties` is about has changed";
                self.undecidable(place, &["unevaluatedProperties"], why);
            }
        }
    }

    fn required(&mut self, sides: &Sides<'_>, place: &Place) {
        let (old, new) = sides.get("required");
        let (old, new) = (texts(old), texts(new));
        for name in new.difference(&old) {
            let message = format!("`{}` must be given now", quoted(name));
            self.emit(
                place,
                &["required"],
                Effect::Narrower,
                Reason::RequiredAdded,
                message,
            );
        }
        for name in old.difference(&new) {
            let message = format!("`{}` need not be given any more", quoted(name));
            self.emit(
                place,
                &["required"],
                Effect::Wider,
                Reason::RequiredRemoved,
                message,
            );
        }
    }

    fn dependent_required(&mut self, sides: &Sides<'_>, place: &Place) {
        let keyword = "dependentRequired";
        let (old, new) = (members(sides.old, keyword), members(sides.new, keyword));
        for name in names(old, new) {
            let (old, new) = (texts(member(old, name)), texts(member(new, name)));
            let tokens = [keyword, name.as_str()];
            for needed in new.difference(&old) {
                let message = format!(
                    "`{}` must be given now with `{}`",
                    quoted(needed),
                    quoted(name)
                );
                self.emit(
                    place,
                    &tokens,
                    Effect::Narrower,
                    Reason::RequiredAdded,
                    message,
                );
            }
            for needed in old.difference(&new) {
                let message = format!(
                    "`{}` need not be given any more with `{}`",
                    quoted(needed),
                    quoted(name)
                );
                self.emit(
                    place,
                    &tokens,
                    Effect::Wider,
                    Reason::RequiredRemoved,
                    message,
                );
            }
        }
    }

    /// Declared properties, and the schema of all the others.
    fn properties(&mut self, sides: &Sides<'_>, place: &Place) {
        let (old, new) = (
            members(sides.old, "properties"),
            members(sides.new, "properties"),
        );
        for name in names(old, new) {
            match (member(old, name), member(new, name)) {
                (Some(old), Some(new)) => {
                    self.schema(old, new, &place.part(&["properties", name]));
                }
                (None, Some(schema)) => self.property_added(name, schema, sides, place),
                (Some(schema), None) => self.property_removed(name, schema, sides, place),
                (None, None) => {}
            }
        }
        let (old, new) = sides.get("additionalProperties");
        let place = place.part(&["additionalProperties"]);
        self.schema(old.unwrap_or(&ANYTHING), new.unwrap_or(&ANYTHING), &place);
    }

    fn property_added(&mut self, name: &str, schema: &Value, sides: &Sides<'_>, place: &Place) {
        let tokens = ["properties", name];
        let message = format!("`{}` is new", quoted(name));
        let Some(others) = sides.old.get("additionalProperties") else {
            let effect = match self.is_new_name(name, sides, place) {
                _ if accepts_everything(schema) => Effect::Neutral,
                true => Effect::NewName,
                false => Effect::Narrower,
            };
            return self.emit(place, &tokens, effect, Reason::PropertyAdded, message);
        };
        if has_patterns(sides) && !accepts_everything(others) {
            let why = format!(
                "whether a pattern spoke of `{}` is not decided",
                quoted(name)
            );
            return self.undecidable(place, &tokens, &why);
        }
        let kind = match self.trial(others, schema, &place.part(&tokens)) {
            Some(ChangeKind::Breaking) => ChangeKind::Breaking,
            _ => ChangeKind::Compatible,
        };
        self.push(place, &tokens, kind, Reason::PropertyAdded, message);
    }

    /// Whether nobody has spoken of a property of this name for this instance.
    fn is_new_name(&self, name: &str, sides: &Sides<'_>, place: &Place) -> bool {
        if has_patterns(sides) || texts(sides.old.get("required")).contains(name) {
            return false;
        }
        let alone = !place.beside
            && !BESIDE
                .iter()
                .any(|keyword| sides.old.contains_key(*keyword));
        alone || !self.pair.old.declares(name)
    }

    /// A property that is gone is missed by whoever gives or reads it, even where others are let through:
    /// it counts as kept only where the schema of the others says so in words.
    fn property_removed(&mut self, name: &str, schema: &Value, sides: &Sides<'_>, place: &Place) {
        let tokens = ["properties", name];
        let message = format!("`{}` is gone", quoted(name));
        let others = sides.new.get("additionalProperties");
        let kept = match others {
            Some(others) if !has_patterns(sides) => {
                let tried = self.trial(schema, others, &place.part(&tokens));
                tried != Some(ChangeKind::Breaking)
            }
            _ => false,
        };
        let kind = if kept && self.direction == Direction::Input {
            ChangeKind::Compatible
        } else {
            ChangeKind::Breaking
        };
        self.push(place, &tokens, kind, Reason::PropertyRemoved, message);
    }

    /// Schemas by name that apply beside all others.
    fn named_schemas(&mut self, keyword: &str, sides: &Sides<'_>, place: &Place) {
        let (old, new) = (members(sides.old, keyword), members(sides.new, keyword));
        for name in names(old, new) {
            let tokens = [keyword, name.as_str()];
            match (member(old, name), member(new, name)) {
                (Some(old), Some(new)) if keyword == "patternProperties" => {
                    self.schema(old, new, &place.part(&tokens));
                }
                (Some(old), Some(new)) => self.schema(old, new, &place.same_instance(&tokens)),
                (old, _) => self.named_schema_moved(&tokens, old.is_some(), sides, place),
            }
        }
    }

    fn named_schema_moved(
        &mut self,
        tokens: &[&str],
        is_gone: bool,
        sides: &Sides<'_>,
        place: &Place,
    ) {
        let closed = |side: &Map<String, Value>| {
            let others = side.get("additionalProperties");
            others.is_some_and(|others| !accepts_everything(others))
        };
        let of_patterns = tokens.first() == Some(&"patternProperties");
        if of_patterns && (closed(sides.old) || closed(sides.new)) {
            let why = "which properties the pattern is about is not decided";
            return self.undecidable(place, tokens, why);
        }
        let (effect, reason, message) = if is_gone {
            (
                Effect::Wider,
                Reason::ConstraintRemoved,
                "the rule no longer applies",
            )
        } else {
            (
                Effect::Narrower,
                Reason::ConstraintAdded,
                "the rule applies now",
            )
        };
        self.emit(place, tokens, effect, reason, message);
    }
}

/// Whether a schema asserts nothing.
fn accepts_everything(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members
            .keys()
            .all(|name| is_cosmetic(name) || name == "default"),
        other => *other == ANYTHING,
    }
}

fn has_patterns(sides: &Sides<'_>) -> bool {
    let has = |side| members(side, "patternProperties").is_some_and(|all| !all.is_empty());
    has(sides.old) || has(sides.new)
}

fn members<'s>(side: &'s Map<String, Value>, keyword: &str) -> Option<&'s Map<String, Value>> {
    side.get(keyword).and_then(Value::as_object)
}

fn member<'s>(side: Option<&'s Map<String, Value>>, name: &str) -> Option<&'s Value> {
    side.and_then(|side| side.get(name))
}

fn names<'s>(
    old: Option<&'s Map<String, Value>>,
    new: Option<&'s Map<String, Value>>,
) -> BTreeSet<&'s String> {
    let keys = |side: Option<&'s Map<String, Value>>| side.into_iter().flat_map(Map::keys);
    keys(old).chain(keys(new)).collect()
}

fn texts(list: Option<&Value>) -> BTreeSet<&str> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}
