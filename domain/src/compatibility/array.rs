//! Arrays.

use super::change::Reason;
use super::document::Equality;
use super::place::{Place, Sides};
use super::walk::{Effect, Walk};
use serde_json::{Map, Number, Value};

static ANYTHING: Value = Value::Bool(true);

impl Walk<'_> {
    /// Every keyword about arrays.
    pub(super) fn arrays(&mut self, sides: &Sides<'_>, place: &Place) {
        self.count("minItems", "maxItems", sides, place);
        self.items(sides, place);
        self.contains(sides, place);
        let unique =
            |side: &Map<String, Value>| side.get("uniqueItems") == Some(&Value::Bool(true));
        match (unique(sides.old), unique(sides.new)) {
            (false, true) => {
                let message = "items must differ now";
                self.emit(
                    place,
                    &["uniqueItems"],
                    Effect::Narrower,
                    Reason::ConstraintAdded,
                    message,
                );
            }
            (true, false) => {
                let message = "items may be equal now";
                self.emit(
                    place,
                    &["uniqueItems"],
                    Effect::Wider,
                    Reason::ConstraintRemoved,
                    message,
                );
            }
            (true, true) | (false, false) => {}
        }
        let around = [
            "$ref",
            "allOf",
            "anyOf",
            "contains",
            "else",
            "if",
            "items",
            "oneOf",
            "prefixItems",
            "then",
        ];
        self.unevaluated("unevaluatedItems", &around, sides, place);
    }

    /// Position by position, then all the others.
    fn items(&mut self, sides: &Sides<'_>, place: &Place) {
        let (old_tuple, old_rest) = positions(sides.old);
        let (new_tuple, new_rest) = positions(sides.new);
        for index in 0..old_tuple.len().max(new_tuple.len()) {
            let old = old_tuple.get(index).unwrap_or(old_rest);
            let new = new_tuple.get(index).unwrap_or(new_rest);
            let place = place.part(&["prefixItems", &index.to_string()]);
            self.schema(old, new, &place);
        }
        self.schema(old_rest, new_rest, &place.part(&["items"]));
    }

    fn contains(&mut self, sides: &Sides<'_>, place: &Place) {
        match sides.get("contains") {
            (None, None) => {}
            (None, Some(_)) => {
                let message = "an item of this kind must be there now";
                self.emit(
                    place,
                    &["contains"],
                    Effect::Narrower,
                    Reason::ConstraintAdded,
                    message,
                );
            }
            (Some(_), None) => {
                let message = "no item of this kind need be there any more";
                self.emit(
                    place,
                    &["contains"],
                    Effect::Wider,
                    Reason::ConstraintRemoved,
                    message,
                );
            }
            (Some(old), Some(new)) => {
                let has_most = |side: &Map<String, Value>| side.contains_key("maxContains");
                let counted = has_most(sides.old) || has_most(sides.new);
                if counted && !self.pair.equal(old, new, Equality::Bare) {
                    let why = "items of another kind are counted";
                    return self.undecidable(place, &["contains"], why);
                }
                self.schema(old, new, &place.part(&["contains"]));
                let one = Number::from(1);
                let (old, new) = (
                    count(sides.old, "minContains"),
                    count(sides.new, "minContains"),
                );
                let (old, new) = (old.unwrap_or(&one), new.unwrap_or(&one));
                let (old, new) = (Some((old, false)), Some((new, false)));
                self.bound_change(old, new, Effect::Narrower, "minContains", place);
                let most = |side| count(side, "maxContains").map(|number| (number, false));
                let (old, new) = (most(sides.old), most(sides.new));
                self.bound_change(old, new, Effect::Wider, "maxContains", place);
            }
        }
    }

    /// What is left over depends on everything that is said beside it: it is equal, or nobody can tell.
    pub(super) fn unevaluated(
        &mut self,
        keyword: &str,
        around: &[&str],
        sides: &Sides<'_>,
        place: &Place,
    ) {
        let (old, new) = sides.get(keyword);
        if old.is_none() && new.is_none() {
            return;
        }
        let equal = |name: &str| match sides.get(name) {
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                let equal = |(old, new)| self.pair.equal(old, new, Equality::Bare);
                old.len() == new.len() && old.iter().zip(new).all(equal)
            }
            (Some(Value::String(_)), Some(_)) => {
                let only = |side: &Map<String, Value>| {
                    let member = side
                        .get_key_value(name)
                        .map(|(k, v)| (k.clone(), v.clone()));
                    Value::Object(member.into_iter().collect())
                };
                self.pair
                    .equal(&only(sides.old), &only(sides.new), Equality::Bare)
            }
            (Some(old), Some(new)) => self.pair.equal(old, new, Equality::Bare),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !equal(keyword) || !around.iter().all(|name| equal(name)) {
            let why = format!("what `{keyword}` is about has changed");
            self.undecidable(place, &[keyword], &why);
        }
    }
}

fn positions(schema: &Map<String, Value>) -> (&[Value], &Value) {
    let tuple = schema.get("prefixItems").and_then(Value::as_array);
    let tuple = tuple.map_or(&[][..], Vec::as_slice);
    (tuple, schema.get("items").unwrap_or(&ANYTHING))
}

fn count<'s>(schema: &'s Map<String, Value>, keyword: &str) -> Option<&'s Number> {
    match schema.get(keyword) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    }
}
