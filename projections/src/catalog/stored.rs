//! JSON as it is stored, read only where somebody asks for it: a list of tools rarely shows their schemas.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::types::Json;

/// A JSON document of a row. Two are equal when PostgreSQL stores them alike, which it does with `jsonb`.
#[derive(Debug, Clone)]
pub struct StoredJson(Box<RawValue>);

impl StoredJson {
    /// The document, in whatever form it is wanted; that form's default for what does not fit it.
    #[must_use]
    pub fn read<T: for<'de> Deserialize<'de> + Default>(&self) -> T {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }

    /// The document.
    #[must_use]
    pub fn value(&self) -> Value {
        self.read()
    }
}

impl PartialEq for StoredJson {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl From<Json<Box<RawValue>>> for StoredJson {
    fn from(Json(raw): Json<Box<RawValue>>) -> Self {
        Self(raw)
    }
}
