//! What can be asked of the policy.

/// A command to the policy; the aggregate's id is [`PolicyId::derive`](crate::id::PolicyId::derive).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyCommand {
    /// Judge by these rules from now on.
    Adopt {
        /// All rules in one text, in the language of policies.
        text: String,
        /// The release of the program that judges by them.
        program_version: String,
    },
}
