//! Where a failed field's null belongs (GraphQL specification, October 2021, section 6.4.4).
//!
//! async-graphql leaves a failed field out of its object. The specification wants null there, or, for a
//! field that is declared never null, in the nearest place above that may be null. In this schema such
//! places are the fields of the roots and, in the payload of a mutation, the changed object: so an error
//! below that object leaves the payload its `sequence`. (Another field that may fail and may be null says so
//! with `Option<Result<…>>`, which the library answers with null by itself.)

use async_graphql::{Name, PathSegment, Response, Value};
use std::collections::VecDeque;

/// Puts the nulls of a response's errors where they belong.
pub(super) fn settle(response: &mut Response, is_mutation: bool) {
    for error in &response.errors {
        let Some(PathSegment::Field(root)) = error.path.first() else {
            continue;
        };
        if response.data == Value::Null {
            response.data = Value::Object([].into_iter().collect());
        }
        let Value::Object(data) = &mut response.data else {
            continue;
        };
        let place = data.entry(Name::new(root)).or_insert(Value::Null);
        let below: VecDeque<_> = error.path.iter().skip(1).collect();
        if is_there(place, &below) {
            continue;
        }
        match (place, below.front()) {
            (Value::Object(payload), Some(PathSegment::Field(object)))
                if is_mutation && below.len() > 1 =>
            {
                payload.insert(Name::new(object), Value::Null);
            }
            (place, _) => *place = Value::Null,
        }
    }
}

/// Whether a path ends in a value, be it null.
fn is_there(mut value: &Value, path: &VecDeque<&PathSegment>) -> bool {
    for segment in path {
        let next = match (value, segment) {
            (Value::Object(object), PathSegment::Field(field)) => object.get(field.as_str()),
            (Value::List(list), PathSegment::Index(index)) => list.get(*index),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;
    use async_graphql::{EmptySubscription, Object, Schema, SimpleObject};
    use serde_json::json;

    struct Item(i32);

    #[Object]
    impl Item {
        async fn name(&self) -> i32 {
            self.0
        }
        async fn server(&self) -> Result<i32, ApiError> {
            if self.0 > 1 {
                Err(ApiError::NotFound)
            } else {
                Ok(self.0)
            }
        }
        async fn maybe(&self) -> Option<Result<i32, ApiError>> {
            Some(Err(ApiError::NotFound))
        }
    }

    #[derive(SimpleObject)]
    struct Payload {
        item: Option<Item>,
        sequence: i32,
    }

    struct Root;

    #[Object]
    impl Root {
        async fn fails(&self) -> Result<Option<i32>, ApiError> {
            Err(ApiError::NotFound)
        }
        async fn items(&self) -> Result<Option<Vec<Item>>, ApiError> {
            Ok(Some(vec![Item(1), Item(2)]))
        }
        async fn change(&self) -> Result<Option<Payload>, ApiError> {
            Ok(Some(Payload {
                item: Some(Item(2)),
                sequence: 7,
            }))
        }
    }

    async fn data(source: &str, is_mutation: bool) -> serde_json::Value {
        let mut response = Schema::new(Root, Root, EmptySubscription)
            .execute(source)
            .await;
        assert!(!response.is_ok(), "{source}");
        settle(&mut response, is_mutation);
        response.data.into_json().unwrap()
    }

    #[tokio::test]
    async fn a_failed_root_field_is_null_and_the_others_stay() {
        assert_eq!(data("{ fails }", false).await, json!({ "fails": null }));
        assert_eq!(
            data("{ a: fails b: fails items { name } }", false).await,
            json!({ "a": null, "b": null, "items": [{ "name": 1 }, { "name": 2 }] })
        );
    }

    #[tokio::test]
    async fn a_field_that_is_never_null_takes_its_root_field_with_it() {
        let other = json!([{ "name": 1 }, { "name": 2 }]);
        for fields in ["name server", "server"] {
            let source = format!("{{ items {{ {fields} }} other: items {{ name }} }}");
            let expected = json!({ "items": null, "other": other });
            assert_eq!(data(&source, false).await, expected, "{fields}");
        }
    }

    #[tokio::test]
    async fn a_field_that_may_be_null_is_null_itself() {
        assert_eq!(
            data("{ items { name maybe } }", false).await,
            json!({ "items": [{ "name": 1, "maybe": null }, { "name": 2, "maybe": null }] })
        );
    }

    #[tokio::test]
    async fn a_mutation_keeps_its_sequence() {
        assert_eq!(
            data(
                "mutation { change { sequence item { name server } } fails }",
                true
            )
            .await,
            json!({ "change": { "sequence": 7, "item": null }, "fails": null })
        );
    }
}
