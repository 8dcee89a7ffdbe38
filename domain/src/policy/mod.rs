//! The policy of an installation: the rules that its processes judge by, and since when. One aggregate, of the
//! installation and no tenant ([`TenantId::installation`](crate::id::TenantId::installation)), because all
//! tenants are judged by the same files.

mod aggregate;
mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;
pub(crate) mod upcast;

pub use aggregate::{MAX_TEXT, Policy};
pub use command::PolicyCommand;
pub use error::PolicyError;
pub use event::{PolicyAdopted, PolicyEvent};

use crate::envelope::body_hash;

/// Hex digits of a policy's name.
const VERSION_DIGITS: usize = 12;

/// Names a policy: the first 12 hex digits of its text's SHA-256.
#[must_use]
pub fn version_of(text: &str) -> String {
    let mut version = body_hash(text.as_bytes());
    version.truncate(VERSION_DIGITS);
    version
}
