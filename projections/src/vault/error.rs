//! What can go wrong with keys and sealed fields.

use domain::personal::PersonalField;
use std::io;
use std::path::PathBuf;

/// A failure of the vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Postgres failed: try again later.
    #[error("the vault's database failed")]
    Database(#[from] sqlx::Error),
    /// A key file cannot be read or written. Check `privacy.keys_dir` and its owner.
    #[error("the key-encryption keys cannot be used: {path}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than the owner may read the key.
    #[error("others may read {path}: run `chmod 600 {path}`, then `metamcp privacy rotate-key`")]
    TooOpen {
        /// The file.
        path: PathBuf,
    },
    /// The file is no key. Restore it.
    #[error("{path} is not a key of 64 hexadecimal digits: restore it")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// Data keys are wrapped with a key that is not there. Restore the folder.
    #[error(
        "the key-encryption key {id} is not in {folder}: restore it, or point privacy.keys_dir at the folder that has it"
    )]
    KeyMissing {
        /// Its id.
        id: String,
        /// Where it should be.
        folder: PathBuf,
    },
    /// There is no key at all.
    #[error("there is no key-encryption key in {folder}: restore it")]
    NoKey {
        /// Where one should be.
        folder: PathBuf,
    },
    /// This part of the program was given no keys.
    #[error("a sealed field has to be read here, and no folder of keys was given")]
    NoFolder,
    /// The value was altered, belongs elsewhere, or was sealed with a key that is lost.
    #[error(
        "the sealed {field} of {subject} does not open: its key is another one (bring back the backup of the vault), or it was altered"
    )]
    Altered {
        /// Whose.
        subject: String,
        /// Which field.
        field: PersonalField,
    },
    /// A wrapped data key was altered, or belongs elsewhere.
    #[error("the wrapped key of {subject} does not open in its place: it was altered or moved")]
    KeyAltered {
        /// Whose.
        subject: String,
    },
    /// The subject was erased; a key is never made for it again.
    #[error("the subject was erased")]
    Erased,
    /// The machine has no randomness, or the cipher failed.
    #[error("the cipher failed")]
    Crypto,
}
