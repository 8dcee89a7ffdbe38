//! The documents: what they link to exists, and the GraphQL in them fits the schema.

use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Documents that readers start from, and folders whose documents are all read.
const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
const FOLDERS: [&str; 4] = ["benches", "docker", "docs", "migrations"];

#[test]
fn every_relative_link_points_to_something() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    let mut broken = Vec::new();
    for document in documents(root) {
        let text = std::fs::read_to_string(&document).unwrap();
        let folder = document.parent().unwrap();
        for link in links(&text).into_iter().filter(|link| is_relative(link)) {
            found += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                document.clone()
            } else {
                folder.join(path)
            };
            if !target.exists() || !has_heading(&target, anchor) {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    assert!(
        found > 50,
        "only {found} links found: does `links` still read them?"
    );
}

#[tokio::test]
async fn every_graphql_block_fits_the_schema() {
    let installation = Installation::start().await;
    let client = installation.client("acme", "reader", &[Role::Agent]).await;
    let sound = refusals(&client, "{ viewer { handle } }").await;
    for wrong in ["{ nothing }", "{ viewer {", "{ listing(first: 1) { id } }"] {
        assert_ne!(refusals(&client, wrong).await, sound, "{wrong}");
    }
    let (mut found, mut wrong) = (0, Vec::new());
    for document in documents(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = std::fs::read_to_string(&document).unwrap();
        for (line, operation) in operations(&text) {
            found += 1;
            let refused = refusals(&client, &operation).await;
            if refused != sound {
                wrong.push(format!("{}:{line}: {refused:#}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        found > 30,
        "only {found} operations found: does `operations` still read them?"
    );
}

#[test]
fn operations_are_read_from_graphql_blocks_one_by_one() {
    let text = [
        "```graphql",
        "{ a {",
        "  b } }",
        "# Behind it.",
        "mutation { c }",
        "```",
        "```json",
        "{ }",
        "```",
        "  ```graphql",
        "  query {",
        "    ...d",
        "  }",
        "",
        "  fragment d on E { f }",
        "  ```",
        "```graphql part",
        "g { h }",
        "```",
        "```graphql",
        "i { j }",
        "```",
    ];
    let read = operations(&text.join("\n"));
    let expected = [
        (2, "{ a {\n  b } }\n# Behind it.\n"),
        (5, "mutation { c }\n"),
        (11, "query {\n  ...d\n}\n\nfragment d on E { f }\n"),
        (21, "i { j }\n"),
    ];
    let expected = expected.map(|(line, operation)| (line, operation.to_owned()));
    assert_eq!(read, expected);
}

#[test]
fn links_are_read_outside_code_only() {
    let text = "[a](b.md) and `[c](d)`, [e](f/g.md#h)\n```sh\n[i](j)\n```\n![k](l.png \"m\")";
    assert_eq!(links(text), ["b.md", "f/g.md#h", "l.png"]);
    assert!(is_relative("b.md") && is_relative("#h"));
    assert!(!is_relative("https://example.com") && !is_relative("mailto:a@b"));
    assert_eq!(
        anchor_of("### Run it: `metamcp serve`"),
        "run-it-metamcp-serve"
    );
}

fn documents(root: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = DOCUMENTS.iter().map(|name| root.join(name)).collect();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        all.extend(files.filter(|file| file.extension().is_some_and(|kind| kind == "md")));
    }
    all
}

/// What is said against an operation that is not executed, because the request names another one. That is said of a
/// sound one, too, and nothing else.
async fn refusals(client: &Client, operation: &str) -> Value {
    let body = json!({ "query": operation, "operationName": "another" });
    let request = client.http.post(format!("{}/graphql", client.base));
    let request = request.bearer_auth(client.token.as_ref().unwrap());
    let response = request.json(&body).send().await.unwrap();
    let mut answer: Value = response.json().await.unwrap();
    answer["errors"].take()
}

/// The operations in blocks of `graphql`, each with its line. A block may hold several: another one begins where a line
/// begins with its keyword or its brace. A block of what cannot stand by itself has one more word behind `graphql`, and
/// is left out.
fn operations(text: &str) -> Vec<(usize, String)> {
    const BEGINNINGS: [&str; 4] = ["{", "query", "mutation", "subscription"];
    let mut found: Vec<(usize, String)> = Vec::new();
    // The indentation of the block that is read, if that is of GraphQL.
    let (mut in_block, mut indentation) = (false, None);
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start();
        if let Some(language) = fence.strip_prefix("```") {
            in_block = !in_block;
            indentation = None;
            if in_block && language == "graphql" {
                indentation = Some(line.len() - fence.len());
                found.push((number + 2, String::new()));
            }
            continue;
        }
        let (Some(indentation), Some((_, last))) = (indentation, found.last_mut()) else {
            continue;
        };
        let line = line.get(indentation..).unwrap_or_default();
        let begins = BEGINNINGS.iter().any(|word| line.starts_with(word));
        let is_empty = |line: &str| line.is_empty() || line.starts_with('#');
        if begins && !last.lines().all(is_empty) {
            found.push((number + 1, format!("{line}\n")));
        } else {
            last.push_str(line);
            last.push('\n');
        }
    }
    found
}

/// The targets of inline links and images, those in code left out.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            // An odd number of backticks before it: the link is inside code.
            let in_code = line[..line.len() - rest.len() + at].matches('`').count() % 2 == 1;
            rest = &rest[at + 2..];
            let end = rest.find([')', ' ']).unwrap_or(rest.len());
            if !in_code {
                links.push(&rest[..end]);
            }
        }
    }
    links
}

fn is_relative(link: &str) -> bool {
    !link.contains("://") && !link.starts_with("mailto:")
}

/// Whether a document has the heading that an anchor names.
fn has_heading(target: &Path, anchor: &str) -> bool {
    anchor.is_empty()
        || std::fs::read_to_string(target)
            .is_ok_and(|text| text.lines().any(|line| anchor_of(line) == anchor))
}

/// A heading's anchor, as Markdown renderers make it.
fn anchor_of(line: &str) -> String {
    let Some(heading) = line.strip_prefix('#') else {
        return String::new();
    };
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
