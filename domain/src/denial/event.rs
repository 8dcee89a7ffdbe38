//! What has happened to a denial.

use super::Refusal;
use serde::{Deserialize, Serialize};

wire_events! {
    /// An event of a denial.
    pub enum DenialEvent {
        /// A principal was refused something, for the first time in a window.
        Recorded(Box<DenialRecorded>) = "denial.recorded" v 1,
        /// It was refused the same again in the same window.
        Repeated(DenialRepeated) = "denial.repeated" v 1,
    }
}

/// A principal was refused something, for the first time in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenialRecorded {
    /// Who was refused what.
    #[serde(flatten)]
    pub refusal: Refusal,
    /// How many times up to the moment of recording, nearly always once.
    pub times: u64,
}

/// It was refused the same again in the same window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenialRepeated {
    /// How many times more.
    pub times: u64,
    /// How many times in all so far.
    pub total: u64,
}
