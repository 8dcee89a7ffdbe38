//! What has happened to a publisher's namespace.

use super::{Namespace, ProofMethod, PublicKey};
use crate::named::named;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

wire_events! {
    /// An event of a namespace.
    pub enum PublisherEvent {
        /// A tenant says that the namespace is its own.
        Claimed(PublisherClaimed) = "publisher.claimed" v 1,
        /// The tenant has proved it.
        Verified(PublisherVerified) = "publisher.verified" v 1,
        /// The proof was looked for again and is gone.
        Lapsed(PublisherLapsed) = "publisher.lapsed" v 1,
        /// The tenant has given the namespace up.
        Revoked(PublisherRevoked) = "publisher.revoked" v 1,
    }
}

/// A tenant says that the namespace is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherClaimed {
    /// The namespace.
    pub namespace: Namespace,
    /// What makes its challenge unique.
    pub nonce: String,
}

/// The tenant has proved it. The signature is kept, so that anybody can check it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherVerified {
    /// Where the record was found.
    pub method: ProofMethod,
    /// The record's text as it was found.
    pub record: String,
    /// The key that signed.
    pub public_key: PublicKey,
    /// What was signed, together with the moment.
    pub challenge: String,
    /// The moment of the signature, in the very text that was signed.
    pub signed_at: String,
    /// The signature in hex.
    pub signature: String,
}

named! {
    /// What a re-check found in place of the key.
    pub enum LapseReason {
        /// There is no such domain, record or file.
        RecordMissing = "record_missing",
        /// There are records, but none with the key.
        KeyMissing = "key_missing",
    }
}

/// The proof was looked for again and is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherLapsed {
    /// What was found instead.
    pub reason: LapseReason,
}

/// The tenant has given the namespace up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherRevoked {
    /// Why.
    pub reason: String,
}
