//! A tree head as a signed note, the checkpoint form of transparency logs (C2SP `tlog-checkpoint` and
//! `signed-note`): origin, size and root on a line each, an empty line, and a line for each signature.
//!
//! It names no time, and Ed25519 is deterministic: the same tree under the same key is the same note.

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::BASE64;
use domain::merkle::TreeHash;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The signature type of Ed25519 in keys and key ids.
const ALGORITHM: u8 = 1;
const SIGNATURE_MARK: &str = "\u{2014} ";
const PRIVATE_PREFIX: &str = "PRIVATE+KEY";
/// Longest note that is looked at.
const MAX_NOTE: usize = 16 * 1024;

/// A text that is no key or no tree head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: {reason}")]
pub struct NotANote {
    what: &'static str,
    reason: &'static str,
}

/// The machine has no randomness to make a key of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key could be generated")]
pub struct NoKey;

/// A signature by a known key that is not over this text: the note was altered, or forged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature by {0} is not one over this tree head")]
pub struct BadSignature(pub String);

/// What a log was at a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// Names the log.
    pub origin: String,
    /// How many commits.
    pub size: u64,
    /// The root over them.
    pub root: TreeHash,
}

impl TreeHead {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { origin, size, root } = self;
        format!("{origin}\n{size}\n{}\n", BASE64.encode(&root.0))
    }
}

/// A key that verifies tree heads; as text, `<name>+<key id>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    public: Vec<u8>,
}

impl VerifyingKey {
    fn new(name: &str, public: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ALGORITHM]);
        let hash = hash.chain_update(public).finalize();
        Self {
            name: name.to_owned(),
            id: [hash[0], hash[1], hash[2], hash[3]],
            public: public.to_vec(),
        }
    }

    /// The log that it signs for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names the key among those of a log: 8 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ALGORITHM];
        key.extend(&self.public);
        write!(f, "{}+{}+{}", self.name, self.id(), BASE64.encode(&key))
    }
}

impl FromStr for VerifyingKey {
    type Err = NotANote;

    fn from_str(text: &str) -> Result<Self, NotANote> {
        let bad = |reason| NotANote {
            what: "public key of a ledger",
            reason,
        };
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("it is not <name>+<key id>+<base64>"));
        };
        if !is_name(name) {
            return Err(bad("its name is empty, or has white space"));
        }
        let key = BASE64.decode(key.as_bytes()).unwrap_or_default();
        let Some((&ALGORITHM, public)) = key.split_first().filter(|(_, key)| key.len() == 32)
        else {
            return Err(bad("it is not one of Ed25519"));
        };
        let key = Self::new(name, public);
        if key.id() == id {
            Ok(key)
        } else {
            Err(bad("its key id belongs to another key"))
        }
    }
}

/// A key that signs tree heads. It does not print itself.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A new key for a log.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn generate(origin: &str) -> Result<Self, NoKey> {
        let pair = Ed25519KeyPair::generate().map_err(|_| NoKey)?;
        let verifying = VerifyingKey::new(origin, pair.public_key().as_ref());
        Ok(Self { pair, verifying })
    }

    /// Reads what [`Self::to_secret_text`] wrote.
    ///
    /// # Errors
    /// [`NotANote`].
    pub fn from_secret_text(text: &SecretString) -> Result<Self, NotANote> {
        let bad = |reason| NotANote {
            what: "private key of a ledger",
            reason,
        };
        let text = text.expose_secret().trim();
        let rest = text.strip_prefix(PRIVATE_PREFIX);
        let rest = rest.and_then(|rest| rest.strip_prefix('+'));
        let mut parts = rest.unwrap_or_default().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("it is not PRIVATE+KEY+<name>+<key id>+<base64>"));
        };
        let key = BASE64.decode(key.as_bytes()).unwrap_or_default();
        let Some((&ALGORITHM, seed)) = key.split_first() else {
            return Err(bad("it is not one of Ed25519"));
        };
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        let pair = pair.map_err(|_| bad("it is not one of Ed25519"))?;
        let verifying = VerifyingKey::new(name, pair.public_key().as_ref());
        if verifying.id() == id {
            Ok(Self { pair, verifying })
        } else {
            Err(bad("its key id belongs to another key"))
        }
    }

    /// The key as one line, in the form that the tools of transparency logs read. A secret.
    ///
    /// # Errors
    /// [`NoKey`] when the library does not give it out.
    pub fn to_secret_text(&self) -> Result<SecretString, NoKey> {
        let mut key = vec![ALGORITHM];
        let seed = self.pair.seed().and_then(|seed| seed.as_be_bytes());
        let seed: Curve25519SeedBin<'_> = seed.map_err(|_| NoKey)?;
        key.extend(seed.as_ref());
        let VerifyingKey { name, .. } = &self.verifying;
        let id = self.verifying.id();
        let text = format!("{PRIVATE_PREFIX}+{name}+{id}+{}\n", BASE64.encode(&key));
        Ok(text.into())
    }

    /// What verifies its signatures.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }
}

/// A name without what separates the parts of keys and lines.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A tree head with its signatures, not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: TreeHead,
    signatures: Vec<Signature>,
    note: String,
}

impl SignedHead {
    /// Signs a head with each of the keys.
    #[must_use]
    pub fn sign(head: TreeHead, keys: &[&SigningKey]) -> Self {
        let text = head.text();
        let mut note = format!("{text}\n");
        let mut signatures = Vec::new();
        for key in keys {
            let VerifyingKey { name, id, .. } = &key.verifying;
            let bytes = key.pair.sign(text.as_bytes()).as_ref().to_vec();
            let line = BASE64.encode(&[id.as_slice(), &bytes].concat());
            note.push_str(&format!("{SIGNATURE_MARK}{name} {line}\n"));
            signatures.push(Signature {
                name: name.clone(),
                id: *id,
                bytes,
            });
        }
        Self {
            head,
            signatures,
            note,
        }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NotANote`].
    pub fn parse(note: &str) -> Result<Self, NotANote> {
        let bad = |reason| NotANote {
            what: "signed tree head",
            reason,
        };
        if note.len() > MAX_NOTE {
            return Err(bad("it is too long"));
        }
        let Some((text, signed)) = note.split_once("\n\n") else {
            return Err(bad("it has no empty line"));
        };
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(bad("it is not an origin, a size and a root"));
        };
        let head = TreeHead {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| bad("its size is no number"))?,
            root: BASE64
                .decode(root.as_bytes())
                .ok()
                .and_then(|root| TreeHash::from_slice(&root))
                .ok_or_else(|| bad("its root is no base64 of 32 bytes"))?,
        };
        // One text for one head: `+1`, `01` and the like are not it.
        if head.text().strip_suffix('\n') != Some(text) {
            return Err(bad("it is not written in the one form"));
        }
        let signatures: Option<Vec<_>> = signed.lines().map(signature).collect();
        match signatures {
            Some(signatures) if !signatures.is_empty() && signed.ends_with('\n') => Ok(Self {
                head,
                signatures,
                note: note.to_owned(),
            }),
            _ => Err(bad("its signatures cannot be read")),
        }
    }

    /// What was signed.
    #[must_use]
    pub fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The whole note.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Names the keys that signed, as `<name>+<key id>`.
    #[must_use]
    pub fn signers(&self) -> Vec<String> {
        let name = |one: &Signature| format!("{}+{}", one.name, hex::encode(one.id));
        self.signatures.iter().map(name).collect()
    }

    /// Whether a key's name and id stand in it. Says nothing about the signature.
    #[must_use]
    pub fn names(&self, key: &VerifyingKey) -> bool {
        let matches = |one: &Signature| one.name == key.name && one.id == key.id;
        self.signatures.iter().any(matches)
    }

    /// The given keys whose signatures are good; none of unknown keys.
    ///
    /// # Errors
    /// [`BadSignature`] when one that names a given key is not by it.
    pub fn verify<'k>(
        &self,
        keys: &'k [VerifyingKey],
    ) -> Result<Vec<&'k VerifyingKey>, BadSignature> {
        let text = self.head.text();
        let mut good = Vec::new();
        for one in &self.signatures {
            let known = keys
                .iter()
                .find(|key| key.name == one.name && key.id == one.id);
            let Some(key) = known else { continue };
            let public = UnparsedPublicKey::new(&ED25519, &key.public);
            // A key's name is the log's: a head of another log is not this one's, whoever signed it.
            if key.name != self.head.origin || public.verify(text.as_bytes(), &one.bytes).is_err() {
                return Err(BadSignature(format!("{}+{}", key.name, key.id())));
            }
            good.push(key);
        }
        Ok(good)
    }
}

/// Whether a note, or a part of one, ends with the line of a signature: then only signatures can follow.
#[must_use]
pub fn ends(note: &str) -> bool {
    let last = note.lines().last();
    last.is_some_and(|last| last.starts_with(SIGNATURE_MARK))
}

fn signature(line: &str) -> Option<Signature> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
    let decoded = BASE64.decode(encoded.as_bytes()).ok()?;
    let (id, bytes) = decoded.split_first_chunk::<4>()?;
    is_name(name).then(|| Signature {
        name: name.to_owned(),
        id: *id,
        bytes: bytes.to_vec(),
    })
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
