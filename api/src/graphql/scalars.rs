//! Scalars of our own.

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, InputValueError, InputValueResult, Number, OutputType, Positioned, Scalar,
    ScalarType, ServerResult, Value,
};
use chrono::NaiveDate;
use projections::catalog::StoredJson;
use std::borrow::Cow;
use uuid::Uuid;

/// Largest whole number that every JSON reader keeps exactly (RFC 8259 section 6).
const MAX_EXACT: u64 = (1 << 53) - 1;

/// A position in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence(pub(super) u64);

/// The position of a commit in the log: a whole number below 2^53. A mutation answers with the one of
/// its commit; a query that is given it as `minSequence` waits until it can see that commit.
#[Scalar(name = "Sequence")]
impl ScalarType for Sequence {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => match number.as_u64() {
                Some(position) if position <= MAX_EXACT => Ok(Self(position)),
                _ => Err(InputValueError::custom(
                    "it is not a whole number from 0 to 2^53 - 1",
                )),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::Number(number) if number.as_u64().is_some_and(|n| n <= MAX_EXACT))
    }

    fn to_value(&self) -> Value {
        Value::Number(Number::from(self.0))
    }
}

/// An id that the caller chose for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UuidScalar(pub(super) Uuid);

/// A UUID (RFC 9562), such as `0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e`.
#[Scalar(
    name = "UUID",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc9562"
)]
impl ScalarType for UuidScalar {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(Uuid::try_parse(text)?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if Uuid::try_parse(text).is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(pub(super) NaiveDate);

/// ISO 8601 calendar date without timezone.
/// Format: %Y-%m-%d
///
/// # Examples
///
/// * `1994-11-13`
/// * `2000-02-24`
#[Scalar(name = "NaiveDate")]
impl ScalarType for Day {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => {
                let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d");
                let wrong = "write the day as YYYY-MM-DD, such as 2027-01-31";
                day.map(Self).map_err(|_| InputValueError::custom(wrong))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// A stored document as the scalar `JSON`: read straight into an answer's own form.
pub(super) struct StoredSchema<'a>(pub(super) &'a StoredJson);

impl OutputType for StoredSchema<'_> {
    fn type_name() -> Cow<'static, str> {
        <serde_json::Value as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <serde_json::Value as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(self.0.read())
    }
}
