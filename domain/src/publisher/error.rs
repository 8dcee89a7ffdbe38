//! Why a namespace refuses a command.

use super::Namespace;
use crate::aggregate::Rejection;
use crate::text::written_out;

/// Longest reason, in characters.
pub(super) const MAX_REASON: usize = 1_000;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublisherError {
    /// Write the labels of a domain backwards, in lower case.
    #[error(
        "`{}` is not a namespace: write a domain backwards, in lower-case letters, digits and hyphens, such as com.example for example.com",
        written_out(found)
    )]
    InvalidNamespace {
        /// What was given, shortened.
        found: String,
    },
    /// Claim a domain of your own below it.
    #[error(
        "`{namespace}` is a public suffix, under which everybody registers; claim a domain of your own, such as {namespace}.example"
    )]
    PublicSuffix {
        /// What was given.
        namespace: Namespace,
    },
    /// Prove it, or revoke it first for a new challenge.
    #[error("the namespace is claimed already; verify it, or revoke it to claim it anew")]
    AlreadyClaimed,
    /// Claim the namespace first.
    #[error("there is no such namespace; claim it first")]
    NotClaimed,
    /// The claim was given up: claim the namespace again.
    #[error("the namespace was revoked; claim it again for a new challenge")]
    Revoked,
    /// There is nothing to do.
    #[error("the namespace is verified already, by this method and key")]
    AlreadyVerified,
    /// Only what is verified can lapse.
    #[error("the namespace is not verified")]
    NotVerified,
    /// Sign the present challenge: the claim is another one now.
    #[error("the signature is of another claim; sign the challenge that the namespace shows now")]
    ChallengeChanged,
    /// Another key has been verified meanwhile.
    #[error("the namespace was verified with another key meanwhile")]
    KeyChanged,
    /// The record does not name the key.
    #[error("the record does not name the key that signed")]
    KeyNotInRecord,
    /// Write the moment as RFC 3339 has it.
    #[error("the moment of the signature must be written as in 2026-01-31T12:00:00Z (RFC 3339)")]
    InvalidMoment,
    /// Sign anew, and send it at once.
    #[error(
        "the signature was made at {signed_at}, outside of the last 15 minutes; check your clock, sign the challenge with the present time, and send it at once"
    )]
    SignatureExpired {
        /// The moment that was signed.
        signed_at: String,
    },
    /// Shorten the reason, or remove hidden characters.
    #[error("the reason must have at most {MAX_REASON} characters, none of them hidden")]
    InvalidReason,
}

impl Rejection for PublisherError {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidNamespace { .. } => "INVALID_NAMESPACE",
            Self::PublicSuffix { .. } => "PUBLIC_SUFFIX",
            Self::AlreadyClaimed => "NAMESPACE_ALREADY_CLAIMED",
            Self::NotClaimed => "NAMESPACE_NOT_FOUND",
            Self::Revoked => "NAMESPACE_REVOKED",
            Self::AlreadyVerified => "NAMESPACE_ALREADY_VERIFIED",
            Self::NotVerified => "NAMESPACE_NOT_VERIFIED",
            Self::ChallengeChanged => "CHALLENGE_CHANGED",
            Self::KeyChanged => "PROOF_KEY_CHANGED",
            Self::KeyNotInRecord => "PROOF_KEY_MISMATCH",
            Self::InvalidMoment => "INVALID_MOMENT",
            Self::SignatureExpired { .. } => "SIGNATURE_EXPIRED",
            Self::InvalidReason => "INVALID_REASON",
        }
    }

    fn is_not_found(&self) -> bool {
        *self == Self::NotClaimed
    }
}
