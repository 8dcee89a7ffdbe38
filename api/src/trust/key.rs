//! Keys of publishers: checking a signature, and for `metamcp publishers`, making one.

use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use data_encoding::BASE64;
use domain::publisher::{KeyAlgorithm, PublicKey, signed_text};
use secrecy::{ExposeSecret, SecretString};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// Characters of a line of base64 (RFC 7468 section 2).
const LINE: usize = 64;

/// Whether a signature of a text was made with the key.
pub(super) fn fits(key: &PublicKey, text: &[u8], signature: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match key.algorithm {
        KeyAlgorithm::Ed25519 => &ED25519,
        KeyAlgorithm::EcdsaP384 => &ECDSA_P384_SHA384_FIXED,
    };
    let key = UnparsedPublicKey::new(algorithm, key.bytes());
    key.verify(text, signature).is_ok()
}

/// Why there is no private key.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// The text is another one.
    #[error(
        "it is not an Ed25519 private key in PEM (PKCS #8); `metamcp publishers keygen` makes one"
    )]
    NotAKey,
    /// The machine has no randomness.
    #[error("no key can be made: the system gives no randomness")]
    Generate,
}

/// The private key of a publisher.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Makes a key.
    ///
    /// # Errors
    /// [`NoKey::Generate`].
    pub fn generate() -> Result<Self, NoKey> {
        Ed25519KeyPair::generate()
            .map(Self)
            .map_err(|_| NoKey::Generate)
    }

    /// Reads a key as `openssl genpkey -algorithm Ed25519` writes it.
    ///
    /// # Errors
    /// [`NoKey::NotAKey`].
    pub fn from_pem(pem: &SecretString) -> Result<Self, NoKey> {
        let text = pem.expose_secret().trim();
        let body = text
            .strip_prefix(BEGIN)
            .and_then(|text| text.strip_suffix(END));
        let lines: String = body.ok_or(NoKey::NotAKey)?.split_whitespace().collect();
        let der = BASE64.decode(lines.as_bytes());
        let der = der.map_err(|_| NoKey::NotAKey)?;
        Ed25519KeyPair::from_pkcs8(&der)
            .map(Self)
            .map_err(|_| NoKey::NotAKey)
    }

    /// The key as `openssl` reads it.
    ///
    /// # Errors
    /// [`NoKey::Generate`].
    pub fn to_pem(&self) -> Result<SecretString, NoKey> {
        let der = self.0.to_pkcs8v1().map_err(|_| NoKey::Generate)?;
        let mut pem = format!("{BEGIN}\n");
        let body = BASE64.encode(der.as_ref());
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem.push_str(END);
        pem.push('\n');
        Ok(pem.into())
    }

    /// The public key, which is to be published.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::new(KeyAlgorithm::Ed25519, self.0.public_key().as_ref())
    }

    /// The signature of a challenge at a moment, in hex.
    #[must_use]
    pub fn sign(&self, challenge: &str, signed_at: &str) -> String {
        let text = signed_text(challenge, signed_at);
        hex::encode(self.0.sign(text.as_bytes()).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyCompressedBin};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};

    #[test]
    fn a_signature_fits_its_key_and_its_text_alone() {
        let (key, other) = (
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap(),
        );
        let signature = hex::decode(key.sign("challenge", "now")).unwrap();
        assert!(fits(&key.public_key(), b"challenge now", &signature));
        assert!(!fits(&key.public_key(), b"challenge then", &signature));
        assert!(!fits(&other.public_key(), b"challenge now", &signature));
        assert!(!fits(&key.public_key(), b"challenge now", &signature[1..]));
    }

    #[test]
    fn a_compressed_point_of_p384_is_a_key() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let point: EcPublicKeyCompressedBin<'_> = pair.public_key().as_be_bytes().unwrap();
        let key = PublicKey::new(KeyAlgorithm::EcdsaP384, point.as_ref());
        assert_eq!(key.bytes().len(), 49);
        let signature = pair.sign(&SystemRandom::new(), b"text").unwrap();
        assert!(fits(&key, b"text", signature.as_ref()));
        assert!(!fits(&key, b"other", signature.as_ref()));
    }

    #[test]
    fn a_key_is_read_back_from_its_pem() {
        let key = SigningKey::generate().unwrap();
        let read = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        for other in [
            "",
            "key",
            "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----",
        ] {
            assert!(SigningKey::from_pem(&other.to_owned().into()).is_err());
        }
    }

    /// RFC 8410 section 10.3: what other programs write.
    #[test]
    fn a_key_of_another_program_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let key = SigningKey::from_pem(&pem.to_owned().into()).unwrap();
        assert_eq!(
            key.public_key().key,
            "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
        );
    }
}
