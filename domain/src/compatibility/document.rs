//! Two schemas side by side: where their references lead, and which of their parts are equal.

use crate::schema::keywords::{Position, each_below, is_cosmetic, position};
use crate::schema::reference::{local_fragment, schema_at};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// Steps that a comparison of two schemas may take. Real pairs take a few hundred; this many take some
/// milliseconds.
const FUEL: u32 = 200_000;
/// How far one reference may lead to the next.
const MOST_HOPS: usize = 16;

/// How exactly two schemas are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Equality {
    /// To the letter.
    Exact,
    /// But for what is cosmetic.
    Bare,
}

/// The old and the new schema, in the words of 2020-12.
pub(super) struct Pair<'a> {
    pub(super) old: Document<'a>,
    pub(super) new: Document<'a>,
    /// References that lead to different schemas, exactly and but for what is cosmetic.
    unstable: [BTreeSet<&'a str>; 2],
    fuel: Cell<u32>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(old: &'a Value, new: &'a Value) -> Self {
        let mut pair = Self {
            old: Document::new(old),
            new: Document::new(new),
            unstable: [BTreeSet::new(), BTreeSet::new()],
            fuel: Cell::new(FUEL),
        };
        for equality in [Equality::Exact, Equality::Bare] {
            while pair.find_unstable(equality) {}
        }
        pair
    }

    /// Takes steps; false once there are none left.
    pub(super) fn spend(&self, steps: usize) -> bool {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let left = self.fuel.get().saturating_sub(steps);
        self.fuel.set(left);
        left > 0
    }

    /// Whether the comparison has run out of steps.
    pub(super) fn is_spent(&self) -> bool {
        self.fuel.get() == 0
    }

    /// Whether two schemas, one of each side, are equal with all that they refer to.
    pub(super) fn equal(&self, old: &Value, new: &Value, equality: Equality) -> bool {
        let (Value::Object(old), Value::Object(new)) = (old, new) else {
            return self.spend(1) && old == new;
        };
        if !self.spend(1 + old.len()) {
            return false;
        }
        let counts = |keyword: &String| equality == Equality::Exact || !is_cosmetic(keyword);
        let count = |schema: &Map<String, Value>| schema.keys().filter(|k| counts(k)).count();
        count(old) == count(new)
            && old
                .iter()
                .filter(|(keyword, _)| counts(keyword))
                .all(|(keyword, old)| {
                    new.get(keyword)
                        .is_some_and(|new| self.equal_keyword(keyword, old, new, equality))
                })
    }

    fn equal_keyword(&self, keyword: &str, old: &Value, new: &Value, equality: Equality) -> bool {
        match (keyword, position(keyword, old), old, new) {
            ("$dynamicRef" | "$recursiveRef", ..) => false,
            ("$ref", None, Value::String(old), Value::String(new)) => {
                old == new && !self.unstable[equality as usize].contains(old.as_str())
            }
            (_, Some(Position::One), old, new) => self.equal(old, new, equality),
            (_, Some(Position::List), Value::Array(old), Value::Array(new)) => {
                old.len() == new.len()
                    && old
                        .iter()
                        .zip(new)
                        .all(|(old, new)| self.equal(old, new, equality))
            }
            (_, Some(Position::Named), Value::Object(old), Value::Object(new)) => {
                let equal = |(name, old)| {
                    new.get(name)
                        .is_some_and(|new| self.equal(old, new, equality))
                };
                old.len() == new.len() && old.iter().all(equal)
            }
            (_, _, old, new) => self.equal_value(old, new),
        }
    }

    /// Spends a step for each value in a value; false once there are none left.
    pub(super) fn spend_on(&self, value: &Value) -> bool {
        match value {
            Value::Array(items) => self.spend(1) && items.iter().all(|item| self.spend_on(item)),
            Value::Object(members) => {
                self.spend(1) && members.values().all(|member| self.spend_on(member))
            }
            _ => self.spend(1),
        }
    }

    fn equal_value(&self, old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Array(old), Value::Array(new)) => {
                self.spend(1 + old.len())
                    && old.len() == new.len()
                    && old
                        .iter()
                        .zip(new)
                        .all(|(old, new)| self.equal_value(old, new))
            }
            (Value::Object(old), Value::Object(new)) => {
                let equal =
                    |(name, old)| new.get(name).is_some_and(|new| self.equal_value(old, new));
                self.spend(1 + old.len()) && old.len() == new.len() && old.iter().all(equal)
            }
            (old, new) => self.spend(1) && old == new,
        }
    }

    /// Finds further references that lead to different schemas; true if there were any. References that
    /// only lead to each other are equal until something else differs.
    fn find_unstable(&mut self, equality: Equality) -> bool {
        let known = &self.unstable[equality as usize];
        let differs = |reference: &&&str| {
            let (old, new) = (self.old.resolve(reference), self.new.resolve(reference));
            !matches!((old, new), (Some(old), Some(new)) if self.equal(old.schema, new.schema, equality))
        };
        let all = self.old.references.union(&self.new.references);
        let unknown = all.filter(|reference| !known.contains(*reference));
        let found: Vec<&str> = unknown.filter(differs).copied().collect();
        let any = !found.is_empty();
        self.unstable[equality as usize].extend(found);
        any
    }
}

/// One schema with what it says about names.
pub(super) struct Document<'a> {
    pub(super) root: &'a Value,
    references: BTreeSet<&'a str>,
    anchors: BTreeMap<&'a str, &'a Value>,
    properties: BTreeSet<&'a str>,
    /// A schema with an id of its own lies below, so that a reference may mean something else there.
    has_inner_id: bool,
}

/// Where a reference leads.
pub(super) struct Target<'a> {
    pub(super) schema: &'a Value,
    /// A JSON Pointer, or none for an anchor.
    pub(super) pointer: Option<String>,
}

impl<'a> Document<'a> {
    fn new(root: &'a Value) -> Self {
        let mut document = Self {
            root,
            references: BTreeSet::new(),
            anchors: BTreeMap::new(),
            properties: BTreeSet::new(),
            has_inner_id: false,
        };
        document.read(root);
        document
    }

    fn read(&mut self, schema: &'a Value) {
        let Value::Object(members) = schema else {
            return;
        };
        let text = |keyword| members.get(keyword).and_then(Value::as_str);
        self.references.extend(text("$ref"));
        for anchor in [text("$anchor"), text("$dynamicAnchor")]
            .into_iter()
            .flatten()
        {
            self.anchors.entry(anchor).or_insert(schema);
        }
        if let Some(Value::Object(properties)) = members.get("properties") {
            self.properties
                .extend(properties.keys().map(String::as_str));
        }
        if let Some(Value::Array(required)) = members.get("required") {
            self.properties
                .extend(required.iter().filter_map(Value::as_str));
        }
        self.has_inner_id |= text("$id").is_some() && !std::ptr::eq(schema, self.root);
        each_below(members, &mut |below| self.read(below));
    }

    /// Whether a schema in it declares or asks for a property of this name.
    pub(super) fn declares(&self, property: &str) -> bool {
        self.properties.contains(property)
    }

    /// Where a reference leads in the end; none when that cannot be told.
    pub(super) fn resolve(&self, reference: &str) -> Option<Target<'a>> {
        if self.has_inner_id {
            return None;
        }
        let mut target = self.step(reference)?;
        for _ in 0..MOST_HOPS {
            match only_reference(target.schema) {
                Some(next) => target = self.step(next)?,
                None => return Some(target),
            }
        }
        None
    }

    fn step(&self, reference: &str) -> Option<Target<'a>> {
        let fragment = local_fragment(self.root, reference)?;
        if fragment.is_empty() || fragment.starts_with('/') {
            let schema = schema_at(self.root, &fragment)?;
            let pointer = Some(fragment);
            return Some(Target { schema, pointer });
        }
        let schema = self.anchors.get(fragment.as_str())?;
        Some(Target {
            schema,
            pointer: None,
        })
    }
}

/// The reference, where the schema is nothing but one.
pub(super) fn only_reference(schema: &Value) -> Option<&str> {
    let members = schema.as_object()?;
    let bare = members.keys().all(|keyword| {
        keyword == "$ref"
            || is_cosmetic(keyword)
            || matches!(keyword.as_str(), "$defs" | "definitions")
    });
    members.get("$ref")?.as_str().filter(|_| bare)
}
