//! Sets of JSON types.

use serde_json::{Map, Value};
use std::ops::BitAnd;

/// A set of JSON types. Numbers are two: whole ones and the others, so that `integer` lies in `number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const ALL: Self = Self(0b111_1111);
    pub(super) const OBJECT: Self = Self(1);
    pub(super) const ARRAY: Self = Self(1 << 1);
    pub(super) const STRING: Self = Self(1 << 2);
    pub(super) const NUMBER: Self = Self(1 << 3 | 1 << 4);
    const INTEGER: Self = Self(1 << 3);
    pub(super) const BOOLEAN: Self = Self(1 << 5);
    pub(super) const NULL: Self = Self(1 << 6);
    const NONE: Self = Self(0);

    /// The types that `type`, `enum` and `const` leave open, or more.
    pub(super) fn of(schema: &Map<String, Value>) -> Self {
        let named = Self::named_by(schema.get("type"));
        let listed = match schema.get("enum") {
            Some(Value::Array(values)) => union(values.iter().map(Self::of_value)),
            _ => Self::ALL,
        };
        let constant = schema.get("const").map_or(Self::ALL, Self::of_value);
        named & listed & constant
    }

    /// The types that the keyword `type` names; all when it is absent.
    pub(super) fn named_by(keyword: Option<&Value>) -> Self {
        match keyword {
            Some(Value::String(name)) => Self::named(name),
            Some(Value::Array(names)) => {
                union(names.iter().filter_map(Value::as_str).map(Self::named))
            }
            _ => Self::ALL,
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether all numbers in it are whole.
    pub(super) fn has_whole_numbers_only(self) -> bool {
        (self & Self::NUMBER).without(Self::INTEGER).is_empty()
    }

    /// What is in this set and not in the other.
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// For people.
    pub(super) fn names(self) -> String {
        let named = [
            (Self::OBJECT, "object"),
            (Self::ARRAY, "array"),
            (Self::STRING, "string"),
            (Self::NUMBER, "number"),
            (Self::BOOLEAN, "boolean"),
            (Self::NULL, "null"),
        ];
        let has = |(kind, _): &(Self, &str)| !(*kind & self).is_empty();
        let names = named.into_iter().filter(has).map(|(kind, name)| {
            if kind == Self::NUMBER && self & kind == Self::INTEGER {
                "integer"
            } else {
                name
            }
        });
        names.collect::<Vec<_>>().join(", ")
    }

    fn named(name: &str) -> Self {
        match name {
            "object" => Self::OBJECT,
            "array" => Self::ARRAY,
            "string" => Self::STRING,
            "number" => Self::NUMBER,
            "integer" => Self::INTEGER,
            "boolean" => Self::BOOLEAN,
            "null" => Self::NULL,
            _ => Self::NONE,
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number.is_f64() => Self::NUMBER,
            Value::Number(_) => Self::INTEGER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }
}

impl BitAnd for Types {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

fn union(all: impl Iterator<Item = Types>) -> Types {
    Types(all.fold(0, |set, one| set | one.0))
}
