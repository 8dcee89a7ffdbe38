//! The operations of a document, path by path.

use super::document::{Dialect, Document, member};
use super::operation::Operation;
use crate::plan::Problem;
use reqwest::Method;
use serde_json::Value;

/// The methods that a path has a field for, in the order of their tools.
pub(super) const METHODS: [&str; 9] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", QUERY,
];
/// The one that came with OpenAPI 3.2.
const QUERY: &str = "query";
/// The field of all other methods, since OpenAPI 3.2.
const ADDITIONAL: &str = "additionalOperations";

/// All operations, or what is wrong with their paths.
pub(super) fn operations(document: &Document) -> Result<Vec<Operation<'_>>, Vec<Problem>> {
    let paths = document.get(&["paths"]).and_then(Value::as_object);
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (path, item) in paths.into_iter().flatten() {
        if path.starts_with("x-") {
            continue;
        }
        match document.follow(item, &member("/paths", path)) {
            Ok((value, place)) => {
                let item = Item { path, value, place };
                for operation in item.operations(document.dialect) {
                    match operation {
                        Ok(operation) => found.push(operation),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if found.is_empty() && problems.is_empty() {
        let message = "the document has no operations: there is nothing to register";
        problems.push(Problem::new("/paths", "NO_OPERATIONS", message));
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

/// One path, and where its operations stand.
struct Item<'d> {
    path: &'d str,
    value: &'d Value,
    place: String,
}

impl<'d> Item<'d> {
    fn operations(&self, dialect: Dialect) -> Vec<Result<Operation<'d>, Problem>> {
        let mut found = Vec::new();
        for method in METHODS {
            if method == QUERY && dialect != Dialect::V32 {
                continue;
            }
            if let Some(value) = self.value.get(method).filter(|value| value.is_object()) {
                let place = member(&self.place, method);
                found.push(Ok(self.operation(method, value, place)));
            }
        }
        if dialect == Dialect::V32 {
            self.additional(&mut found);
        }
        found
    }

    /// The operations of methods that have no field.
    fn additional(&self, found: &mut Vec<Result<Operation<'d>, Problem>>) {
        let all = self.value.get(ADDITIONAL).and_then(Value::as_object);
        let at = member(&self.place, ADDITIONAL);
        for (method, value) in all.into_iter().flatten() {
            if value.is_object() {
                let place = member(&at, method);
                let checked = check_method(method, &place);
                found.push(checked.map(|()| self.operation(method, value, place)));
            }
        }
    }

    fn operation(&self, method: &'d str, value: &'d Value, place: String) -> Operation<'d> {
        Operation {
            path: self.path.to_owned(),
            method,
            item: self.value,
            item_place: self.place.clone(),
            value,
            place,
        }
    }
}

/// A method is a token (RFC 9110 section 9.1), and one that has a field stands there (OpenAPI 3.2, "Path Item
/// Object").
fn check_method(method: &str, place: &str) -> Result<(), Problem> {
    let field = METHODS
        .iter()
        .find(|field| field.eq_ignore_ascii_case(method));
    let message = if let Some(field) = field {
        format!("`{method}` has a field of its own: give the operation as `{field}` of the path")
    } else if Method::from_bytes(method.as_bytes()).is_err() {
        format!("`{method}` is no HTTP method: use letters, digits, `-` and `_`")
    } else {
        return Ok(());
    };
    Err(Problem::new(place, "INVALID_METHOD", message))
}
