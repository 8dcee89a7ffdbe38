//! What can be asked of a publisher's namespace.

use super::{LapseReason, ProofMethod, PublicKey};
use chrono::{DateTime, Utc};

/// A command to a namespace of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublisherCommand {
    /// Say that the namespace is the tenant's. It counts for nothing until it is verified.
    Claim {
        /// The namespace, such as `com.example`.
        namespace: String,
        /// Random text, so that a signature of one claim is of no use for another.
        nonce: String,
    },
    /// Prove it.
    Verify(Box<Proof>),
    /// The proof has gone: the key does not stand at its place any more.
    Lapse {
        /// The key that was looked for.
        public_key: PublicKey,
        /// What was found instead.
        reason: LapseReason,
    },
    /// Give the namespace up.
    Revoke {
        /// Why; may be empty.
        reason: String,
    },
}

/// What was looked up and checked outside: the domain reads no DNS and knows no cryptography.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Where the record was found.
    pub method: ProofMethod,
    /// The record's text as it was found.
    pub record: String,
    /// The key of the record that the signature fits.
    pub public_key: PublicKey,
    /// The challenge that was signed.
    pub challenge: String,
    /// The moment of the signature, in the very text that was signed (RFC 3339).
    pub signed_at: String,
    /// The signature in hex.
    pub signature: String,
    /// When the record was looked up.
    pub now: DateTime<Utc>,
}
