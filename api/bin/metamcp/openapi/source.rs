//! Where a document comes from: a file, or an address that answers in time and with a bounded body.

use crate::plan::Problem;
use api::fetch::bounded;
use reqwest::Url;
use reqwest::redirect::Policy;
use std::path::Path;
use std::time::Duration;

/// Largest document, in bytes.
pub(super) const MAX_DOCUMENT: usize = 32 << 20;
/// Time for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Addresses that one answer may lead to.
const MAX_REDIRECTS: usize = 5;

/// A document as it came.
pub(super) struct Source {
    pub(super) text: String,
    /// Its own address, which relative addresses in it begin from.
    pub(super) address: Option<Url>,
}

/// Reads a file or an `http` or `https` address.
pub(super) async fn read(name: &str) -> Result<Source, Problem> {
    match Url::parse(name) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => fetch(name, url).await,
        Ok(url) if name.contains("://") => Err(unsupported(name, url.scheme())),
        _ => {
            let text = file(name).await?;
            let address = None;
            Ok(Source { text, address })
        }
    }
}

async fn file(name: &str) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the file cannot be read: {error}");
        Problem::new(name, "SOURCE_UNREADABLE", message)
    };
    let path = Path::new(name);
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > MAX_DOCUMENT as u64 {
        return Err(too_large(name));
    }
    let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
    utf8(name, bytes)
}

async fn fetch(name: &str, url: Url) -> Result<Source, Problem> {
    let failed = |error: reqwest::Error| {
        // The text of the error names the address once more, credentials and all.
        let why = api::error::chain(&error.without_url());
        let message = format!("the address does not answer with a document: {why}");
        Problem::new(name, "SOURCE_UNREADABLE", message)
    };
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::limited(MAX_REDIRECTS))
        .build()
        .map_err(failed)?;
    let answer = client.get(url).send().await.map_err(failed)?;
    let answer = answer.error_for_status().map_err(failed)?;
    let address = Some(answer.url().clone());
    let bytes = bounded(answer, MAX_DOCUMENT).await.map_err(failed)?;
    let bytes = bytes.ok_or_else(|| too_large(name))?;
    let text = utf8(name, bytes)?;
    Ok(Source { text, address })
}

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        Problem::new(name, "INVALID_UTF8", format!("not UTF-8 at byte {at}"))
    })
}

fn unsupported(name: &str, scheme: &str) -> Problem {
    let message = format!(
        "documents are not fetched by `{scheme}`: give an address that begins with http:// or https://, or the \
         path of a file"
    );
    Problem::new(name, "UNSUPPORTED_SCHEME", message)
}

fn too_large(name: &str) -> Problem {
    let message = format!("the document has more than {MAX_DOCUMENT} bytes: split it");
    Problem::new(name, "DOCUMENT_TOO_LARGE", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_is_fetched_by_http_or_read_from_a_file_and_nothing_else() {
        for (name, code) in [
            ("ftp://example.org/openapi.json", "UNSUPPORTED_SCHEME"),
            ("file:///openapi.json", "UNSUPPORTED_SCHEME"),
            ("no-such-file.json", "SOURCE_UNREADABLE"),
            ("no:such:file.json", "SOURCE_UNREADABLE"),
        ] {
            let refused = read(name).await.err().map(|problem| problem.code);
            assert_eq!(refused, Some(code), "{name}");
        }
    }
}
