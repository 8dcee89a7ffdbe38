//! The table's columns, and documents to and from Arrow rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use chrono::SecondsFormat;
use domain::id::TenantId;
use sha2::{Digest, Sha256};

use super::document::ToolDocument;
use super::embed::Embedder;
use super::error::SearchError;
use super::hints::Hint;
use super::language::version_key;
use crate::reviews::Histogram;
use crate::sight::audience;

/// Changes whenever the columns, the words, the weights or what a vector is made of change: an older table asks for a rebuild.
pub(super) const LAYOUT: &str = "8";
/// Older layouts whose vectors are made of the same texts in the same way, and are named by the same digests.
pub(super) const SAME_VECTORS: &[&str] = &["2", "3", "4", "5", "6", "7"];
/// The columns by which a row is known. Marked as the key, so that two writers who insert one at the same time collide.
pub(super) const KEY: [&str; 2] = ["tenant", "tool_id"];
/// Up to which commit a row holds what the log says of its tool.
pub(super) const POSITION: &str = "position";
pub(super) const META_LAYOUT: &str = "metamcp.layout";
pub(super) const META_MODEL: &str = "metamcp.embedding_model";

/// Stands around every tag in the column `tags`, every hint in `hints`, and every tenant's use in `used`, so
/// that whole ones are found only. A control character, which is stripped from tags.
const TAG_MARK: char = '\u{1f}';

/// The text columns in their order; [`POSITION`] follows, and `vector` where there is an embedder.
const COLUMNS: &[(&str, bool)] = &[
    ("tenant", false),
    ("tool_id", false),
    ("server_id", false),
    ("server", false),
    ("server_name", false),
    ("name", false),
    ("title", true),
    ("description", false),
    ("category", true),
    ("tags", false),
    ("tool_version", false),
    ("visibility", false),
    ("audience", false),
    ("team", true),
    ("status", false),
    ("hints", false),
    ("version_key", false),
    ("publisher", true),
    ("rated", false),
    ("rated_publicly", false),
    ("used", false),
    ("updated_at", false),
    ("text", false),
    ("embedded", false),
];

/// What an answer shows of a tool: the columns that are read back for the best few.
pub(super) const SHOWN: &[&str] = &[
    "tool_id",
    "server_id",
    "server",
    "server_name",
    "name",
    "title",
    "description",
    "category",
    "tags",
    "tool_version",
    "status",
];

/// All columns that hold content, for the checksum.
pub(super) fn content_columns() -> Vec<&'static str> {
    COLUMNS.iter().map(|(name, _)| *name).collect()
}

/// The model and the length of its vectors, as the table records them.
pub(super) fn model_mark(embedder: &dyn Embedder) -> String {
    match embedder.dimensions() {
        Some(dimensions) => format!("{}/{dimensions}", embedder.model()),
        None => "none".to_owned(),
    }
}

/// The table's schema for an embedder.
pub(super) fn schema(embedder: &dyn Embedder) -> SchemaRef {
    let mut fields: Vec<Field> = COLUMNS
        .iter()
        .map(|(name, nullable)| {
            let field = Field::new(*name, DataType::Utf8, *nullable);
            match KEY.contains(name) {
                true => field.with_metadata(key_mark()),
                false => field,
            }
        })
        .collect();
    fields.push(Field::new(POSITION, DataType::UInt64, false));
    if let Some(dimensions) = embedder.dimensions() {
        fields.push(Field::new("vector", vector_type(dimensions), false));
    }
    let metadata = [
        (META_LAYOUT, LAYOUT.to_owned()),
        (META_MODEL, model_mark(embedder)),
    ];
    let metadata = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// How Lance is told of a key.
fn key_mark() -> HashMap<String, String> {
    HashMap::from([(
        "lance-schema:unenforced-primary-key".to_owned(),
        "true".to_owned(),
    )])
}

fn vector_type(dimensions: usize) -> DataType {
    DataType::FixedSizeList(
        Arc::new(Field::new("item", DataType::Float32, true)),
        list_size(dimensions),
    )
}

fn list_size(dimensions: usize) -> i32 {
    i32::try_from(dimensions).unwrap_or(i32::MAX)
}

/// A tag as it stands in the column and in a filter.
pub(super) fn marked(tag: &str) -> String {
    let tag: String = tag.chars().filter(|c| *c != TAG_MARK).collect();
    format!("{TAG_MARK}{tag}{TAG_MARK}")
}

/// The tags, or the hints, of a row.
pub(super) fn tags(column: &str) -> Vec<String> {
    column
        .split(TAG_MARK)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

/// How much each tenant uses a tool, each in an entry of its own.
fn uses(used: &BTreeMap<String, i16>) -> String {
    let entry = |(tenant, bits): (&String, &i16)| marked(&format!("{tenant}:{bits}"));
    used.iter().map(entry).collect()
}

/// How much a tenant uses a tool.
pub(super) fn use_by(column: &str, tenant: &TenantId) -> Option<i16> {
    let mut entries = column.split(TAG_MARK);
    let its = entries.find_map(|entry| entry.strip_prefix(tenant.as_str())?.strip_prefix(':'));
    its?.parse().ok()
}

/// How many reviews gave 1, 2, 3, 4 and 5 stars; empty without a review.
fn stars(rated: &Histogram) -> String {
    match rated.count() {
        0 => String::new(),
        _ => rated.0.map(|reviews| reviews.to_string()).join(":"),
    }
}

/// What [`stars`] has written.
pub(super) fn rated(column: &str) -> Result<Histogram, SearchError> {
    if column.is_empty() {
        return Ok(Histogram::default());
    }
    let numbers: Result<Vec<i64>, _> = column.split(':').map(str::parse).collect();
    let stars = numbers.ok().and_then(|numbers| numbers.try_into().ok());
    let damaged = || SearchError::Damaged("a rating cannot be read".to_owned());
    stars.map(Histogram).ok_or_else(damaged)
}

/// Names texts without keeping them. Each is preceded by its length, so that nothing moves from one to the next.
pub(super) fn digest(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex::encode(&hash.finalize()[..16])
}

/// Rows for documents, in their order, which hold what the log says up to `position`. `vectors` is given exactly
/// where the schema has a vector.
pub(super) fn batch(
    schema: &SchemaRef,
    documents: &[&ToolDocument],
    position: u64,
    digests: &[String],
    vectors: Option<&[Vec<f32>]>,
) -> Result<RecordBatch, SearchError> {
    let text = |value: fn(&ToolDocument) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            documents.iter().map(|document| value(document)),
        ))
    };
    let optional = |value: fn(&ToolDocument) -> Option<&str>| -> ArrayRef {
        Arc::new(
            documents
                .iter()
                .map(|document| value(document))
                .collect::<StringArray>(),
        )
    };
    let made = |value: fn(&ToolDocument) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            documents.iter().map(|document| value(document)),
        ))
    };
    let mut columns: Vec<ArrayRef> = vec![
        text(|d| d.tenant.as_str()),
        text(|d| &d.tool_id),
        text(|d| &d.server_id),
        text(|d| &d.server),
        text(|d| &d.server_name),
        text(|d| &d.name),
        optional(|d| d.title.as_deref()),
        text(|d| &d.description),
        optional(|d| d.category.as_deref()),
        made(|d| d.tags.iter().map(|tag| marked(tag)).collect()),
        text(|d| &d.tool_version),
        text(|d| &d.visibility),
        made(|d| audience(&d.visibility, d.team.as_deref())),
        optional(|d| d.team.as_deref()),
        text(|d| &d.status),
        made(|d| {
            let hints = Hint::of(d.annotations.as_ref());
            hints.map(|hint| marked(hint.name())).collect()
        }),
        made(|d| version_key(&d.tool_version)),
        optional(|d| d.publisher.as_deref()),
        made(|d| stars(&d.rated)),
        made(|d| stars(&d.rated_publicly)),
        made(|d| uses(&d.used)),
        made(|d| d.updated_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        made(ToolDocument::full_text),
        Arc::new(StringArray::from_iter_values(digests)),
        Arc::new(UInt64Array::from_value(position, documents.len())),
    ];
    if let Some(vectors) = vectors {
        let size = list_size(vectors.first().map_or(0, Vec::len));
        let rows = vectors
            .iter()
            .map(|vector| Some(vector.iter().copied().map(Some)));
        columns.push(Arc::new(FixedSizeListArray::from_iter_primitive::<
            Float32Type,
            _,
            _,
        >(rows, size)));
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// A text column of a batch that the table returned.
pub(super) fn strings<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a StringArray, SearchError> {
    column(batch, name)
}

/// A column of 32-bit floats.
pub(super) fn floats<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a Float32Array, SearchError> {
    column(batch, name)
}

/// A column of row ids.
pub(super) fn row_ids(batch: &RecordBatch) -> Result<&UInt64Array, SearchError> {
    column(batch, "_rowid")
}

/// One vector of the column `vector`.
pub(super) fn vector(batch: &RecordBatch, row: usize) -> Result<Vec<f32>, SearchError> {
    let list = column::<FixedSizeListArray>(batch, "vector")?.value(row);
    let floats = list.as_any().downcast_ref::<Float32Array>();
    floats
        .map(|floats| floats.values().to_vec())
        .ok_or_else(|| wrong_type("vector"))
}

fn column<'a, T: Array + 'static>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a T, SearchError> {
    let column = batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<T>());
    column.ok_or_else(|| wrong_type(name))
}

fn wrong_type(name: &str) -> SearchError {
    SearchError::Damaged(format!("the column `{name}` is missing or of another type"))
}
