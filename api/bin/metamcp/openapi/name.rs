//! Names of tools and servers, from what a document calls its operations and itself.

use domain::id::MAX_SLUG;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Longest name without a suffix; MCP clients show names whole.
const MAX_NAME: usize = 64;

/// What is known of an operation's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    /// The path of the operation.
    pub(super) path: String,
    /// Its method as the document gives it: in lower case where it is a field of the path.
    pub(super) method: String,
    /// What the document calls it.
    pub(super) operation_id: Option<String>,
}

/// The name of each operation, in their order. A name that several have goes to the one that has it word for
/// word, else to the first by path and method; the others get a suffix that follows from path and method, so that
/// it stays when operations come, go or move.
pub(super) fn names(operations: &[Named]) -> Vec<String> {
    let mut wanting: BTreeMap<String, Vec<&Named>> = BTreeMap::new();
    for operation in operations {
        wanting.entry(wish(operation)).or_default().push(operation);
    }
    for (name, all) in &mut wanting {
        all.sort_by_key(|named| (named.operation_id.as_ref() != Some(name), *named));
    }
    let name = |operation: &Named| {
        let wish = wish(operation);
        match wanting[&wish].first() {
            Some(first) if *first == operation => wish,
            _ => format!("{wish}_{}", suffix(operation)),
        }
    };
    operations.iter().map(name).collect()
}

/// A slug made of a title; none when nothing of it is left.
pub(super) fn slug(title: &str) -> Option<String> {
    let lower = title.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("-").chars().take(MAX_SLUG).collect();
    let slug = slug.trim_end_matches('-').to_owned();
    (!slug.is_empty()).then_some(slug)
}

fn wish(operation: &Named) -> String {
    let Named {
        path,
        method,
        operation_id,
    } = operation;
    let named = operation_id.as_deref().map(valid);
    let named = named.filter(|name| !name.is_empty());
    named.unwrap_or_else(|| valid(&format!("{} {path}", method.to_lowercase())))
}

/// Letters, digits, `_`, `-` and `.`; a run of anything else is one `_`.
fn valid(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') => name.push(c),
            _ if !name.ends_with('_') => name.push('_'),
            _ => {}
        }
    }
    let name = name.trim_matches('_');
    let end = name.char_indices().nth(MAX_NAME);
    name[..end.map_or(name.len(), |(at, _)| at)]
        .trim_end_matches('_')
        .to_owned()
}

fn suffix(operation: &Named) -> String {
    let whole = format!("{} {}", operation.method, operation.path);
    Sha256::digest(whole)[..4]
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(method: &str, path: &str, id: Option<&str>) -> Named {
        Named {
            path: path.to_owned(),
            method: method.to_owned(),
            operation_id: id.map(str::to_owned),
        }
    }

    #[test]
    fn a_name_is_made_valid_or_made_of_method_and_path() {
        let found = names(&[
            named("get", "/a", Some("list pets (all)")),
            named("get", "/pets/{petId}/toys", None),
            named("put", "/b", Some("日本")),
            named("get", "/c", Some(&"x".repeat(100))),
        ]);
        let long = "x".repeat(MAX_NAME);
        assert_eq!(
            found,
            ["list_pets_all", "get_pets_petId_toys", "put_b", &long]
        );
    }

    #[test]
    fn a_suffix_stays_when_operations_move() {
        let operations = [
            named("get", "/b", Some("list pets")),
            named("get", "/a", Some("list_pets")),
            named("get", "/c", Some("list.pets")),
            named("post", "/b", Some("list pets")),
        ];
        let found = names(&operations);
        assert_eq!((&*found[1], &*found[2]), ("list_pets", "list.pets"));
        assert!(found[0].starts_with("list_pets_") && found[3].starts_with("list_pets_"));
        assert_ne!(found[0], found[3]);
        let mut turned = operations.to_vec();
        turned.reverse();
        let mut again = names(&turned);
        again.reverse();
        assert_eq!(again, found);
    }

    #[test]
    fn a_slug_is_made_of_a_title() {
        assert_eq!(
            slug("Swagger Petstore – v1.0").as_deref(),
            Some("swagger-petstore-v1-0")
        );
        assert_eq!(slug("日本"), None);
    }
}
