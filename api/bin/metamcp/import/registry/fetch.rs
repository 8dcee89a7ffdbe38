//! Pages of a registry: bounded in time and size, tried again while it does not answer.

use crate::import::patience::Patience;
use crate::web::{base, client};
use api::fetch::bounded;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::{DATE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest wait that a registry may ask for.
const MOST_WAIT: Duration = Duration::from_secs(60);
/// Largest page, in bytes.
const MAX_PAGE: usize = 16 << 20;
/// Versions that are asked for at once; the most that the official registry gives.
const LIMIT: &str = "100";
/// Redirections that are followed. The token goes to no other host.
const REDIRECTIONS: usize = 3;
/// The list of the API, below the address of a registry.
const LIST: &str = "v0.1/servers";

/// A registry that speaks the official API.
#[derive(Debug)]
pub struct Registry {
    http: Client,
    base: Url,
    token: Option<SecretString>,
}

/// Why a page could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Give the address without user, password, query and fragment. It is not repeated: it may hold a secret.
    #[error(
        "this is no file, and no address of a registry: write it as https://registry.example.org, and a token into METAMCP_REGISTRY_TOKEN"
    )]
    Address,
    /// It stayed away for as long as it was tried. It may be back later.
    #[error(
        "the registry did not answer for {} s; run the same command again later: it goes on where it stopped",
        patience.as_secs()
    )]
    Unavailable {
        /// How long it was tried.
        patience: Duration,
        /// The last attempt.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// It wants a token, another one than it was given, or one that may read it.
    #[error("the registry answers {0}: put a token that may read it into METAMCP_REGISTRY_TOKEN")]
    TokenRefused(StatusCode),
    /// The address is that of another place.
    #[error(
        "the registry answers {status}: there is no list of servers at {list}; check the address, which is what stands before /v0.1/servers"
    )]
    NotThere {
        /// Its answer.
        status: StatusCode,
        /// Where the list was looked for. The address of a registry holds no secret.
        list: String,
    },
    /// It refuses for another reason.
    #[error("the registry answers {0}; check the address, or ask whoever keeps the registry")]
    Refused(StatusCode),
    /// Its answer is no page.
    #[error(
        "the registry's answer is no page of the API; check the address, or tell whoever keeps the registry"
    )]
    NotAPage(#[source] serde_json::Error),
    /// Its answer is larger than a page may be.
    #[error(
        "a page of the registry is larger than {MAX_PAGE} bytes; tell whoever keeps the registry"
    )]
    TooLarge,
    /// It does not take a cursor that it gave itself. One that was kept from an earlier run may have expired.
    #[error(
        "the registry answers {0} to the cursor that it gave for its next page; run the same command again, \
         and if that stays so, tell whoever keeps the registry"
    )]
    CursorRefused(StatusCode),
    /// It leads round in a circle.
    #[error(
        "the registry's pages lead round in a circle, to the cursor of an earlier one; tell whoever keeps the registry"
    )]
    Circle,
}

/// A page of versions.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) entries: Vec<Value>,
    pub(super) next: Option<String>,
    /// When it was made, by the registry's clock if that is told.
    pub(super) at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Body {
    servers: Vec<Value>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    next_cursor: Option<String>,
}

/// How one attempt ended.
enum Attempt {
    Page(Box<Page>),
    Failed(FetchError),
    /// Worth another attempt, not before this wait.
    Again(Duration, Option<reqwest::Error>),
}

impl Registry {
    /// A registry at an address; the path of its API may be there or not.
    ///
    /// # Errors
    /// [`FetchError::Address`].
    pub fn new(address: &str, token: Option<SecretString>) -> Result<Self, FetchError> {
        let base = base(address, &["v0.1", "servers"]).ok_or(FetchError::Address)?;
        let http = client(Policy::limited(REDIRECTIONS)).map_err(|_| FetchError::Address)?;
        Ok(Self { http, base, token })
    }

    /// How events name it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// One page; none when asked to stop while waiting for it.
    pub(super) async fn page(
        &self,
        since: Option<DateTime<Utc>>,
        cursor: Option<&str>,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Result<Option<Page>, FetchError> {
        let mut pauses = Patience::new(patience);
        loop {
            let (wait, source) = match self.attempt(since, cursor).await {
                Attempt::Page(page) => return Ok(Some(*page)),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(wait, source) => (wait, source),
            };
            let Some(pause) = pauses.pause() else {
                return Err(FetchError::Unavailable { patience, source });
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(pause.max(wait)) => {}
            }
        }
    }

    /// Where its list is.
    fn list(&self) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{LIST}", self.base.path()));
        url
    }

    async fn attempt(&self, since: Option<DateTime<Utc>>, cursor: Option<&str>) -> Attempt {
        let mut url = self.list();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("limit", LIMIT);
            query.append_pair("include_deleted", "true");
            if let Some(since) = since {
                let since = since.to_rfc3339_opts(SecondsFormat::Micros, true);
                query.append_pair("updated_since", &since);
            }
            if let Some(cursor) = cursor {
                query.append_pair("cursor", cursor);
            }
        }
        let mut request = self.http.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Attempt::Again(Duration::ZERO, Some(error.without_url())),
        };
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Attempt::Again(asked_to_wait(&response), None);
        }
        if !status.is_success() {
            return Attempt::Failed(self.refusal(status, cursor.is_some()));
        }
        read(response).await
    }

    /// What a status means that is worth no other attempt.
    fn refusal(&self, status: StatusCode, with_cursor: bool) -> FetchError {
        match status {
            status if with_cursor && refuses_cursor(status) => FetchError::CursorRefused(status),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FetchError::TokenRefused(status),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                let list = self.list().into();
                FetchError::NotThere { status, list }
            }
            _ => FetchError::Refused(status),
        }
    }
}

/// How registries say that they do not take a cursor (any more).
fn refuses_cursor(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}

async fn read(response: Response) -> Attempt {
    let at = response.headers().get(DATE);
    let at = at.and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    let at = at.map_or_else(Utc::now, |date| date.to_utc());
    let bytes = match bounded(response, MAX_PAGE).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Attempt::Failed(FetchError::TooLarge),
        Err(error) => return Attempt::Again(Duration::ZERO, Some(error.without_url())),
    };
    let body: Body = match serde_json::from_slice(&bytes) {
        Ok(body) => body,
        Err(error) => return Attempt::Failed(FetchError::NotAPage(error)),
    };
    let next = body.metadata.and_then(|metadata| metadata.next_cursor);
    let next = next.filter(|next| !next.is_empty());
    Attempt::Page(Box::new(Page {
        entries: body.servers,
        next,
        at,
    }))
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3); its form as a date is not looked at.
fn asked_to_wait(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER);
    let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(MOST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_however_it_is_written() {
        for address in [
            "https://registry.example.org",
            "https://registry.example.org/",
            "https://registry.example.org/v0.1",
            "https://registry.example.org/v0.1/servers",
        ] {
            let registry = Registry::new(address, None).unwrap();
            assert_eq!(registry.name(), "https://registry.example.org");
        }
        let below = Registry::new("http://127.0.0.1:9/mcp/v0.1/", None).unwrap();
        assert_eq!(below.name(), "http://127.0.0.1:9/mcp");
    }

    #[test]
    fn a_refusal_says_whether_token_address_or_cursor_is_to_be_mended() {
        let registry = Registry::new("https://registry.example.org/mcp", None).unwrap();
        let refusal = |status: u16, with_cursor| {
            let status = StatusCode::from_u16(status).unwrap();
            registry.refusal(status, with_cursor)
        };
        for status in [401, 403] {
            let told = refusal(status, true);
            assert!(matches!(told, FetchError::TokenRefused(_)), "{told}");
            assert!(told.to_string().contains("METAMCP_REGISTRY_TOKEN"));
        }
        for status in [404, 405, 410] {
            let told = refusal(status, false);
            assert!(matches!(told, FetchError::NotThere { .. }), "{told}");
            let list = "https://registry.example.org/mcp/v0.1/servers";
            assert!(told.to_string().contains(list), "{told}");
        }
        for (status, with_cursor) in [(400, false), (451, false), (302, true)] {
            let told = refusal(status, with_cursor);
            assert!(matches!(told, FetchError::Refused(_)), "{told}");
        }
        for status in [400, 404, 410, 422] {
            let told = refusal(status, true);
            assert!(matches!(told, FetchError::CursorRefused(_)), "{told}");
        }
    }

    #[test]
    fn an_address_carries_no_secret() {
        for address in [
            "https://me:secret@registry.example.org",
            "https://registry.example.org?token=secret",
            "ftp://registry.example.org",
            "servers.jsonl",
        ] {
            let error = Registry::new(address, None).unwrap_err();
            assert!(matches!(error, FetchError::Address), "{address}");
        }
    }
}
