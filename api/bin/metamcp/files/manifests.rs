//! The documents that servers publish: `server.json`, one file for each version, in a folder beside the server's file.

use super::json;
use super::layout::{DOCUMENT, EXTENSION, manifest_file, server_file};
use super::read::Reading;
use super::write::WriteError;
use crate::import::report::Reason;
use crate::plan::ServerSpec;
use domain::server::Manifest;
use std::collections::BTreeMap;
use std::path::Path;

/// The files of the documents of a server.
pub(super) fn documents(
    slug: &str,
    server: &ServerSpec,
) -> Result<Vec<(String, String)>, WriteError> {
    let mut files = Vec::new();
    for (version, spec) in &server.manifests {
        let Some(document) = &spec.document else {
            continue;
        };
        let file = manifest_file(slug, version);
        match json::to_text(document) {
            Ok(text) => files.push((file, text)),
            Err(_) => return Err(WriteError::NotWritable { file }),
        }
    }
    Ok(files)
}

impl Reading<'_> {
    /// Reads a folder of documents. What is wrong with a document as such is told here, with the file; whether the
    /// version can be published is seen in the plan.
    pub(super) fn manifests(&mut self, folder: &Path, servers: &mut BTreeMap<String, ServerSpec>) {
        let place = self.name(folder);
        let paths = self.entries(folder);
        if paths.is_empty() {
            return;
        }
        let slug = folder.file_name().and_then(|name| name.to_str());
        let is_there = |slug: &&str| {
            let of_server = folder.with_file_name(format!("{slug}.{EXTENSION}"));
            of_server.is_file()
        };
        let Some(slug) = slug.filter(is_there) else {
            self.stranger(
                &place,
                "the server's file, <slug>.yaml, does not lie beside it",
            );
            return;
        };
        for path in paths {
            let file = self.name(&path);
            let is_ours = path.extension().is_some_and(|end| end == DOCUMENT) && path.is_file();
            if !is_ours {
                self.stranger(&file, "only documents named <version>.json lie here");
                continue;
            }
            let Some(text) = self.text(&path, &file) else {
                continue;
            };
            // Of a server whose file cannot be read, the documents are checked all the same.
            match checked(&text, &path, slug, servers.get(slug)) {
                Err(reason) => self.problem(&file, reason),
                Ok(manifest) => {
                    if let Some(server) = servers.get_mut(slug) {
                        let version = manifest.version().to_owned();
                        let version = server.manifests.entry(version).or_default();
                        version.document = Some(manifest.into_document());
                    }
                }
            }
        }
    }
}

/// A document that keeps the rules, is of the server, and lies in the file of its version.
fn checked(
    text: &str,
    path: &Path,
    slug: &str,
    server: Option<&ServerSpec>,
) -> Result<Manifest, Reason> {
    let manifest = Manifest::new(json::from_text(text)?);
    let manifest = manifest.map_err(|error| Reason::new(error.code(), error.to_string()))?;
    let expected = manifest_file(slug, manifest.version());
    if !path.ends_with(&expected) {
        let message = format!(
            "it is of version {}, so its file is {expected}",
            manifest.version()
        );
        return Err(Reason::new("INVALID_FILE", message));
    }
    if let Some(server) = server
        && server.registry_name.as_deref() != Some(manifest.name())
    {
        let file = server_file(slug);
        let name = manifest.name();
        let message = format!(
            "it is of `{name}`: write `registry_name: {name}` in {file}, or correct its `name`"
        );
        return Err(Reason::new("MANIFEST_NAME_DIFFERS", message));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use crate::files::layout::{FORMAT, WITHOUT_LIVES};
    use crate::files::read;
    use crate::plan::Problem;
    use serde_json::{Value, json};
    use std::fs;

    const SCHEMA: &str =
        "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";

    fn document(member: &str, value: Value) -> String {
        let mut document = json!({
            "$schema": SCHEMA, "name": "io.github.acme/weather", "description": "Forecasts", "version": "1.0.0",
        });
        document[member] = value;
        document.to_string()
    }

    /// The problems of a folder with a server and one file more.
    fn told_in(format: u32, file: &str, text: &str) -> Vec<(String, &'static str)> {
        let folder = tempfile::tempdir().unwrap();
        let about = format!("format: {format}\ntenant: acme\nposition: 4\n");
        let of_server = "name: Weather\nregistry_name: io.github.acme/weather\n";
        for (file, text) in [
            ("registry.yaml", about.as_str()),
            ("servers/weather.yaml", of_server),
            (file, text),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let problems = read(folder.path()).err().unwrap_or_default();
        let told = |problem: Problem| (problem.place, problem.code);
        problems.into_iter().map(told).collect()
    }

    fn told(file: &str, text: &str) -> Vec<(String, &'static str)> {
        told_in(FORMAT, file, text)
    }

    #[test]
    fn a_document_is_refused_with_its_file_and_the_reason() {
        let file = "servers/weather/1.0.0.json";
        let good = document("version", json!("1.0.0"));
        assert_eq!(told(file, &good), []);
        let newer = SCHEMA.replace("2025", "2125");
        for (text, code) in [
            ("{".to_owned(), "INVALID_FILE"),
            (
                good.replacen('{', "{\"version\":\"1.0.0\",", 1),
                "INVALID_FILE",
            ),
            (document("version", json!("1.0.1")), "INVALID_FILE"),
            (document("version", json!("latest")), "MANIFEST_INVALID"),
            (document("description", json!(7)), "MANIFEST_INVALID"),
            (document("$schema", json!(newer)), "MANIFEST_SCHEMA_UNKNOWN"),
            (
                document("name", json!("org.other/weather")),
                "MANIFEST_NAME_DIFFERS",
            ),
            (document("title", json!("a\u{200B}b")), "HIDDEN_CHARACTERS"),
        ] {
            assert_eq!(told(file, &text), [(file.to_owned(), code)], "{text}");
        }
    }

    #[test]
    fn what_is_no_document_of_a_server_is_refused() {
        let good = document("version", json!("1.0.0"));
        let inside = "name: Weather\nmanifests: {1.0.0: {document: {name: a}}}\n".to_owned();
        for (file, text, place, code) in [
            (
                "servers/weather/1.json",
                &good,
                "servers/weather/1.json",
                "INVALID_FILE",
            ),
            (
                "servers/weather/1.yaml",
                &good,
                "servers/weather/1.yaml",
                "UNKNOWN_FILE",
            ),
            (
                "servers/mail/1.0.0.json",
                &good,
                "servers/mail",
                "UNKNOWN_FILE",
            ),
            (
                "servers/weather.yaml",
                &inside,
                "servers/weather.yaml",
                "INVALID_FILE",
            ),
        ] {
            assert_eq!(told(file, text), [(place.to_owned(), code)]);
        }
        let refused = told_in(WITHOUT_LIVES, "servers/weather/1.0.0.json", &good);
        assert_eq!(
            refused,
            [("servers/weather.yaml".to_owned(), "INVALID_FILE")]
        );
        assert_eq!(told("servers/weather/.keep", ""), []);
    }
}
