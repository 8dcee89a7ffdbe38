//! No embedding model: search works by full text, and every answer says so.

use async_trait::async_trait;

use super::{EmbedError, Embedder};

/// Stands in where no model is configured. A table that it builds has no vectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEmbedder;

#[async_trait]
impl Embedder for NoEmbedder {
    fn model(&self) -> &str {
        "none"
    }

    fn dimensions(&self) -> Option<usize> {
        None
    }

    async fn embed_documents(
        &self,
        _texts: &[String],
        _progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        Err(EmbedError::None)
    }

    async fn embed_query(&self, _text: &str) -> Result<Vec<f32>, EmbedError> {
        Err(EmbedError::None)
    }
}
