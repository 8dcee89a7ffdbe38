//! Where copies of signed tree heads go, so that whoever rewrites the whole log is caught by a head that
//! lies elsewhere. The newest one is sent until it has arrived: it covers all before it, so one that is overtaken while
//! a sink is away needs no sending. Operators choose the address; it is not a tenant's.

use super::note::SignedHead;
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::timeout;

/// Time for one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failure, which doubles with each one until it is the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A file, an address, both or neither.
#[derive(Debug, Clone, Default)]
pub struct Sinks(Vec<Sink>);

#[derive(Debug, Clone)]
enum Sink {
    File(PathBuf),
    Http(String, reqwest::Client),
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
        let file = file.map(Sink::File);
        let url = url.map(|url| Sink::Http(url, reqwest::Client::new()));
        Self(file.into_iter().chain(url).collect())
    }

    /// Sends each newest head to every sink, one that is slow holding up no other, as long as there is a sender.
    pub(super) async fn follow(&self, newest: &watch::Receiver<Option<SignedHead>>) {
        let sinks = self.0.iter().map(|sink| sink.follow(newest.clone()));
        futures::future::join_all(sinks).await;
        let mut newest = newest.clone();
        while newest.changed().await.is_ok() {}
    }
}

impl Sink {
    async fn follow(&self, mut newest: watch::Receiver<Option<SignedHead>>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let head = newest.borrow_and_update().clone();
            let sent = match &head {
                Some(head) => self.send(head).await,
                None => Ok(()),
            };
            let changed = match sent {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    newest.changed().await
                }
                Err(error) => {
                    let sink = self.name();
                    metrics::counter!("metamcp_tree_head_failures", "sink" => sink).increment(1);
                    tracing::error!(%error, sink, "a tree head could not be sent; it will be tried again");
                    let changed = timeout(pause, newest.changed()).await;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                    changed.unwrap_or(Ok(()))
                }
            };
            if changed.is_err() {
                return;
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Http(..) => "http",
        }
    }

    async fn send(&self, head: &SignedHead) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {
            Self::File(file) => append(file, head).await.map_err(Into::into),
            Self::Http(url, client) => post(client, url, head).await.map_err(Into::into),
        }
    }
}

async fn post(
    client: &reqwest::Client,
    url: &str,
    head: &SignedHead,
) -> Result<(), reqwest::Error> {
    let request = client.post(url).timeout(TIMEOUT);
    let request = request
        .header("content-type", "text/plain; charset=utf-8")
        .body(head.note().to_owned());
    let answer = request.send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    // The address may hold a secret.
    answer.map(drop).map_err(reqwest::Error::without_url)
}

async fn append(file: &Path, head: &SignedHead) -> std::io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    let mut out = options.append(true).create(true).open(file).await?;
    out.write_all(line(head).as_bytes()).await?;
    out.sync_data().await
}
