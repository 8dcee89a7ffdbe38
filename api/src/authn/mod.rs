//! From a bearer token to a [`crate::context::Caller`].
//!
//! Our own issuer: Ed25519 keys in a folder ([`keys`]) sign JWTs ([`token`]); the middleware
//! ([`middleware`]) verifies one for each request and then asks the `access` read model ([`principal`])
//! whether the principal is still active and the token not revoked.
//!
//! Invariants: fails closed. No key, no read model, or a read model that lags beyond its bound: no
//! caller. A revocation takes effect on every instance within the cache's life plus the read model's
//! lag, both bounded by the configuration (together below 5 s).

pub mod keys;
pub mod middleware;
pub mod principal;
pub mod token;

pub use keys::{KeyError, KeyRing};
pub use middleware::authenticate;
pub(crate) use middleware::{admit, bearer};
pub use principal::PrincipalCache;
pub use token::{Claims, IssuedToken, Tokens};
