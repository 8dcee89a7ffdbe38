//! What a request, a parameter or an answer holds: of the kinds that the document gives, the best one.

use super::document::{Dialect, Document, member};
use crate::plan::Problem;
use serde_json::{Value, json};

/// Kinds of content, best first; else the first that there is.
const CONTENT_TYPES: [&str; 3] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
];
/// The schema of each item of a sequence.
const ITEM_SCHEMA: &str = "itemSchema";

/// One kind of content that has a schema.
pub(super) struct Content<'v> {
    pub(super) kind: &'v str,
    schema: &'v Value,
    /// Where the schema stands.
    pub(super) place: String,
    /// Whether the schema is that of each item.
    of_items: bool,
}

impl<'v> Content<'v> {
    fn new(kind: &'v str, media: &'v Value, place: &str, field: &str) -> Option<Self> {
        Some(Self {
            kind,
            schema: media.get(field)?,
            place: member(place, field),
            of_items: field == ITEM_SCHEMA,
        })
    }

    /// The schema of the whole. A sequence is the array of its items (OpenAPI 3.2, "Sequential Media Types").
    pub(super) fn translated(
        &self,
        translate: impl FnOnce(&Value, &str) -> Result<Value, Problem>,
    ) -> Result<Value, Problem> {
        let schema = translate(self.schema, &self.place)?;
        Ok(match self.of_items {
            true => json!({ "type": "array", "items": schema }),
            false => schema,
        })
    }
}

/// The best kind of content; none where it has no schema.
pub(super) fn content<'v>(
    document: &'v Document,
    holder: &'v Value,
    place: &str,
) -> Result<Option<Content<'v>>, Problem> {
    let all = holder.get("content").and_then(Value::as_object);
    let best = all.and_then(|all| all.iter().min_by_key(|(kind, _)| rank(kind)));
    let Some((kind, media)) = best else {
        return Ok(None);
    };
    let at = member(&member(place, "content"), kind);
    if document.dialect != Dialect::V32 {
        return Ok(Content::new(kind, media, &at, "schema"));
    }
    let (media, at) = document.follow(media, &at)?;
    let whole = Content::new(kind, media, &at, "schema");
    Ok(whole.or_else(|| Content::new(kind, media, &at, ITEM_SCHEMA)))
}

fn rank(kind: &str) -> usize {
    let plain = kind.split(';').next().unwrap_or(kind).trim();
    let known = CONTENT_TYPES.iter().position(|known| *known == plain);
    known.unwrap_or(if is_json(kind) {
        1
    } else {
        CONTENT_TYPES.len()
    })
}

/// Whether a content type is JSON (RFC 6839 section 3.1).
pub(super) fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or(kind).trim();
    kind == "application/json" || kind.ends_with("+json")
}
