//! GraphiQL for browsers. The page itself is public and knows nothing; every query it sends needs a token,
//! which the person puts into the header editor. All that it loads comes from this program: it works without
//! a way to the internet, and nobody else's script runs beside a person's token.

mod assets;

pub(super) use assets::show as show_asset;

use crate::error::ApiError;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use std::sync::LazyLock;

/// What the page may load: our own files, and fonts and images that stand in the style sheet itself. The
/// hash is of the one style that GraphiQL's dialogs add, to keep the page from scrolling. Nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='; font-src data:; img-src data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The page, with the addresses of its files.
static PAGE: LazyLock<String> = LazyLock::new(|| assets::with_addresses(include_str!("page.html")));

/// Answers GET: the page for browsers, and 405 for everything else, queries in the address included.
pub(super) async fn show(headers: HeaderMap) -> Response {
    if !accepts(&headers, &header::ACCEPT, "text/html") {
        let error = ApiError::Invalid {
            code: ApiError::METHOD_NOT_ALLOWED,
            message: "send the operation with POST, as application/json".into(),
        };
        return ([(header::ALLOW, HeaderValue::from_static("POST"))], error).into_response();
    }
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept"),
    ];
    (headers, Html(PAGE.as_str())).into_response()
}

/// Whether a header that lists what the client takes (RFC 9110, section 12.5) names a value.
fn accepts(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let given = headers.get_all(name).iter();
    let lists = given.filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|value| value.eq_ignore_ascii_case(wanted));
        named
            && !parts.any(|weight| {
                weight.starts_with("q=0") && weight[3..].trim_matches(['.', '0']).is_empty()
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[tokio::test]
    async fn browsers_get_the_page_and_others_are_sent_to_post() {
        let accept = |value| with(header::ACCEPT, value);
        let page = show(accept("text/html,application/xhtml+xml,*/*;q=0.8")).await;
        assert_eq!(page.status(), StatusCode::OK);
        for other in ["*/*", "application/json", "text/html;q=0"] {
            let refused = show(accept(other)).await;
            assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(refused.headers()[header::ALLOW], "POST");
        }
    }

    #[test]
    fn a_weight_of_zero_refuses() {
        let accepts_gzip = |value| {
            let headers = with(header::ACCEPT_ENCODING, value);
            accepts(&headers, &header::ACCEPT_ENCODING, "gzip")
        };
        for taken in [
            "gzip",
            "deflate, GZIP ;q=0.5, br",
            "gzip; q=1",
            "gzip;q=0.001",
        ] {
            assert!(accepts_gzip(taken), "{taken}");
        }
        for refused in ["", "br", "gzip;q=0", "gzip; q=0.000", "gzipped"] {
            assert!(!accepts_gzip(refused), "{refused}");
        }
    }
}
