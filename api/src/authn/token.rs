//! Tokens: JWTs (RFC 7519) signed with EdDSA (RFC 8037), for one principal of one tenant.
//!
//! What is believed follows RFC 8725: one algorithm, a key from our own folder named by `kid`, our own
//! issuer, an audience that is one of our resources (RFC 8707), all time claims. Keys or addresses inside
//! a token (`jwk`, `jku`, `x5u`, `x5c`) are never looked at.

use super::keys::{KeyError, KeyRing};
use crate::config::Config;
use crate::error::TokenProblem;
use chrono::{DateTime, Utc};
use domain::id::{PrincipalId, TenantId};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use moka::sync::Cache;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Longer texts are not looked at.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Tokens that are believed again without their signature.
const RECENT: u64 = 10_000;
/// How long. Its key and its end are looked at each time; a revocation is the principal's.
const RECENT_TTL: Duration = Duration::from_secs(2);

/// What a token says. `iat` has fractions of a second (RFC 7519 section 2, `NumericDate`), so that a
/// token issued right after a revocation is told from one issued right before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Our own address.
    pub iss: String,
    /// For which of our resources: one text, or a list.
    pub aud: Value,
    /// The principal's id.
    pub sub: PrincipalId,
    /// The tenant's slug.
    pub tenant: TenantId,
    /// Unique, for audits.
    pub jti: Uuid,
    /// When it was issued, in seconds.
    pub iat: f64,
    /// From when it is valid, in seconds.
    pub nbf: i64,
    /// Until when, in seconds.
    pub exp: i64,
}

/// A fresh token.
#[derive(Debug)]
pub struct IssuedToken {
    /// What goes behind `Bearer`.
    pub token: SecretString,
    /// Its unique id, which is no secret.
    pub jti: Uuid,
    /// Until when it is valid.
    pub expires_at: DateTime<Utc>,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Ask for a shorter life, or raise `auth.max_token_ttl`.
    #[error(
        "a token may live {} at most (auth.max_token_ttl): ask for less, or raise the limit",
        in_hours(*most)
    )]
    TooLong {
        /// The limit.
        most: Duration,
    },
    /// The signing failed: a defect, or a folder without keys.
    #[error("the token could not be signed")]
    Sign(#[source] Option<jsonwebtoken::errors::Error>),
}

fn in_hours(time: Duration) -> String {
    match time.as_secs() / 3_600 {
        0 => format!("{time:?}"),
        hours => format!("{hours} hours"),
    }
}

/// Issues and verifies.
pub struct Tokens {
    ring: Arc<KeyRing>,
    issuer: String,
    validation: Validation,
    leeway: Duration,
    default_ttl: Duration,
    max_ttl: Duration,
    /// By the token's SHA-256: the key that signed it, and what it says.
    recent: Cache<[u8; 32], (String, Claims)>,
}

impl Tokens {
    /// Opens the configured keys.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(config: &Config) -> Result<Self, KeyError> {
        let auth = &config.auth;
        let issuer = config.http.base_url();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&config.http.resources());
        validation.validate_nbf = true;
        validation.leeway = auth.leeway.as_secs();
        Ok(Self {
            ring: Arc::new(KeyRing::open(&auth.keys_dir, auth.max_token_ttl)?),
            issuer,
            validation,
            leeway: auth.leeway,
            default_ttl: auth.token_ttl,
            max_ttl: auth.max_token_ttl,
            recent: Cache::builder()
                .max_capacity(RECENT)
                .time_to_live(RECENT_TTL)
                .build(),
        })
    }

    /// The keys, for their public set, rotation and [`KeyRing::watch`].
    #[must_use]
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// A token for all of our resources. Whether the principal exists is the caller's to know; a token of
    /// one that does not is refused when it is used.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue(
        &self,
        tenant: &TenantId,
        principal: &PrincipalId,
        ttl: Option<Duration>,
    ) -> Result<IssuedToken, IssueError> {
        let ttl = ttl.unwrap_or(self.default_ttl);
        if ttl > self.max_ttl {
            return Err(IssueError::TooLong { most: self.max_ttl });
        }
        let key = self.ring.newest().ok_or(IssueError::Sign(None))?;
        let now = Utc::now();
        let expires_at = now + ttl;
        let jti = Uuid::now_v7();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone().into(),
            sub: principal.clone(),
            tenant: tenant.clone(),
            jti,
            iat: seconds(now),
            nbf: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let header = Header {
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token =
            encode(&header, &claims, &key.encoding).map_err(|e| IssueError::Sign(Some(e)))?;
        Ok(IssuedToken {
            token: token.into(),
            jti,
            expires_at,
        })
    }

    /// Believes a token or not. A token that was believed in the last moments is believed again without
    /// its signature, until it expires.
    ///
    /// # Errors
    /// [`TokenProblem::Invalid`] with as much as a stranger may know.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenProblem> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenProblem::Invalid("it is too long"));
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some((kid, claims)) = self.recent.get(&digest)
            && Utc::now().timestamp() < claims.exp
            && self.ring.find(&kid).is_some()
        {
            return Ok(claims);
        }
        let (kid, claims) = self.verify_signature(token)?;
        self.recent.insert(digest, (kid, claims.clone()));
        Ok(claims)
    }

    fn verify_signature(&self, token: &str) -> Result<(String, Claims), TokenProblem> {
        let header = decode_header(token).map_err(|_| TokenProblem::Invalid("it is malformed"))?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenProblem::Invalid("its algorithm is not accepted"));
        }
        if header.crit.is_some() {
            return Err(TokenProblem::Invalid("it has critical extensions"));
        }
        let kid = header.kid.ok_or(TokenProblem::Invalid("it names no key"))?;
        let key = self
            .ring
            .find(&kid)
            .ok_or(TokenProblem::Invalid("its key is unknown"))?;
        let decoded = decode::<Claims>(token, &key.decoding, &self.validation);
        let claims = decoded
            .map_err(|error| TokenProblem::Invalid(reason(error.kind())))?
            .claims;
        let latest = seconds(Utc::now()) + self.leeway.as_secs_f64();
        if claims.iat.is_finite() && claims.iat <= latest {
            Ok((kid, claims))
        } else {
            Err(TokenProblem::Invalid("it was issued in the future"))
        }
    }
}

impl Claims {
    /// True when the token was issued before this moment. A token of the same microsecond counts as
    /// before: a doubt goes against the token.
    #[must_use]
    pub fn issued_before(&self, moment: DateTime<Utc>) -> bool {
        self.iat <= seconds(moment)
    }
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidIssuer => "it is of another issuer",
        ErrorKind::InvalidAlgorithm => "its algorithm is not accepted",
        ErrorKind::InvalidSignature => "its signature does not verify",
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::Json(_) => "a claim is missing or malformed",
        _ => "it is malformed",
    }
}

/// Microseconds since 1970.
pub(super) fn micros(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_micros()
}

/// Seconds since 1970 with microseconds, which a double holds until the year 2255.
fn seconds(moment: DateTime<Utc>) -> f64 {
    micros(moment) as f64 / 1e6
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
