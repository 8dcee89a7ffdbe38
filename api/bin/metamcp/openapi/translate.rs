//! From a document to a server with its tools.

use super::document::Document;
use super::name::{self, Named, names};
use super::operation::Operation;
use super::paths::operations;
use super::text::Texts;
use crate::plan::{Problem, ServerSpec};
use domain::server::{MAX_DESCRIPTION, MAX_NAME};
use reqwest::Url;
use semver::Version;
use serde_json::Value;

/// Longest licence, in characters; longer ones are cut.
const MAX_LICENSE: usize = 200;

/// What the caller says of the server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Its slug; made of the document's title without it.
    pub server: Option<String>,
    /// Its name; the document's title without it.
    pub name: Option<String>,
    /// Words to filter by, for the server and all its tools.
    pub tags: Vec<String>,
    /// Where the document was fetched from: what relative addresses in it begin from.
    pub address: Option<Url>,
}

/// A document as a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The server's slug.
    pub slug: String,
    /// The server and its tools.
    pub server: ServerSpec,
    /// What was changed on the way.
    pub warnings: Vec<Problem>,
}

/// Translates a document, JSON or YAML.
///
/// # Errors
/// What is wrong with the document, or with each operation that is refused.
pub fn translate(text: &str, options: &Options) -> Result<Translation, Vec<Problem>> {
    let document = Document::parse(text).map_err(|problem| vec![problem])?;
    let operations = operations(&document)?;
    let mut texts = Texts::new("/info");
    let (slug, mut server) = server(&document, options, &mut texts).map_err(|one| vec![one])?;
    let mut warnings = texts.into_warnings();
    let named: Vec<Named> = operations.iter().map(Operation::named).collect();
    let version = version(&document);
    let mut refused = Vec::new();
    for (operation, name) in operations.iter().zip(names(&named)) {
        match operation.tool(&document, &name, &version, options) {
            Ok((tool, more)) => {
                warnings.extend(more);
                server.tools.insert(name, tool);
            }
            Err(problem) => refused.push(problem),
        }
    }
    if refused.is_empty() {
        Ok(Translation {
            slug,
            server,
            warnings,
        })
    } else {
        refused.sort();
        refused.dedup();
        Err(refused)
    }
}

impl Operation<'_> {
    fn named(&self) -> Named {
        let operation_id = self.value.get("operationId").and_then(Value::as_str);
        Named {
            path: self.path.clone(),
            method: self.method.to_owned(),
            operation_id: operation_id.map(str::to_owned),
        }
    }
}

fn server(
    document: &Document,
    options: &Options,
    texts: &mut Texts,
) -> Result<(String, ServerSpec), Problem> {
    let info = |member: &str| document.get(&["info", member]);
    let title = texts.text("title", info("title"), MAX_NAME);
    let slug = options.server.clone();
    let slug = slug.or_else(|| title.as_deref().and_then(name::slug));
    let slug = slug.ok_or_else(|| {
        let message = "no slug can be made of the title: give one with --server";
        Problem::new("/info/title", "SLUG_MISSING", message)
    })?;
    let license = document.get(&["info", "license", "identifier"]);
    let license = license.or(document.get(&["info", "license", "name"]));
    let homepage = document
        .get(&["externalDocs", "url"])
        .and_then(Value::as_str);
    let homepage = homepage.filter(|text| {
        let url = Url::parse(text);
        url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    });
    let server = ServerSpec {
        name: options
            .name
            .clone()
            .or(title)
            .unwrap_or_else(|| slug.clone()),
        description: texts
            .text("description", info("description"), MAX_DESCRIPTION)
            .unwrap_or_default(),
        homepage: homepage.map(str::to_owned),
        license: texts.text("license", license, MAX_LICENSE),
        tags: texts.tags(None, &options.tags),
        ..ServerSpec::default()
    };
    Ok((slug, server))
}

/// The document's own version, where it is a semantic one.
fn version(document: &Document) -> Version {
    let given = document.get(&["info", "version"]).and_then(Value::as_str);
    let given = given.and_then(|text| Version::parse(text.trim().trim_start_matches('v')).ok());
    given.unwrap_or(Version::new(1, 0, 0))
}
