//! A publisher's namespace in reverse-DNS form, such as `com.example`: claimed by a tenant, and verified by
//! a key that stands in the domain's DNS or on its web server (the official MCP registry's scheme).

mod aggregate;
mod command;
mod error;
mod event;
mod namespace;
mod record;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod upcast;

pub use aggregate::{Publisher, SIGNATURE_LIFE, SKEW, challenge, signed_text};
pub use command::{Proof, PublisherCommand};
pub use error::PublisherError;
pub use event::{
    LapseReason, PublisherClaimed, PublisherEvent, PublisherLapsed, PublisherRevoked,
    PublisherVerified,
};
pub use namespace::Namespace;
pub use record::{BadRecord, KeyAlgorithm, ProofMethod, PublicKey, keys_in};
