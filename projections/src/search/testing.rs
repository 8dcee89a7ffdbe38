//! What the tests of this folder share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use domain::id::TenantId;
use domain::tool::Visibility;
use serde_json::Value;
use tempfile::TempDir;

use super::document::{ACTIVE, ToolDocument};
use super::embed::{EmbedError, Embedder, MiniLm};
use super::error::SearchError;
use super::hints::Hint;
use super::index::SearchIndex;
use super::query::{SearchAnswer, SearchRequest};
use super::scope::InForce;
use crate::sight::Sight;

/// A public, active tool.
pub(super) fn document(tenant: &str, name: &str, description: &str) -> ToolDocument {
    ToolDocument {
        tenant: TenantId::new(tenant).unwrap(),
        tool_id: format!("id-{name}"),
        server_id: "server-1".into(),
        server: "office".into(),
        server_name: "Office".into(),
        name: name.into(),
        title: None,
        description: description.into(),
        input_schema: Value::Null,
        annotations: None,
        category: Some("work".into()),
        tags: vec!["daily".into()],
        tool_version: "1.0.0".into(),
        visibility: "public".into(),
        team: None,
        status: ACTIVE.into(),
        publisher: None,
        rated: Default::default(),
        rated_publicly: Default::default(),
        used: Default::default(),
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// A tool of that name, installed in a version.
pub(super) fn in_force(name: &str, version: &str, hints: &[Hint]) -> InForce {
    InForce {
        tool_id: format!("id-{name}"),
        version: version.parse().unwrap(),
        hints: hints.to_vec(),
    }
}

pub(super) async fn index(embedder: impl Embedder + 'static) -> (SearchIndex, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let index = open(&folder, "tools", embedder).await.unwrap();
    (index, folder)
}

pub(super) async fn open(
    folder: &TempDir,
    table: &str,
    embedder: impl Embedder + 'static,
) -> Result<SearchIndex, SearchError> {
    SearchIndex::open(folder.path().to_str().unwrap(), table, Arc::new(embedder)).await
}

pub(super) async fn put(index: &SearchIndex, documents: &[ToolDocument]) {
    index.upsert(documents, &|_| ()).await.unwrap();
}

pub(super) fn request(tenant: &str, query: &str) -> SearchRequest {
    SearchRequest {
        sight: Sight::listed([Visibility::Public]),
        ..SearchRequest::new(TenantId::new(tenant).unwrap(), query)
    }
}

pub(super) fn names(answer: &SearchAnswer) -> Vec<&str> {
    answer.hits.iter().map(|hit| hit.name.as_str()).collect()
}

/// Counts letters: equal texts have equal vectors, and nothing else is asked of it.
pub(super) struct Letters;

impl Letters {
    fn vector(text: &str) -> Vec<f32> {
        let mut vector = vec![0.01f32; 26];
        for letter in text
            .bytes()
            .map(|b| b.to_ascii_lowercase())
            .filter(u8::is_ascii_lowercase)
        {
            vector[usize::from(letter - b'a')] += 1.0;
        }
        vector
    }
}

#[async_trait]
impl Embedder for Letters {
    fn model(&self) -> &str {
        "letters"
    }
    fn dimensions(&self) -> Option<usize> {
        Some(26)
    }
    async fn embed_documents(
        &self,
        texts: &[String],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        progress(texts.len());
        Ok(texts.iter().map(|text| Self::vector(text)).collect())
    }
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        if text.contains("unreachable") {
            return Err(EmbedError::Unavailable {
                endpoint: "test".into(),
                reason: "test".into(),
            });
        }
        Ok(Self::vector(text))
    }
}

/// The real model, or `None` and a message where it is not installed.
pub(super) fn minilm() -> Option<&'static MiniLm> {
    static MODEL: OnceLock<Option<MiniLm>> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            let folder = model_folder();
            if !folder.exists() {
                eprintln!(
                    "skipped: no embedding model in {} (fetch it with `./dev setup`)",
                    folder.display()
                );
                return None;
            }
            Some(MiniLm::load(&folder).unwrap())
        })
        .as_ref()
}

/// Where `./dev setup` puts the model.
pub(super) fn model_folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cache/metamcp");
    let system = PathBuf::from("/var/cache/metamcp");
    let tools = std::env::var("METAMCP_TOOLS_DIR").map_or_else(
        |_| if system.exists() { system } else { home() },
        PathBuf::from,
    );
    tools.join("models/all-MiniLM-L6-v2")
}

pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
