//! Remembers the vectors of recent queries: agents ask the same things again and again.

use std::sync::Arc;

use async_trait::async_trait;
use moka::future::Cache;

use super::{EmbedError, Embedder};

/// An embedder with a bounded memory for queries. Callers that ask the same at once share one
/// computation. A failure is not remembered.
pub struct CachedEmbedder {
    inner: Arc<dyn Embedder>,
    queries: Cache<String, Arc<[f32]>>,
}

impl CachedEmbedder {
    /// Remembers up to `capacity` queries; one takes about 2 KB with 384 dimensions.
    #[must_use]
    pub fn new(inner: Arc<dyn Embedder>, capacity: u64) -> Self {
        Self {
            inner,
            queries: Cache::new(capacity),
        }
    }
}

#[async_trait]
impl Embedder for CachedEmbedder {
    fn model(&self) -> &str {
        self.inner.model()
    }

    fn dimensions(&self) -> Option<usize> {
        self.inner.dimensions()
    }

    async fn embed_documents(
        &self,
        texts: &[String],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.inner.embed_documents(texts, progress).await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let key = text.trim();
        let vector = self
            .queries
            .try_get_with_by_ref(key, async {
                self.inner.embed_query(key).await.map(Arc::from)
            })
            .await
            .map_err(EmbedError::Shared)?;
        Ok(vector.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Embedder for Counting {
        fn model(&self) -> &str {
            "counting"
        }
        fn dimensions(&self) -> Option<usize> {
            Some(1)
        }
        async fn embed_documents(
            &self,
            texts: &[String],
            _progress: &(dyn Fn(usize) + Send + Sync),
        ) -> Result<Vec<Vec<f32>>, EmbedError> {
            Ok(vec![vec![1.0]; texts.len()])
        }
        async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            if text == "bad" {
                Err(EmbedError::Model("no".into()))
            } else {
                Ok(vec![1.0])
            }
        }
    }

    #[tokio::test]
    async fn a_query_is_embedded_once_and_a_failure_is_tried_again() {
        let inner = Arc::new(Counting::default());
        let cached = CachedEmbedder::new(inner.clone(), 10);
        for _ in 0..3 {
            assert_eq!(cached.embed_query(" find files ").await.unwrap(), [1.0]);
        }
        assert_eq!(inner.0.load(Ordering::SeqCst), 1);
        for _ in 0..2 {
            assert!(cached.embed_query("bad").await.is_err());
        }
        assert_eq!(inner.0.load(Ordering::SeqCst), 3);
    }
}
