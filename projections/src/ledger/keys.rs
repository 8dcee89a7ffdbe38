//! The keys that sign tree heads: a folder with two files for each, the secret one readable by its owner
//! only. A file's name begins with the moment of its making, so the order of names is the order of age.
//!
//! The newest signs. After a rotation, the first head is signed by the old key as well, so that whoever
//! trusts the old one learns of the new one from it. Old keys stay: they verify what they signed.

use super::note::{NoKey, NotANote, SigningKey, VerifyingKey, is_name};
use secrecy::{ExposeSecret, SecretString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const SECRET: &str = "key";
const PUBLIC: &str = "pub";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerKeyError {
    /// The folder or a file cannot be read or written.
    #[error("the ledger's keys cannot be used: check `ledger.keys_dir` and the owner of {path}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than the owner may read the key.
    #[error("others may read {0}: run `chmod 600` on it and rotate the key")]
    TooOpen(PathBuf),
    /// The file holds no key.
    #[error("{path} is no key: remove it")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: NotANote,
    },
    /// The name cannot stand in a key.
    #[error(
        "`{0}` cannot name a log: use a text without white space and `+`, such as example.com/log"
    )]
    Name(String),
    /// There is a key already: rotate it.
    #[error("there is a key already: `metamcp audit rotate-key` makes a new one")]
    Exists,
    /// There is none to rotate.
    #[error("there is no key yet: `metamcp audit keygen` makes one")]
    Missing,
    /// The machine has no randomness.
    #[error(transparent)]
    Generate(#[from] NoKey),
}

/// The keys of a folder. Read again at each use, so a rotation needs no restart.
#[derive(Debug, Clone)]
pub struct LedgerKeys {
    folder: PathBuf,
}

impl LedgerKeys {
    /// The keys of a folder, which need not be there yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folder }
    }

    /// Makes the first key of a log.
    ///
    /// # Errors
    /// [`LedgerKeyError::Exists`] when there is one.
    pub fn generate(&self, origin: &str) -> Result<VerifyingKey, LedgerKeyError> {
        if !self.names()?.is_empty() {
            return Err(LedgerKeyError::Exists);
        }
        self.add(origin)
    }

    /// Makes another key of the same log, which signs from now on.
    ///
    /// # Errors
    /// [`LedgerKeyError::Missing`] when there is none.
    pub fn rotate(&self) -> Result<VerifyingKey, LedgerKeyError> {
        let newest = self.all()?.pop().ok_or(LedgerKeyError::Missing)?;
        self.add(newest.verifying().name())
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// [`LedgerKeyError`].
    pub fn all(&self) -> Result<Vec<SigningKey>, LedgerKeyError> {
        self.names()?.iter().map(|name| self.read(name)).collect()
    }

    fn names(&self) -> Result<Vec<String>, LedgerKeyError> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(io_error(&self.folder, error)),
        };
        for entry in entries {
            let path = entry.map_err(|e| io_error(&self.folder, e))?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let (Some(stem), true) = (stem, path.extension().is_some_and(|e| e == SECRET)) {
                names.push(stem.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, name: &str) -> Result<SigningKey, LedgerKeyError> {
        let path = self.folder.join(format!("{name}.{SECRET}"));
        let metadata = fs::metadata(&path).map_err(|e| io_error(&path, e))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(LedgerKeyError::TooOpen(path));
        }
        let text = fs::read_to_string(&path).map_err(|e| io_error(&path, e))?;
        let key = SigningKey::from_secret_text(&text.into());
        key.map_err(|source| LedgerKeyError::NotAKey { path, source })
    }

    /// Writes a new key. The public file comes first: a secret one without it would be of less use.
    fn add(&self, origin: &str) -> Result<VerifyingKey, LedgerKeyError> {
        if !is_name(origin) {
            return Err(LedgerKeyError::Name(origin.to_owned()));
        }
        let folder = &self.folder;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|e| io_error(folder, e))?;
        let key = SigningKey::generate(origin)?;
        let verifying = key.verifying().clone();
        let name = format!(
            "{:016x}-{}",
            chrono::Utc::now().timestamp_micros(),
            verifying.id()
        );
        let files = [
            (PUBLIC, 0o644, format!("{verifying}\n").into()),
            (SECRET, 0o600, key.to_secret_text()?),
        ];
        for (extension, mode, text) in files {
            let path = folder.join(format!("{name}.{extension}"));
            write(&path, mode, &text).map_err(|e| io_error(&path, e))?;
        }
        Ok(verifying)
    }
}

/// Writes a file that appears whole or not at all.
fn write(path: &Path, mode: u32, text: &SecretString) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

fn io_error(path: &Path, source: io::Error) -> LedgerKeyError {
    LedgerKeyError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_key_signs_and_the_old_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let keys = LedgerKeys::new(&folder.path().join("keys"));
        assert!(keys.all().unwrap().is_empty());
        assert!(matches!(keys.rotate(), Err(LedgerKeyError::Missing)));
        assert!(matches!(keys.generate("a b"), Err(LedgerKeyError::Name(_))));
        let first = keys.generate("example.com/log").unwrap();
        assert!(matches!(
            keys.generate("other"),
            Err(LedgerKeyError::Exists)
        ));
        let second = keys.rotate().unwrap();
        assert_eq!(second.name(), first.name());
        let all = keys.all().unwrap();
        let all: Vec<_> = all.iter().map(|key| key.verifying().clone()).collect();
        assert_eq!(all, [first, second]);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = LedgerKeys::new(folder.path());
        keys.generate("log").unwrap();
        let entries = fs::read_dir(folder.path()).unwrap();
        for path in entries.map(|entry| entry.unwrap().path()) {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert!(matches!(keys.all(), Err(LedgerKeyError::TooOpen(_))));
    }
}
