//! Any endpoint that speaks OpenAI's `POST /v1/embeddings`: OpenAI, Azure, vLLM, Ollama and others.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{EmbedError, Embedder, normalize};

/// Characters of one text that are sent: endpoints refuse texts beyond their model's window.
const MAX_CHARS: usize = 8_000;
/// Texts of one request.
const BATCH_TEXTS: usize = 64;
/// Bytes of an answer that are read before it is given up: 64 vectors of 4,096 numbers fit.
const MAX_ANSWER: usize = 16 << 20;
/// Characters of an endpoint's own message that are repeated in an error.
const MAX_REASON: usize = 300;

/// Where the endpoint is and what to ask it for.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// The whole address, such as `https://api.openai.com/v1/embeddings` or
    /// `http://localhost:11434/v1/embeddings` (Ollama).
    pub endpoint: Url,
    /// The model's name at that endpoint.
    pub model: String,
    /// Sent as a bearer token; a local endpoint needs none.
    pub api_key: Option<SecretString>,
    /// Length of the model's vectors; an answer of another length is an error.
    pub dimensions: usize,
    /// Ask the endpoint to shorten its vectors to `dimensions`. Not every model can.
    pub shorten: bool,
    /// Time for one request, connection included.
    pub timeout: Duration,
}

/// An embedder behind an OpenAI-compatible endpoint. Redirects are not followed, so that the key goes
/// nowhere else.
pub struct OpenAi {
    settings: OpenAiSettings,
    client: Client,
    shown: String,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: Vec<&'a str>,
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    index: usize,
    embedding: Vec<f32>,
}

impl OpenAi {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`EmbedError::Model`] when the system's TLS cannot be set up.
    pub fn new(settings: OpenAiSettings) -> Result<Self, EmbedError> {
        let client = Client::builder()
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .build()
            .map_err(|error| EmbedError::Model(error.to_string()))?;
        let mut shown = settings.endpoint.clone();
        // Neither can fail for an http address; a failure would only leave the address as it is.
        let _ = (shown.set_password(None), shown.set_username(""));
        shown.set_query(None);
        Ok(Self {
            settings,
            client,
            shown: shown.to_string(),
        })
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let request = Request {
            model: &self.settings.model,
            input: texts.iter().map(|text| shorten(text, MAX_CHARS)).collect(),
            encoding_format: "float",
            dimensions: self.settings.shorten.then_some(self.settings.dimensions),
        };
        let mut builder = self
            .client
            .post(self.settings.endpoint.clone())
            .json(&request);
        if let Some(key) = &self.settings.api_key {
            builder = builder.bearer_auth(key.expose_secret());
        }
        let response = builder
            .send()
            .await
            .map_err(|error| self.unavailable(&error))?;
        let status = response.status();
        let body = self.body(response).await?;
        if !status.is_success() {
            return Err(self.failed(status, &body));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| self.bad(error.to_string()))?;
        self.in_order(answer, texts.len())
    }

    /// The vectors in the order of the texts: the protocol numbers them.
    fn in_order(&self, answer: Answer, expected: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut out = vec![Vec::new(); expected];
        for Entry {
            index,
            mut embedding,
        } in answer.data
        {
            let dimensions = self.settings.dimensions;
            if embedding.len() != dimensions || embedding.iter().any(|x| !x.is_finite()) {
                let length = embedding.len();
                return Err(self.bad(format!(
                    "a vector of {length} numbers instead of {dimensions} finite ones"
                )));
            }
            normalize(&mut embedding);
            let place = out
                .get_mut(index)
                .ok_or_else(|| self.bad(format!("a vector for text {index} of {expected}")))?;
            *place = embedding;
        }
        match out.iter().position(Vec::is_empty) {
            Some(index) => Err(self.bad(format!("no vector for text {index} of {expected}"))),
            None => Ok(out),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, EmbedError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unavailable(&error))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(self.bad(format!("more than {MAX_ANSWER} bytes")));
            }
        }
        Ok(body)
    }

    fn unavailable(&self, error: &reqwest::Error) -> EmbedError {
        let reason = if error.is_timeout() {
            format!("no answer within {} s", self.settings.timeout.as_secs_f32())
        } else {
            let mut reason = "the connection failed".to_owned();
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                reason = inner.to_string();
                cause = inner.source();
            }
            reason
        };
        EmbedError::Unavailable {
            endpoint: self.shown.clone(),
            reason,
        }
    }

    fn failed(&self, status: StatusCode, body: &[u8]) -> EmbedError {
        let text = String::from_utf8_lossy(body);
        let reason = format!("{status} {}", shorten(text.trim(), MAX_REASON));
        let endpoint = self.shown.clone();
        if status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
            )
        {
            EmbedError::Unavailable { endpoint, reason }
        } else {
            EmbedError::Refused { endpoint, reason }
        }
    }

    fn bad(&self, reason: String) -> EmbedError {
        EmbedError::BadAnswer {
            endpoint: self.shown.clone(),
            reason,
        }
    }
}

#[async_trait]
impl Embedder for OpenAi {
    fn model(&self) -> &str {
        &self.settings.model
    }

    fn dimensions(&self) -> Option<usize> {
        Some(self.settings.dimensions)
    }

    async fn embed_documents(
        &self,
        texts: &[String],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut out = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH_TEXTS) {
            out.extend(self.embed(batch).await?);
            progress(batch.len());
        }
        Ok(out)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let mut vectors = self.embed(&[text.to_owned()]).await?;
        vectors
            .pop()
            .ok_or_else(|| self.bad("no vector".to_owned()))
    }
}

fn shorten(text: &str, chars: usize) -> &str {
    text.char_indices()
        .nth(chars)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::{Json, State};
    use axum::http::{HeaderMap, StatusCode};
    use axum::{Router, routing::post};
    use serde_json::{Value, json};

    use super::*;

    type Log = Arc<Mutex<Vec<(String, Value)>>>;

    /// An endpoint that answers in reverse order, with the text's length as the first number.
    async fn answer(
        State(log): State<Log>,
        headers: HeaderMap,
        Json(request): Json<Value>,
    ) -> (StatusCode, String) {
        let key = headers
            .get("authorization")
            .map(|v| v.to_str().unwrap().to_owned())
            .unwrap_or_default();
        log.lock().unwrap().push((key, request.clone()));
        match request["model"].as_str().unwrap() {
            "busy" => return (StatusCode::TOO_MANY_REQUESTS, "slow down".into()),
            "unknown" => {
                return (
                    StatusCode::NOT_FOUND,
                    json!({"error": "no such model"}).to_string(),
                );
            }
            "html" => return (StatusCode::OK, "<html>".into()),
            "slow" => tokio::time::sleep(Duration::from_secs(5)).await,
            _ => {}
        }
        let input = request["input"].as_array().unwrap();
        let entry = |(index, text): (usize, &Value)| json!({"index": index, "embedding": [text.as_str().unwrap().len() as f32, 1.0]});
        let data: Vec<Value> = input.iter().enumerate().rev().map(entry).collect();
        (StatusCode::OK, json!({"data": data}).to_string())
    }

    async fn endpoint() -> (Url, Log) {
        let log = Log::default();
        let app = Router::new()
            .route("/v1/embeddings", post(answer))
            .with_state(log.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/embeddings", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        (url, log)
    }

    fn embedder(endpoint: &Url, model: &str, dimensions: usize) -> OpenAi {
        OpenAi::new(OpenAiSettings {
            endpoint: endpoint.clone(),
            model: model.into(),
            api_key: Some(SecretString::from("sesame")),
            dimensions,
            shorten: false,
            timeout: Duration::from_millis(500),
        })
        .unwrap()
    }

    #[tokio::test]
    async fn texts_go_out_in_batches_and_come_back_in_order() {
        let (url, log) = endpoint().await;
        let texts: Vec<String> = (1..=150).map(|n| "x".repeat(n)).collect();
        let vectors = embedder(&url, "good", 2)
            .embed_documents(&texts, &|_| ())
            .await
            .unwrap();
        for (text, vector) in texts.iter().zip(&vectors) {
            assert!((vector[0] / vector[1] - text.len() as f32).abs() < 0.01);
            assert!((vector[0].hypot(vector[1]) - 1.0).abs() < 1e-5);
        }
        let log = log.lock().unwrap();
        assert_eq!(log.len(), 3);
        assert_eq!(log[0].0, "Bearer sesame");
        assert!(log[0].1.get("dimensions").is_none());
    }

    #[tokio::test]
    async fn failures_say_what_to_do_and_keep_the_key() {
        let (url, _log) = endpoint().await;
        let fail = async |model: &str, dimensions| {
            embedder(&url, model, dimensions)
                .embed_query("hi")
                .await
                .unwrap_err()
        };
        assert!(matches!(
            fail("busy", 2).await,
            EmbedError::Unavailable { .. }
        ));
        assert!(matches!(
            fail("slow", 2).await,
            EmbedError::Unavailable { .. }
        ));
        assert!(
            fail("unknown", 2)
                .await
                .to_string()
                .contains("no such model")
        );
        assert!(matches!(
            fail("html", 2).await,
            EmbedError::BadAnswer { .. }
        ));
        assert!(
            fail("good", 3)
                .await
                .to_string()
                .contains("2 numbers instead of 3")
        );
        let gone = embedder(
            &"http://user:sesame@127.0.0.1:1/v1".parse().unwrap(),
            "good",
            2,
        )
        .embed_query("hi")
        .await;
        let gone = gone.unwrap_err();
        assert!(
            gone.is_temporary() && !format!("{gone} {gone:?}").contains("sesame"),
            "{gone}"
        );
    }
}
