//! Why a namespace is not proved. Each text tells its publisher what to put where.

use crate::error::ApiError;
use domain::publisher::BadRecord;

/// Why a namespace is not proved.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Publish the record.
    #[error(
        "there is no `v=MCPv1` record at {place}: publish `v=MCPv1; k=ed25519; p=<base64 of your public key>` there (`metamcp publishers keygen` makes a key and prints it)"
    )]
    RecordMissing {
        /// Where it was looked for.
        place: String,
    },
    /// Mend the record.
    #[error("a `v=MCPv1` record at {place} cannot be read: {source}")]
    BadRecord {
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        #[source]
        source: BadRecord,
    },
    /// Sign with the key that is published, or publish the one that signed.
    #[error(
        "the signature fits none of the keys at {place} ({found}): sign `<challenge> <signedAt>` with the private key of one of them, or publish the key that you sign with; a changed record needs its time to live to be seen"
    )]
    KeyMismatch {
        /// Where the keys were found.
        place: String,
        /// The keys, in base64.
        found: String,
    },
    /// Send hex.
    #[error("the signature must be written in hex, two digits a byte")]
    InvalidSignature,
    /// Try again, or mend the server.
    #[error("{place} cannot be read now: {why}")]
    Unreachable {
        /// What was asked.
        place: String,
        /// What came of it.
        why: String,
    },
    /// Serve the file at a public address.
    #[error(
        "{domain} resolves to {address}, which is not a public address, and nothing is fetched from there"
    )]
    AddressRefused {
        /// Which domain.
        domain: String,
        /// To what it resolves.
        address: std::net::IpAddr,
    },
}

impl ProofError {
    /// Stable, upper-case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::RecordMissing { .. } => "PROOF_RECORD_MISSING",
            Self::BadRecord { .. } => "PROOF_RECORD_INVALID",
            Self::KeyMismatch { .. } => "PROOF_KEY_MISMATCH",
            Self::InvalidSignature => "INVALID_SIGNATURE",
            Self::Unreachable { .. } => "PROOF_UNREACHABLE",
            Self::AddressRefused { .. } => "PROOF_ADDRESS_REFUSED",
        }
    }
}

impl From<ProofError> for ApiError {
    fn from(error: ProofError) -> Self {
        Self::Rejected {
            code: error.code(),
            message: error.to_string(),
        }
    }
}
