//! Compares two schemas keyword by keyword.
//!
//! A schema is a conjunction of its keywords, so one schema lies within another as soon as each keyword (or
//! group of keywords that speak together) of the wider one follows from the narrower one. That is sound, not complete:
//! where it does not find the inclusion, the change counts as breaking. `not` turns the direction.

use super::change::{Change, ChangeKind, MOST_CHANGES, Part, Reason};
use super::document::{Equality, Pair, Target, only_reference};
use super::place::{Place, Sides};
use super::types::Types;
use crate::schema::keywords::position;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How deep schemas are compared.
const MAX_DEPTH: usize = 64;
/// Steps that a trial, and each change that is found, count for: they cost more than a look at a value.
const COSTLY: usize = 16;
/// Longest quotation in a message, in characters.
const MAX_QUOTED: usize = 60;

/// Which schema must lie within the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// The old within the new.
    Input,
    /// The new within the old.
    Output,
}

impl Direction {
    pub(super) fn part(self) -> Part {
        match self {
            Self::Input => Part::InputSchema,
            Self::Output => Part::OutputSchema,
        }
    }
}

/// What a change does to the instances that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Neutral,
    /// More are accepted.
    Wider,
    /// Fewer are accepted.
    Narrower,
    /// Fewer, and only such that use a name nobody had declared.
    NewName,
    /// Some more and some fewer, or nobody knows.
    Different,
}

/// A comparison under way.
pub(super) struct Walk<'a> {
    pub(super) direction: Direction,
    pub(super) pair: &'a Pair<'a>,
    found: Vec<Change>,
    /// Pairs of referenced schemas that are compared already, or just being compared: a recursive schema
    /// is compatible when nothing on the way around says otherwise.
    seen: BTreeSet<(String, String, bool, bool)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(direction: Direction, pair: &'a Pair<'a>) -> Self {
        Self {
            direction,
            pair,
            found: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    /// All changes.
    pub(super) fn changes(mut self) -> Vec<Change> {
        let root = Place {
            path: String::new(),
            flipped: false,
            beside: false,
            types: Types::OBJECT,
            depth: 0,
        };
        self.schema(self.pair.old.root, self.pair.new.root, &root);
        if self.pair.is_spent() {
            self.undecidable(&root, &[], "the schemas are too large to compare");
        }
        if self.found.is_empty() {
            let message = "it is written differently and accepts the same".to_owned();
            self.push(
                &root,
                &[],
                ChangeKind::Cosmetic,
                Reason::AnnotationChanged,
                message,
            );
        }
        self.found
    }

    /// Compares two schemas.
    pub(super) fn schema(&mut self, old: &Value, new: &Value, place: &Place) {
        if !self.pair.spend(1) {
            return;
        }
        if place.depth > MAX_DEPTH {
            return self.undecidable(place, &[], "it is nested too deeply to compare");
        }
        if self.pair.equal(old, new, Equality::Exact) {
            return;
        }
        if only_reference(old).is_some() || only_reference(new).is_some() {
            return self.referenced(old, new, place);
        }
        let empty = Map::new();
        let never = Value::Bool(false);
        match (old, new) {
            (old, _) if *old == never => {
                self.emit(
                    place,
                    &[],
                    Effect::Wider,
                    Reason::AcceptsMore,
                    "nothing was accepted here",
                );
            }
            (_, new) if *new == never => {
                self.emit(
                    place,
                    &[],
                    Effect::Narrower,
                    Reason::AcceptsLess,
                    "nothing is accepted here any more",
                );
            }
            (old, new) => {
                let (old, new) = (old.as_object(), new.as_object());
                self.keywords(old.unwrap_or(&empty), new.unwrap_or(&empty), place);
            }
        }
    }

    /// The kind of the worst change between two schemas, without taking note of the changes.
    pub(super) fn trial(&mut self, old: &Value, new: &Value, place: &Place) -> Option<ChangeKind> {
        if !self.pair.spend(COSTLY) {
            return Some(ChangeKind::Breaking);
        }
        let found = std::mem::take(&mut self.found);
        let seen = self.seen.clone();
        self.schema(old, new, place);
        self.seen = seen;
        let tried = std::mem::replace(&mut self.found, found);
        if self.pair.is_spent() {
            return Some(ChangeKind::Breaking);
        }
        tried.iter().map(|change| change.kind).max()
    }

    /// Whether the old side must lie within the new one here.
    pub(super) fn old_within_new(&self, place: &Place) -> bool {
        (self.direction == Direction::Input) != place.flipped
    }

    /// Whether keywords about these types say anything about the instances that must stay accepted.
    pub(super) fn concerns(&self, sides: &Sides<'_>, types: Types, place: &Place) -> bool {
        let needed = if self.old_within_new(place) {
            sides.old_types
        } else {
            sides.new_types
        };
        !(needed & types).is_empty()
    }

    /// Takes note of a change by its effect.
    pub(super) fn emit(
        &mut self,
        place: &Place,
        tokens: &[&str],
        effect: Effect,
        reason: Reason,
        message: impl Into<String>,
    ) {
        let kind = match (effect, self.old_within_new(place)) {
            (Effect::Different, _) | (Effect::Narrower, true) | (Effect::Wider, false) => {
                ChangeKind::Breaking
            }
            (Effect::NewName, true) if place.flipped => ChangeKind::Breaking,
            (Effect::Neutral | Effect::NewName, _)
            | (Effect::Narrower, false)
            | (Effect::Wider, true) => ChangeKind::Compatible,
        };
        self.push(place, tokens, kind, reason, message.into());
    }

    /// Takes note of a change that nobody can judge.
    pub(super) fn undecidable(&mut self, place: &Place, tokens: &[&str], why: &str) {
        self.emit(place, tokens, Effect::Different, Reason::Undecidable, why);
    }

    /// Takes note of a change.
    pub(super) fn push(
        &mut self,
        place: &Place,
        tokens: &[&str],
        kind: ChangeKind,
        reason: Reason,
        message: String,
    ) {
        let change = Change {
            part: self.direction.part(),
            path: place.at(tokens),
            kind,
            reason,
            message,
        };
        self.pair.spend(COSTLY);
        if self.found.contains(&change) {
            return;
        }
        if self.found.len() < MOST_CHANGES {
            self.found.push(change);
        } else if let Some(last) = self.found.last_mut()
            && last.kind < kind
        {
            // The verdict is the worst of all changes, also of those that are not told.
            *last = change;
        }
    }

    fn referenced(&mut self, old: &Value, new: &Value, place: &Place) {
        let pair = self.pair;
        let old_target = only_reference(old).map(|reference| pair.old.resolve(reference));
        let new_target = only_reference(new).map(|reference| pair.new.resolve(reference));
        if matches!(old_target, Some(None)) || matches!(new_target, Some(None)) {
            return self.undecidable(place, &["$ref"], "the reference cannot be followed");
        }
        let (old_target, new_target) = (old_target.flatten(), new_target.flatten());
        let schema_of = |target: &Option<Target<'a>>| target.as_ref().map(|target| target.schema);
        let old_schema = schema_of(&old_target).unwrap_or(old);
        let new_schema = schema_of(&new_target).unwrap_or(new);
        let mut place = place.clone();
        place.depth += 1;
        if let Some(Target {
            pointer: Some(pointer),
            ..
        }) = new_target
        {
            place.path = pointer;
        }
        if let (Some(old), Some(new)) = (only_reference(old), only_reference(new)) {
            let at_root = place.types == Types::OBJECT;
            let pair = (old.to_owned(), new.to_owned(), place.flipped, at_root);
            if !self.seen.insert(pair) {
                return;
            }
        }
        self.schema(old_schema, new_schema, &place);
    }

    fn keywords(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, place: &Place) {
        let own = |(keyword, value): &(&String, &Value)| position(keyword, value).is_none();
        let values = old.iter().chain(new).filter(own).map(|(_, value)| value);
        if !values.into_iter().all(|value| self.pair.spend_on(value)) {
            return;
        }
        self.notes(old, new, place);
        if self.lifted_alternatives(old, new, place) {
            return;
        }
        let sides = Sides {
            old,
            new,
            old_types: Types::of(old) & place.types,
            new_types: Types::of(new) & place.types,
        };
        self.types(&sides, place);
        self.listed_values(&sides, place);
        if self.concerns(&sides, Types::NUMBER, place) {
            self.numbers(&sides, place);
        }
        if self.concerns(&sides, Types::STRING, place) {
            self.strings(&sides, place);
        }
        if self.concerns(&sides, Types::ARRAY, place) {
            self.arrays(&sides, place);
        }
        if self.concerns(&sides, Types::OBJECT, place) {
            self.objects(&sides, place);
        }
        self.logic(&sides, place);
    }

    fn types(&mut self, sides: &Sides<'_>, place: &Place) {
        let (old, new) = sides.get("type");
        if old == new {
            return;
        }
        let fewer = sides.old_types.without(Types::named_by(new));
        let more = sides.new_types.without(Types::named_by(old));
        let (effect, reason, message) = match (fewer.is_empty(), more.is_empty()) {
            (true, true) => return,
            (true, false) => {
                let message = format!("{} is accepted as well", more.names());
                (Effect::Wider, Reason::TypeWidened, message)
            }
            (false, true) => {
                let message = format!("{} is no longer accepted", fewer.names());
                (Effect::Narrower, Reason::TypeNarrowed, message)
            }
            (false, false) => {
                let message = format!(
                    "{} is no longer accepted, {} is instead",
                    fewer.names(),
                    more.names()
                );
                (Effect::Different, Reason::TypeChanged, message)
            }
        };
        self.emit(place, &["type"], effect, reason, message);
    }
}

/// A stranger's text, short enough for a message.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(MAX_QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}
