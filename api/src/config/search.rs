//! `search`: the search index and its embedder.

use super::{ConfigError, values};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Where the index is and how texts become vectors.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchConfig {
    /// Folder or object-store address of the index. Default `data/search`.
    pub index_uri: String,
    /// `minilm` (in this process, the default), `openai` (any OpenAI-compatible endpoint) or `none`
    /// (full text only; each answer says so).
    pub embedder: EmbedderKind,
    /// Folder of the `minilm` model: `config.json`, `tokenizer.json`, `model.safetensors`.
    pub model_dir: Option<PathBuf>,
    /// The endpoint, for `embedder: openai`.
    pub openai: Option<OpenAiConfig>,
}

/// The kinds of embedders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum EmbedderKind {
    /// all-MiniLM-L6-v2 in this process.
    MiniLm,
    /// An OpenAI-compatible endpoint.
    OpenAi,
    /// No vectors: full text only.
    None,
}

impl TryFrom<String> for EmbedderKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "minilm" => Ok(Self::MiniLm),
            "openai" => Ok(Self::OpenAi),
            "none" => Ok(Self::None),
            _ => Err(format!(
                "`{text}` is no embedder; write minilm, openai or none"
            )),
        }
    }
}

/// An OpenAI-compatible endpoint.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiConfig {
    /// The whole address, such as `https://api.openai.com/v1/embeddings`.
    pub endpoint: Url,
    /// The model's name at that endpoint.
    pub model: String,
    /// Sent as a bearer token; a local endpoint needs none.
    #[serde(default, serialize_with = "values::write_secret")]
    pub api_key: Option<SecretString>,
    /// A file that holds the key.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// Length of the model's vectors.
    pub dimensions: usize,
    /// Ask the endpoint to shorten its vectors to `dimensions`. Not every model can. Default false.
    #[serde(default)]
    pub shorten: bool,
    /// Time for one request. Default `10s`.
    #[serde(default = "ten_seconds", with = "values::duration")]
    pub timeout: Duration,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            index_uri: "data/search".to_owned(),
            embedder: EmbedderKind::MiniLm,
            model_dir: None,
            openai: None,
        }
    }
}

impl SearchConfig {
    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        let Some(openai) = &mut self.openai else {
            return Ok(());
        };
        let file = openai.api_key_file.clone();
        values::read_secret("search.openai.api_key", &mut openai.api_key, file.as_ref())
    }

    /// Checks the values against each other.
    ///
    /// # Errors
    /// [`ConfigError`] that names the key and what to write instead.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.index_uri.trim().is_empty() {
            return Err(ConfigError::new("search.index_uri is empty: give a folder"));
        }
        match (self.embedder, &self.openai) {
            (EmbedderKind::OpenAi, None) => Err(ConfigError::new(
                "search.embedder is openai: give search.openai.endpoint, .model and .dimensions",
            )),
            (EmbedderKind::OpenAi, Some(openai)) if openai.dimensions == 0 => {
                Err(ConfigError::new("search.openai.dimensions must be above 0"))
            }
            (EmbedderKind::OpenAi | EmbedderKind::MiniLm | EmbedderKind::None, _) => Ok(()),
        }
    }
}
