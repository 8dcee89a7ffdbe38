//! Listed values, numbers and strings.

use super::change::Reason;
use super::place::{Place, Sides};
use super::types::Types;
use super::walk::{Effect, Walk, quoted};
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A bound on one side of the numbers: its value, and whether the value itself is out.
pub(super) type Bound<'s> = Option<(&'s Number, bool)>;

impl Walk<'_> {
    /// `enum` and `const`, which both list what is accepted.
    pub(super) fn listed_values(&mut self, sides: &Sides<'_>, place: &Place) {
        let has = |keyword| sides.new.contains_key(keyword) || sides.old.contains_key(keyword);
        let keyword = if sides.new.contains_key("const") || !has("enum") {
            "const"
        } else {
            "enum"
        };
        let (old, new) = (accepted(sides.old), accepted(sides.new));
        let (old, new) = match (old, new) {
            (None, Some(new)) => (all_of_few(sides.old), Some(new)),
            (Some(old), None) => (Some(old), all_of_few(sides.new)),
            both => both,
        };
        match (old, new) {
            (None, None) => {}
            (None, Some(_)) => {
                let message = "only listed values are accepted now";
                self.emit(
                    place,
                    &[keyword],
                    Effect::Narrower,
                    Reason::ConstraintAdded,
                    message,
                );
            }
            (Some(_), None) => {
                let message = "other values than the listed ones are accepted now";
                self.emit(
                    place,
                    &[keyword],
                    Effect::Wider,
                    Reason::ConstraintRemoved,
                    message,
                );
            }
            (Some(old), Some(new)) => {
                for (_, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                    let message = format!("{} is no longer accepted", shown(value));
                    self.emit(
                        place,
                        &[keyword],
                        Effect::Narrower,
                        Reason::ValuesRemoved,
                        message,
                    );
                }
                for (_, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                    let message = format!("{} is accepted as well", shown(value));
                    self.emit(
                        place,
                        &[keyword],
                        Effect::Wider,
                        Reason::ValuesAdded,
                        message,
                    );
                }
            }
        }
    }

    /// Bounds of numbers, and what they are multiples of.
    pub(super) fn numbers(&mut self, sides: &Sides<'_>, place: &Place) {
        for (inclusive, exclusive, larger_is) in [
            ("minimum", "exclusiveMinimum", Effect::Narrower),
            ("maximum", "exclusiveMaximum", Effect::Wider),
        ] {
            let old = bound(sides.old, inclusive, exclusive, larger_is);
            let new = bound(sides.new, inclusive, exclusive, larger_is);
            let whole_only = [sides.old_types, sides.new_types].map(Types::has_whole_numbers_only);
            if whole_only == [true; 2] && first_whole(old, larger_is) == first_whole(new, larger_is)
            {
                continue;
            }
            let keyword = if new.or(old).is_some_and(|(_, is_exclusive)| is_exclusive) {
                exclusive
            } else {
                inclusive
            };
            self.bound_change(old, new, larger_is, keyword, place);
        }
        let (old, new) = sides.get("multipleOf");
        if old == new {
            return;
        }
        let (effect, reason, message) = match (old, new) {
            (None, _) => (
                Effect::Narrower,
                Reason::ConstraintAdded,
                "only multiples are accepted now",
            ),
            (_, None) => (
                Effect::Wider,
                Reason::ConstraintRemoved,
                "other numbers than multiples are accepted now",
            ),
            (Some(old), Some(new)) => match (whole(old), whole(new)) {
                (Some(old), Some(new)) if old % new == 0 => (
                    Effect::Wider,
                    Reason::BoundLoosened,
                    "more multiples are accepted",
                ),
                (Some(old), Some(new)) if new % old == 0 => (
                    Effect::Narrower,
                    Reason::BoundTightened,
                    "fewer multiples are accepted",
                ),
                _ => (
                    Effect::Different,
                    Reason::Undecidable,
                    "other multiples are accepted",
                ),
            },
        };
        self.emit(place, &["multipleOf"], effect, reason, message);
    }

    pub(super) fn bound_change(
        &mut self,
        old: Bound<'_>,
        new: Bound<'_>,
        larger_is: Effect,
        keyword: &str,
        place: &Place,
    ) {
        let order = match (old, new) {
            (None, None) => return,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some((old, old_out)), Some((new, new_out))) => {
                let sign = |order: Ordering| match larger_is {
                    Effect::Narrower => order,
                    _ => order.reverse(),
                };
                sign(compare(old, new)).then(old_out.cmp(&new_out))
            }
        };
        let shown =
            |bound: Bound<'_>| bound.map_or("none".to_owned(), |(number, _)| number.to_string());
        let message = format!("`{keyword}` is {}, it was {}", shown(new), shown(old));
        match order {
            Ordering::Equal => {}
            Ordering::Less => {
                self.emit(
                    place,
                    &[keyword],
                    Effect::Narrower,
                    Reason::BoundTightened,
                    message,
                );
            }
            Ordering::Greater => {
                self.emit(
                    place,
                    &[keyword],
                    Effect::Wider,
                    Reason::BoundLoosened,
                    message,
                );
            }
        }
    }

    /// Length, pattern, format and encoding of strings.
    pub(super) fn strings(&mut self, sides: &Sides<'_>, place: &Place) {
        self.count("minLength", "maxLength", sides, place);
        for keyword in [
            "pattern",
            "format",
            "contentEncoding",
            "contentMediaType",
            "contentSchema",
        ] {
            self.opaque(keyword, sides, place);
        }
    }

    /// A keyword that can be compared only with itself.
    pub(super) fn opaque(&mut self, keyword: &str, sides: &Sides<'_>, place: &Place) {
        match sides.get(keyword) {
            (old, new) if old == new => {}
            (None, _) => {
                let message = format!("`{keyword}` applies now");
                self.emit(
                    place,
                    &[keyword],
                    Effect::Narrower,
                    Reason::ConstraintAdded,
                    message,
                );
            }
            (_, None) => {
                let message = format!("`{keyword}` no longer applies");
                self.emit(
                    place,
                    &[keyword],
                    Effect::Wider,
                    Reason::ConstraintRemoved,
                    message,
                );
            }
            (Some(_), Some(_)) => {
                let why = format!("whether one `{keyword}` covers the other is not decided");
                self.undecidable(place, &[keyword], &why);
            }
        }
    }

    /// Two keywords that bound a count from below, where absent is 0, and from above.
    pub(super) fn count(&mut self, least: &str, most: &str, sides: &Sides<'_>, place: &Place) {
        let zero = Number::from(0);
        for (keyword, larger_is) in [(least, Effect::Narrower), (most, Effect::Wider)] {
            let (old, new) = sides.get(keyword);
            let default = (larger_is == Effect::Narrower).then_some(&zero);
            let bound = |value: Option<&'_ Value>| match value {
                Some(Value::Number(number)) => Some(number.clone()),
                _ => default.cloned(),
            };
            let (old, new) = (bound(old), bound(new));
            let inclusive = |number| (number, false);
            let (old, new) = (old.as_ref().map(inclusive), new.as_ref().map(inclusive));
            self.bound_change(old, new, larger_is, keyword, place);
        }
    }
}

/// The stricter of an inclusive and an exclusive bound.
fn bound<'s>(
    schema: &'s Map<String, Value>,
    inclusive: &str,
    exclusive: &str,
    larger_is: Effect,
) -> Bound<'s> {
    let number = |keyword| match schema.get(keyword) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    };
    match (number(inclusive), number(exclusive)) {
        (Some(within), Some(without)) => {
            let order = compare(within, without);
            let within_is_stricter = match larger_is {
                Effect::Narrower => order == Ordering::Greater,
                _ => order == Ordering::Less,
            };
            Some(if within_is_stricter {
                (within, false)
            } else {
                (without, true)
            })
        }
        (Some(within), None) => Some((within, false)),
        (None, without) => without.map(|without| (without, true)),
    }
}

/// The first whole number that a bound lets in: `exclusiveMinimum` 0 is `minimum` 1 for whole numbers. The bound as
/// it is where it is none; none where there is no bound.
fn first_whole(bound: Bound<'_>, larger_is: Effect) -> Option<(Option<i128>, String, bool)> {
    let (number, is_exclusive) = bound?;
    let inward = match larger_is {
        Effect::Narrower => 1,
        _ => -1,
    };
    match whole_number(number) {
        Some(whole) if is_exclusive => Some((Some(whole + inward), String::new(), false)),
        Some(whole) => Some((Some(whole), String::new(), false)),
        None => Some((None, number.to_string(), is_exclusive)),
    }
}

/// The order of two numbers, exact also between whole numbers and others.
fn compare(a: &Number, b: &Number) -> Ordering {
    match (whole_number(a), whole_number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        // A number that is not whole lies below 2^53, where every whole one is exact.
        _ => a
            .as_f64()
            .partial_cmp(&b.as_f64())
            .unwrap_or(Ordering::Equal),
    }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => whole_number(number).filter(|number| *number != 0),
        _ => None,
    }
}

// A whole number of less than 2^100 fits.
fn whole_number(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i128() {
        return Some(number);
    }
    let number = number.as_f64()?;
    (number.fract() == 0.0 && number.abs() < 2f64.powi(100)).then_some(number as i128)
}

/// The listed values, by a text that equal values share; none where nothing is listed.
fn accepted(schema: &Map<String, Value>) -> Option<BTreeMap<String, &Value>> {
    let keyed = |value| (key(value), value);
    let values = schema.get("enum").and_then(Value::as_array);
    let listed = values.map(|values| values.iter().map(keyed).collect::<BTreeMap<_, _>>());
    let constant = schema
        .get("const")
        .map(|value| BTreeMap::from([keyed(value)]));
    match (listed, constant) {
        (Some(mut listed), Some(constant)) => {
            listed.retain(|key, _| constant.contains_key(key));
            Some(listed)
        }
        (listed, constant) => listed.or(constant),
    }
}

/// Every value that a schema without a list accepts, listed, where its types have so few.
fn all_of_few(schema: &Map<String, Value>) -> Option<BTreeMap<String, &'static Value>> {
    static FEW: [(Types, Value); 3] = [
        (Types::NULL, Value::Null),
        (Types::BOOLEAN, Value::Bool(false)),
        (Types::BOOLEAN, Value::Bool(true)),
    ];
    let types = Types::of(schema);
    let others = FEW.iter().fold(types, |left, (few, _)| left.without(*few));
    let of_types = FEW.iter().filter(|(few, _)| !(types & *few).is_empty());
    others
        .is_empty()
        .then(|| of_types.map(|(_, value)| (key(value), value)).collect())
}

/// A text that is the same for values that JSON Schema calls equal: 1 and 1.0, members in any order.
fn key(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            whole_number(number).map_or_else(|| number.to_string(), |whole| whole.to_string())
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(key).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}:{}", Value::String(name.clone()), key(value))
            };
            let mut members: Vec<String> = members.iter().map(member).collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

fn shown(value: &Value) -> String {
    quoted(&value.to_string())
}
