//! The documents: what they link to exists.

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
