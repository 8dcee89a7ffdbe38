//! References that never come to an end.
//!
//! What a reference leads to applies to the same part of an instance, and so does what stands below `allOf` and its
//! like. A chain of such steps that comes back to where it began runs for ever (JSON Schema 2020-12, core, section
//! 9.4.1). One that goes through `properties` or `items` goes on to a smaller part, and ends with the instance.

use super::Dialect;
use super::keywords::each_under;
use super::links::{Links, Target};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The keywords that refer, in one draft or another.
pub(super) const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// A reference: the schema that says it, and the keyword.
type Reference<'a> = (&'a Value, &'static str);

/// A step from one schema to another for the same part of an instance.
struct Step<'a> {
    /// The reference; none where the other schema stands below the one before.
    by: Option<Reference<'a>>,
    to: &'a Value,
}

/// A schema on the way, and the steps from it that are still to be taken.
struct Visit<'a> {
    schema: &'a Value,
    by: Option<Reference<'a>>,
    onward: std::vec::IntoIter<Step<'a>>,
}

/// How far the search has come with a schema.
#[derive(Clone, Copy)]
enum State {
    OnTheWay,
    Ends,
}

/// The schemas that were seen, by their addresses.
type Seen = BTreeMap<*const Value, State>;

/// A reference that never ends, if there is one. Every chain without an end has a reference in it, so the search
/// begins at those that refer.
pub(super) fn endless<'a>(
    links: &Links<'a>,
    dialect: Dialect,
    referring: &[&'a Value],
) -> Option<Reference<'a>> {
    let mut seen = Seen::new();
    let mut starts = referring.iter().copied();
    starts.find_map(|start| search(links, dialect, start, &mut seen))
}

/// Goes on from a schema, depth first. The way is a list and no recursion, because a chain may be long.
fn search<'a>(
    links: &Links<'a>,
    dialect: Dialect,
    start: &'a Value,
    seen: &mut Seen,
) -> Option<Reference<'a>> {
    let visit = |Step { by, to }: Step<'a>| Visit {
        schema: to,
        by,
        onward: steps(links, dialect, to).into_iter(),
    };
    if seen.contains_key(&std::ptr::from_ref(start)) {
        return None;
    }
    seen.insert(start, State::OnTheWay);
    let mut way = vec![visit(Step {
        by: None,
        to: start,
    })];
    while let Some(last) = way.last_mut() {
        let Some(step) = last.onward.next() else {
            seen.insert(last.schema, State::Ends);
            way.pop();
            continue;
        };
        match seen.get(&std::ptr::from_ref(step.to)).copied() {
            Some(State::Ends) => {}
            // The circle is closed; the last reference before this is part of it.
            Some(State::OnTheWay) => {
                let before = way.iter().rev().find_map(|visit| visit.by);
                return step.by.or(before);
            }
            None => {
                seen.insert(step.to, State::OnTheWay);
                way.push(visit(step));
            }
        }
    }
    None
}

fn steps<'a>(links: &Links<'a>, dialect: Dialect, from: &'a Value) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let Value::Object(members) = from else {
        return steps;
    };
    for keyword in REFERENCES {
        let reference = members.get(keyword).and_then(Value::as_str);
        if let Some(reference) = reference.filter(|_| refers(dialect, keyword))
            && let Target::Schema(to) = links.target(reference)
        {
            let by = Some((from, keyword));
            steps.push(Step { by, to });
        }
    }
    // Up to draft 7, what stands beside a reference is ignored.
    if dialect <= Dialect::Draft7 && members.contains_key("$ref") {
        return steps;
    }
    each_under(members, &mut |keyword, to| {
        if applies_here(dialect, keyword, members) {
            steps.push(Step { by: None, to });
        }
    });
    steps
}

/// Whether the keyword is a reference in the draft.
fn refers(dialect: Dialect, keyword: &str) -> bool {
    match keyword {
        "$dynamicRef" => dialect == Dialect::Draft202012,
        "$recursiveRef" => dialect == Dialect::Draft201909,
        _ => true,
    }
}

/// Whether what stands under the keyword is about the same part of an instance as the schema around it.
fn applies_here(dialect: Dialect, keyword: &str, around: &Map<String, Value>) -> bool {
    match keyword {
        // Validators apply `dependencies` in every draft, though the newer ones do not have it any more.
        "allOf" | "anyOf" | "oneOf" | "not" | "dependencies" => true,
        "if" | "dependentSchemas" => dialect.knows(keyword),
        "then" | "else" => dialect.knows(keyword) && around.contains_key("if"),
        _ => false,
    }
}
