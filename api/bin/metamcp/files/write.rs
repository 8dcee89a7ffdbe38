//! Writes a registry into a folder: the same registry always gives the same bytes.

use super::layout::{
    CATEGORIES, DOCUMENT, EXTENSION, INSTALLATIONS, MANIFEST, Manifest, OPTIONAL, PRINCIPALS,
    SERVERS, TENANT, TenantFile, server_file,
};
use super::manifests::documents;
use super::yaml::{self, from_text, to_text};
use crate::plan::RegistrySpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Its files could be somebody's work: choose an empty folder, or that of an earlier export.
    #[error(
        "{0} is not empty and is no export of this tenant: choose an empty folder, or that of an earlier export"
    )]
    NotOurs(String),
    /// The system refused.
    #[error("{file} cannot be written")]
    Io {
        /// Which file.
        file: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A value that a file cannot hold.
    #[error("{file} cannot be written: a value in it has no form that reads back as the same")]
    NotWritable {
        /// Which file.
        file: String,
    },
}

/// What was done to a folder. A file that is as it should be is not touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How many files were written.
    pub written: usize,
    /// The files of what the registry does not have, which are gone.
    pub removed: Vec<String>,
}

/// Writes the files of a registry and removes those of what it does not have.
///
/// # Errors
/// [`WriteError`].
pub fn write(
    folder: &Path,
    manifest: &Manifest,
    registry: &RegistrySpec,
) -> Result<Written, WriteError> {
    check_ours(folder, manifest)?;
    let servers = folder.join(SERVERS);
    fs::create_dir_all(&servers).map_err(|source| io_error(&servers, source))?;
    let mut files = Vec::new();
    for (slug, server) in &registry.servers {
        let file = server_file(slug);
        let text = text(&file, to_text(&server.without_documents()))?;
        files.push((file, text));
        files.extend(documents(slug, server)?);
    }
    if let Some(name) = registry.tenant_name.clone() {
        let after_sunset = registry.after_sunset;
        let tenant = TenantFile { name, after_sunset };
        files.push((TENANT.to_owned(), text(TENANT, to_text(&tenant))?));
    }
    files.extend(named(CATEGORIES, registry.categories.as_ref())?);
    files.extend(named(INSTALLATIONS, registry.installations.as_ref())?);
    files.extend(named(PRINCIPALS, registry.principals.as_ref())?);
    let removed = remove_others(folder, &files)?;
    let mut written = 0;
    for (file, text) in &files {
        written += usize::from(replace(&folder.join(file), text)?);
    }
    // An earlier position stays true while nothing has changed, and a file that changed would be a
    // difference in version control that says nothing.
    let path = folder.join(MANIFEST);
    let is_older = earlier(folder).is_none_or(|earlier| earlier.format != manifest.format);
    if written > 0 || !removed.is_empty() || is_older {
        let about =
            "# Written by `metamcp export`; `metamcp apply` reads it with the files beside it.\n";
        let about = format!("{about}{}", text(MANIFEST, to_text(manifest))?);
        written += usize::from(replace(&path, &about)?);
    }
    Ok(Written { written, removed })
}

/// The file of what has names, if there is any.
fn named<T: Serialize + DeserializeOwned + PartialEq>(
    file: &str,
    all: Option<&BTreeMap<String, T>>,
) -> Result<Option<(String, String)>, WriteError> {
    let all = all.filter(|all| !all.is_empty());
    all.map(|all| Ok((file.to_owned(), text(file, to_text(all))?)))
        .transpose()
}

/// Writes a file unless it is as it should be; whether it did.
fn replace(path: &Path, text: &str) -> Result<bool, WriteError> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
    }
    fs::write(path, text).map_err(|source| io_error(path, source))?;
    Ok(true)
}

/// A folder that is empty, or holds an earlier export of the same tenant.
fn check_ours(folder: &Path, manifest: &Manifest) -> Result<(), WriteError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|source| io_error(folder, source))?,
    };
    if entries.flatten().all(|entry| is_hidden(&entry)) {
        return Ok(());
    }
    match earlier(folder) {
        Some(earlier) if earlier.tenant == manifest.tenant => Ok(()),
        Some(_) | None => Err(WriteError::NotOurs(folder.display().to_string())),
    }
}

/// The manifest that lies in a folder.
fn earlier(folder: &Path) -> Option<Manifest> {
    let text = fs::read_to_string(folder.join(MANIFEST)).ok()?;
    from_text(&text).ok()
}

/// A file that stayed would bring back what it describes, or be refused, at the next apply.
fn remove_others(folder: &Path, files: &[(String, String)]) -> Result<Vec<String>, WriteError> {
    let mut removed = Vec::new();
    let wanted: BTreeSet<_> = files.iter().map(|(file, _)| folder.join(file)).collect();
    for path in ours(folder)? {
        if wanted.contains(&path) {
            continue;
        }
        fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
        removed.push(path.display().to_string());
        if ends(&path, DOCUMENT)
            && let Some(of_server) = path.parent()
        {
            // It stays while something lies in it.
            drop(fs::remove_dir(of_server));
        }
    }
    Ok(removed)
}

/// The files in a folder that an earlier export has written, or could have.
fn ours(folder: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let entries = |of: &Path| -> Result<Vec<fs::DirEntry>, WriteError> {
        let entries = fs::read_dir(of).map_err(|source| io_error(of, source))?;
        Ok(entries.flatten().collect())
    };
    let mut ours = Vec::new();
    for entry in entries(&folder.join(SERVERS))? {
        let path = entry.path();
        // A link leads to what is somebody else's, and nobody reads what is hidden.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_hidden(&entry) {
            let documents = entries(&path)?
                .into_iter()
                .filter(|entry| !is_hidden(entry));
            let documents = documents.map(|entry| entry.path());
            ours.extend(documents.filter(|path| ends(path, DOCUMENT)));
        } else if ends(&path, EXTENSION) {
            ours.push(path);
        }
    }
    let beside = OPTIONAL.map(|file| folder.join(file));
    ours.extend(beside.into_iter().filter(|path| path.exists()));
    Ok(ours)
}

fn is_hidden(entry: &fs::DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn ends(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|end| end == extension)
}

fn text(file: &str, written: Result<String, yaml::NotWritable>) -> Result<String, WriteError> {
    written.map_err(|_| WriteError::NotWritable {
        file: file.to_owned(),
    })
}

fn io_error(path: &Path, source: io::Error) -> WriteError {
    let file = path.display().to_string();
    WriteError::Io { file, source }
}
