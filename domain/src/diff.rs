//! What differs between two JSON documents, field by field.
//!
//! A place is a JSON Pointer (RFC 6901). Objects are compared member by member. Lists whose items have
//! fields are compared item by item while they are of one length; any other list is one value, because a
//! tag that is put in front has not changed all the others.

use serde_json::Value;
use std::collections::BTreeSet;

/// Changes that are told one by one; above that, whole members of the document are compared.
pub const MOST_CHANGES: usize = 200;

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where: a JSON Pointer.
    pub path: String,
    /// What stood there; none when there was nothing.
    pub before: Option<Value>,
    /// What stands there now; none when there is nothing.
    pub after: Option<Value>,
}

/// The differences between two documents, in the order of their places.
#[must_use]
pub fn diff(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", before, after, usize::MAX, &mut changes);
    if changes.len() > MOST_CHANGES {
        changes.clear();
        compare("", before, after, 1, &mut changes);
    }
    changes
}

fn compare(path: &str, before: &Value, after: &Value, depth: usize, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if depth > 0 => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = format!("{path}/{}", escaped(name));
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => compare(&path, old, new, depth - 1, changes),
                    (old, new) => changes.push(Change {
                        path,
                        before: old.cloned(),
                        after: new.cloned(),
                    }),
                }
            }
        }
        (Value::Array(old), Value::Array(new))
            if depth > 0 && old.len() == new.len() && old.iter().chain(new).all(has_fields) =>
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}/{index}"), old, new, depth - 1, changes);
            }
        }
        _ => changes.push(Change {
            path: path.to_owned(),
            before: Some(before.clone()),
            after: Some(after.clone()),
        }),
    }
}

fn has_fields(item: &Value) -> bool {
    item.is_object() || item.is_array()
}

/// A member's name as a reference token (RFC 6901 section 3).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(before: &Value, after: &Value) -> Vec<(String, Value, Value)> {
        let flat = |change: Change| {
            let (before, after) = (change.before, change.after);
            (
                change.path,
                before.unwrap_or_else(|| json!("-")),
                after.unwrap_or_else(|| json!("-")),
            )
        };
        diff(before, after).into_iter().map(flat).collect()
    }

    #[test]
    fn equal_documents_do_not_differ() {
        let document = json!({ "a": [1, { "b": null }] });
        assert_eq!(diff(&document, &document), []);
    }

    #[test]
    fn members_are_added_removed_and_changed() {
        assert_eq!(
            told(
                &json!({ "a": 1, "b": { "c": 1, "d": 2 }, "e": 5 }),
                &json!({ "a": 1, "b": { "c": 9, "d": 2 }, "f": null })
            ),
            [
                ("/b/c".to_owned(), json!(1), json!(9)),
                ("/e".to_owned(), json!(5), json!("-")),
                ("/f".to_owned(), json!("-"), json!(null)),
            ]
        );
    }

    #[test]
    fn lists_of_values_are_one_value_and_lists_of_objects_are_not() {
        assert_eq!(
            told(
                &json!({ "tags": ["a"], "any": [{ "t": 1 }, { "t": 2 }] }),
                &json!({ "tags": ["b", "a"], "any": [{ "t": 1 }, { "t": 3 }] })
            ),
            [
                ("/any/1/t".to_owned(), json!(2), json!(3)),
                ("/tags".to_owned(), json!(["a"]), json!(["b", "a"])),
            ]
        );
    }

    #[test]
    fn names_are_escaped_as_the_standard_says() {
        let changes = diff(&json!({ "a/b~c": 1, "": 1 }), &json!({ "a/b~c": 2, "": 2 }));
        let paths: Vec<_> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["/", "/a~1b~0c"]);
        let document = json!({ "a/b~c": 2, "": 2 });
        for change in &changes {
            assert_eq!(document.pointer(&change.path), change.after.as_ref());
        }
    }

    #[test]
    fn very_many_changes_are_told_by_member() {
        let many = |offset: usize| {
            let fields: serde_json::Map<String, Value> = (0..=MOST_CHANGES)
                .map(|n| (n.to_string(), json!(n + offset)))
                .collect();
            json!({ "schema": fields, "name": "x" })
        };
        let changes = diff(&many(0), &many(1));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].path, "/schema");
    }

    /// The law: whoever applies the changes to the old document has the new one.
    #[test]
    fn the_changes_lead_from_one_document_to_the_other() {
        let before = json!({ "a": { "b": [1, 2], "c": { "d": "x" } }, "e": true });
        let after = json!({ "a": { "b": [2, 1], "c": { "d": "y", "f": {} } }, "g": [] });
        let mut document = before.clone();
        for change in diff(&before, &after) {
            let (parent, name) = change.path.rsplit_once('/').unwrap();
            let object = document
                .pointer_mut(parent)
                .unwrap()
                .as_object_mut()
                .unwrap();
            match change.after {
                Some(value) => drop(object.insert(name.to_owned(), value)),
                None => drop(object.remove(name)),
            }
        }
        assert_eq!(document, after);
    }
}
