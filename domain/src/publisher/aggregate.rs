//! The rules of a namespace: claimed, then verified; lapsed and verified again; revoked and claimed again.
//!
//! These are the rules within one tenant. That one namespace counts for one tenant at a time is decided by
//! the order of the log, in the read model: see `projections/src/publishers`.

use super::error::MAX_REASON;
use super::{
    LapseReason, Namespace, Proof, ProofMethod, PublicKey, PublisherClaimed, PublisherCommand,
    PublisherError, PublisherEvent, PublisherLapsed, PublisherRevoked, PublisherVerified, keys_in,
};
use crate::aggregate::AggregateRoot;
use crate::text::is_clean;
use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

/// How old a signature may be.
pub const SIGNATURE_LIFE: TimeDelta = TimeDelta::minutes(15);
/// How far the signer's clock may be ahead.
pub const SKEW: TimeDelta = TimeDelta::seconds(60);

/// A namespace of a tenant, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publisher {
    claim: Option<PublisherClaimed>,
    revoked: bool,
    verified: Option<(ProofMethod, PublicKey)>,
}

/// What a publisher signs, before the moment: it is bound to one claim of one namespace.
#[must_use]
pub fn challenge(namespace: &str, nonce: &str) -> String {
    format!("metamcp-publisher:{namespace}:{nonce}")
}

/// The whole text that is signed.
#[must_use]
pub fn signed_text(challenge: &str, signed_at: &str) -> String {
    format!("{challenge} {signed_at}")
}

impl Aggregate for Publisher {
    const TYPE: &'static str = "publisher";
    type Command = PublisherCommand;
    type Event = PublisherEvent;
    type Error = PublisherError;
    type Services = ();

    async fn handle(
        &mut self,
        command: PublisherCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), PublisherError> {
        let event = match command {
            PublisherCommand::Claim { namespace, nonce } => self.claim(&namespace, nonce)?,
            PublisherCommand::Verify(proof) => self.verify(*proof)?,
            PublisherCommand::Lapse { public_key, reason } => self.lapse(&public_key, reason)?,
            PublisherCommand::Revoke { reason } => self.revoke(reason)?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: PublisherEvent) {
        match event {
            PublisherEvent::Claimed(claim) => {
                self.claim = Some(claim);
                self.revoked = false;
            }
            PublisherEvent::Verified(event) => {
                self.verified = Some((event.method, event.public_key));
            }
            PublisherEvent::Lapsed(_) => self.verified = None,
            PublisherEvent::Revoked(_) => {
                self.revoked = true;
                self.verified = None;
            }
        }
    }
}

impl AggregateRoot for Publisher {
    fn is_creation(command: &PublisherCommand) -> bool {
        matches!(command, PublisherCommand::Claim { .. })
    }
}

impl Publisher {
    /// The namespace and the challenge to sign: the facts that a proof begins with.
    ///
    /// # Errors
    /// [`PublisherError::NotClaimed`] or [`PublisherError::Revoked`].
    pub fn to_prove(&self) -> Result<(&Namespace, String), PublisherError> {
        let claim = self.claimed()?;
        let challenge = challenge(claim.namespace.as_str(), &claim.nonce);
        Ok((&claim.namespace, challenge))
    }

    fn claim(&self, namespace: &str, nonce: String) -> Result<PublisherEvent, PublisherError> {
        if self.claimed().is_ok() {
            return Err(PublisherError::AlreadyClaimed);
        }
        let namespace = Namespace::parse(namespace)?;
        Ok(PublisherEvent::Claimed(PublisherClaimed {
            namespace,
            nonce,
        }))
    }

    fn verify(&self, proof: Proof) -> Result<PublisherEvent, PublisherError> {
        let (_, challenge) = self.to_prove()?;
        if proof.challenge != challenge {
            return Err(PublisherError::ChallengeChanged);
        }
        check_moment(&proof.signed_at, proof.now)?;
        if !keys_in(&proof.record).any(|key| key.as_ref() == Ok(&proof.public_key)) {
            return Err(PublisherError::KeyNotInRecord);
        }
        if self.verified.as_ref() == Some(&(proof.method, proof.public_key.clone())) {
            return Err(PublisherError::AlreadyVerified);
        }
        Ok(PublisherEvent::Verified(PublisherVerified {
            method: proof.method,
            record: proof.record,
            public_key: proof.public_key,
            challenge,
            signed_at: proof.signed_at,
            signature: proof.signature,
        }))
    }

    fn lapse(
        &self,
        looked_for: &PublicKey,
        reason: LapseReason,
    ) -> Result<PublisherEvent, PublisherError> {
        self.claimed()?;
        match &self.verified {
            None => Err(PublisherError::NotVerified),
            Some((_, key)) if key != looked_for => Err(PublisherError::KeyChanged),
            Some(_) => Ok(PublisherEvent::Lapsed(PublisherLapsed { reason })),
        }
    }

    fn revoke(&self, reason: String) -> Result<PublisherEvent, PublisherError> {
        self.claimed()?;
        if reason.chars().count() > MAX_REASON || !is_clean(&reason) {
            return Err(PublisherError::InvalidReason);
        }
        Ok(PublisherEvent::Revoked(PublisherRevoked { reason }))
    }

    fn claimed(&self) -> Result<&PublisherClaimed, PublisherError> {
        match &self.claim {
            None => Err(PublisherError::NotClaimed),
            Some(_) if self.revoked => Err(PublisherError::Revoked),
            Some(claim) => Ok(claim),
        }
    }
}

fn check_moment(signed_at: &str, now: DateTime<Utc>) -> Result<(), PublisherError> {
    let moment = DateTime::parse_from_rfc3339(signed_at)
        .map_err(|_| PublisherError::InvalidMoment)?
        .with_timezone(&Utc);
    if moment < now - SIGNATURE_LIFE || moment > now + SKEW {
        return Err(PublisherError::SignatureExpired {
            signed_at: signed_at.to_owned(),
        });
    }
    Ok(())
}
