//! Schemas made of schemas: `allOf`, `anyOf`, `oneOf`, `not`, `if` and references with company.

use super::change::{ChangeKind, Reason};
use super::document::{Document, Equality, only_reference};
use super::place::{Place, Sides};
use super::types::Types;
use super::walk::{Effect, Walk};
use crate::schema::keywords::is_cosmetic;
use serde_json::{Map, Value};
use std::borrow::Cow;

static ANYTHING: Value = Value::Bool(true);

/// One of several schemas for the same instance.
#[derive(Clone)]
struct Branch<'s> {
    schema: Cow<'s, Value>,
    path: Vec<String>,
}

impl Branch<'_> {
    fn place(&self, place: &Place) -> Place {
        let tokens: Vec<&str> = self.path.iter().map(String::as_str).collect();
        place.same_instance(&tokens)
    }
}

/// How branches work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    /// All of them must accept.
    All,
    /// One of them must accept.
    Any,
}

impl Walk<'_> {
    /// Every keyword that combines schemas.
    pub(super) fn logic(&mut self, sides: &Sides<'_>, place: &Place) {
        let (old, new) = (conjuncts(sides.old), conjuncts(sides.new));
        self.branches(&old, &new, Together::All, place);
        for keyword in ["anyOf", "oneOf"] {
            self.alternatives(keyword, sides, place);
        }
        match sides.get("not") {
            (Some(old), Some(new)) => {
                self.schema(old, new, &place.same_instance(&["not"]).turned());
            }
            _ => self.opaque("not", sides, place),
        }
        self.condition(sides, place);
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if sides.get(keyword) != (None, None) {
                self.undecidable(place, &[keyword], "a dynamic reference is not followed");
            }
        }
    }

    /// Whether one side is nothing but alternatives; then the other side is compared as alternatives too,
    /// so that a schema may become one of several, and several types may be written as alternatives.
    pub(super) fn lifted_alternatives(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        place: &Place,
    ) -> bool {
        let old_only = only_alternatives(old, &self.pair.old);
        let new_only = only_alternatives(new, &self.pair.new);
        if old_only.is_none() && new_only.is_none() {
            return false;
        }
        let old = old_only.unwrap_or_else(|| single(old));
        let new = new_only.unwrap_or_else(|| single(new));
        self.branches(&old, &new, Together::Any, place);
        true
    }

    fn alternatives(&mut self, keyword: &str, sides: &Sides<'_>, place: &Place) {
        let (Some(Value::Array(old)), Some(Value::Array(new))) = sides.get(keyword) else {
            return self.opaque(keyword, sides, place);
        };
        let equal = |(old, new)| self.pair.equal(old, new, Equality::Bare);
        if keyword == "oneOf" && old.len() == new.len() && old.iter().zip(new).all(equal) {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                self.schema(
                    old,
                    new,
                    &place.same_instance(&[keyword, &index.to_string()]),
                );
            }
            return;
        }
        let apart = all_apart(old, &self.pair.old) && all_apart(new, &self.pair.new);
        if keyword == "oneOf" && !apart {
            let why = "alternatives that may overlap exclude each other";
            return self.undecidable(place, &[keyword], why);
        }
        let (old, new) = (listed(keyword, old), listed(keyword, new));
        self.branches(&old, &new, Together::Any, place);
    }

    /// `if` chooses between `then` and `else`: they are compared where the choice is the same.
    fn condition(&mut self, sides: &Sides<'_>, place: &Place) {
        match sides.get("if") {
            (None, None) => {}
            (Some(old), Some(new)) if self.pair.equal(old, new, Equality::Bare) => {
                for keyword in ["then", "else"] {
                    let (old, new) = sides.get(keyword);
                    let (old, new) = (old.unwrap_or(&ANYTHING), new.unwrap_or(&ANYTHING));
                    self.schema(old, new, &place.same_instance(&[keyword]));
                }
            }
            (Some(_), Some(_)) => self.undecidable(place, &["if"], "another condition chooses"),
            _ => self.opaque("if", sides, place),
        }
    }

    /// Finds for each branch that must be covered another one that covers it. One set of alternatives lies
    /// within another if each of its branches lies within one of the other; all conjuncts together do if
    /// each of the other's covers one of them.
    fn branches(&mut self, old: &[Branch<'_>], new: &[Branch<'_>], how: Together, place: &Place) {
        let old_is_needed = self.old_within_new(place) == (how == Together::Any);
        let (needed, offered) = if old_is_needed {
            (old, new)
        } else {
            (new, old)
        };
        let mut used = vec![false; offered.len()];
        let mut unmatched = Vec::new();
        for branch in needed {
            match self.covering(branch, offered, old_is_needed, place) {
                Some(index) => {
                    if let Some(used) = used.get_mut(index) {
                        *used = true;
                    }
                    self.branch_pair(branch, offered.get(index), old_is_needed, how, place);
                }
                None => unmatched.push(branch),
            }
        }
        let mut free = offered
            .iter()
            .zip(&used)
            .filter(|(_, used)| !**used)
            .map(|(free, _)| free);
        for branch in unmatched {
            self.branch_pair(branch, free.next(), old_is_needed, how, place);
        }
        for branch in free {
            self.branch_moved(branch, !old_is_needed, how, place);
        }
    }

    fn covering(
        &mut self,
        branch: &Branch<'_>,
        offered: &[Branch<'_>],
        old_is_needed: bool,
        place: &Place,
    ) -> Option<usize> {
        let mut best: Option<(Option<ChangeKind>, usize)> = None;
        for (index, other) in offered.iter().enumerate() {
            let (old, new) = if old_is_needed {
                (branch, other)
            } else {
                (other, branch)
            };
            let worst = self.trial(&old.schema, &new.schema, &new.place(place));
            if worst.is_none() {
                return Some(index);
            }
            if best.is_none_or(|(least, _)| worst < least) {
                best = Some((worst, index));
            }
        }
        best.filter(|(worst, _)| *worst < Some(ChangeKind::Breaking))
            .map(|(_, index)| index)
    }

    fn branch_pair(
        &mut self,
        branch: &Branch<'_>,
        other: Option<&Branch<'_>>,
        old_is_needed: bool,
        how: Together,
        place: &Place,
    ) {
        let Some(other) = other else {
            return self.branch_moved(branch, old_is_needed, how, place);
        };
        let (old, new) = if old_is_needed {
            (branch, other)
        } else {
            (other, branch)
        };
        self.schema(&old.schema, &new.schema, &new.place(place));
    }

    fn branch_moved(&mut self, branch: &Branch<'_>, is_gone: bool, how: Together, place: &Place) {
        let (effect, reason, message) = match (how, is_gone) {
            (Together::All, true) => (
                Effect::Wider,
                Reason::ConstraintRemoved,
                "the rule no longer applies",
            ),
            (Together::All, false) => (
                Effect::Narrower,
                Reason::ConstraintAdded,
                "the rule applies now",
            ),
            (Together::Any, true) => (
                Effect::Narrower,
                Reason::AlternativeRemoved,
                "the alternative is gone",
            ),
            (Together::Any, false) => (
                Effect::Wider,
                Reason::AlternativeAdded,
                "the alternative is new",
            ),
        };
        self.emit(&branch.place(place), &[], effect, reason, message);
    }
}

/// The schemas that must all accept: those of `allOf`, and what a reference leads to.
fn conjuncts(schema: &Map<String, Value>) -> Vec<Branch<'_>> {
    let mut all = match schema.get("allOf") {
        Some(Value::Array(schemas)) => listed("allOf", schemas),
        _ => Vec::new(),
    };
    if let Some(reference) = schema.get("$ref") {
        let mut only = Map::new();
        only.insert("$ref".to_owned(), reference.clone());
        all.push(Branch {
            schema: Cow::Owned(Value::Object(only)),
            path: Vec::new(),
        });
    }
    all
}

fn listed<'s>(keyword: &str, schemas: &'s [Value]) -> Vec<Branch<'s>> {
    let branch = |(index, schema): (usize, &'s Value)| Branch {
        schema: Cow::Borrowed(schema),
        path: vec![keyword.to_owned(), index.to_string()],
    };
    schemas.iter().enumerate().map(branch).collect()
}

/// The alternatives of a schema that is nothing else. `oneOf` means the same as `anyOf` where no two of its
/// branches can accept the same instance.
fn only_alternatives<'s>(
    schema: &'s Map<String, Value>,
    document: &Document<'_>,
) -> Option<Vec<Branch<'s>>> {
    let asserting = |name: &&String| {
        !is_cosmetic(name) && !matches!(name.as_str(), "default" | "$defs" | "definitions")
    };
    let mut asserting = schema.keys().filter(asserting);
    let (keyword, None) = (asserting.next()?, asserting.next()) else {
        return None;
    };
    let schemas = schema.get(keyword)?.as_array()?;
    let means_any = keyword == "anyOf" || keyword == "oneOf" && all_apart(schemas, document);
    means_any.then(|| listed(keyword, schemas))
}

/// Any schema as alternatives: one for each type or value that it lists, or itself.
fn single(schema: &Map<String, Value>) -> Vec<Branch<'_>> {
    let with = |keyword: &str, other: &str, value: &Value| {
        let mut one = schema.clone();
        one.remove(other);
        one.insert(keyword.to_owned(), value.clone());
        Branch {
            schema: Cow::Owned(Value::Object(one)),
            path: Vec::new(),
        }
    };
    match (schema.get("type"), schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(types)), ..) => types
            .iter()
            .map(|name| with("type", "type", name))
            .collect(),
        (_, Some(Value::Array(values)), None) => values
            .iter()
            .map(|value| with("const", "enum", value))
            .collect(),
        _ => vec![Branch {
            schema: Cow::Owned(Value::Object(schema.clone())),
            path: Vec::new(),
        }],
    }
}

/// Most alternatives that are looked at two by two.
const MOST_APART: usize = 32;

fn all_apart(schemas: &[Value], document: &Document<'_>) -> bool {
    let later = |index: usize| schemas.get(index + 1..).unwrap_or_default();
    schemas.len() <= MOST_APART
        && schemas.iter().enumerate().all(|(index, one)| {
            later(index)
                .iter()
                .all(|other| apart(one, other, document, true))
        })
}

/// Whether no instance can be valid by both: other types, other values, or a property that both ask for
/// and that cannot be both.
fn apart(one: &Value, other: &Value, document: &Document<'_>, look_below: bool) -> bool {
    let (Some(one), Some(other)) = (followed(one, document), followed(other, document)) else {
        return false;
    };
    let types = Types::of(one) & Types::of(other);
    if types.is_empty() {
        return true;
    }
    if let (Some(one), Some(other)) = (one.get("const"), other.get("const"))
        && one.is_string()
        && other.is_string()
    {
        return one != other;
    }
    look_below
        && types.without(Types::OBJECT).is_empty()
        && asked_for(one).any(|name| {
            let both_ask = asked_for(other).any(|other| other == name);
            match (property(one, name), property(other, name)) {
                (Some(one), Some(other)) if both_ask => apart(one, other, document, false),
                _ => false,
            }
        })
}

fn followed<'s>(schema: &'s Value, document: &Document<'s>) -> Option<&'s Map<String, Value>> {
    match only_reference(schema) {
        Some(reference) => document.resolve(reference)?.schema.as_object(),
        None => schema.as_object(),
    }
}

fn property<'s>(schema: &'s Map<String, Value>, name: &str) -> Option<&'s Value> {
    schema.get("properties").and_then(|all| all.get(name))
}

fn asked_for(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}
