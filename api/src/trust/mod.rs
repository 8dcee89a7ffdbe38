//! Proofs of publishers' namespaces, in the scheme of the official MCP registry: the domain's owner puts a
//! public key into a TXT record of the domain, or into a file on its web server, and signs a challenge with
//! the private key. Here the record is looked up and the signature is checked; the domain crate decides.
//!
//! Invariants: every request has a time-out and a size limit, follows no redirect, and goes to an address
//! that was looked at before (see [`address`]).

mod address;
mod dns;
mod error;
mod key;
mod well_known;

pub use error::ProofError;
pub use key::{NoKey, SigningKey};

use self::dns::Dns;
use crate::config::PublishersConfig;
use chrono::Utc;
use domain::publisher::{
    LapseReason, Namespace, Proof, ProofMethod, PublicKey, keys_in, signed_text,
};

/// Longest record that is looked at, in bytes.
const MAX_RECORD: usize = 1_024;
/// Most records that are tried: each costs the check of a signature.
const MAX_RECORDS: usize = 16;

/// Looks up what proves a namespace. Cheap to make; reads the system's resolvers anew.
pub struct Prover {
    config: PublishersConfig,
    dns: Dns,
}

/// What a publisher sends.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The challenge that it was given.
    pub challenge: String,
    /// The moment of the signature, in the very text that was signed.
    pub signed_at: String,
    /// The signature in hex.
    pub signature: String,
}

impl Prover {
    /// With the configured resolvers and limits.
    #[must_use]
    pub fn new(config: &PublishersConfig) -> Self {
        Self {
            dns: Dns::new(config),
            config: config.clone(),
        }
    }

    /// Finds the published key that a signature fits.
    ///
    /// # Errors
    /// [`ProofError`], which tells what to put where.
    pub async fn prove(
        &self,
        namespace: &Namespace,
        method: ProofMethod,
        signed: Signed,
    ) -> Result<Proof, ProofError> {
        let signature = hex::decode(&signed.signature).map_err(|_| ProofError::InvalidSignature)?;
        let records = self.records(namespace, method).await?;
        let text = signed_text(&signed.challenge, &signed.signed_at);
        let found = records
            .iter()
            .find(|(_, published)| key::fits(published, text.as_bytes(), &signature));
        let (record, public_key) = found.cloned().ok_or_else(|| ProofError::KeyMismatch {
            place: place(namespace, method),
            found: records
                .iter()
                .map(|(_, published)| published.key.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })?;
        Ok(Proof {
            method,
            record,
            public_key,
            challenge: signed.challenge,
            signed_at: signed.signed_at,
            signature: hex::encode(signature),
            now: Utc::now(),
        })
    }

    /// Looks whether a key still stands at its place; why not, if it is certain that it does not.
    ///
    /// # Errors
    /// [`ProofError`] when that cannot be found out now.
    pub async fn check(
        &self,
        namespace: &Namespace,
        method: ProofMethod,
        key: &PublicKey,
    ) -> Result<Option<LapseReason>, ProofError> {
        match self.records(namespace, method).await {
            Ok(records) if records.iter().any(|(_, published)| published == key) => Ok(None),
            Ok(_) | Err(ProofError::BadRecord { .. }) => Ok(Some(LapseReason::KeyMissing)),
            Err(ProofError::RecordMissing { .. }) => Ok(Some(LapseReason::RecordMissing)),
            Err(error) => Err(error),
        }
    }

    /// The records with a key that stand at the namespace's place; at least one.
    async fn records(
        &self,
        namespace: &Namespace,
        method: ProofMethod,
    ) -> Result<Vec<(String, PublicKey)>, ProofError> {
        let domain = namespace.domain();
        let texts = match method {
            ProofMethod::Dns => self.dns.texts(&domain).await?,
            ProofMethod::Http => well_known::fetch(&self.config, &self.dns, &domain).await?,
        };
        let place = place(namespace, method);
        let (mut records, mut bad) = (Vec::new(), None);
        let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
        for line in lines.filter(|line| line.len() <= MAX_RECORD) {
            match keys_in(line).next() {
                Some(Ok(key)) => records.push((line.to_owned(), key)),
                Some(Err(why)) => bad = Some(why),
                None => {}
            }
        }
        records.truncate(MAX_RECORDS);
        match bad {
            _ if !records.is_empty() => Ok(records),
            Some(source) => Err(ProofError::BadRecord { place, source }),
            None => Err(ProofError::RecordMissing { place }),
        }
    }
}

/// Where the record of a namespace stands, for people.
#[must_use]
pub fn place(namespace: &Namespace, method: ProofMethod) -> String {
    let domain = namespace.domain();
    match method {
        ProofMethod::Dns => format!("the TXT records of {domain}"),
        ProofMethod::Http => format!("https://{domain}{}", well_known::PATH),
    }
}
