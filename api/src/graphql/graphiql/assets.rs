//! The files of the page. An address carries the hash of what lies behind it, so browsers keep a file for
//! good, and a new release has new addresses. What is not ours lies compressed in `vendor`, whose README says
//! where it comes from.

use super::accepts;
use crate::error::ApiError;
use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::sync::LazyLock;

/// Where they are, relative to the page's own address, so that a proxy may put a prefix before both.
const FOLDER: &str = "graphql/assets";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

static ASSETS: LazyLock<[Asset; 7]> = LazyLock::new(|| {
    let vendored = |name, media_type, gzip| Asset::new(name, media_type, Content::Gzip(gzip));
    let ours = |name, media_type, text: &'static str| {
        Asset::new(name, media_type, Content::Plain(text.as_bytes()))
    };
    [
        vendored(
            "react.production.min.js",
            SCRIPT,
            include_bytes!("vendor/react.production.min.js.gz"),
        ),
        vendored(
            "react-dom.production.min.js",
            SCRIPT,
            include_bytes!("vendor/react-dom.production.min.js.gz"),
        ),
        vendored(
            "graphiql.min.js",
            SCRIPT,
            include_bytes!("vendor/graphiql.min.js.gz"),
        ),
        vendored(
            "graphiql.min.css",
            STYLE,
            include_bytes!("vendor/graphiql.min.css.gz"),
        ),
        ours("page.js", SCRIPT, include_str!("page.js")),
        ours("page.css", STYLE, include_str!("page.css")),
        ours("LICENSES.txt", TEXT, include_str!("vendor/LICENSES.txt")),
    ]
});

/// A file that the page loads.
struct Asset {
    name: &'static str,
    /// The last part of its address: the name, and before its ending half of the content's SHA-256.
    file: String,
    media_type: &'static str,
    content: Content,
}

/// As it lies in the program.
#[derive(Clone, Copy)]
enum Content {
    Plain(&'static [u8]),
    Gzip(&'static [u8]),
}

impl Asset {
    fn new(name: &'static str, media_type: &'static str, content: Content) -> Self {
        let (Content::Plain(bytes) | Content::Gzip(bytes)) = content;
        let hash = hex::encode(&Sha256::digest(bytes)[..16]);
        let file = match name.rsplit_once('.') {
            Some((stem, ending)) => format!("{stem}.{hash}.{ending}"),
            None => format!("{name}.{hash}"),
        };
        Self {
            name,
            file,
            media_type,
            content,
        }
    }
}

/// Answers GET: a file that is kept for good, compressed unless the client does not take that.
pub(in crate::graphql) async fn show(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut assets = ASSETS.iter();
    let asset = assets.find(|asset| asset.file == file);
    let asset = asset.ok_or(ApiError::NotFound)?;
    let common = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "accept-encoding"),
    ];
    Ok(match asset.content {
        Content::Plain(bytes) => (common, bytes).into_response(),
        Content::Gzip(bytes) if accepts(&headers, &header::ACCEPT_ENCODING, "gzip") => {
            (common, [(header::CONTENT_ENCODING, "gzip")], bytes).into_response()
        }
        Content::Gzip(bytes) => (common, unpacked(bytes)?).into_response(),
    })
}

fn unpacked(gzip: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut plain = Vec::new();
    let read = GzDecoder::new(gzip).read_to_end(&mut plain);
    read.map_err(|error| ApiError::internal(&error))?;
    Ok(plain)
}

/// A page in which each `{name}` of a file has become its address.
pub(super) fn with_addresses(page: &str) -> String {
    ASSETS.iter().fold(page.to_owned(), |page, asset| {
        let address = format!("{FOLDER}/{}", asset.file);
        page.replace(&format!("{{{}}}", asset.name), &address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sha256sum` of the files in the packages of npm that `vendor/README.md` names.
    const PUBLISHED: &str = include_str!("vendor/SHA256SUMS");

    #[test]
    fn what_is_vendored_is_what_was_published() {
        let mut vendored = 0;
        for asset in ASSETS.iter() {
            let Content::Gzip(gzip) = asset.content else {
                continue;
            };
            let hash = hex::encode(Sha256::digest(unpacked(gzip).expect("sound")));
            let line = format!("{hash}  {}", asset.name);
            assert!(
                PUBLISHED.lines().any(|published| published == line),
                "{line}"
            );
            vendored += 1;
        }
        assert_eq!(vendored, PUBLISHED.lines().count());
    }

    #[test]
    fn the_page_loads_every_file_and_knows_no_other() {
        let page = with_addresses(include_str!("page.html"));
        for asset in ASSETS.iter() {
            assert!(page.contains(&asset.file), "{}", asset.name);
        }
        assert!(!page.contains('{'), "a file that there is not: {page}");
    }
}
