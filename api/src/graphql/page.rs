//! GraphiQL for browsers. The page itself is public and knows nothing; every query it sends needs a token,
//! which the person puts into the header editor. Its scripts come from unpkg.com, so that a machine without
//! a way there sees the hint that stands in the page instead.

use crate::error::ApiError;
use async_graphql::http::GraphiQLSource;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

/// What the page may load, and from where; nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; \
    script-src 'self' 'unsafe-inline' https://unpkg.com; \
    style-src 'self' 'unsafe-inline' https://unpkg.com; \
    font-src 'self' data: https://unpkg.com; img-src 'self' data: https://graphql.org; \
    worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The release whose files the page loads: the last line that runs without a bundler. Pinned, so that
/// nothing else than what was looked at runs beside a person's token.
const VERSION: &str = "4.1.2";

/// Where the page shows that it loads; what replaces it stays when the scripts cannot be had.
const LOADING: &str = "Loading...";
const HINT: &str = r#"<div style="font: 16px/1.5 sans-serif; max-width: 46em; margin: 2em auto">
<p>GraphiQL is loading from unpkg.com. Without a way there, ask from a terminal:</p>
<pre style="background: #eee; padding: 1em; overflow: auto">curl "$URL" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"query": "{ searchTools(query: \"create an issue\") { hits { score tool { name server { slug } } } } }"}'</pre>
<p>The schema as text: <code>metamcp schema</code>.</p></div>"#;

/// The page's last option, behind which ours are added.
const LAST_OPTION: &str = "defaultEditorToolsVisibility: true,";
const OPTIONS: &str = r##"defaultEditorToolsVisibility: "headers",
          defaultHeaders: '{\n  "Authorization": "Bearer PUT-YOUR-TOKEN-HERE"\n}',
          defaultQuery: "# Put your token into the Headers editor below, then run this.\n\nquery FindATool {\n  viewer { handle roles }\n  searchTools(query: \"create an issue\", first: 5) {\n    hits {\n      score\n      tool { name description server { slug } }\n      why { matchedTerms similarity }\n    }\n    notice\n  }\n}\n","##;

/// Answers GET: the page for browsers, and 405 for everything else, queries in the address included.
pub(super) async fn show(headers: HeaderMap) -> Response {
    if !wants_html(&headers) {
        let error = ApiError::Invalid {
            code: ApiError::METHOD_NOT_ALLOWED,
            message: "send the operation with POST, as application/json".into(),
        };
        return ([(header::ALLOW, HeaderValue::from_static("POST"))], error).into_response();
    }
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CONTENT_SECURITY_POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    (headers, Html(html())).into_response()
}

fn html() -> String {
    let page = GraphiQLSource::build()
        .endpoint("/graphql")
        .subscription_endpoint("/graphql/ws")
        .title("MetaMCP GraphiQL")
        .version(VERSION)
        .finish();
    page.replace(LOADING, HINT).replace(LAST_OPTION, OPTIONS)
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case("text/html")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[test]
    fn the_page_has_our_options_and_the_hint() {
        let page = html();
        assert!(
            page.contains(OPTIONS) && page.contains(HINT),
            "the library's page has changed"
        );
        assert!(!page.contains(LOADING));
        assert!(page.contains("graphiql@4.1.2/graphiql.min.js"), "{page}");
        assert!(page.contains("createUrl('/graphql')"), "{page}");
        assert!(
            page.contains("createUrl('/graphql/ws', true)"),
            "subscriptions: {page}"
        );
    }

    #[tokio::test]
    async fn browsers_get_the_page_and_others_are_sent_to_post() {
        let accept =
            |value| HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
        let page = show(accept("text/html,application/xhtml+xml,*/*;q=0.8")).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        for other in ["*/*", "application/json"] {
            let refused = show(accept(other)).await;
            assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(refused.headers()[header::ALLOW], "POST");
        }
    }
}
