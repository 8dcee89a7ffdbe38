//! What a page of the API or a file holds: documents, with what a registry knows of them.

use crate::import::report::Reason;
use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use domain::server::{Manifest, ManifestStatus, ServerProfile, Transport};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the registry itself says of a version, in an answer's `_meta`.
const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";
/// Characters of a slug that tell its registry name; the rest is a hash.
const READABLE: usize = 48;
/// Bytes of the hash of a registry name in a slug: 12 characters.
const HASH_BYTES: usize = 7;
/// Longest homepage that a profile takes.
const MAX_HOMEPAGE: usize = 500;

/// One version.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) document: Value,
    /// None when nobody said: then a version that is there keeps its status.
    pub(super) status: Option<ManifestStatus>,
    pub(super) status_message: Option<String>,
    pub(super) updated_at: Option<DateTime<Utc>>,
    pub(super) is_latest: bool,
}

impl Entry {
    /// Reads a `server.json` document, or one wrapped as in an answer of the API.
    pub(super) fn read(mut value: Value) -> Result<Self, Reason> {
        let Some(document) = value.get_mut("server").filter(|inner| inner.is_object()) else {
            return Ok(Self {
                document: value,
                status: None,
                status_message: None,
                updated_at: None,
                is_latest: false,
            });
        };
        let document = document.take();
        let official = value.get("_meta").and_then(|meta| meta.get(OFFICIAL));
        let text = |member: &str| official?.get(member)?.as_str();
        let status = text("status").map(str::parse::<ManifestStatus>).transpose();
        let status = status.map_err(|problem| Reason::new("STATUS_UNKNOWN", problem))?;
        let updated_at = text("updatedAt").or_else(|| text("publishedAt"));
        let updated_at = updated_at.and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        let is_latest = official.and_then(|official| official.get("isLatest")?.as_bool());
        Ok(Self {
            document,
            status,
            status_message: text("statusMessage").map(str::to_owned),
            updated_at: updated_at.map(|time| time.to_utc()),
            is_latest: is_latest.unwrap_or(false),
        })
    }

    /// A member of the document that is a text; the document may still be anything.
    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.document.get(member).and_then(Value::as_str)
    }
}

/// The slug of a mirrored server: what can be read of its registry name, and a hash of all of it. So it is the
/// same in every run and every tenant, and two names never share one.
#[must_use]
pub fn slug_of(registry_name: &str) -> String {
    let mut readable = String::new();
    for c in registry_name.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => readable.push(c),
            _ if readable.ends_with('-') || readable.is_empty() => {}
            _ => readable.push('-'),
        }
    }
    readable.truncate(READABLE);
    let hash = BASE32_NOPAD.encode(&Sha256::digest(registry_name)[..HASH_BYTES]);
    let readable = readable.trim_end_matches('-');
    let separator = if readable.is_empty() { "" } else { "-" };
    format!("{readable}{separator}{}", hash.to_ascii_lowercase())
}

/// What a document says for a server's profile. What no document says (licence, category, tags) stays as
/// people here have described it.
pub(super) fn profile(manifest: &Manifest, current: ServerProfile) -> ServerProfile {
    let document = manifest.document();
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let name = manifest.text("title");
    let name = name.or_else(|| manifest.name().rsplit('/').next());
    let homepage = text("/websiteUrl").or_else(|| text("/repository/url"));
    let homepage = homepage.filter(|address| {
        let url = reqwest::Url::parse(address);
        address.chars().count() <= MAX_HOMEPAGE
            && url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    });
    let transport = text("/remotes/0/type").or_else(|| text("/packages/0/transport/type"));
    ServerProfile {
        name: name.unwrap_or_default().to_owned(),
        registry_name: Some(manifest.name().to_owned()),
        description: manifest.text("description").unwrap_or_default().to_owned(),
        homepage: homepage.map(str::to_owned),
        transport: transport.and_then(|kind| kind.parse::<Transport>().ok()),
        ..current
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn slugs_are_stable_readable_and_never_shared() {
        let slug = slug_of("io.github.acme/Weather_2");
        assert_eq!(slug, slug_of("io.github.acme/Weather_2"));
        assert!(slug.starts_with("io-github-acme-weather-2-"), "{slug}");
        let long = format!("io.github.{}/x", "a".repeat(180));
        let names = [
            "io.github.acme/weather",
            "io.github-acme/weather",
            "io.github.acme/Weather",
            &long,
            "-./_",
        ];
        let slugs: std::collections::BTreeSet<_> = names.map(slug_of).into_iter().collect();
        assert_eq!(slugs.len(), names.len());
        for slug in slugs {
            domain::id::check_slug("server slug", &slug).unwrap();
        }
    }

    #[test]
    fn an_answer_and_a_bare_document_are_read() {
        let document = json!({ "name": "io.github.acme/a", "version": "1" });
        let bare = Entry::read(document.clone()).unwrap();
        assert_eq!((bare.status, bare.is_latest), (None, false));
        let wrapped = json!({ "server": document, "_meta": { OFFICIAL: {
            "status": "deprecated", "statusMessage": "old", "isLatest": true,
            "updatedAt": "2026-01-02T03:04:05.678Z", "publishedAt": "2025-01-01T00:00:00Z",
        } } });
        let entry = Entry::read(wrapped).unwrap();
        assert_eq!(entry.document, bare.document);
        assert_eq!(entry.status, Some(ManifestStatus::Deprecated));
        assert_eq!(entry.status_message.as_deref(), Some("old"));
        assert_eq!(entry.updated_at.unwrap().timestamp_subsec_millis(), 678);
        assert!(entry.is_latest);
        let unknown = json!({ "server": {}, "_meta": { OFFICIAL: { "status": "frozen" } } });
        assert_eq!(Entry::read(unknown).unwrap_err().code, "STATUS_UNKNOWN");
    }

    #[test]
    fn a_profile_keeps_what_no_document_says() {
        let document = json!({
            "name": "io.github.acme/weather", "description": "Forecasts", "version": "1.0.0",
            "repository": { "url": "https://example.org/code", "source": "git" },
            "remotes": [{ "type": "sse", "url": "https://example.org/sse" }],
        });
        let current = ServerProfile {
            category: Some("weather".to_owned()),
            description: "old".to_owned(),
            ..ServerProfile::default()
        };
        let profile = profile(&Manifest::new(document).unwrap(), current);
        assert_eq!(profile.name, "weather");
        assert_eq!(profile.description, "Forecasts");
        assert_eq!(
            profile.homepage.as_deref(),
            Some("https://example.org/code")
        );
        assert_eq!(profile.transport, Some(Transport::Sse));
        assert_eq!(profile.category.as_deref(), Some("weather"));
    }
}
