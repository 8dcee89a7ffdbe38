//! Where copies of signed tree heads go, so that whoever rewrites the whole log is caught by a head that
//! lies elsewhere. Delivery is best effort: a head covers all before it, so the next one makes up for a
//! lost one. Operators choose the address; it is not a tenant's.

use super::note::SignedHead;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Time for one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Tries of one delivery, with a pause between them that doubles.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A file, an address, both or neither.
#[derive(Debug, Clone, Default)]
pub struct Sinks {
    file: Option<PathBuf>,
    url: Option<String>,
    client: reqwest::Client,
}

/// The line of a head in files: what `metamcp audit verify` reads.
#[must_use]
pub fn line(head: &SignedHead) -> String {
    format!("{}\n", json!({ "tree_head": { "note": head.note() } }))
}

impl Sinks {
    /// Lines are appended to `file`, notes are posted to `url` as `text/plain`.
    #[must_use]
    pub fn new(file: Option<PathBuf>, url: Option<String>) -> Self {
        let client = reqwest::Client::new();
        Self { file, url, client }
    }

    /// Delivers a head; what fails is logged and counted.
    pub async fn deliver(&self, head: &SignedHead) {
        if let Some(file) = &self.file
            && let Err(error) = append(file, head).await
        {
            metrics::counter!("metamcp_tree_head_failures", "sink" => "file").increment(1);
            tracing::error!(%error, file = %file.display(), "a tree head could not be kept in the file");
        }
        if let Some(url) = &self.url
            && let Err(error) = self.post(url, head).await
        {
            metrics::counter!("metamcp_tree_head_failures", "sink" => "http").increment(1);
            tracing::error!(%error, "a tree head could not be posted; the next one covers it");
        }
    }

    async fn post(&self, url: &str, head: &SignedHead) -> Result<(), reqwest::Error> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let request = self.client.post(url).timeout(TIMEOUT);
            let request = request
                .header("content-type", "text/plain; charset=utf-8")
                .body(head.note().to_owned());
            let sent = request.send().await;
            match sent.and_then(reqwest::Response::error_for_status) {
                Ok(_) => return Ok(()),
                Err(error) if attempt == TRIES => return Err(error.without_url()),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
        Ok(())
    }
}

async fn append(file: &Path, head: &SignedHead) -> io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    let mut out = options.append(true).create(true).open(file).await?;
    out.write_all(line(head).as_bytes()).await?;
    out.sync_data().await
}
