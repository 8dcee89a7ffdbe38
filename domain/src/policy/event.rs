//! What has happened to the policy.

use serde::{Deserialize, Serialize};

wire_events! {
    /// An event of the policy.
    pub enum PolicyEvent {
        /// A process began to judge by other rules than those on record.
        Adopted(PolicyAdopted) = "policy.adopted" v 2,
    }
}

/// A process began to judge by other rules than those on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAdopted {
    /// The name of the policy, see [`version_of`](super::version_of).
    pub policy_version: String,
    /// Hex SHA-256 of the text.
    pub sha256: String,
    /// All rules, so that what they allowed can be computed again when the files are gone.
    pub text: String,
    /// The release of the program that recorded it; none when that did not say.
    pub program_version: Option<String>,
}
