//! What a change of a tool's definition means for those who use the tool: computed, not promised.
//!
//! The direction matters. Arguments that the old input schema accepts must be accepted by the new one; results
//! that the new output schema accepts must be accepted by the old one. So widening an input and narrowing an
//! output are compatible, and the reverse is breaking. What cannot be decided counts as breaking.
//!
//! **The promise** (held by the tests in `law.rs`): where the input has no breaking change, the new schema accepts
//! every instance that the old one accepts, save one that gives a property which only the new schema
//! declares, where the old one neither declared nor explicitly allowed it (`additionalProperties` absent): a
//! caller who keeps to the declared names is not hurt by a new optional one. Where the output has no breaking
//! change, the old schema accepts every instance that the new one accepts, without exception.
//!
//! **Bounded.** A comparison spends at most a fixed number of steps; what is left after that is undecidable.
//!
//! Reading order: [`change`], then `walk.rs`, which compares two schemas keyword by keyword with `object.rs`,
//! `array.rs`, `value.rs`, `logic.rs` and `notes.rs`; `place.rs` is where it stands, and `document.rs` resolves
//! references and knows what is equal.

mod annotations;
mod array;
mod change;
mod document;
#[cfg(test)]
mod law;
mod logic;
mod notes;
mod object;
mod place;
#[cfg(test)]
mod rules;
mod types;
mod value;
mod walk;

pub use change::{Change, ChangeKind, Comparison, MOST_CHANGES, Part, Reason, Verdict};

use crate::schema::{Dialect, check};
use crate::tool::ToolDefinition;
use document::Pair;
use serde_json::{Value, json};
use walk::{Direction, Walk};

/// What differs between two definitions of one tool, from the old to the new.
#[must_use]
pub fn compare(old: &ToolDefinition, new: &ToolDefinition) -> Comparison {
    let mut changes = Vec::new();
    if old.description != new.description {
        changes.push(Change {
            part: Part::Description,
            path: String::new(),
            kind: ChangeKind::Cosmetic,
            reason: Reason::DescriptionChanged,
            message: "the description reads differently".to_owned(),
        });
    }
    let input = (old.input_schema.as_ref(), new.input_schema.as_ref());
    let output = (old.output_schema.as_ref(), new.output_schema.as_ref());
    changes.extend(schemas(Direction::Input, input));
    changes.extend(schemas(Direction::Output, output));
    changes.extend(annotations::compare(
        old.annotations.as_ref(),
        new.annotations.as_ref(),
    ));
    Comparison { changes }
}

/// The changes of one schema. An absent one accepts every object, because arguments and structured
/// results are objects (MCP specification 2025-11-25).
fn schemas(direction: Direction, (old, new): (Option<&Value>, Option<&Value>)) -> Vec<Change> {
    if old == new {
        return Vec::new();
    }
    let anything = json!({ "type": "object" });
    let changes = documents(
        direction,
        old.unwrap_or(&anything),
        new.unwrap_or(&anything),
    );
    let (reason, what) = match (old, new) {
        (Some(_), Some(_)) | (None, None) => return changes,
        (None, Some(_)) => (Reason::SchemaAdded, "there was no schema, and there is one"),
        (Some(_), None) => (Reason::SchemaRemoved, "there is no schema any more"),
    };
    // One change instead of one for each keyword: nothing was promised in detail on one of the sides.
    let kind = changes.iter().map(|change| change.kind).max();
    vec![Change {
        part: direction.part(),
        path: String::new(),
        kind: kind.unwrap_or(ChangeKind::Cosmetic),
        reason,
        message: what.to_owned(),
    }]
}

fn documents(direction: Direction, old: &Value, new: &Value) -> Vec<Change> {
    let (Ok(old_dialect), Ok(new_dialect)) = (check(old), check(new)) else {
        return undecidable(
            direction,
            "one of the schemas is no JSON Schema that stands for itself",
        );
    };
    // A whole number such as 1.0 is no integer by draft 4, and is one since.
    let draft4 = |dialect| dialect == Dialect::Draft4;
    if draft4(old_dialect) != draft4(new_dialect) {
        return undecidable(
            direction,
            "one of the schemas is of draft 4, the other is newer",
        );
    }
    let (modern_old, modern_new) = (old_dialect.modern(old), new_dialect.modern(new));
    let pair = Pair::new(&modern_old, &modern_new);
    Walk::new(direction, &pair).changes()
}

fn undecidable(direction: Direction, why: &str) -> Vec<Change> {
    vec![Change {
        part: direction.part(),
        path: String::new(),
        kind: ChangeKind::Breaking,
        reason: Reason::Undecidable,
        message: why.to_owned(),
    }]
}
