//! The signing keys: a folder with one PKCS#8 file for each Ed25519 key, named by its key id.
//!
//! The newest signs, all verify. A key id begins with the moment of its making, so the order of names is
//! the order of age, also after a copy. The folder is read again every few seconds and when a token
//! names an unknown key, so that several instances can share it and a rotation needs no restart.

use super::token::micros;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use chrono::{DateTime, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const EXTENSION: &str = "pk8";
/// How often the folder is looked at.
const POLL: Duration = Duration::from_secs(3);
/// Unknown key ids cause at most one look into the folder in this time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The folder or a file cannot be read or written. Check `auth.keys_dir` and its owner.
    #[error("the key folder cannot be used: {path}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than the owner may read the key.
    #[error("others may read the signing key {path}: run `chmod 600 {path}` and rotate it")]
    TooOpen {
        /// The file.
        path: PathBuf,
    },
    /// The file is no Ed25519 key in PKCS#8. Remove it.
    #[error("{path} is not an Ed25519 key in PKCS#8: remove it")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The machine has no randomness to make a key of.
    #[error("no key could be generated")]
    Generate,
}

/// One key.
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    public: Vec<u8>,
}

type Keys = BTreeMap<String, Arc<Key>>;

/// The keys of a folder, kept up to date.
pub struct KeyRing {
    folder: PathBuf,
    keep: Duration,
    keys: RwLock<Keys>,
    looked: Mutex<Instant>,
}

impl KeyRing {
    /// Reads the folder; makes it, and a first key, when there is none. A superseded key is kept for
    /// `keep`, which must be the longest life of a token.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(folder: &Path, keep: Duration) -> Result<Self, KeyError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|e| io(folder, e))?;
        if names(folder)?.is_empty() {
            generate(folder)?;
        }
        let keys = RwLock::new(read(folder)?);
        Ok(Self {
            folder: folder.to_owned(),
            keep,
            keys,
            looked: Mutex::new(Instant::now()),
        })
    }

    /// Adds a key, which signs from now on, and removes those that no living token can need.
    /// Returns the new key's id.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn rotate(&self) -> Result<String, KeyError> {
        let kid = generate(&self.folder)?;
        self.retire()?;
        self.reload()?;
        Ok(kid)
    }

    /// Reads the folder again.
    ///
    /// # Errors
    /// [`KeyError`]; then the keys stay as they were.
    pub fn reload(&self) -> Result<(), KeyError> {
        let keys = read(&self.folder)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Reads the folder every few seconds until told to stop.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(POLL))
            .await
            .is_some()
        {
            let ring = Arc::clone(&self);
            let outcome = tokio::task::spawn_blocking(move || ring.reload()).await;
            if let Ok(Err(error)) = outcome {
                let error = crate::error::chain(&error);
                tracing::warn!(%error, "the signing keys could not be read again; the known ones stay");
            }
        }
    }

    /// The public keys as a JSON Web Key Set (RFC 7517, RFC 8037).
    #[must_use]
    pub fn jwks(&self) -> Value {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<Value> = keys
            .values()
            .map(|key| {
                json!({
                    "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key.kid,
                    "x": data_encoding::BASE64URL_NOPAD.encode(&key.public),
                })
            })
            .collect();
        json!({ "keys": keys })
    }

    /// The key that signs.
    pub(super) fn newest(&self) -> Option<Arc<Key>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.last_key_value().map(|(_, key)| Arc::clone(key))
    }

    /// The key of this id. An unknown one may have been made by another instance a moment ago.
    pub(super) fn find(&self, kid: &str) -> Option<Arc<Key>> {
        let known = || {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.get(kid).cloned()
        };
        known().or_else(|| {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.elapsed() < LOOK_AGAIN {
                return None;
            }
            *looked = Instant::now();
            drop(looked);
            self.reload().ok()?;
            known()
        })
    }

    /// Removes each key whose successor is older than `keep`: what it signed has expired.
    fn retire(&self) -> Result<(), KeyError> {
        let names = names(&self.folder)?;
        let limit = Utc::now() - self.keep;
        for pair in names.windows(2) {
            let [old, next] = pair else { continue };
            if made_at(next).is_some_and(|moment| moment < limit) {
                let path = file(&self.folder, old);
                fs::remove_file(&path).map_err(|e| io(&path, e))?;
            }
        }
        Ok(())
    }
}

/// The key ids of the folder, oldest first. Other files are left alone.
fn names(folder: &Path) -> Result<Vec<String>, KeyError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| io(folder, e))? {
        let path = entry.map_err(|e| io(folder, e))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let (Some(stem), true) = (stem, path.extension().is_some_and(|e| e == EXTENSION)) {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn read(folder: &Path) -> Result<Keys, KeyError> {
    names(folder)?
        .into_iter()
        .map(|kid| Ok((kid.clone(), Arc::new(read_key(folder, kid)?))))
        .collect()
}

fn read_key(folder: &Path, kid: String) -> Result<Key, KeyError> {
    let path = file(folder, &kid);
    let mode = fs::metadata(&path)
        .map_err(|e| io(&path, e))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::TooOpen { path });
    }
    let pkcs8 = fs::read(&path).map_err(|e| io(&path, e))?;
    let Ok(pair) = Ed25519KeyPair::from_pkcs8(&pkcs8) else {
        return Err(KeyError::NotAKey { path });
    };
    let public = pair.public_key().as_ref().to_vec();
    let decoding = DecodingKey::from_ed_der(&public);
    Ok(Key {
        kid,
        encoding: EncodingKey::from_ed_der(&pkcs8),
        decoding,
        public,
    })
}

/// Makes a key. The file appears whole or not at all, readable by the owner only.
fn generate(folder: &Path) -> Result<String, KeyError> {
    let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?;
    let pkcs8 = pair.to_pkcs8().map_err(|_| KeyError::Generate)?;
    let digest = hex::encode(Sha256::digest(pair.public_key().as_ref()));
    let kid = format!("{:016x}-{}", micros(Utc::now()), &digest[..8]);
    let (draft, path) = (folder.join(format!(".{kid}.new")), file(folder, &kid));
    let write = || {
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        out.write_all(pkcs8.as_ref())?;
        out.sync_all()?;
        fs::rename(&draft, &path)
    };
    write().map_err(|e| io(&path, e))?;
    tracing::info!(kid, "made a signing key");
    Ok(kid)
}

/// The moment in a key id.
fn made_at(kid: &str) -> Option<DateTime<Utc>> {
    let (moment, _) = kid.split_once('-')?;
    DateTime::from_timestamp_micros(i64::from_str_radix(moment, 16).ok()?)
}

fn file(folder: &Path, kid: &str) -> PathBuf {
    folder.join(format!("{kid}.{EXTENSION}"))
}

fn io(path: &Path, source: io::Error) -> KeyError {
    KeyError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
