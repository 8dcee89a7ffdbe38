//! AES-256-GCM with random nonces, and keys that are wiped from memory when they are dropped.
//!
//! Every sealed value is bound to where it belongs (the associated data): moved to another tenant, subject
//! or field, it does not open. A key seals few values, far below the 2^32 at which random nonces of 96
//! bits become a risk (NIST SP 800-38D section 8.3).

use super::VaultError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use secrecy::{ExposeSecret, SecretBox};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// A key: of a subject's data, or the one that wraps those.
pub(super) struct Key(SecretBox<[u8; KEY_BYTES]>);

impl Key {
    /// A new random one.
    pub(super) fn generate() -> Result<Self, VaultError> {
        SecretBox::try_init_with(|| {
            let mut bytes = [0; KEY_BYTES];
            rand::fill(&mut bytes).map_err(|_| VaultError::Crypto)?;
            Ok(bytes)
        })
        .map(Self)
    }

    /// Takes a key's bytes; none when they are not as many as a key has.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self(SecretBox::new(Box::new(bytes))))
    }

    /// For wrapping and for the file.
    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// Nonce, ciphertext and tag in one.
    pub(super) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut text = plain.to_vec();
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(place), &mut text)
            .map_err(|_| VaultError::Crypto)?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    /// What was sealed for this place with this key; none for anything else.
    pub(super) fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let cipher = self.cipher().ok()?;
        let plain = cipher.open_in_place(nonce, Aad::from(place), &mut text);
        plain.ok().map(|plain| plain.to_vec())
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, VaultError> {
        RandomizedNonceKey::new(&AES_256_GCM, self.expose()).map_err(|_| VaultError::Crypto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed_in_its_place_only() {
        let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
        let sealed = key.seal("acme|a|handle", b"ada").unwrap();
        assert_eq!(key.open("acme|a|handle", &sealed).unwrap(), b"ada");
        assert!(key.open("acme|b|handle", &sealed).is_none());
        assert!(other.open("acme|a|handle", &sealed).is_none());
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(
                key.open("acme|a|handle", &altered).is_none(),
                "byte {place}"
            );
        }
        assert!(key.open("acme|a|handle", &sealed[..5]).is_none());
        assert_ne!(sealed, key.seal("acme|a|handle", b"ada").unwrap());
    }
}
