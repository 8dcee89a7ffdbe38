//! Text to vectors. One trait, three implementations: [`MiniLm`] in this process (the default),
//! [`OpenAi`] for any OpenAI-compatible endpoint, and [`NoEmbedder`] for full text alone.
//!
//! Invariants: one embedder yields vectors of one length, scaled to length 1; the order of the answer is
//! the order of the texts; the async runtime is never blocked.

mod bert;
mod cache;
mod minilm;
mod none;
mod openai;

use std::sync::Arc;

use async_trait::async_trait;

pub use cache::CachedEmbedder;
pub use minilm::MiniLm;
pub use none::NoEmbedder;
pub use openai::{OpenAi, OpenAiSettings};

/// What [`MiniLm`] is made of, for the bench that measures it beside the bare libraries.
#[doc(hidden)]
pub mod candle {
    pub use candle_core::{D, DType, Device, Result, Tensor};
    pub use candle_nn::VarBuilder;
    pub use candle_transformers::models::bert::{BertModel, Config};
    pub use tokenizers::{Tokenizer, TruncationParams};
}

/// Turns texts into vectors whose cosine tells how close two meanings are.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Names the model, for people and for the table that holds its vectors.
    fn model(&self) -> &str;

    /// Length of a vector; `None` means that there are no vectors and that search is by full text alone.
    fn dimensions(&self) -> Option<usize>;

    /// One vector for each text, in the order of the texts. `progress` is told how many more are done.
    ///
    /// # Errors
    /// [`EmbedError`]; nothing is returned for a part of the texts.
    async fn embed_documents(
        &self,
        texts: &[String],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// The vector of a query.
    ///
    /// # Errors
    /// [`EmbedError`].
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError>;
}

/// Why there is no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file of the model is absent, unreadable or damaged. Fetch the model.
    #[error(
        "the embedding model's file {path} is {problem}; fetch it with `./dev setup`, or start with `--embedder none`"
    )]
    ModelFile {
        /// The file.
        path: String,
        /// `missing`, or what is wrong with it.
        problem: String,
    },
    /// The model failed on a text: a defect of this program.
    #[error("the embedding model failed: {0}")]
    Model(String),
    /// The endpoint cannot be reached, answers too late or is overloaded: retry later.
    #[error("the embedding endpoint {endpoint} is unavailable: {reason}")]
    Unavailable {
        /// The endpoint, without credentials.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// The endpoint refused the request: check model, key and dimensions.
    #[error("the embedding endpoint {endpoint} refused the request: {reason}")]
    Refused {
        /// The endpoint, without credentials.
        endpoint: String,
        /// Its status and message, shortened.
        reason: String,
    },
    /// The endpoint's answer is not what was asked for: check model and dimensions.
    #[error("the embedding endpoint {endpoint} sent an unusable answer: {reason}")]
    BadAnswer {
        /// The endpoint, without credentials.
        endpoint: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// No embedder is configured.
    #[error("no embedding model is configured")]
    None,
    /// The same failure, met by several callers that waited for one answer.
    #[error(transparent)]
    Shared(Arc<EmbedError>),
}

impl EmbedError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Shared(inner) => inner.is_temporary(),
            Self::ModelFile { .. }
            | Self::Model(_)
            | Self::Refused { .. }
            | Self::BadAnswer { .. }
            | Self::None => false,
        }
    }
}

/// Scales a vector to length 1; a vector of zeros stays as it is.
pub(super) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}
