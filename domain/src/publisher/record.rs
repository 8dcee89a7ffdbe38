//! The record that names a publisher's key, in the form of the official MCP registry:
//! `v=MCPv1; k=ed25519; p=<base64 of the public key>`.

use crate::named::named;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How every such record begins.
const VERSION: &str = "v=MCPv1";

named! {
    /// Where a record stands.
    pub enum ProofMethod {
        /// A TXT record at the domain itself. It speaks for the domains below, too.
        Dns = "dns",
        /// The file `/.well-known/mcp-registry-auth` of the domain's web server. It speaks for that
        /// domain alone.
        Http = "http",
    }
}

named! {
    /// The kinds of keys.
    pub enum KeyAlgorithm {
        /// Ed25519 (RFC 8032); the key is its 32 bytes.
        Ed25519 = "ed25519",
        /// ECDSA over P-384 with SHA-384; the key is the compressed point, 49 bytes, and a signature is
        /// `r` and `s`, 48 bytes each.
        EcdsaP384 = "ecdsap384",
    }
}

/// A publisher's public key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicKey {
    /// What kind of key.
    pub algorithm: KeyAlgorithm,
    /// The key in base64, as in the record.
    pub key: String,
}

impl PublicKey {
    /// Takes a key's bytes.
    #[must_use]
    pub fn new(algorithm: KeyAlgorithm, bytes: &[u8]) -> Self {
        let key = BASE64.encode(bytes);
        Self { algorithm, key }
    }

    /// Its bytes; empty when it was not made here and is no base64.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        BASE64.decode(self.key.as_bytes()).unwrap_or_default()
    }

    /// The record to publish.
    #[must_use]
    pub fn record(&self) -> String {
        format!("{VERSION}; k={}; p={}", self.algorithm, self.key)
    }
}

/// Why a record that begins like one of ours names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Write `k=ed25519` or `k=ecdsap384`.
    #[error("its `k` must be ed25519 or ecdsap384")]
    Algorithm,
    /// Write the key itself in base64, not a PEM or DER file.
    #[error(
        "its `p` must be the base64 of the bare public key: 32 bytes of Ed25519, or the 49 of a compressed P-384 point"
    )]
    Key,
}

/// The keys that a text names, one record a line. Lines that are no such record are passed over: a domain
/// has TXT records for many purposes.
pub fn keys_in(text: &str) -> impl Iterator<Item = Result<PublicKey, BadRecord>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(';').map(str::trim);
        (fields.next() == Some(VERSION)).then(|| key_of(fields))
    })
}

fn key_of<'a>(fields: impl Iterator<Item = &'a str>) -> Result<PublicKey, BadRecord> {
    let (mut algorithm, mut key) = (None, None);
    for field in fields {
        match field.split_once('=') {
            Some(("k", value)) => algorithm = KeyAlgorithm::from_str(value).ok(),
            Some(("p", value)) => key = BASE64.decode(value.as_bytes()).ok(),
            Some(_) | None => {}
        }
    }
    let algorithm = algorithm.ok_or(BadRecord::Algorithm)?;
    let key = key.ok_or(BadRecord::Key)?;
    let sound = match algorithm {
        KeyAlgorithm::Ed25519 => key.len() == 32,
        KeyAlgorithm::EcdsaP384 => key.len() == 49 && matches!(key[0], 2 | 3),
    };
    if sound {
        Ok(PublicKey::new(algorithm, &key))
    } else {
        Err(BadRecord::Key)
    }
}
