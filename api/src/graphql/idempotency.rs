//! The HTTP header `Idempotency-Key`: another way to give a request's one mutation its `commandId`, for clients and
//! libraries that send the header of themselves. Queries change nothing, so the header says nothing to them.

use crate::error::ApiError;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::{Name, Positioned, Request, Value};
use axum::http::HeaderMap;
use uuid::Uuid;

const HEADER: &str = "idempotency-key";
const ARGUMENT: &str = "commandId";
/// The header is no UUID, or the request is none that it can be the command id of.
const INVALID: &str = "INVALID_IDEMPOTENCY_KEY";

/// Writes the header into the parsed document, as the mutation's `commandId`. True when it did: then the
/// document is another one than that of the body, and has to be validated.
///
/// # Errors
/// [`ApiError::Invalid`] with `INVALID_IDEMPOTENCY_KEY`.
pub(super) fn apply(headers: &HeaderMap, request: &mut Request) -> Result<bool, ApiError> {
    if !headers.contains_key(HEADER) {
        return Ok(false);
    }
    let wanted = request.operation_name.clone();
    // A document that cannot be parsed was refused before.
    let Ok(mut document) = request.parsed_query().cloned() else {
        return Ok(false);
    };
    let operation = meant(&mut document, wanted.as_deref());
    let Some(operation) = operation.filter(|one| one.ty == OperationType::Mutation) else {
        return Ok(false);
    };
    let key = key(headers)?;
    let [
        Positioned {
            node: Selection::Field(field),
            ..
        },
    ] = operation.selection_set.node.items.as_mut_slice()
    else {
        return refused(
            "it is the id of one command: send one mutation a request, or give each its `commandId`",
        );
    };
    let arguments = &mut field.node.arguments;
    if arguments.iter().any(|(name, _)| name.node == ARGUMENT) {
        return refused("the mutation has a `commandId` of its own: leave one of the two out");
    }
    let value = Value::String(key.to_string()).into_value();
    let at = field.pos;
    arguments.push((
        Positioned::new(Name::new(ARGUMENT), at),
        Positioned::new(value, at),
    ));
    request.set_parsed_query(document);
    Ok(true)
}

/// The operation that is to be executed.
fn meant<'d>(
    document: &'d mut ExecutableDocument,
    wanted: Option<&str>,
) -> Option<&'d mut OperationDefinition> {
    let operation = match (&mut document.operations, wanted) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(all), Some(wanted)) => all.get_mut(wanted),
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => all.values_mut().next(),
        (DocumentOperations::Multiple(_), None) => None,
    };
    operation.map(|operation| &mut operation.node)
}

/// The one key, which may stand in quotes (RFC 8941, a string).
fn key(headers: &HeaderMap) -> Result<Uuid, ApiError> {
    let mut all = headers.get_all(HEADER).iter();
    let text = match (all.next().map(|one| one.to_str()), all.next()) {
        (Some(Ok(text)), None) => text.trim(),
        _ => return refused("send it once, as a UUID"),
    };
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let parsed = Uuid::try_parse(quoted.unwrap_or(text));
    parsed.or_else(|_| refused("it is no UUID; send one of your choice, the same for a repetition"))
}

fn refused<T>(reason: &str) -> Result<T, ApiError> {
    Err(ApiError::Invalid {
        code: INVALID,
        message: format!("the header Idempotency-Key cannot be taken: {reason}"),
    })
}
