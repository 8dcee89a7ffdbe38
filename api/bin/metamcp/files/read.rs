//! Reads a folder: all of it or nothing. A file that nobody would read is refused, because leaving it out could
//! retire what it describes.

use super::layout::{
    CATEGORIES, EXTENSION, FORMAT, INSTALLATIONS, MANIFEST, Manifest, OPTIONAL, PRINCIPALS,
    SERVERS, TENANT, TenantFile, WITHOUT_LIVES, server_file,
};
use super::yaml::from_text;
use crate::import::report::Reason;
use crate::plan::{PrincipalSpec, Problem, RegistrySpec, ServerSpec};
use domain::id::check_slug;
use domain::installation::ForeignTool;
use domain::principal::PrincipalKind;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Largest file, in bytes.
const MAX_FILE: u64 = 32 << 20;

/// What a folder says.
#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    /// What it is of.
    pub manifest: Manifest,
    /// What the registry is to be.
    pub registry: RegistrySpec,
}

/// Reads a folder.
///
/// # Errors
/// Every problem of every file.
pub fn read(folder: &Path) -> Result<Folder, Vec<Problem>> {
    let mut reading = Reading {
        folder,
        problems: Vec::new(),
    };
    // The format first: of a newer one nothing else is known.
    let Some(manifest) = reading.manifest() else {
        return Err(reading.problems);
    };
    let tenant = reading.tenant();
    let registry = RegistrySpec {
        after_sunset: tenant.as_ref().and_then(|tenant| tenant.after_sunset),
        tenant_name: tenant.map(|tenant| tenant.name),
        servers: reading.servers(),
        lives: manifest.format > WITHOUT_LIVES,
        categories: reading.named(CATEGORIES),
        installations: reading.named(INSTALLATIONS),
        principals: reading.named(PRINCIPALS),
    };
    reading.check(&registry);
    reading.refuse_strangers();
    if reading.problems.is_empty() {
        Ok(Folder { manifest, registry })
    } else {
        reading.problems.sort();
        Err(reading.problems)
    }
}

pub(super) struct Reading<'a> {
    folder: &'a Path,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn manifest(&mut self) -> Option<Manifest> {
        let path = self.folder.join(MANIFEST);
        let text = self.text(&path, MANIFEST)?;
        let format = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(&text);
        let format = format.ok().and_then(|value| value.get("format")?.as_u64());
        let known = [WITHOUT_LIVES, FORMAT].map(u64::from);
        if let Some(format) = format.filter(|format| !known.contains(format)) {
            let message = format!(
                "the files have format {format}, and this build reads formats {WITHOUT_LIVES} and {FORMAT}: use the \
                 release that wrote them"
            );
            self.problem(MANIFEST, Reason::new("UNSUPPORTED_FORMAT", message));
            return None;
        }
        self.parse(MANIFEST, &text)
    }

    fn tenant(&mut self) -> Option<TenantFile> {
        let path = self.folder.join(TENANT);
        if !path.exists() {
            return None;
        }
        let text = self.text(&path, TENANT)?;
        self.parse(TENANT, &text)
    }

    /// A file of what has names; none when there is no such file.
    fn named<T: DeserializeOwned>(&mut self, file: &str) -> Option<BTreeMap<String, T>> {
        let path = self.folder.join(file);
        if !path.exists() {
            return None;
        }
        let text = self.text(&path, file)?;
        self.parse(file, &text)
    }

    /// What a file may not say, whatever the registry is.
    fn check(&mut self, registry: &RegistrySpec) {
        for (slug, server) in registry.servers.iter().filter(|_| !registry.lives) {
            if !server.manifests.is_empty() {
                let message = format!(
                    "`manifests` and the documents in the server's folder are of format {FORMAT}: write \
                     `format: {FORMAT}` in {MANIFEST}, and look at the plan"
                );
                self.problem(&server_file(slug), Reason::new("INVALID_FILE", message));
            }
            let lives = server
                .tools
                .iter()
                .filter(|(_, tool)| **tool != tool.alone());
            for (name, _) in lives {
                let message = format!(
                    "tools.{name}: `aliases`, `deprecated` and `versions` are of format {FORMAT}: write `format: {FORMAT}` \
                     in {MANIFEST}, and look at the plan"
                );
                self.problem(&server_file(slug), Reason::new("INVALID_FILE", message));
            }
        }
        for tool in registry.installations.iter().flat_map(BTreeMap::keys) {
            if ForeignTool::parse(tool).is_none_or(|read| read.to_string() != *tool) {
                let message =
                    format!("{tool}: a tool of another tenant is written `@publisher/server/name`");
                self.problem(INSTALLATIONS, Reason::new("INVALID_REFERENCE", message));
            }
        }
        let persons = registry.principals.iter().flatten();
        let is_person = |one: &&PrincipalSpec| one.kind == PrincipalKind::User;
        for (handle, _) in persons.filter(|(_, one)| is_person(one)) {
            let message = format!(
                "{handle}: a person is in no file, because nothing could erase it there; give roles with `grantRole`"
            );
            self.problem(PRINCIPALS, Reason::new("PERSON_IN_FILES", message));
        }
    }

    fn servers(&mut self) -> BTreeMap<String, ServerSpec> {
        let (mut servers, mut folders) = (BTreeMap::new(), Vec::new());
        for path in self.entries(&self.folder.join(SERVERS)) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = self.name(&path);
            let slug = path.file_stem().and_then(|stem| stem.to_str());
            let is_ours = path.extension().is_some_and(|end| end == EXTENSION) && path.is_file();
            let Some(slug) = slug.filter(|_| is_ours) else {
                self.stranger(
                    &file,
                    "only files named <slug>.yaml lie here, and folders named <slug>",
                );
                continue;
            };
            if let Err(error) = check_slug("server slug", slug) {
                self.problem(&file, Reason::new("INVALID_SLUG", error.to_string()));
                continue;
            }
            let server = self.text(&path, &file);
            let server = server.and_then(|text| self.parse::<ServerSpec>(&file, &text));
            servers.extend(server.map(|server| (slug.to_owned(), server)));
        }
        for folder in folders {
            self.manifests(&folder, &mut servers);
        }
        servers
    }

    /// YAML beside ours; anything else, such as a README, is somebody's and stays unread.
    fn refuse_strangers(&mut self) {
        for path in self.entries(self.folder) {
            let file = self.name(&path);
            let is_yaml = path
                .extension()
                .is_some_and(|end| end == EXTENSION || end == "yml");
            if is_yaml && file != MANIFEST && !OPTIONAL.contains(&file.as_str()) {
                self.stranger(&file, "nothing reads it; a server's file lies in servers/");
            }
        }
    }

    /// What lies in a folder, hidden files left out. No folder of servers is one without servers.
    pub(super) fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let file = self.name(folder);
                self.problem(&file, Reason::new("FILE_UNREADABLE", error.to_string()));
                return Vec::new();
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| {
            let name = path.file_name();
            name.is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
        });
        paths.sort();
        paths
    }

    pub(super) fn text(&mut self, path: &Path, file: &str) -> Option<String> {
        let size = fs::metadata(path).map(|about| about.len());
        let text = match size {
            Ok(size) if size > MAX_FILE => {
                let message = format!("the file has {size} bytes; the most is {MAX_FILE}");
                self.problem(file, Reason::new("FILE_TOO_LARGE", message));
                return None;
            }
            Ok(_) => fs::read_to_string(path),
            Err(error) => Err(error),
        };
        text.map_err(|error| {
            let message = format!("the file cannot be read: {error}");
            self.problem(file, Reason::new("FILE_UNREADABLE", message));
        })
        .ok()
    }

    fn parse<T: DeserializeOwned>(&mut self, file: &str, text: &str) -> Option<T> {
        from_text(text)
            .map_err(|reason| self.problem(file, reason))
            .ok()
    }

    pub(super) fn stranger(&mut self, file: &str, why: &str) {
        self.problem(file, Reason::new("UNKNOWN_FILE", why));
    }

    pub(super) fn problem(&mut self, file: &str, reason: Reason) {
        self.problems.push(Problem::of(file, reason));
    }

    /// A path as the folder's owner knows it.
    pub(super) fn name(&self, path: &Path) -> String {
        let path = path.strip_prefix(self.folder).unwrap_or(path);
        path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(files: &[(&str, &str)]) -> Vec<(String, &'static str)> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(SERVERS)).unwrap();
        for (file, text) in files {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let problems = read(folder.path()).err().unwrap_or_default();
        let code = |problem: Problem| (problem.place, problem.code);
        problems.into_iter().map(code).collect()
    }

    const GOOD: (&str, &str) = (MANIFEST, "format: 1\ntenant: acme\nposition: 4\n");

    #[test]
    fn a_folder_without_its_manifest_or_of_another_format_is_refused() {
        assert_eq!(codes(&[]), [(MANIFEST.to_owned(), "FILE_UNREADABLE")]);
        let newer = (MANIFEST, "format: 3\nshape: round\n");
        assert_eq!(
            codes(&[newer]),
            [(MANIFEST.to_owned(), "UNSUPPORTED_FORMAT")]
        );
        let unknown = (
            MANIFEST,
            "format: 1\ntenant: acme\nposition: 4\nshape: round\n",
        );
        assert_eq!(codes(&[unknown]), [(MANIFEST.to_owned(), "INVALID_FILE")]);
    }

    #[test]
    fn every_problem_of_every_file_is_told_and_what_nobody_reads_is_one() {
        let found = codes(&[
            GOOD,
            (TENANT, "title: x"),
            ("servers/a.yaml", "name: A\ncolour: red"),
            ("servers/B.yaml", "name: B"),
            ("servers/c.yml", "name: C"),
            ("servers/.keep", ""),
            ("d.yaml", "name: D"),
            ("README.md", "ours"),
        ]);
        let expected = [
            ("d.yaml", "UNKNOWN_FILE"),
            ("servers/B.yaml", "INVALID_SLUG"),
            ("servers/a.yaml", "INVALID_FILE"),
            ("servers/c.yml", "UNKNOWN_FILE"),
            (TENANT, "INVALID_FILE"),
        ];
        assert_eq!(found, expected.map(|(file, code)| (file.to_owned(), code)));
        assert_eq!(codes(&[GOOD, ("servers/a.yaml", "name: A")]), []);
    }

    #[test]
    fn what_a_file_may_not_say_is_refused_with_its_place() {
        let found = codes(&[
            GOOD,
            (
                "servers/a.yaml",
                "name: A\ntools: {x: {version: 1.0.0, description: d, aliases: {stable: 1.0.0}}}",
            ),
            ("categories.yaml", "search: {titel: Search}"),
            (
                "installations.yaml",
                "acme/maps/route: ^1\n'@acme/maps/route': ^1",
            ),
            (
                "principals.yaml",
                "ada: {kind: user}\nci: {kind: service, roles: [publisher]}",
            ),
        ]);
        let expected = [
            ("categories.yaml", "INVALID_FILE"),
            ("installations.yaml", "INVALID_REFERENCE"),
            ("principals.yaml", "PERSON_IN_FILES"),
            ("servers/a.yaml", "INVALID_FILE"),
        ];
        assert_eq!(found, expected.map(|(file, code)| (file.to_owned(), code)));
    }
}
