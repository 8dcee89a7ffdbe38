//! A denial: what one principal was refused, on one object, in one window of time. The first refusal of a
//! window is an event, and so is the number of those that followed: a flood of refusals leaves few events,
//! and none of it is lost.

mod aggregate;
mod command;
mod error;
mod event;
mod refusal;
#[cfg(test)]
mod tests;
pub(crate) mod upcast;

pub use aggregate::Denial;
pub use command::DenialCommand;
pub use error::DenialError;
pub use event::{DenialEvent, DenialRecorded, DenialRepeated};
pub use refusal::{Decision, Refusal};
