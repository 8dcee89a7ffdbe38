//! What can be asked of a denial.

use super::Refusal;

/// A command to a denial; the aggregate's id is [`Refusal::denial_id`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialCommand {
    /// Remember refusals of one window.
    Record {
        /// Who was refused what, and when.
        refusal: Refusal,
        /// How many times, at least once.
        times: u64,
    },
}
