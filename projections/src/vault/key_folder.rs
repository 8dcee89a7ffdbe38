//! The key-encryption keys: a folder with one file each, readable by its owner only.
//!
//! The newest wraps, all unwrap. A name begins with the moment of its making, so the order of names is
//! the order of age. Files are read when they are needed and not kept: a rotation by another process is
//! seen at once, and a key that was removed is gone.

use super::VaultError;
use super::aead::Key;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const EXTENSION: &str = "kek";

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct KeyFolder(PathBuf);

impl KeyFolder {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The ids of the keys, oldest first; none when there is no folder. Other files are left alone.
    pub(super) fn ids(&self) -> Result<Vec<String>, VaultError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(&self.0, error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| io(&self.0, error))?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let (Some(stem), true) = (stem, path.extension().is_some_and(|e| e == EXTENSION)) {
                ids.push(stem.to_owned());
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// The key that wraps, and its id.
    pub(super) fn newest(&self) -> Result<(String, Key), VaultError> {
        let newest = self.ids()?.pop();
        let id = newest.ok_or_else(|| VaultError::NoKey {
            folder: self.0.clone(),
        })?;
        let key = self.read(&id)?;
        Ok((id, key))
    }

    /// One key.
    pub(super) fn read(&self, id: &str) -> Result<Key, VaultError> {
        let path = self.file(id);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VaultError::KeyMissing {
                    id: id.to_owned(),
                    folder: self.0.clone(),
                });
            }
            Err(error) => return Err(io(&path, error)),
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(VaultError::TooOpen { path });
        }
        let text = fs::read_to_string(&path).map_err(|error| io(&path, error))?;
        let text = SecretString::from(text);
        let bytes = hex::decode(text.expose_secret().trim()).ok();
        let key = bytes.as_deref().and_then(Key::from_bytes);
        key.ok_or(VaultError::NotAKey { path })
    }

    /// Makes a key, which wraps from now on. The file appears whole or not at all.
    pub(super) fn generate(&self) -> Result<String, VaultError> {
        let folder = &self.0;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| io(folder, error))?;
        let key = Key::generate()?;
        let digest = hex::encode(Sha256::digest(key.expose()));
        let made_at = chrono::Utc::now().timestamp_micros();
        let id = format!("{made_at:016x}-{}", &digest[..8]);
        let text = SecretString::from(hex::encode(key.expose()));
        let (draft, path) = (folder.join(format!(".{id}.new")), self.file(&id));
        let write = || {
            let mut out = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            out.write_all(text.expose_secret().as_bytes())?;
            out.sync_all()?;
            fs::rename(&draft, &path)?;
            // The name, too, must be on disk before anything is wrapped with the key.
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|error| io(&path, error))?;
        tracing::info!(id, "made a key-encryption key");
        Ok(id)
    }

    /// Removes a key that wraps nothing any more.
    pub(super) fn remove(&self, id: &str) -> Result<(), VaultError> {
        let path = self.file(id);
        fs::remove_file(&path).map_err(|error| io(&path, error))
    }

    fn file(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.{EXTENSION}"))
    }
}

fn io(path: &Path, source: io::Error) -> VaultError {
    VaultError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_private_ordered_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::new(&folder.path().join("keys"));
        assert!(matches!(keys.newest(), Err(VaultError::NoKey { .. })));
        let first = keys.generate().unwrap();
        let second = keys.generate().unwrap();
        assert_eq!(keys.ids().unwrap(), [first.clone(), second.clone()]);
        let sealed = keys.read(&second).unwrap().seal("here", b"text").unwrap();
        let (newest, key) = keys.newest().unwrap();
        assert_eq!(
            (newest, key.open("here", &sealed).unwrap()),
            (second, b"text".to_vec())
        );
        let path = keys.file(&first);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keys.read(&first), Err(VaultError::TooOpen { .. })));
        keys.remove(&first).unwrap();
        assert!(matches!(
            keys.read(&first),
            Err(VaultError::KeyMissing { .. })
        ));
    }

    #[test]
    fn a_file_that_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::new(folder.path());
        let id = keys.generate().unwrap();
        fs::write(keys.file(&id), "abc").unwrap();
        assert!(matches!(keys.read(&id), Err(VaultError::NotAKey { .. })));
    }
}
