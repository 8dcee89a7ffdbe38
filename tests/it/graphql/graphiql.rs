//! GraphiQL, as a browser without a way to the internet loads it.

use crate::support::Installation;
use reqwest::header::{self, HeaderMap};
use sha2::{Digest, Sha256};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// What GraphiQL cannot be without, and its type.
const FILES: [(&str, &str); 6] = [
    ("react.production.min", SCRIPT),
    ("react-dom.production.min", SCRIPT),
    ("graphiql.min", SCRIPT),
    ("page", SCRIPT),
    ("graphiql.min", STYLE),
    ("page", STYLE),
];

/// The values of all `src` and `href`.
fn addresses(page: &str) -> Vec<&str> {
    let attributes = page
        .split(" src=\"")
        .flat_map(|part| part.split(" href=\""));
    attributes
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers[name].to_str().unwrap()
}

#[tokio::test]
async fn the_page_loads_nothing_that_is_not_ours() {
    let installation = Installation::start().await;
    let stranger = installation.stranger();
    let request = stranger.http.get(format!("{}/graphql", stranger.base));
    let page = request
        .header(header::ACCEPT, "text/html")
        .send()
        .await
        .unwrap();
    let policy = text(page.headers(), header::CONTENT_SECURITY_POLICY).to_owned();
    let page = page.text().await.unwrap();

    for directive in policy.split(';').map(str::trim) {
        let mut words = directive.split(' ');
        let name = words.next().unwrap();
        for source in words {
            let local = ["'none'", "'self'"].contains(&source)
                || source == "data:" && ["font-src", "img-src"].contains(&name)
                || source.starts_with("'sha256-") && name == "style-src";
            assert!(local, "{directive}");
        }
    }
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!page.contains("://") && !page.contains("<style"), "{page}");

    let mut served = Vec::new();
    for address in addresses(&page)
        .into_iter()
        .filter(|address| *address != "data:,")
    {
        assert!(address.starts_with("graphql/assets/"), "{address}");
        let answer = stranger.get(&format!("/{address}")).await;
        assert_eq!(answer.status(), 200, "{address}");
        let kind = text(answer.headers(), header::CONTENT_TYPE).to_owned();
        served.push((address.to_owned(), kind));
    }
    for (name, kind) in FILES {
        let prefix = format!("graphql/assets/{name}.");
        let found = served
            .iter()
            .any(|(address, of)| address.starts_with(&prefix) && of == kind);
        assert!(found, "{name} as {kind} in {served:#?}");
    }
}

#[tokio::test]
async fn an_address_names_the_hash_of_what_it_serves_and_is_kept_for_good() {
    let installation = Installation::start().await;
    let stranger = installation.stranger();
    let page = stranger.http.get(format!("{}/graphql", stranger.base));
    let page = page
        .header(header::ACCEPT, "text/html")
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    for address in addresses(&page)
        .into_iter()
        .filter(|address| *address != "data:,")
    {
        let request = stranger.http.get(format!("{}/{address}", stranger.base));
        let packed = request
            .header(header::ACCEPT_ENCODING, "gzip")
            .send()
            .await
            .unwrap();
        let headers = packed.headers().clone();
        assert!(text(&headers, header::CACHE_CONTROL).contains("immutable"));
        assert_eq!(text(&headers, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let packed = packed.bytes().await.unwrap();
        let hash = hex_of(&Sha256::digest(&packed));
        let named = address.rsplit('.').nth(1).unwrap();
        assert!(
            named.len() >= 16 && hash.starts_with(named),
            "{address}: {hash}"
        );

        // Without compression: more bytes, of what the compressed ones stand for.
        let plain = stranger.get(&format!("/{address}")).await;
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let plain = plain.bytes().await.unwrap();
        assert!(std::str::from_utf8(&plain).is_ok(), "{address}");
        assert_eq!(
            headers.contains_key(header::CONTENT_ENCODING),
            plain.len() > packed.len(),
            "{address}"
        );
    }
    let other = stranger
        .get("/graphql/assets/page.00000000000000000000000000000000.js")
        .await;
    assert_eq!(other.status(), 404);
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
